//! Submissions of ours on one cluster, and the requests that following them costs.

/// Requests that one submission costs, when nothing goes wrong: gate, array, its rows, the gate's deletion, a look at it.
const CALLS_TO_SEND: u64 = 5;
/// A submission is followed by two counts per look; its rows are listed when one of them changed.
const CALLS_TO_COUNT: u64 = 2;

#[derive(Debug, Clone, Copy, Default)]
struct Submission {
    live: u32,
    /// The look that last showed a change.
    changed: u64,
}

/// Open submissions, and requests made so far.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    submissions: Vec<Submission>,
    vacant: Vec<u32>,
    look: u64,
    changed: u64,
    /// Requests made for jobs.
    pub(crate) calls: u64,
    /// Jobs sent.
    pub(crate) sent: u64,
}

impl Ledger {
    /// A submission of so many jobs; its number.
    pub(crate) fn submit(&mut self, jobs: u32) -> u32 {
        self.calls += CALLS_TO_SEND;
        self.sent += u64::from(jobs);
        let submission = Submission { live: jobs, changed: 0 };
        match self.vacant.pop() {
            Some(place) => {
                self.submissions[place as usize] = submission;
                place
            }
            None => {
                self.submissions.push(submission);
                self.submissions.len() as u32 - 1
            }
        }
    }

    /// A look finds a job of this submission started, or ended.
    pub(crate) fn job_changed(&mut self, submission: u32, ended: bool) {
        let look = self.look + 1;
        let found = &mut self.submissions[submission as usize];
        self.changed += u64::from(found.changed != look);
        found.changed = look;
        found.live -= u32::from(ended);
        if found.live == 0 {
            self.vacant.push(submission);
        }
    }

    /// A look at `open` submissions is over.
    pub(crate) fn looked(&mut self, open: u64) {
        self.calls += CALLS_TO_COUNT * open + self.changed;
        self.changed = 0;
        self.look += 1;
    }

    /// Submissions with live jobs.
    pub(crate) fn open(&self) -> u64 {
        (self.submissions.len() - self.vacant.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_costs_its_sending_two_counts_per_look_and_a_list_when_something_changed() {
        let mut ledger = Ledger::default();
        let submission = ledger.submit(2);
        ledger.looked(ledger.open());
        assert_eq!(ledger.calls, 5 + 2);
        let open = ledger.open();
        ledger.job_changed(submission, false);
        ledger.job_changed(submission, true);
        ledger.looked(open);
        assert_eq!(ledger.calls, 7 + 2 + 1);
        ledger.job_changed(submission, true);
        assert_eq!(ledger.open(), 0);
    }
}

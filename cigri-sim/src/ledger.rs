//! Submissions of ours on one cluster, and the requests that following them costs.

use cigri_core::ledger::{LONGEST_LOOK_MS, next_look_ms};

/// Requests that one submission costs, when nothing goes wrong: gate, array, its rows, the gate's deletion, a look at it.
const CALLS_TO_SEND: u64 = 5;
/// A submission of which jobs wait is followed by two counts per look; its rows are listed when one of them changed.
const CALLS_TO_COUNT: u64 = 2;

#[derive(Debug, Clone, Copy, Default)]
struct Submission {
    live: u32,
    waiting: u32,
    /// The look that last showed a change.
    changed: u64,
}

/// Open submissions, and requests made so far.
#[derive(Debug)]
pub(crate) struct Ledger {
    period_ms: i64,
    submissions: Vec<Submission>,
    vacant: Vec<u32>,
    look: u64,
    /// Requests made for jobs, but for those that follow a submission since its last change.
    calls: u64,
    /// Jobs sent.
    pub(crate) sent: u64,
}

impl Ledger {
    /// Of a cluster that is looked at every so many seconds.
    pub(crate) fn new(period_s: u64) -> Ledger {
        let period_ms = (period_s.max(1) * 1000) as i64;
        Ledger { period_ms, submissions: Vec::new(), vacant: Vec::new(), look: 0, calls: 0, sent: 0 }
    }

    /// A submission of so many jobs; its number.
    pub(crate) fn submit(&mut self, jobs: u32) -> u32 {
        self.calls += CALLS_TO_SEND;
        self.sent += u64::from(jobs);
        let submission = Submission { live: jobs, waiting: jobs, changed: self.look };
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

    /// A look finds a job of this submission started.
    pub(crate) fn job_started(&mut self, submission: u32) {
        self.change(submission);
        let found = &mut self.submissions[submission as usize];
        found.waiting = found.waiting.saturating_sub(1);
    }

    /// A look finds a job of this submission ended.
    pub(crate) fn job_ended(&mut self, submission: u32) {
        self.change(submission);
        let found = &mut self.submissions[submission as usize];
        found.live -= 1;
        found.waiting = found.waiting.min(found.live);
        if found.live == 0 {
            self.vacant.push(submission);
        }
    }

    /// The next look shows a change: what it cost to follow the submission until then, and a list.
    fn change(&mut self, submission: u32) {
        let look = self.look + 1;
        let found = &mut self.submissions[submission as usize];
        if found.changed != look {
            self.calls += followed(found, look, self.period_ms) + 1;
            found.changed = look;
        }
    }

    /// A listing of other people's waiting jobs.
    pub(crate) fn listed(&mut self) {
        self.calls += 1;
    }

    /// A waiting job is taken back.
    pub(crate) fn job_taken_back(&mut self, submission: u32) {
        self.calls += 1;
        self.job_ended(submission);
    }

    /// A look that the cluster did not answer.
    pub(crate) fn unanswered(&mut self) {
        self.calls += 1;
    }

    /// A look is over.
    pub(crate) fn looked(&mut self) {
        self.look += 1;
    }

    /// Requests made so far.
    pub(crate) fn calls(&self) -> u64 {
        let open = self.submissions.iter().filter(|submission| submission.live > 0);
        self.calls + open.map(|submission| followed(submission, self.look, self.period_ms)).sum::<u64>()
    }
}

/// Counts of a submission since its last change. What has nothing waiting is counted once, and less and less often, as the
/// server does.
fn followed(submission: &Submission, look: u64, period_ms: i64) -> u64 {
    let looks = look.saturating_sub(submission.changed);
    if submission.waiting > 0 {
        return CALLS_TO_COUNT * looks;
    }
    let (mut calls, mut at, end) = (0, 0, looks as i64 * period_ms);
    loop {
        let wait = next_look_ms(at).max(1);
        let step = (wait + period_ms - 1) / period_ms * period_ms;
        if wait == LONGEST_LOOK_MS {
            return calls + ((end - at) / step).max(0) as u64;
        }
        at += step;
        if at > end {
            return calls;
        }
        calls += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_costs_its_sending_two_counts_per_look_while_jobs_wait_and_a_list_when_something_changed() {
        let mut ledger = Ledger::new(15);
        let submission = ledger.submit(2);
        ledger.looked();
        assert_eq!(ledger.calls(), 5 + 2);
        ledger.job_started(submission);
        ledger.job_started(submission);
        ledger.looked();
        assert_eq!(ledger.calls(), 7 + 2 + 1);
        ledger.job_ended(submission);
        ledger.job_ended(submission);
        ledger.looked();
        assert_eq!(ledger.calls(), 10 + 1 + 1);
        (0..100).for_each(|_| ledger.looked());
        assert_eq!(ledger.calls(), 12, "nothing is left to follow");
    }

    #[test]
    fn a_long_job_is_looked_at_once_a_minute_in_the_end() {
        let (mut ledger, hour) = (Ledger::new(15), 240);
        let submission = ledger.submit(1);
        ledger.job_started(submission);
        ledger.looked();
        let before = ledger.calls();
        (0..hour).for_each(|_| ledger.looked());
        // After 15, 30, 45, 75, 120 s, and then every minute.
        assert_eq!(ledger.calls() - before, 5 + (3600 - 120) / 60);
    }
}

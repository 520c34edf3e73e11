//! Troubles of nodes. OAR ends the job that meets one in Error, looks at the event some seconds later, and then mostly
//! makes a copy of the job: a new id, everything else as it was, in no listing before it is scheduled.

use super::event::{EventKind, Treatment, Trouble};
use super::life::Ending;
use super::loss::Doom;
use super::record::{Copied, Record};
use super::{Alarm, Machine};

/// What OAR makes of a node's trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspicion {
    /// Milliseconds until it does it.
    pub after_ms: i64,
    /// Whether it makes a copy of the job.
    pub resubmits: bool,
}

/// A user unknown on the nodes: measured.
const UNKNOWN_USER: Suspicion = Suspicion { after_ms: 2_000, resubmits: true };

impl Machine {
    /// The node of a job that holds cores fails: the job's process dies and the job is in Error. False when it holds
    /// none, or is being destroyed already.
    pub fn suspect(&mut self, id: u64, how: Suspicion) -> bool {
        let holds = self.jobs.get(&id).is_some_and(|job| job.state.holds_cores());
        if !holds || self.doomed.contains_key(&id) {
            return false;
        }
        self.destroy(id, Doom::Suspected(how));
        true
    }

    /// As [`Machine::suspect`], for one of the best-effort jobs that hold cores, chosen by `draw`. Answers which.
    pub fn suspect_any(&mut self, draw: u64, how: Suspicion) -> Option<u64> {
        let id = self.pick_running(draw)?;
        self.suspect(id, how).then_some(id)
    }

    /// Whether a core was lost to a job of an unknown user.
    #[must_use]
    pub fn is_suspected(&self, core: u32) -> bool {
        self.pool.is_suspected(core)
    }

    /// The admin repairs all nodes that were lost to jobs of unknown users.
    pub fn repair(&mut self, now: i64) {
        self.pool.repair();
        self.rounds.wake(now);
        self.react(now);
    }

    /// Ends a job, whose process is gone, because of its node.
    pub(super) fn trouble(&mut self, id: u64, trouble: Trouble, how: Suspicion, now: i64) {
        let treatment = Treatment { at: now.saturating_add(how.after_ms), resubmits: how.resubmits };
        self.finish(id, Ending::Error, &[EventKind::Trouble(trouble, Some(treatment))], now);
        self.expect_treatment(id);
    }

    /// The job cannot be launched, nor can any other be where it should have been.
    pub(super) fn unknown_user(&mut self, id: u64, now: i64) {
        let cores = self.jobs.get(&id).map(|job| job.cores.clone()).unwrap_or_default();
        self.trouble(id, Trouble::LaunchTimeout, UNKNOWN_USER, now);
        self.pool.suspect(&cores);
        self.rounds.wake(now);
        self.react(now);
    }

    /// Remembers to treat what an ended job has untreated.
    pub(super) fn expect_treatment(&mut self, id: u64) {
        if let Some((_, treatment)) = self.untreated(id) {
            self.alarms.insert((treatment.at, id, Alarm::Treatment));
        }
    }

    fn untreated(&self, id: u64) -> Option<(Trouble, Treatment)> {
        self.jobs.get(&id)?.events.iter().find_map(|event| event.kind.untreated())
    }

    /// OAR looks at the trouble. As in its source, it does not care whether somebody deleted the job meanwhile.
    pub(super) fn treat(&mut self, id: u64, now: i64) {
        let Some((trouble, treatment)) = self.untreated(id) else { return };
        let Some(job) = self.jobs.get(&id).filter(|_| treatment.resubmits) else {
            return self.record(Record::Treated(id, None, Vec::new()));
        };
        let row = job.batch.first + u64::from(job.index) - 1;
        let copied = Copied { id: self.next_job, row, stop: job.stop };
        let event = self.event(EventKind::Resubmitted(copied.id, trouble), now);
        self.record(Record::Treated(id, Some(copied), vec![event]));
        self.enqueue(copied.id);
        self.rounds.wake(now);
    }
}

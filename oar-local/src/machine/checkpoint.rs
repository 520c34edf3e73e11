//! Checkpoints: the signal that a job gets some seconds before its walltime, and before it is killed for a normal one.

use super::event::EventKind;
use super::record::Record;
use super::{Alarm, Command, Machine};

impl Machine {
    /// Looks at the job again when its checkpoint is due, if it wants one.
    pub(super) fn expect_checkpoint(&mut self, id: u64, now: i64) {
        let Some(batch) = self.jobs.get(&id).map(|job| &job.batch).filter(|batch| batch.checkpoint > 0) else { return };
        let before = batch.walltime.saturating_sub(batch.checkpoint).max(0);
        self.alarms.insert((now.saturating_add(before.saturating_mul(1000)), id, Alarm::Checkpoint));
    }

    /// Sends the job its signal, once.
    pub(super) fn checkpoint(&mut self, id: u64, now: i64) {
        let runs = self.jobs.get(&id).filter(|job| job.state.holds_cores() && !job.killing);
        let Some(signal) = runs.map(|job| job.batch.checkpoint_signal) else { return };
        if self.checkpointed_at(id).is_some() {
            return;
        }
        let told = [EventKind::Checkpoint("oar".into()), EventKind::CheckpointSuccess];
        let events = told.map(|kind| self.event(kind, now)).to_vec();
        self.record(Record::Noted(id, events));
        self.commands.push(Command::Signal(id, i32::try_from(signal).unwrap_or(12)));
    }

    /// Whether a job that is to be killed for a normal one still has time for its checkpoint; it is told of it first.
    pub(super) fn has_time_to_checkpoint(&mut self, id: u64, now: i64) -> bool {
        let Some(wanted) = self.jobs.get(&id).map(|job| job.batch.checkpoint).filter(|wanted| *wanted > 0) else {
            return false;
        };
        self.checkpoint(id, now);
        let Some(told) = self.checkpointed_at(id) else { return false };
        let over = told.saturating_add(wanted).saturating_mul(1000);
        if over > now {
            self.alarms.insert((over, id, Alarm::Chance));
        }
        over > now
    }

    /// When it was told, epoch seconds.
    fn checkpointed_at(&self, id: u64) -> Option<i64> {
        let events = &self.jobs.get(&id)?.events;
        events.iter().find(|event| event.kind == EventKind::CheckpointSuccess).map(|event| event.date)
    }
}

//! What becomes of started jobs, and how any job ends.

use super::event::{EventKind, Trouble};
use super::job::State;
use super::loss::Doom;
use super::record::Record;
use super::{Alarm, Command, Machine};

/// Longest life of a job that the kill rate chose, milliseconds.
const CHANCE_WITHIN: u64 = 50;

/// Why a job's process could not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaunchFailure {
    /// The working directory cannot be entered.
    WorkingDirectory,
    /// An output file cannot be created.
    OutputFiles,
    /// The machine could not create the process at all.
    Node,
    /// The node does not know the user. OAR takes the node for broken: its cores are lost until
    /// [`Machine::repair`], and a copy of the job is made, for the next ones.
    NoAccount,
}

/// How a job ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    /// By itself, with this raw wait status.
    Terminated(i32),
    /// In any other way.
    Error,
}

impl Machine {
    /// The executor begins to launch the job.
    pub fn launching(&mut self, id: u64) {
        if let Some(job) = self.jobs.get_mut(&id).filter(|job| job.state == State::ToLaunch) {
            job.state = State::Launching;
        }
    }

    /// The job's process exists. `born` is its start in clock ticks since boot, which tells it from a later process
    /// of the same pid.
    pub fn started(&mut self, id: u64, pid: u32, born: u64, now: i64) {
        let Some(job) = self.jobs.get(&id).filter(|job| job.state.holds_cores()) else { return };
        let over = now.saturating_add(job.batch.walltime.saturating_mul(1000));
        let besteffort = job.batch.is_besteffort();
        self.record(Record::Run(id, pid, born));
        self.alarms.insert((over, id, Alarm::Walltime));
        self.expect_checkpoint(id, now);
        if let Some(delay) = chance(&self.settings, id).filter(|_| besteffort) {
            self.alarms.insert((now.saturating_add(delay), id, Alarm::Chance));
        }
    }

    /// The job's process is over, with its raw wait status.
    pub fn exited(&mut self, id: u64, status: i32, now: i64) {
        let Some(job) = self.jobs.get(&id).filter(|job| job.state.holds_cores()) else { return };
        let killing = job.killing;
        match self.doomed.remove(&id) {
            Some(Doom::Forgotten) => self.erase(id),
            Some(Doom::Suspected(how)) => self.trouble(id, Trouble::Unreachable, how, now),
            None if killing => self.finish(id, Ending::Error, &[EventKind::IntoError], now),
            None => self.finish(id, Ending::Terminated(status), &[EventKind::IntoTerminated], now),
        }
        self.try_cut();
        self.rounds.wake(now);
        self.react(now);
    }

    /// The job's process could not be started.
    pub fn launch_failed(&mut self, id: u64, failure: LaunchFailure, now: i64) {
        if self.jobs.get(&id).is_none_or(|job| !job.state.holds_cores()) {
            return;
        }
        if self.doomed.contains_key(&id) {
            return self.exited(id, 0, now);
        }
        let events = match failure {
            LaunchFailure::WorkingDirectory => [EventKind::IntoError, EventKind::WorkingDirectory],
            LaunchFailure::OutputFiles => [EventKind::IntoError, EventKind::OutputFiles],
            LaunchFailure::Node => [EventKind::Exterminate, EventKind::IntoError],
            LaunchFailure::NoAccount => return self.unknown_user(id, now),
        };
        self.finish(id, Ending::Error, &events, now);
        self.rounds.wake(now);
        self.react(now);
    }

    /// Starts no job any more.
    pub fn freeze(&mut self) {
        self.frozen = true;
    }

    /// Asks for the end of every job that holds cores, as `oar` itself does.
    pub fn kill_all(&mut self, now: i64) {
        let holds = |id: &u64| self.jobs.get(id).is_some_and(|job| job.state.holds_cores() && !job.killing);
        let running: Vec<u64> = self.live.iter().copied().filter(holds).collect();
        for id in running {
            self.kill(id, &[EventKind::Frag("oar".into())], now);
        }
    }

    pub(super) fn walltime_over(&mut self, id: u64, now: i64) {
        if self.jobs.get(&id).is_some_and(|job| job.state.holds_cores() && !job.killing) {
            self.kill(id, &[EventKind::Frag("oar".into()), EventKind::Walltime], now);
        }
    }

    /// Sends the kill signal to a job that holds cores, after the events that explain it.
    pub(super) fn kill(&mut self, id: u64, why: &[EventKind], now: i64) {
        let kinds = why.iter().cloned().chain([EventKind::SendKill]);
        let events = kinds.map(|kind| self.event(kind, now)).collect();
        let again = !self.begin_kill(id);
        self.record(Record::Frag(id, true, events));
        if !again {
            self.commands.push(Command::Kill(id));
        }
    }

    /// From now on the job's cores count as being freed; false when they did already.
    pub(super) fn begin_kill(&mut self, id: u64) -> bool {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| !job.killing) else { return false };
        job.killing = true;
        self.dying += u32::try_from(job.cores.len()).unwrap_or(0);
        true
    }

    /// Ends a job in any state, frees what it holds, and releases who waited for it.
    pub(super) fn finish(&mut self, id: u64, ending: Ending, why: &[EventKind], now: i64) {
        let Some(job) = self.jobs.get(&id) else { return };
        let stop = if job.state.holds_cores() { now.div_euclid(1000) } else { job.stop };
        self.free(id);
        let events = why.iter().map(|kind| self.event(kind.clone(), now)).collect();
        let (state, exit) = match ending {
            Ending::Terminated(status) => (State::Terminated, Some(status)),
            Ending::Error => (State::Error, None),
        };
        self.record(Record::End(id, state, stop, exit, events));
        self.retire_live(id);
        self.release(id);
    }

    /// Gives back what the job holds, if it holds cores.
    pub(super) fn free(&mut self, id: u64) {
        let Some(job) = self.jobs.get(&id).filter(|job| job.state.holds_cores()) else { return };
        self.pool.give(&job.cores);
        self.dying -= if job.killing { u32::try_from(job.cores.len()).unwrap_or(0) } else { 0 };
        // Only jobs with cores and few others are in these, so there are few entries to look at.
        self.preemptible.retain(|(_, other)| *other != id);
        self.alarms.retain(|(_, other, _)| *other != id);
    }

    /// Looks again at the arrays that waited for `gate`.
    pub(super) fn release(&mut self, gate: u64) {
        for array in self.gates.remove(&gate).unwrap_or_default() {
            let ids: Vec<u64> = self.rows(array).map(|job| job.id).collect();
            ids.into_iter().for_each(|id| self.enqueue(id));
        }
    }
}

/// After how many milliseconds the kill rate ends this job. It depends on the seed and the id only, so that the
/// order in which threads start jobs does not matter.
fn chance(settings: &super::Settings, id: u64) -> Option<i64> {
    if settings.kill_rate <= 0.0 {
        return None;
    }
    let mut state = settings.seed ^ id.wrapping_mul(0x2545_F491_4F6C_DD1D);
    let draw = f64::from(u32::try_from(splitmix(&mut state) >> 32).unwrap_or(0)) / 4_294_967_296.0;
    let delay = i64::try_from(splitmix(&mut state) % (CHANCE_WITHIN + 1)).unwrap_or(0);
    (draw < settings.kill_rate).then_some(delay)
}

/// One step of the splitmix64 generator.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

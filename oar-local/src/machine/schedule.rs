//! Who starts: first come first served by id, normal jobs before best-effort ones, and best-effort jobs killed,
//! youngest first, when that makes room for a normal job.

use super::event::EventKind;
use super::job::State;
use super::property::Property;
use super::record::Record;
use super::{Command, Machine};

/// OAR leaves this much time between two rounds.
const MIN_BETWEEN_ROUNDS: i64 = 5_000;

/// When scheduling rounds take place.
#[derive(Debug)]
pub(super) struct Rounds {
    period: Option<i64>,
    last: Option<i64>,
    due: Option<i64>,
}

impl Rounds {
    pub(super) fn new(period: Option<i64>) -> Self {
        Self { period, last: None, due: None }
    }

    /// Something happened that makes OAR schedule soon: an end, a deletion, a hold, a resumption.
    pub(super) fn wake(&mut self, now: i64) {
        let earliest = match (self.period, self.last) {
            (Some(period), Some(last)) => now.max(last.saturating_add(period.min(MIN_BETWEEN_ROUNDS))),
            _ => now,
        };
        self.due = Some(self.due.map_or(earliest, |due| due.min(earliest)));
    }

    /// A submission waits for the periodic round, unless rounds take place at once.
    pub(super) fn submitted(&mut self, now: i64) {
        match self.period {
            None => self.wake(now),
            Some(period) => {
                // Rounds without work are skipped; the rhythm goes on.
                let last = self.last.unwrap_or(now);
                let passed = (now - last).div_euclid(period.max(1));
                let next = last.saturating_add((passed + 1).saturating_mul(period.max(1)));
                self.due = Some(self.due.filter(|due| *due > now).map_or(next, |due| due.min(next)));
            }
        }
    }

    /// When the next round is due.
    pub(super) fn due(&self) -> Option<i64> {
        self.due
    }

    fn begin(&mut self, now: i64) {
        self.last = Some(now);
        self.due = self.period.map(|period| now.saturating_add(period));
    }
}

impl Machine {
    /// Runs a round if one is due.
    pub(super) fn react(&mut self, now: i64) {
        if self.is_halted() || self.rounds.due().is_none_or(|due| due > now) {
            return;
        }
        self.rounds.begin(now);
        // Best-effort jobs must not slip into the room that is being made for a normal job.
        if !self.start_normals(now) {
            self.start_besteffort(now);
        }
    }

    /// Starts normal jobs; true when the first one left waits for best-effort jobs to die.
    fn start_normals(&mut self, now: i64) -> bool {
        while let Some(&id) = self.normal.first() {
            if !self.start(id, now) {
                return self.make_room(id, now);
            }
        }
        false
    }

    fn start_besteffort(&mut self, now: i64) {
        while let Some(&id) = self.besteffort.first() {
            if !self.start(id, now) {
                return;
            }
        }
    }

    /// Cores that a job takes here. A job accepted by a larger cluster of the same state directory is clamped when
    /// lenient, and waits for ever otherwise, as does one without a description.
    pub(super) fn need(&self, id: u64) -> Option<u32> {
        let batch = &self.jobs.get(&id).filter(|job| job.batch.damage.is_none())?.batch;
        let asked = batch.cores;
        let total = self.settings.cores;
        let need = if self.settings.lenient { asked.min(total) } else { asked };
        (1..=total).contains(&need).then_some(need)
    }

    fn start(&mut self, id: u64, now: i64) -> bool {
        let Some(cores) = self.need(id).and_then(|need| self.take_cores(id, need)) else {
            return false;
        };
        self.normal.remove(&id);
        if self.besteffort.remove(&id) {
            self.starts += 1;
            self.preemptible.insert((self.starts, id));
        }
        self.record(Record::Start(id, now.div_euclid(1000), cores));
        self.show_live(id);
        self.commands.push(Command::Start(id));
        true
    }

    /// The lowest free cores; where nodes differ, those that the job's property allows.
    fn take_cores(&mut self, id: u64, need: u32) -> Option<Box<[u32]>> {
        if self.settings.nodes < 2 {
            return self.pool.take(need);
        }
        let property = Property::parse(&self.jobs.get(&id)?.batch.properties).ok()?;
        let settings = &self.settings;
        self.pool.take_among(need, |core| property.matches(&|name| settings.column(core, name)).unwrap_or(false))
    }

    /// Kills the youngest best-effort jobs if that lets `id` start; true when it does or will.
    fn make_room(&mut self, id: u64, now: i64) -> bool {
        let Some(need) = self.need(id) else { return false };
        let mut room = self.pool.free() + self.dying;
        let mut victims = Vec::new();
        for &(_, victim) in self.preemptible.iter().rev() {
            if room >= need {
                break;
            }
            if let Some(job) = self.jobs.get(&victim).filter(|job| !job.killing) {
                room += u32::try_from(job.cores.len()).unwrap_or(0);
                victims.push(victim);
            }
        }
        if room < need {
            return false;
        }
        victims.into_iter().for_each(|victim| self.preempt(victim, now));
        true
    }

    /// Kills a best-effort job as OAR does when a normal one needs its place: after its checkpoint, if it wants one.
    pub(super) fn preempt(&mut self, id: u64, now: i64) {
        let is_alive = self.jobs.get(&id).is_some_and(|job| job.state.holds_cores() && !job.killing);
        if is_alive && !self.has_time_to_checkpoint(id, now) {
            self.kill(id, &[EventKind::BesteffortKill, EventKind::Frag("oar".into())], now);
        }
    }

    /// Makes a waiting job a candidate if nothing blocks it.
    pub(super) fn enqueue(&mut self, id: u64) {
        let Some(job) = self.jobs.get(&id) else { return };
        if job.state != State::Waiting || self.need(id).is_none() || self.is_blocked(&job.batch.after) {
            return;
        }
        let queue = if job.batch.is_besteffort() { &mut self.besteffort } else { &mut self.normal };
        queue.insert(id);
    }

    /// Whether a dependency is open. As measured on OAR: a job in Error, one that ended with 0, and one that does
    /// not exist release; everything else blocks, an end with another code for ever.
    #[must_use]
    pub fn is_blocked(&self, after: &[u64]) -> bool {
        after.iter().filter_map(|gate| self.jobs.get(gate)).any(|gate| match gate.state {
            State::Error => false,
            State::Terminated => gate.exit != Some(0),
            _ => true,
        })
    }
}

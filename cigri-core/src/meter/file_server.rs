//! The load of a file server, steered by a PI controller: so many jobs per cycle that it stays where the admin wants it.
//!
//! The server's load, a one-minute mean, follows y' = a y + b u, with u jobs sent per cycle. The gains are computed from
//! that model by placing the poles: r = exp(-4 / settling), angle = pi ln(r) / ln(overshoot), Kp = (a - r^2) / b,
//! Ki = (1 - 2 r cos(angle) + r^2) / b. The model and the method are those that Guilloteau et al. published for CiGri
//! (hal-03363709).

use std::f64::consts::PI;

use super::limits::FileServerSettings;
use super::sensor::Reading;
use super::{Bound, Reason};
use crate::language::Problem;

/// Load per megabyte and job, when such jobs are sent every 30 s: identified by the same authors.
const LOAD_PER_MB: f64 = 0.00179;
const IDENTIFIED_AT_S: f64 = 30.0;
/// The kernel's load average forgets by a factor of e in so many seconds.
const MEMORY_S: f64 = 60.0;
/// By how much of the reference the load may overshoot.
const OVERSHOOT: f64 = 0.01;
/// The integrator gives no more than so many times the jobs that hold the load at the reference by the model.
const MOST_OF_MODEL: f64 = 10.0;

/// The model and the gains, in jobs per cycle and unit of load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gains {
    /// The part of the load that is left after one cycle.
    pub a: f64,
    /// Load that one job per cycle adds within a cycle.
    pub b: f64,
    /// Proportional gain; negative: no good controller settles that slowly.
    pub kp: f64,
    /// Integral gain.
    pub ki: f64,
}

impl Gains {
    /// Those of the model, for jobs of this size and this settling time.
    pub fn of(settings: &FileServerSettings) -> Gains {
        let period_s = settings.period_s.max(1) as f64;
        let a = (-period_s / MEMORY_S).exp();
        let b = LOAD_PER_MB * settings.job_mb.max(1e-3) * (IDENTIFIED_AT_S / period_s) * (1.0 - a);
        let r = (-4.0 / settings.settling.max(0.1)).exp();
        let angle = PI * r.ln() / OVERSHOOT.ln();
        Gains { a, b, kp: (a - r * r) / b, ki: (1.0 - 2.0 * r * angle.cos() + r * r) / b }
    }
}

/// What is wrong with a settling time for which there is no good controller, in words.
pub fn problem(settings: &FileServerSettings) -> Option<Problem> {
    let most = 8.0 * MEMORY_S / settings.period_s.max(1) as f64;
    (Gains::of(settings).kp < 0.0).then(|| {
        let (settling, period) = (settings.settling, settings.period_s);
        if most < 1.0 {
            let expected = format!("at most {} s", 8.0 * MEMORY_S);
            return Problem::new("file_server.period_s", format!("{period} s"), expected);
        }
        let expected = format!("at most {most:.1} with cycles of {period} s");
        Problem::new("file_server.settling", format!("{settling} cycles"), expected)
    })
}

/// The controller of one cluster's file server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FileServer {
    /// Sum of the errors so far.
    sum: f64,
    /// The reading that the present cycle goes by; none: the floor.
    reading: Option<Reading>,
    /// When the present cycle began, epoch milliseconds.
    began: Option<i64>,
    /// Jobs that may be sent in the present cycle, and that were.
    allowed: u64,
    sent: u64,
    /// The part of a job that is due in the next cycle.
    rest: f64,
}

impl FileServer {
    /// Nothing is known yet.
    pub fn new() -> FileServer {
        FileServer::default()
    }

    /// Goes on to `now` (epoch milliseconds) with the sensor's last good reading. Within a cycle nothing changes; in a
    /// new one, a new reading moves the controller, the old one holds what was allowed while it lives, and without one
    /// it is the floor.
    pub fn read(&mut self, now: i64, reading: Option<Reading>, settings: &FileServerSettings) {
        if !self.begins(now, settings) {
            return;
        }
        let reading = reading.filter(|reading| reading.is_fresh(now, settings.ttl_s));
        match reading {
            None => self.allowed = settings.floor,
            Some(reading) if self.reading.is_some_and(|last| last.at == reading.at) => {}
            Some(reading) => self.steer(reading.value, settings),
        }
        self.reading = reading;
        self.sent = 0;
    }

    /// Jobs were sent.
    pub fn sent(&mut self, jobs: u64) {
        self.sent = self.sent.saturating_add(jobs);
    }

    /// What is left of the present cycle.
    pub fn bound(&self, settings: &FileServerSettings) -> Bound {
        let per_cycle = if self.began.is_some() { self.allowed } else { settings.floor };
        let load = self.reading.map(|reading| reading.value);
        let reason = Reason::FileServer { load, reference: settings.reference, per_cycle };
        Bound::new(per_cycle.saturating_sub(self.sent), reason)
    }

    /// Whether a new cycle begins. Cycles keep their pace though looks come a little early or late; after a clock went back
    /// the present one begins again, with what was sent in it.
    fn begins(&mut self, now: i64, settings: &FileServerSettings) -> bool {
        let period_ms = settings.period_s.clamp(1, 86_400) as i64 * 1000;
        let passed = self.began.map(|began| now.saturating_sub(began));
        self.began = match passed {
            Some(..0) => {
                self.began = Some(now);
                return false;
            }
            Some(passed) if (0..period_ms).contains(&passed) => return false,
            Some(passed) if (period_ms..2 * period_ms).contains(&passed) => self.began.map(|began| began + period_ms),
            _ => Some(now),
        };
        true
    }

    fn steer(&mut self, load: f64, settings: &FileServerSettings) {
        let gains = Gains::of(settings);
        let error = settings.reference - load;
        // When something else kept jobs back, the low load is not for want of jobs allowed.
        let was_bound = self.sent >= self.allowed;
        if was_bound || error < 0.0 || self.reading.is_none() {
            let model = settings.reference * (1.0 - gains.a) / gains.b;
            self.sum = (self.sum + error).clamp(0.0, MOST_OF_MODEL * model / gains.ki);
        }
        let jobs = (gains.kp.max(0.0) * error + gains.ki * self.sum).max(0.0) + self.rest;
        self.rest = jobs.fract();
        self.allowed = jobs as u64;
    }
}

#[cfg(test)]
#[path = "file_server_tests.rs"]
mod tests;

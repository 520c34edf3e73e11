//! What other users do on a cluster: their normal jobs, which go before ours.

pub mod swf;

use std::sync::Arc;

use chacha20::ChaCha8Rng;
use rand_distr::{Distribution, Exp};
use serde::{Deserialize, Serialize};

use crate::duration::{Duration, unit};

/// A normal job of somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherJob {
    /// When it is submitted, milliseconds.
    pub submit_ms: i64,
    /// How long it runs, milliseconds.
    pub run_ms: i64,
    /// Slots it needs.
    pub slots: u32,
}

impl OtherJob {
    /// The same where a slot has so many processors: what it takes a part of is taken.
    #[must_use]
    pub fn on_slots_of(self, processors: u32) -> OtherJob {
        OtherJob { slots: self.slots.div_ceil(processors.max(1)), ..self }
    }
}

/// Where other users' jobs come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Others {
    /// Nobody else is there.
    None {},
    /// A part of the cluster is taken, then free again, over and over.
    Square {
        /// Slots that are taken.
        slots: u32,
        /// Seconds for which they are taken.
        on_s: u32,
        /// Seconds for which they are free; the wave begins with these.
        off_s: u32,
    },
    /// Jobs that come independently of each other.
    Poisson {
        /// Part of the slots that they keep busy on average, 0 to 1.
        load: f64,
        /// How long they run.
        duration: Duration,
        /// Their mean duration in seconds, from which the rate of arrivals follows.
        mean_s: f64,
        /// Slots per job; each value is as likely as the others.
        widths: Vec<u32>,
    },
    /// A trace in the Standard Workload Format.
    Trace {
        /// The file, beside the scenario.
        file: String,
        /// Its times are divided by this: 2 brings twice as many jobs per hour, half as long.
        #[serde(default = "one")]
        faster: f64,
    },
}

fn one() -> f64 {
    1.0
}

impl Default for Others {
    fn default() -> Others {
        Others::None {}
    }
}

impl Others {
    /// The jobs until `until_ms`, by submission, for a cluster of `slots`; `trace` is the parsed trace, if one is named.
    pub fn jobs(&self, slots: u32, until_ms: i64, (trace, rng): (&[OtherJob], &mut ChaCha8Rng)) -> Arc<[OtherJob]> {
        match self {
            Others::None {} => Arc::new([]),
            Others::Square { slots, on_s, off_s } => square(*slots, (*on_s, *off_s), until_ms),
            Others::Poisson { load, duration, mean_s, widths } => {
                let width = f64::from(widths.iter().sum::<u32>()) / widths.len().max(1) as f64;
                let rate = load * f64::from(slots) / (mean_s * width);
                poisson(rate, (duration, widths), (until_ms, rng))
            }
            Others::Trace { faster, .. } => {
                let scaled = |time: i64| (time as f64 / faster) as i64;
                let job = |job: &OtherJob| OtherJob {
                    submit_ms: scaled(job.submit_ms),
                    run_ms: scaled(job.run_ms).max(1),
                    slots: job.slots.min(slots),
                };
                trace.iter().map(job).filter(|job| job.submit_ms < until_ms).collect()
            }
        }
    }
}

fn square(slots: u32, (on_s, off_s): (u32, u32), until_ms: i64) -> Arc<[OtherJob]> {
    let (on, off) = (i64::from(on_s) * 1000, i64::from(off_s) * 1000);
    let starts = (0..).map(|wave| off + wave * (on + off)).take_while(|start| *start < until_ms);
    starts.flat_map(|submit_ms| (0..slots).map(move |_| OtherJob { submit_ms, run_ms: on, slots: 1 })).collect()
}

fn poisson(
    rate: f64,
    (duration, widths): (&Duration, &[u32]),
    (until_ms, rng): (i64, &mut ChaCha8Rng),
) -> Arc<[OtherJob]> {
    let Ok(gaps) = Exp::new(rate) else { return Arc::new([]) };
    let mut jobs = Vec::new();
    let mut now = 0.0;
    loop {
        // Without a rate the gap has no end.
        now += gaps.sample(rng) * 1e3;
        if now >= until_ms as f64 {
            break;
        }
        let slots = widths[(unit(rng) * widths.len() as f64) as usize];
        jobs.push(OtherJob { submit_ms: now as i64, run_ms: i64::from(duration.draw(rng)), slots });
    }
    jobs.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20::rand_core::SeedableRng;

    #[test]
    fn a_square_wave_begins_free() {
        let wave = Others::Square { slots: 2, on_s: 10, off_s: 5 };
        let jobs = wave.jobs(4, 30_000, (&[], &mut ChaCha8Rng::seed_from_u64(1)));
        let submits: Vec<i64> = jobs.iter().map(|job| job.submit_ms).collect();
        assert_eq!(submits, [5_000, 5_000, 20_000, 20_000]);
    }

    #[test]
    fn independent_jobs_bring_the_load_that_was_asked_for() {
        let others = Others::Poisson {
            load: 0.5,
            duration: Duration::LogNormal(600.0, 1800.0),
            mean_s: 1800.0,
            widths: vec![1, 2, 4, 8],
        };
        let until = 30 * 86_400_000;
        let jobs = others.jobs(300, until, (&[], &mut ChaCha8Rng::seed_from_u64(1)));
        let work: f64 = jobs.iter().map(|job| job.run_ms as f64 * f64::from(job.slots)).sum();
        let load = work / (until as f64 * 300.0);
        assert!((0.42..0.58).contains(&load), "{load}");
    }
}

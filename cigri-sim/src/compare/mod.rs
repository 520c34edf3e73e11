//! Laws held against each other on the same scenarios and seeds, each under the same admin's caps and tuned within them.

mod markdown;
mod waits;

pub use markdown::{BEGIN, END, document, insert};
pub use waits::Estimate;

use cigri_core::meter::law::{AdaptiveSettings, FixedSettings, LawSettings, Tap3Settings, TapPaperSettings};

use crate::grid::{Run, run};
use crate::outcome::{Outcome, Overload};
use crate::scenario::{Scenario, Traces};
use crate::table::law_name;
use waits::rounds_worse;

/// Jobs per submission that taps are tuned over, as far as the caps go.
const TAPS: [u64; 4] = [100, 300, 500, 1000];
/// Waiting jobs that the fixed law is tuned over, as far as the caps go.
const FIXED: [u64; 5] = [30, 100, 300, 500, 1000];

/// The means of a law's runs of one scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its name, and what was tuned.
    pub law: String,
    /// Whether all of the runs came to their end.
    pub finished: bool,
    /// As in [`Outcome`].
    pub utilisation: f64,
    /// Seconds.
    pub makespan_s: f64,
    /// Core-hours.
    pub free_core_h: f64,
    /// Jobs: mean, and 95th centile.
    pub waiting: (f64, f64),
    /// Jobs, and core-hours that they had run.
    pub kills: (f64, f64),
    /// Where several users took part.
    pub jain: Option<f64>,
    /// Mean over campaigns, and the worst.
    pub slowdown: (f64, f64),
    /// Requests per job.
    pub calls_per_job: f64,
    /// Of the file server.
    pub overload: Option<Overload>,
    /// By how many scheduling rounds the mean wait of normal jobs, and its 95th centile, are longer with us; over more
    /// seeds, where the scenario says so.
    pub rounds_worse: Option<[Estimate; 2]>,
}

/// All laws on one scenario: the adaptive one first.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The scenario's name.
    pub scenario: String,
    /// What it is.
    pub about: String,
    /// The adaptive law's is the first.
    pub rows: Vec<Row>,
    /// Used by the tap as CiGri 3 ships it, file servers being steered where they are in the first row.
    pub shipped: f64,
}

/// Runs every law on a scenario, under the seeds 1 to `seeds`.
pub fn compare(scenario: &Scenario, traces: &Traces, seeds: u64) -> Comparison {
    let steerable = scenario.clusters.iter().any(|cluster| cluster.resolved.file_server.is_some());
    let seeds = seeds.min(scenario.most_seeds).max(1);
    let runs = |law: &LawSettings, steered: bool, seeds: u64| {
        let one = |seed| run(Run { scenario, traces, seed, law: Some(law), steered });
        (1..=seeds).map(one).collect::<Vec<Outcome>>()
    };
    let means = |law: LawSettings, steered: bool| {
        let row = Row::mean(law_name(&law, steered && steerable), &runs(&law, steered, seeds));
        (law, row)
    };
    let (submission, queue) = caps(scenario);
    let (mut rows, mut shipped) = (Vec::new(), None);
    for steered in if steerable { vec![true, false] } else { vec![false] } {
        let mut shown = vec![means(LawSettings::Adaptive(AdaptiveSettings::default()), steered)];
        let tap = |max| LawSettings::Tap3(Tap3Settings { max, ..Tap3Settings::default() });
        // A rate that stands above the cap outlasts a closing: half as much again is better for some.
        let maxima = up_to(submission, &TAPS).chain([submission * 3 / 2]);
        let taps: Vec<Tried> = maxima.map(|max| means(tap(max), steered)).collect();
        // The first is CiGri 3's own.
        shipped = shipped.or(taps.first().map(|(_, row)| row.utilisation));
        shown.extend(best(taps.into_iter()));
        let paper = |max| LawSettings::TapPaper(TapPaperSettings { max, ..TapPaperSettings::default() });
        shown.extend(best(up_to(submission, &TAPS).map(|max| means(paper(max), steered))));
        let fixed = |waiting| LawSettings::Fixed(FixedSettings { waiting });
        shown.extend(best(up_to(queue, &FIXED).map(|waiting| means(fixed(waiting), steered))));
        rows.extend(shown.into_iter().map(|(law, row)| match scenario.normal_seeds {
            more if more > seeds => Row { rounds_worse: rounds_worse(&runs(&law, steered, more)), ..row },
            _ => row,
        }));
    }
    Comparison {
        scenario: scenario.name.clone(),
        about: scenario.about.clone(),
        rows,
        shipped: shipped.unwrap_or_default(),
    }
}

/// What the admin allows on any of the clusters: jobs per submission, and waiting.
fn caps(scenario: &Scenario) -> (u64, u64) {
    let limits = || scenario.clusters.iter().map(|cluster| &cluster.resolved);
    let submission = limits().map(|limits| limits.max_waiting.min(limits.max_per_cycle).min(limits.max_array));
    (submission.max().unwrap_or_default(), limits().map(|limits| limits.max_waiting).max().unwrap_or_default())
}

/// The values up to a cap; the cap instead of those above it.
fn up_to(cap: u64, values: &[u64]) -> impl Iterator<Item = u64> {
    let mut within: Vec<u64> = values.iter().map(|value| (*value).min(cap.max(1))).collect();
    within.dedup();
    within.into_iter()
}

/// A law and what came of it.
type Tried = (LawSettings, Row);

/// The row with the highest utilisation; of equals the first, which asks for less.
fn best(rows: impl Iterator<Item = Tried>) -> Option<Tried> {
    rows.reduce(|best, row| if row.1.utilisation > best.1.utilisation { row } else { best })
}

impl Row {
    /// The means of runs of the same law and scenario.
    fn mean(law: String, runs: &[Outcome]) -> Row {
        let mean = |of: &dyn Fn(&Outcome) -> f64| runs.iter().map(of).sum::<f64>() / runs.len().max(1) as f64;
        let first = runs.first();
        let overload = first.and_then(|run| run.file_server).map(|_| Overload {
            time_over: mean(&|run| run.file_server.map_or(0.0, |load| load.time_over)),
            excess: mean(&|run| run.file_server.map_or(0.0, |load| load.excess)),
        });
        Row {
            law,
            finished: runs.iter().all(|run| run.finished),
            utilisation: mean(&|run| run.utilisation),
            makespan_s: mean(&|run| run.makespan_s),
            free_core_h: mean(&|run| run.free_core_h),
            waiting: (mean(&|run| run.waiting_mean), mean(&|run| run.waiting_p95 as f64)),
            kills: (mean(&|run| run.kills as f64), mean(&|run| run.lost_core_h)),
            jain: first.and_then(|run| run.jain).map(|_| mean(&|run| run.jain.unwrap_or(1.0))),
            slowdown: (mean(&|run| run.slowdown_mean), mean(&|run| run.slowdown_max)),
            calls_per_job: mean(&|run| run.calls_per_job),
            overload,
            rounds_worse: rounds_worse(runs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_are_tuned_as_far_as_the_caps_go() {
        let tuned = |cap| up_to(cap, &TAPS).collect::<Vec<u64>>();
        assert_eq!(tuned(50), [50]);
        assert_eq!(tuned(400), [100, 300, 400]);
        assert_eq!(tuned(5000), [100, 300, 500, 1000]);
    }

    #[test]
    fn a_submission_is_bound_by_three_caps_and_the_queue_by_one() {
        let text = "name = \"a\"\nlimits = { max_waiting = 400, max_array = 70 }\ncluster = [{ name = \"a\", slots = 1 }]\n\
                    campaign = [{ tasks = 1, duration = \"1s\" }]";
        assert_eq!(caps(&Scenario::parse(text).unwrap()), (70, 400));
    }
}

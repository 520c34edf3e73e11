//! What a run is measured by.

use serde::Serialize;

/// The measures of one run; or, in comparisons, their means over seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// The law, with what is tuned.
    pub law: String,
    /// The seed.
    pub seed: u64,
    /// Whether every task was done before the run was cut.
    pub finished: bool,
    /// Seconds from the first arrival to the last task seen done.
    pub makespan_s: f64,
    /// Part of the free slots that we used while we had work for them, 0 to 1.
    pub utilisation: f64,
    /// Core-hours that were free for us, as far as we had work for them.
    pub free_core_h: f64,
    /// Our waiting jobs per cluster: mean over that time.
    pub waiting_mean: f64,
    /// Not exceeded for 95 % of it, on the worst cluster.
    pub waiting_p95: u64,
    /// Jobs killed for normal ones.
    pub kills: u64,
    /// Core-hours of killed jobs.
    pub lost_core_h: f64,
    /// Jain's index of the slots that users had while more than one had tasks in the bag; none: that never was.
    pub jain: Option<f64>,
    /// Mean over campaigns of (finish - arrival) / (the least time it could take), at least 1.
    pub slowdown_mean: f64,
    /// The worst.
    pub slowdown_max: f64,
    /// Requests per job that was sent.
    pub calls_per_job: f64,
    /// The file server with the longest time over its limit.
    pub file_server: Option<Overload>,
    /// Other users' jobs.
    pub normal: Option<NormalWaits>,
    /// One per cluster.
    pub clusters: Vec<ClusterOutcome>,
    /// One per campaign.
    pub campaigns: Vec<CampaignOutcome>,
}

/// A file server's load over its limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Overload {
    /// Part of the time, 0 to 1.
    pub time_over: f64,
    /// Integral of the excess: load times seconds.
    pub excess: f64,
}

/// How long other users' jobs waited on all clusters, in seconds. The same jobs, seed and rounds with us and without us.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NormalWaits {
    /// Jobs that were there. One that did not start counts as long as it waited until the run's end.
    pub jobs: u64,
    /// Mean with us.
    pub mean_s: f64,
    /// Mean without us.
    pub mean_without_s: f64,
    /// 95th centile with us.
    pub p95_s: f64,
    /// 95th centile without us.
    pub p95_without_s: f64,
    /// The clusters' scheduling round, the shortest one: the preemption time.
    pub round_s: f64,
}

impl NormalWaits {
    /// By how many preemption times the mean and the 95th centile are longer with us.
    pub fn rounds_worse(&self) -> (f64, f64) {
        let rounds = |with: f64, without: f64| (with - without) / self.round_s;
        (rounds(self.mean_s, self.mean_without_s), rounds(self.p95_s, self.p95_without_s))
    }

    /// From both runs' waits by job, milliseconds, -1 for one that was not there yet.
    pub(crate) fn new(with: &[i32], without: &[i32], round_s: f64) -> Option<NormalWaits> {
        let there = |waits: &[i32]| waits.iter().copied().filter(|wait| *wait >= 0).collect::<Vec<i32>>();
        let (mut with, mut without) = (there(with), there(without));
        if with.is_empty() {
            return None;
        }
        let (mean_s, p95_s) = mean_and_p95(&mut with);
        let (mean_without_s, p95_without_s) = mean_and_p95(&mut without);
        Some(NormalWaits { jobs: with.len() as u64, mean_s, mean_without_s, p95_s, p95_without_s, round_s })
    }
}

fn mean_and_p95(waits: &mut [i32]) -> (f64, f64) {
    waits.sort_unstable();
    let sum: i64 = waits.iter().map(|wait| i64::from(*wait)).sum();
    let p95 = waits[(waits.len() * 95 / 100).min(waits.len() - 1)];
    (sum as f64 / waits.len() as f64 / 1e3, f64::from(p95) / 1e3)
}

/// One cluster's part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClusterOutcome {
    /// Its name.
    pub name: String,
    /// As in [`Outcome`].
    pub utilisation: f64,
    /// Core-hours that were free for us while we had work for them.
    pub free_core_h: f64,
    /// Mean of our waiting jobs.
    pub waiting_mean: f64,
    /// 95 % of the time not more than this.
    pub waiting_p95: u64,
    /// Jobs sent there.
    pub jobs: u64,
    /// Requests made for them.
    pub calls: u64,
    /// Jobs killed there.
    pub kills: u64,
}

/// One campaign's fate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CampaignOutcome {
    /// Login.
    pub owner: String,
    /// How many it had.
    pub tasks: u64,
    /// Tasks that were done.
    pub done: u64,
    /// Seconds from its arrival to its end; none: it did not end.
    pub took_s: Option<f64>,
    /// Bounded slowdown, from 1: what it took, over the least time that its clusters would need if they were free, and
    /// at least a minute.
    pub slowdown: f64,
}

/// Jain's index of fairness: 1 if all have the same, 1/n if one has all.
pub(crate) fn jain(shares: &[f64]) -> Option<f64> {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    (shares.len() > 1 && squares > 0.0).then(|| sum * sum / (shares.len() as f64 * squares))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jains_index_is_one_for_equals_and_one_nth_for_one_that_has_all() {
        assert_eq!(jain(&[3.0, 3.0]), Some(1.0));
        assert_eq!(jain(&[3.0, 0.0, 0.0]), Some(1.0 / 3.0));
        assert_eq!(jain(&[3.0]), None);
    }

    #[test]
    fn waits_are_compared_over_the_jobs_that_were_there() {
        let waits = NormalWaits::new(&[30_000, 45_000, -1], &[15_000, 45_000, -1], 15.0).unwrap();
        assert_eq!((waits.jobs, waits.mean_s, waits.mean_without_s), (2, 37.5, 30.0));
        assert_eq!(waits.rounds_worse(), (0.5, 0.0));
    }
}

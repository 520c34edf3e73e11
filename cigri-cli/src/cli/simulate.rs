//! The options of `cigri simulate`.

use std::path::PathBuf;

use clap::Args;

/// What `cigri simulate --help` ends with.
pub(super) const EXAMPLES: &str = "\
Examples:
  cigri simulate sweep.json --task-time 5min --slots dahu=300
  cigri simulate sweep.json --task-time lognormal:63s,283s --slots dahu=300 --slots luke=64 --what-if max_jobs=200
  cigri simulate sweep.json --task-time uniform:1h,3h --slots dahu=75 --trace dahu.swf --cores-per-job 4
  cigri simulate sweep.json --task-time 5min --slots dahu=300 --what-if law=fixed --what-if 'windows=Mon-Fri 20:00-07:00'
";

/// Options of `cigri simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateOptions {
    /// The campaign file (JSON)
    pub(crate) file: PathBuf,
    /// How long a task runs: 60s, uniform:170s,310s, lognormal:63s,283s (median, mean), or gricad
    #[arg(long, value_name = "DURATION")]
    pub(crate) task_time: cigri_sim::duration::Duration,
    /// Jobs of this campaign that each of its clusters runs at a time when nobody else is there
    #[arg(long, value_name = "CLUSTER=N", required = true, value_parser = setting)]
    pub(crate) slots: Vec<(String, String)>,
    /// Seconds between two rounds of the clusters' schedulers
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    pub(crate) round: String,
    /// Jobs of other users, in the Standard Workload Format, which counts processors; the clusters are idle without
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Processors of the trace that one job of this campaign takes: what --slots counts
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), requires = "trace")]
    pub(crate) cores_per_job: u32,
    /// Whose campaign it is, for limits that name users; without it, nobody whom they name
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// A limit that a cluster's admin set, as in the server's configuration: max_waiting=60, law=fixed, windows=Sat,Sun
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub(crate) limit: Vec<(String, String)>,
    /// Predict once more, with this changed: max_jobs, max_jobs.CLUSTER, slots.CLUSTER, tasks, task_time, round, or a limit
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub(crate) what_if: Vec<(String, String)>,
    /// Runs, each with other durations
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) seeds: u64,
}

/// `key=value`, as two texts.
fn setting(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(key, value)| !key.is_empty() && !value.is_empty());
    let (key, value) = parts.ok_or_else(|| "KEY=VALUE was expected".to_owned())?;
    Ok((key.to_owned(), value.to_owned()))
}

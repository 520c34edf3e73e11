//! What `cigri simulate` takes for granted, told beside every prediction.

use cigri_core::language::CampaignSpec;
use cigri_sim::Traces;
use cigri_sim::predict::{Asked, TRACE};

use crate::cli::SimulateOptions;

/// One sentence each.
pub(super) fn told(spec: &CampaignSpec, options: &SimulateOptions, (asked, traces): (&Asked, &Traces)) -> Vec<String> {
    let mut assumed = vec![
        "no other campaign of ours is there, and no job fails".to_owned(),
        format!("schedulers come every {} s; jobs take one slot each", options.round.trim_end_matches('s')),
    ];
    match &options.trace {
        None => assumed.push("nobody else uses the clusters (no --trace)".to_owned()),
        Some(_) => assumed.extend(of_trace(options, (asked, traces))),
    }
    assumed.extend(of_limits(options));
    let is_left_out = spec.test.is_some() || spec.clusters.values().any(|cluster| cluster.prologue.is_some());
    if is_left_out {
        assumed.push("its prologue, and its sample, take no time".to_owned());
    }
    assumed
}

fn of_trace(options: &SimulateOptions, (asked, traces): (&Asked, &Traces)) -> Vec<String> {
    let jobs = traces.get(TRACE).map(Vec::as_slice).unwrap_or_default();
    let cores = match options.cores_per_job {
        1 => "a processor of the trace is a slot (--cores-per-job 1)".to_owned(),
        cores => format!("{cores} processors of the trace are a slot"),
    };
    let mut assumed = vec![
        "every cluster has the jobs of the trace from its beginning, and nobody else's after it".to_owned(),
        cores,
    ];
    for place in &asked.clusters {
        let wider = jobs.iter().filter(|job| job.slots > place.slots).count();
        if wider > 0 {
            let (name, slots, all) = (&place.name, place.slots, jobs.len());
            let which = format!("{wider} of the {all} jobs of the trace are wider than {name}");
            assumed.push(format!("{which}: they take its {slots} slots"));
        }
    }
    assumed
}

fn of_limits(options: &SimulateOptions) -> Vec<String> {
    let mut assumed = Vec::new();
    if options.limit.is_empty() {
        assumed.push("limits of the clusters are the default ones (no --limit)".to_owned());
    }
    let keys = options.limit.iter().chain(&options.what_if).map(|(key, _)| key.split('.').next().unwrap_or(key));
    let names = |limit: &str| keys.clone().any(|key| key == limit);
    if names("windows") {
        assumed.push("it begins on a Monday at 0:00, on the clocks that the windows go by".to_owned());
    }
    if names("user_quotas") && options.user.is_none() {
        assumed.push("its user is none of those who have a quota of their own (no --user)".to_owned());
    }
    if names("weights") {
        assumed.push("weights make no difference to one campaign alone".to_owned());
    }
    assumed
}

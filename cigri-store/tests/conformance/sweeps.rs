//! Parameters with names, on every database: computed from the campaign, or stored as they were listed.

use cigri_core::language::{Axis, Points, Sweep};
use cigri_store::{JobFilter, NewCampaign, Store};

use super::databases::Fresh;
use super::fixture::*;

fn begin_sweep(store: &Store, sweep: Sweep) -> i64 {
    let mut spec = spec(&["dahu"]);
    spec.sweep = Some(sweep);
    store.begin_campaign(&NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None }, 1000).unwrap()
}

pub(super) fn a_sweep_is_computed_and_stores_nothing_per_task(database: &Fresh) {
    let store = database.store();
    let values = |count| Axis::Steps { from: 0.into(), step: 1.into(), count };
    let grid = vec![Axis::List(vec!["a b".into(), "c".into()]), values(5_000_000)];
    let points = Points::Product { zip: Vec::new(), grid };
    let sweep = Sweep { names: vec!["kind".into(), "n".into()], points, repeat: None };
    let count = sweep.count() as i64;
    let id = begin_sweep(&store, sweep);
    store.open_campaign(id, count, true).unwrap();
    assert_eq!(store.campaign(id).unwrap().task_count, 10_000_000);
    assert_eq!(store.parameters(id, 0, 2).unwrap(), ["'a b' 0", "'a b' 1"]);
    assert_eq!(store.parameters(id, 9_999_999, 2).unwrap(), ["c 4999999"]);
    let (_, tasks) = intend(&store, id, "dahu", 2).unwrap();
    assert_eq!(tasks.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["'a b' 0", "'a b' 1"]);
    let jobs = store.list_jobs(id, &JobFilter { limit: 10, ..JobFilter::default() }).unwrap();
    assert_eq!(
        jobs.iter().map(|job| job.parameters.as_str()).collect::<Vec<_>>(),
        ["kind='a b' n=0", "kind='a b' n=1"]
    );
}

pub(super) fn listed_values_are_shown_with_their_names(database: &Fresh) {
    let store = database.store();
    let id = begin_sweep(&store, Sweep::listed(vec!["alpha".into()]));
    store.append_parameters(id, 0, &["0.1".into(), "'a b'".into()]).unwrap();
    store.open_campaign(id, 2, false).unwrap();
    intend(&store, id, "dahu", 2).unwrap();
    let jobs = store.list_jobs(id, &JobFilter { limit: 10, ..JobFilter::default() }).unwrap();
    assert_eq!(jobs.iter().map(|job| job.parameters.as_str()).collect::<Vec<_>>(), ["alpha=0.1", "alpha='a b'"]);
    assert_eq!(store.job(jobs[1].id).unwrap().parameters, "alpha='a b'");
    assert_eq!(store.parameters(id, 0, 5).unwrap(), ["0.1", "'a b'"], "as they are stored");
}

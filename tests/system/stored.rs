//! Campaigns that are written straight into the database of a data directory, then run by `cigri` as another's.

use std::collections::BTreeMap;

use cigri_core::language::{CampaignSpec, ClusterSpec};
use cigri_store::{NewCampaign, Store};
use serde_json::json;

use crate::sandbox::Sandbox;

/// Runs a small campaign first, then one of `tasks` tasks that asks for `more`, until it ends or is held.
pub(crate) fn run_stored(sandbox: &Sandbox, tasks: i64, more: impl FnOnce(&mut CampaignSpec)) {
    store(sandbox, tasks, more);
    sandbox.cigri(SERVE).expect(0);
}

/// What runs a stored campaign: the small one has ended, so others are served.
pub(crate) const SERVE: &[&str] = &["run", "first.json", "-q"];

/// Writes the campaign, number 2, after a small one has made the database.
pub(crate) fn store(sandbox: &Sandbox, tasks: i64, more: impl FnOnce(&mut CampaignSpec)) {
    let first = json!({"name": "first", "nb_jobs": 1, "exec_file": "true", "clusters": {"here": {}}});
    sandbox.write("first.json", first.to_string());
    sandbox.cigri(SERVE).expect(0);
    let owner = sandbox.campaigns()[0]["user"].as_str().unwrap().to_owned();
    let folder = sandbox.path("").display().to_string();
    let cluster = ClusterSpec::new("true", folder.trim_end_matches('/'));
    let mut spec = CampaignSpec::new("second", BTreeMap::from([("here".to_owned(), cluster)]));
    more(&mut spec);
    let store = Store::open_sqlite(&sandbox.data().join("cigri.sqlite"), "unused").unwrap();
    let new = NewCampaign { owner: &owner, spec: &spec, jdl: "{}", origin: None };
    let id = store.begin_campaign(&new, 1_000_000_000_000).unwrap();
    store.open_campaign(id, tasks, true).unwrap();
}

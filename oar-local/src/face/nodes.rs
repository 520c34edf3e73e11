//! What the cluster says about itself: versions, resources, load.

use serde_json::{Value, json};

use super::answer::{Answer, Problem, stamped};
use super::call::{Call, check_page};
use crate::machine::Machine;

/// The API version whose behaviour this is.
const API: &str = "3.0.0.dev11";
/// The OAR version whose behaviour this is.
const OAR: &str = "3.0.3dev";
/// OAR's default page of resources.
const PAGE: i64 = 25;
/// OAR's date without end.
const FOR_EVER: i64 = 2_147_483_647;

pub(super) fn root(call: &Call<'_>) -> Answer {
    stamped(json!({ "api_version": API, "apilib_version": API, "oar_version": OAR }), call.now)
}

pub(super) fn version(call: &Call<'_>) -> Answer {
    let body = json!({
        "oar_server_version": OAR, "oar_version": OAR, "oar_lib_version": OAR,
        "api_version": API, "apilib_version": API,
    });
    stamped(body, call.now)
}

pub(super) fn timezone(call: &Call<'_>) -> Answer {
    stamped(json!({}), call.now)
}

/// The load average of one minute, as OAR's stock script gives it.
pub(super) fn stress_factor(call: &Call<'_>) -> Answer {
    let load = call.face.outside.load();
    let load = load.ok_or_else(|| Problem::Detail(404, "Unable to retrieve STRESS_FACTOR".to_owned()))?;
    stamped(json!({ "GLOBAL_STRESS": load }), call.now)
}

pub(super) fn busy(machine: &Machine, call: &Call<'_>) -> Answer {
    stamped(json!({ "busy": machine.busy_cores() }), call.now)
}

pub(super) fn resources(machine: &Machine, call: &Call<'_>) -> Answer {
    let detailed = call.boolean("detailed")?;
    let (offset, limit) = call.page(PAGE)?;
    let settings = machine.settings();
    let asked = call.find("network_address");
    let is_there = |id: &u32| asked.is_none_or(|node| node == settings.node_of(*id));
    let total = (1..=settings.cores).filter(is_there).count();
    check_page(offset, total)?;
    let ids = (1..=settings.cores).filter(is_there).skip(offset).take(limit);
    let items: Vec<Value> = ids.map(|id| resource(machine, id, detailed)).collect();
    stamped(json!({ "total": total, "offset": offset, "items": items }), call.now)
}

fn resource(machine: &Machine, id: u32, detailed: bool) -> Value {
    let (node, memory) = (machine.settings().node_of(id), machine.settings().memory);
    let state = if machine.is_suspected(id) { "Suspected" } else { "Alive" };
    if !detailed {
        return json!({
            "id": id, "network_address": node, "state": state, "available_upto": FOR_EVER,
        });
    }
    json!({
        "id": id, "type": "default", "network_address": node, "state": state,
        "next_state": "UnChanged", "finaud_decision": "NO", "next_finaud_decision": "NO",
        "state_num": 0, "suspended_jobs": "NO", "scheduler_priority": 0,
        "cpuset": (id - 1).to_string(), "besteffort": "YES", "deploy": "NO", "expiry_date": 0,
        "desktop_computing": "NO", "last_job_date": 0, "available_upto": FOR_EVER,
        "last_available_upto": 0, "drain": "NO", "cpu": 1, "core": id, "host": node,
        "mem": memory, "cluster": "local",
    })
}

//! `/jobs`: submission and reading.

use http::header;
use serde_json::json;

use super::answer::{Answer, Fault, Problem, ok};
use super::call::{Call, check_page, path_id, read_integer};
use super::render::{Page, brief, events as render_events, full};
use super::{auth, body};
use crate::machine::{Machine, Query, Refusal, STATE_NAMES, Window};

/// OAR's default page; it cuts silently.
const PAGE: i64 = 500;

pub(super) fn submit(machine: &mut Machine, call: &Call<'_>) -> Answer {
    let user = auth::user(call)?;
    let content_type = call.header(header::CONTENT_TYPE).unwrap_or("application/json");
    let request = body::read_submission(call.body(), !content_type.contains("json"))?;
    match machine.submit(&request, &user, call.now) {
        Ok(id) => ok(&json!({ "id": id })),
        Err(Refusal::Nothing) => ok(&json!({})),
        Err(Refusal::NotImplemented) => Err(Problem::Detail(501, "Not Implemented".to_owned())),
        Err(Refusal::Bad(text) | Refusal::Resources(text)) => Err(Problem::Detail(400, text)),
        Err(Refusal::Rule(text)) => {
            let text = format!("A failed admission rule prevented submitting the job: {text}.");
            Err(Problem::Detail(403, text))
        }
        Err(Refusal::Crash) => Err(Problem::Crash),
    }
}

pub(super) fn list(machine: &Machine, call: &Call<'_>) -> Answer {
    let query = read_query(call)?;
    let (offset, limit) = call.page(PAGE)?;
    let (total, page) = machine.list(&query, offset, limit);
    check_page(offset, total)?;
    // Any text is true here, even `false`.
    if call.find("details").is_some_and(|text| !text.is_empty()) {
        let items = page.into_iter().map(|job| full(machine, job, true)).collect();
        return ok(&Page { total, offset, items });
    }
    ok(&Page { total, offset, items: page.into_iter().map(brief).collect() })
}

fn read_query(call: &Call<'_>) -> Result<Query, Problem> {
    let mut ids = Vec::new();
    for (index, text) in call.all("job_ids").enumerate() {
        let id = read_integer(text).ok_or_else(|| Fault::integer(&["query", "job_ids"]).at(index))?;
        ids.push(u64::try_from(id).unwrap_or(0));
    }
    let states: Vec<String> = call.all("states").map(str::to_owned).collect();
    if states.iter().any(|state| !STATE_NAMES.contains(&state.as_str())) {
        return Err(Problem::Crash);
    }
    let array = call.integer("array")?.filter(|array| *array != 0);
    Ok(Query {
        user: call.find("user").map(str::to_owned),
        array: array.map(|array| u64::try_from(array).unwrap_or(0)),
        ids: (!ids.is_empty()).then_some(ids),
        states,
        window: Window { start: call.integer("start_time")?, stop: call.integer("stop_time")? },
    })
}

pub(super) fn show(machine: &Machine, call: &Call<'_>, id: &str) -> Answer {
    let id = path_id(id)?;
    let detailed = call.boolean("details")?;
    let job = machine.find_job(id).ok_or(Problem::Crash)?;
    ok(&full(machine, job, detailed))
}

pub(super) fn events(machine: &Machine, call: &Call<'_>, id: &str) -> Answer {
    let id = path_id(id)?;
    let (offset, limit) = call.page(PAGE)?;
    let events = machine.find_job(id).map(|job| render_events(machine, job)).unwrap_or_default();
    check_page(offset, events.len())?;
    let total = events.len();
    ok(&Page { total, offset, items: events.into_iter().skip(offset).take(limit).collect() })
}

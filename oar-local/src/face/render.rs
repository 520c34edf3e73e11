//! Jobs and events as OAR shows them: every null field is left out of a job.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::machine::{Job, Machine, State, Subject};

/// A page of a listing.
#[derive(Debug, Serialize)]
pub(super) struct Page<T> {
    pub(super) total: usize,
    pub(super) offset: usize,
    pub(super) items: Vec<T>,
}

/// A job in a listing without details.
#[derive(Debug, Serialize)]
pub(super) struct Brief<'a> {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    state: &'static str,
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    queue_name: &'a str,
    submission_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_status_code: Option<i32>,
}

/// A job with all its columns, and its details if wanted.
#[derive(Debug, Serialize)]
pub(super) struct Full<'a> {
    id: u64,
    array_id: u64,
    array_index: u32,
    initial_request: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
    info_type: &'static str,
    state: &'static str,
    reservation: &'static str,
    message: String,
    scheduler_info: &'static str,
    user: &'a str,
    project: &'a str,
    group: &'static str,
    command: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    queue_name: &'a str,
    properties: &'a str,
    launching_directory: &'a str,
    submission_time: i64,
    start_time: i64,
    stop_time: i64,
    accounted: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    notify: Option<&'a str>,
    assigned_moldable_job: u64,
    checkpoint: i64,
    checkpoint_signal: i64,
    stdout_file: String,
    stderr_file: String,
    resubmit_job_id: u64,
    suspended: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_status_code: Option<i32>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    details: Option<Details<'a>>,
}

#[derive(Debug, Serialize)]
struct Details<'a> {
    #[serde(skip_serializing_if = "Map::is_empty")]
    types: Map<String, Value>,
    resources: Vec<Value>,
    nodes: Vec<Value>,
    events: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    walltime: Option<i64>,
    actual_resources: &'a str,
}

pub(super) fn brief(job: &Job) -> Brief<'_> {
    Brief {
        id: job.id,
        name: job.batch.name.as_deref(),
        state: job.state.name(),
        user: &job.batch.user,
        exit_code: job.exit,
        queue_name: &job.batch.queue,
        submission_time: job.batch.submitted,
        exit_status_code: exit_status_code(job),
    }
}

pub(super) fn full<'a>(machine: &'a Machine, job: &'a Job, detailed: bool) -> Full<'a> {
    let batch = &job.batch;
    // A job that its dependencies keep waiting shows -1, seen on a real OAR.
    let blocked = job.state == State::Waiting && machine.is_blocked(&batch.after);
    Full {
        id: job.id,
        array_id: job.array(),
        array_index: job.index,
        initial_request: &batch.command,
        name: batch.name.as_deref(),
        kind: "PASSIVE",
        info_type: "localhost:",
        state: job.state.name(),
        reservation: "None",
        message: job.message(),
        scheduler_info: "",
        user: &batch.user,
        project: &batch.project,
        group: "",
        command: job.command(),
        exit_code: job.exit,
        queue_name: &batch.queue,
        properties: &batch.properties,
        launching_directory: &batch.directory,
        submission_time: batch.submitted,
        start_time: if blocked { -1 } else { job.start },
        stop_time: job.stop,
        accounted: "NO",
        notify: batch.notify.as_deref(),
        assigned_moldable_job: if job.start == 0 { 0 } else { job.id },
        checkpoint: batch.checkpoint,
        checkpoint_signal: batch.checkpoint_signal,
        stdout_file: job.stdout_file(),
        stderr_file: job.stderr_file(),
        resubmit_job_id: job.copy_of,
        suspended: "NO",
        exit_status_code: exit_status_code(job),
        details: detailed.then(|| details(machine, job)),
    }
}

fn details<'a>(machine: &'a Machine, job: &'a Job) -> Details<'a> {
    let scheduled = job.start != 0;
    let types = job.batch.types.iter().map(|text| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), json!(value)),
        None => (text.clone(), json!(true)),
    });
    let node = machine.settings().node_of_job(job);
    Details {
        types: types.collect(),
        resources: job.cores.iter().map(|id| json!({ "id": id })).collect(),
        nodes: if job.cores.is_empty() { Vec::new() } else { vec![json!({ "network_address": node })] },
        events: events(machine, job),
        walltime: scheduled.then_some(job.batch.walltime),
        actual_resources: if scheduled { &job.batch.actual_resources } else { "" },
    }
}

/// A job's events, oldest first.
pub(super) fn events(machine: &Machine, job: &Job) -> Vec<Value> {
    let node = machine.settings().node_of_job(job);
    let subject = Subject {
        job: job.id,
        node: &node,
        directory: &job.batch.directory,
        start: job.start,
        walltime: job.batch.walltime,
    };
    let show = |event: &crate::machine::Event| {
        json!({
            "id": event.id,
            "type": event.kind.name(),
            "job_id": job.id,
            "date": event.date,
            "description": event.description(subject),
            "to_check": if event.kind.untreated().is_some() { "YES" } else { "NO" },
        })
    };
    job.events.iter().map(show).collect()
}

/// OAR's second rendering of the raw wait status.
fn exit_status_code(job: &Job) -> Option<i32> {
    job.exit.map(|status| if status >> 8 == 0 { status & 127 } else { status >> 8 })
}

//! The requests by which a campaign would be sent, for eyes only: built by what builds the real ones.

use cigri_core::calendar::{self, Calendar};
use cigri_core::command;
use cigri_core::group::{self, Place, Script, Setup, Times};
use cigri_core::language::{CampaignSpec, ClusterSpec, JobKind};
use cigri_core::state::{Role, SubmissionState};
use cigri_core::task_ids::TaskIds;
use cigri_store::{SubmissionRow, Task};
use oar_client::NewJob;
use serde_json::{Value, json};

use super::{StepError, groups, steps, submit};

/// What the form of requests depends on besides the campaign.
pub(crate) struct Manner<'a> {
    /// When it is night there; `None` where there are no nights.
    pub(crate) calendar: Option<&'a Calendar>,
    /// Epoch milliseconds.
    pub(crate) now: i64,
    /// Whether users may send jobs there that are not best-effort.
    pub(crate) normal_jobs: bool,
}

/// Bodies of the first requests to a cluster for `jobs` tasks: its prologue, then the gate, and the array with only these
/// of its tasks (index and parameter). What is not known before is 0.
pub(crate) fn requests(
    (spec, cluster): (&CampaignSpec, &str),
    tasks: &[(u64, String)],
    jobs: u64,
    manner: &Manner<'_>,
) -> Result<Vec<Value>, StepError> {
    let Some(settings) = spec.clusters.get(cluster) else { return Ok(Vec::new()) };
    let mut requests = Vec::new();
    if settings.prologue.is_some() {
        let sent = steps::as_sent(settings, Role::Prologue, manner.normal_jobs);
        let step = (Task { index: -1, generation: 1, attempt: 1, array_index: 1, slot: 0 }, String::new());
        let submission = submission((spec, cluster), Role::Prologue);
        requests.push(steps::job(&submission, &sent, &[step], Some(0)).body());
    }
    let submission = submission((spec, cluster), Role::Tasks);
    let (gate, array) = tasks_job(&submission, (spec, settings), tasks, manner)?;
    let mut array = array.body();
    let left = jobs.saturating_sub(tasks.len() as u64);
    if let (Some(Value::String(list)), true) = (array.get("param_file"), left > 0) {
        array["param_file"] = json!(format!("{list}\n... {left} more"));
    }
    requests.extend([gate.body(), array]);
    Ok(requests)
}

fn tasks_job(
    submission: &SubmissionRow,
    (campaign, spec): (&CampaignSpec, &ClusterSpec),
    tasks: &[(u64, String)],
    manner: &Manner<'_>,
) -> Result<(NewJob, NewJob), StepError> {
    // The first tasks of a group are tried one by one, to be measured.
    let task = |(at, (index, text)): (usize, &(u64, String))| {
        let task = Task { index: *index as i64, generation: 1, attempt: 1, array_index: at as i64 + 1, slot: 0 };
        (task, text.clone())
    };
    let tasks: Vec<(Task, String)> = tasks.iter().enumerate().map(task).collect();
    let ids = TaskIds::consecutive(0, u64::MAX / 2);
    let best_effort = match manner.calendar {
        None => spec.kind == JobKind::BestEffort,
        calendar => calendar::is_best_effort(spec.kind, calendar, manner.now),
    };
    let (task_spec, spec) = (spec, &groups::request(spec, submission, &tasks));
    let single = command::remote_command(0, &submission.cluster, &ids, spec, campaign.parameter_names());
    let command = match submission.results {
        None => single,
        Some(place) => {
            let times = Times::of(task_spec, spec);
            let setup = Setup { place, submission: &submission.name, times, script: Script::Named };
            group::grouped_command(&single, &setup)
        }
    };
    let lines = groups::lines(submission, &ids, &tasks)?;
    let gate = submit::gate(submission, spec, best_effort);
    Ok((gate, submit::array(submission, spec, (command, lines), best_effort, Some(0))))
}

fn submission((spec, cluster): (&CampaignSpec, &str), role: Role) -> SubmissionRow {
    let settings = spec.clusters.get(cluster);
    let grouped = settings.filter(|settings| role == Role::Tasks && !settings.grouping.is_none());
    SubmissionRow {
        id: 0,
        campaign_id: 0,
        role,
        cluster: cluster.to_owned(),
        owner: String::new(),
        remote_user: String::new(),
        state: SubmissionState::Intent,
        name: "cigri.0.0.0".to_owned(),
        gate_id: None,
        array_id: None,
        directory: settings.map(|settings| steps::directory(0, settings, role)).unwrap_or_default(),
        job_count: 0,
        remote_count: 0,
        results: grouped.and_then(|settings| Place::choose(&settings.exec_directory, false)),
        seen_waiting: -1,
        seen_final: -1,
        created_at: 0,
        changed_at: 0,
        watermark: 0,
    }
}

//! The requests by which a campaign would be sent, for eyes only: built by what builds the real ones.

use cigri_api::RequestPreview;
use cigri_core::calendar::{self, Calendar};
use cigri_core::command;
use cigri_core::group::{self, Pace, Place, Script, Setup, Times};
use cigri_core::language::{CampaignSpec, ClusterSpec, InTurn, JobKind};
use cigri_core::state::{Role, SubmissionState};
use cigri_core::task_ids::TaskIds;
use cigri_store::{SubmissionRow, Task};
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
    /// Jobs that may be there at one time, and be sent in one request.
    pub(crate) room: (u64, u64),
}

/// Bodies of the first requests to a cluster for `pending` tasks, with only these of them (index and parameter): its
/// prologue, its sample, its tasks (a gate and an array each), its epilogue. What is not known before is 0.
pub(crate) fn requests(
    (spec, cluster): (&CampaignSpec, &str),
    tasks: &[(u64, String)],
    pending: u64,
    manner: &Manner<'_>,
) -> Result<Vec<RequestPreview>, StepError> {
    let Some(settings) = spec.clusters.get(cluster) else { return Ok(Vec::new()) };
    let preview = |of: &str, body: Value| RequestPreview { of: of.to_owned(), body };
    let step = |role: Role| {
        let sent = steps::as_sent(settings, role, manner.normal_jobs);
        let task = Task { index: -1, generation: 1, attempt: 1, array_index: 1, slot: 0 };
        let job = steps::job(&submission((spec, cluster), role), &sent, &[(task, String::new())], Some(0));
        preview(role.as_str(), job.body())
    };
    let mut requests = Vec::new();
    requests.extend(settings.prologue.as_ref().map(|_| step(Role::Prologue)));
    if let Some(test) = spec.test {
        let sample = u64::from(test.jobs).min(pending);
        let shown = tasks.iter().take(usize::try_from(sample).unwrap_or(usize::MAX)).cloned().collect::<Vec<_>>();
        let (gate, array) = tasks_job((spec, cluster, Role::Test), &shown, sample, manner)?;
        requests.extend([preview("gate of the sample", gate), preview("sample", array)]);
    }
    let (gate, array) = tasks_job((spec, cluster, Role::Tasks), tasks, pending, manner)?;
    requests.extend([preview("gate", gate), preview("tasks", array)]);
    requests.extend(settings.epilogue.as_ref().map(|_| step(Role::Epilogue)));
    Ok(requests)
}

/// The longest walltime that a job of the cluster's tasks asks for, seconds.
pub(crate) fn longest_walltime_s(spec: &ClusterSpec) -> u64 {
    let tasks = match spec.grouping.in_turn {
        InTurn::One => return spec.walltime_s,
        InTurn::Auto => group::MOST_TASKS,
        InTurn::AtMost(tasks) => u64::from(tasks).saturating_mul(spec.grouping.side_by_side.into()),
    };
    group::remote_spec(spec, tasks).walltime_s
}

fn tasks_job(
    (campaign, cluster, role): (&CampaignSpec, &str, Role),
    tasks: &[(u64, String)],
    pending: u64,
    manner: &Manner<'_>,
) -> Result<(Value, Value), StepError> {
    let submission = submission((campaign, cluster), role);
    let submission =
        SubmissionRow { results: submission.results.and_then(|_| place(campaign, cluster, manner)), ..submission };
    let Some(settings) = campaign.clusters.get(cluster) else { return Ok((json!({}), json!({}))) };
    let task_spec = steps::as_sent(settings, role, manner.normal_jobs);
    let best_effort = match manner.calendar {
        None => task_spec.kind == JobKind::BestEffort,
        calendar => calendar::is_best_effort(task_spec.kind, calendar, manner.now),
    };
    let per_job = match submission.results {
        None => 1,
        Some(_) => group::tasks_per_job(&task_spec.grouping, &Pace::default(), manner.room.0, pending),
    };
    let spec = match submission.results {
        None => task_spec.clone(),
        Some(_) => group::remote_spec(&task_spec, per_job.min(pending)),
    };
    let ids = TaskIds::consecutive(0, u64::MAX / 2);
    let single = command::remote_command(0, cluster, &ids, &spec, campaign.parameter_names());
    let command = match submission.results {
        None => single,
        Some(place) => {
            let times = Times::of(&task_spec, &spec);
            let setup = Setup { place, submission: &submission.name, times, script: Script::Named };
            group::grouped_command(&single, &setup)
        }
    };
    let tasks = packed(tasks, per_job);
    let lines = cut(groups::lines(&submission, &ids, &tasks)?, &tasks, (per_job, pending), manner);
    let gate = submit::gate(&submission, &spec, best_effort).body();
    Ok((gate, submit::array(&submission, &spec, (command, lines), best_effort, Some(0)).body()))
}

/// The tasks in their places, as their submission would have them.
fn packed(tasks: &[(u64, String)], per_job: u64) -> Vec<(Task, String)> {
    let characters: Vec<usize> = tasks.iter().map(|(_, text)| group::characters(text)).collect();
    let sizes = if per_job == 1 { vec![1; tasks.len()] } else { group::pack(&characters, per_job) };
    let places = sizes.iter().zip(1..).flat_map(|(size, job)| (0..*size).map(move |slot| (job, slot)));
    let task = |((index, text), (job, slot)): (&(u64, String), (i64, usize))| {
        let slot = slot.try_into().unwrap_or_default();
        let task = Task { index: *index as i64, generation: 1, attempt: 1, array_index: job, slot };
        (task, text.clone())
    };
    tasks.iter().zip(places).map(task).collect()
}

/// The lines with a word for what is not shown: tasks of the last job, and further jobs.
fn cut(
    mut lines: Vec<String>,
    shown: &[(Task, String)],
    (per_job, pending): (u64, u64),
    manner: &Manner<'_>,
) -> Vec<String> {
    let last = shown.last().map_or(0, |(task, _)| task.slot as u64 + 1);
    let rest = (per_job - last.min(per_job)).min(pending.saturating_sub(shown.len() as u64));
    if let (Some(line), true) = (lines.last_mut(), rest > 0) {
        line.push_str(&format!(" ... {rest} more tasks"));
    }
    let jobs = pending.div_ceil(per_job).min(manner.room.1);
    let left = jobs.saturating_sub(lines.len() as u64);
    if left > 0 {
        lines.push(format!("... {left} more"));
    }
    lines
}

/// Where results of grouped tasks are; a local cluster, which has no calendar, reads any path.
fn place(spec: &CampaignSpec, cluster: &str, manner: &Manner<'_>) -> Option<Place> {
    Place::choose(&spec.clusters.get(cluster)?.exec_directory, manner.calendar.is_none())
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
        results: grouped.and_then(|settings| Place::choose(&settings.exec_directory, true)),
        seen_waiting: -1,
        seen_final: -1,
        created_at: 0,
        changed_at: 0,
        watermark: 0,
        level: 0,
    }
}

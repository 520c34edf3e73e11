//! The fields that a cluster can have, read from one object: the top of the file or one of its clusters. Nothing is defaulted.

use super::checkpoint::CheckpointFields;
use super::checks;
use super::escalate::escalation;
use super::field::{Field, Setting};
use super::grouping::GroupingFields;
use super::output::OutputFields;
use super::parts::{Escalation, TestMode};
use super::problem::{Problem, Report};
use super::resources::{self, Request, parse_request};
use super::retries;
use super::spec::JobKind;
use super::step::StepFields;
use super::test_mode::test_mode;
use super::tree::{Node, Value};
use crate::policy::Retries;

/// What one object says of a cluster; `None` where it says nothing (or nothing valid: then a problem is noted).
/// A label is `Some(None)` where it is given as empty, which keeps a cluster from inheriting it.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) exec_file: Option<String>,
    pub(super) exec_directory: Option<String>,
    pub(super) walltime_s: Option<u64>,
    pub(super) request: Option<Request>,
    pub(super) properties: Option<Option<String>>,
    pub(super) project: Option<Option<String>>,
    pub(super) cluster_job_type: Option<Option<String>>,
    pub(super) kind: Option<JobKind>,
    pub(super) max_jobs: Option<u32>,
    pub(super) prologue: StepFields,
    pub(super) epilogue: StepFields,
    pub(super) test_mode: Setting<TestMode>,
    pub(super) grouping: GroupingFields,
    pub(super) checkpoint: CheckpointFields,
    pub(super) output: OutputFields,
    pub(super) retries: Setting<Retries>,
    pub(super) escalate: Setting<Escalation>,
}

/// Reads the settings of one object; other keys are left to `fields`.
pub(super) fn read_settings(fields: &[(String, Node)], parent: &str, top: bool, report: &mut Report) -> Settings {
    let mut settings = Settings::default();
    for (key, node) in fields {
        if node.value == Value::Null {
            continue;
        }
        let name = if top { key.to_ascii_lowercase() } else { key.clone() };
        let field = Field::new(parent, key, node);
        read_field(&mut settings, &name, &field, report);
        read_extra(&mut settings, &name, &field, report);
    }
    settings
}

fn read_field(settings: &mut Settings, name: &str, field: &Field<'_>, report: &mut Report) {
    match name {
        "exec_file" => {
            settings.exec_file = report.take(checks::exec_file(field));
            checks::warn_of_exec_file(field, settings.exec_file.as_deref(), report);
        }
        "exec_directory" => {
            settings.exec_directory = report.take(checks::exec_directory(field));
            checks::warn_of_directory(field, settings.exec_directory.as_deref(), report);
        }
        "walltime" => settings.walltime_s = report.take(field.walltime()),
        "resources" => settings.request = report.take(request(field)),
        "properties" => settings.properties = report.take(checks::properties(field)),
        "project" => settings.project = report.take(checks::project(field)),
        "cluster_job_type" => settings.cluster_job_type = report.take(checks::job_type(field)),
        "type" => settings.kind = report.take(kind(field)),
        "max_jobs" => {
            let number = report.take(field.whole_number(u64::from(u32::MAX)));
            settings.max_jobs = number.and_then(|number| u32::try_from(number).ok());
        }
        _ => {}
    }
}

/// The fields of which several make one part of a cluster.
fn read_extra(settings: &mut Settings, name: &str, field: &Field<'_>, report: &mut Report) {
    match name {
        "test_mode" => settings.test_mode = Setting::read(field, report, test_mode),
        "retries" => settings.retries = retries::read(field, report),
        "escalate" => settings.escalate = Setting::read(field, report, escalation),
        _ => {
            settings.prologue.read("prologue", name, field, report);
            settings.epilogue.read("epilogue", name, field, report);
            settings.grouping.read(name, field, report);
            settings.checkpoint.read(name, field, report);
            settings.output.read(name, field, report);
        }
    }
}

/// A request for resources.
pub(super) fn request(field: &Field<'_>) -> Result<Request, Problem> {
    field.as_text().and_then(parse_request).ok_or_else(|| field.problem(resources::EXPECTED))
}

fn kind(field: &Field<'_>) -> Result<JobKind, Problem> {
    match field.as_text() {
        Some("best-effort" | "besteffort") => Ok(JobKind::BestEffort),
        Some("normal") => Ok(JobKind::Normal),
        Some("semi-best-effort") => Ok(JobKind::SemiBestEffort),
        Some("nightly") => Ok(JobKind::Nightly),
        _ => Err(field.problem("`best-effort`, `normal`, `semi-best-effort` or `nightly`")),
    }
}

//! Every field the language knows, and what to answer to one it does not: a typing slip must not silently change a campaign.

use super::problem::{Problem, Report, nearest};
use super::reader::member_path;
use super::tree::{Node, Value};

/// Fields of the campaign as a whole.
const CAMPAIGN: &[&str] = &["name", "clusters", "nb_jobs", "params", "param_file", "jobs_type"];

/// Fields of a cluster; given at the top, they hold for every cluster that does not give its own.
const CLUSTER: &[&str] = &[
    "exec_file",
    "exec_directory",
    "walltime",
    "resources",
    "properties",
    "project",
    "cluster_job_type",
    "type",
    "max_jobs",
];

/// Fields that CiGri 3 knows and this version does not carry out. Their neutral values ask for nothing and are accepted.
const NOT_YET: &[&str] = &[
    "prologue",
    "epilogue",
    "prologue_walltime",
    "epilogue_walltime",
    "test_mode",
    "temporal_grouping",
    "temporal_grouping_batch_duration",
    "dimensional_grouping",
    "output_gathering_method",
    "output_file",
    "output_destination",
    "checkpointing_type",
    "checkpointing_period",
];

/// What people write from other habits, and our word for it.
const ALIASES: &[(&str, &str)] = &[
    ("campaign_type", "type"),
    ("cmd", "exec_file"),
    ("command", "exec_file"),
    ("directory", "exec_directory"),
    ("exec", "exec_file"),
    ("jobs", "nb_jobs"),
    ("njobs", "nb_jobs"),
    ("parameters", "params"),
    ("script", "exec_file"),
    ("time", "walltime"),
    ("workdir", "exec_directory"),
];

/// Whether a field belongs to the campaign or to its clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The top of the file, where keys may be written in any case.
    Campaign,
    /// Inside `clusters.NAME`, where they are exact.
    Cluster,
}

/// Refuses, by name, the keys of one object that are unknown, misplaced or not carried out yet.
pub(super) fn check_keys(fields: &[(String, Node)], parent: &str, scope: Scope, report: &mut Report) {
    for (key, node) in fields {
        let lower = key.to_ascii_lowercase();
        let name = match scope {
            Scope::Campaign => lower.as_str(),
            Scope::Cluster => key,
        };
        let (line, column) = node.place;
        if NOT_YET.contains(&name) && !is_neutral(&node.value) {
            let path = member_path(parent, key);
            let expected = format!("nothing: `{name}` is not supported yet");
            let problem = Problem::new(path, node.value.excerpt(), expected);
            report.refuse(problem.on_line(line, column));
        } else if !is_known(name, scope) {
            report.refuse_with(|| unknown(key, parent, scope).on_line(line, column));
        }
    }
}

fn is_known(name: &str, scope: Scope) -> bool {
    CLUSTER.contains(&name) || NOT_YET.contains(&name) || (scope == Scope::Campaign && CAMPAIGN.contains(&name))
}

fn unknown(key: &str, parent: &str, scope: Scope) -> Problem {
    let path = member_path(parent, key);
    let problem = Problem::new(path, "an unknown field", "a field of the language");
    match suggestion(key, scope) {
        Some(Suggestion::Rename(known)) => problem.hint(format!("did you mean `{known}`?")),
        Some(Suggestion::MoveUp) => problem.hint(format!("`{key}` belongs to the top of the file, not to a cluster")),
        None => problem,
    }
}

enum Suggestion {
    Rename(&'static str),
    MoveUp,
}

fn suggestion(key: &str, scope: Scope) -> Option<Suggestion> {
    if scope == Scope::Cluster && CAMPAIGN.contains(&key) {
        return Some(Suggestion::MoveUp);
    }
    let alias = ALIASES.iter().find(|(word, _)| word.eq_ignore_ascii_case(key));
    let campaign = match scope {
        Scope::Campaign => CAMPAIGN,
        Scope::Cluster => &[],
    };
    let known = [CLUSTER, campaign, NOT_YET].concat();
    alias.map(|(_, known)| *known).or_else(|| nearest(key, known)).map(Suggestion::Rename)
}

/// Values by which CiGri 3's users say "none of it".
fn is_neutral(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Text(text) => ["", "false", "none"].contains(&text.trim().to_ascii_lowercase().as_str()),
        Value::Texts(items) => items.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

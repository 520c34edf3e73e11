//! Every field the language knows, as one table that the checks, the manual and the JSON Schema all read; and what to
//! answer to a field it does not know: a typing slip must not silently change a campaign.

mod campaign;
mod cluster;
mod extras;

use super::problem::{Problem, Report, nearest};
use super::reader::member_path;
use super::tree::Node;

/// Whether a field belongs to the campaign or to its clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The top of the file, where keys may be written in any case.
    Campaign,
    /// Inside `clusters.NAME`, where they are exact.
    Cluster,
}

/// What is to be known of one field.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) name: &'static str,
    /// One line, for people.
    pub(super) meaning: &'static str,
    /// The type in words.
    pub(super) kind: &'static str,
    /// What holds where it is not given, in words.
    pub(super) default: &'static str,
    /// How a cluster comes by it, in words; fields of the campaign have nothing to inherit.
    pub(super) inherited: &'static str,
    /// Members of a campaign that show it.
    pub(super) example: &'static str,
    /// The CiGri whose manual was the first to name it.
    pub(super) since: u8,
    /// JSON Schema of its values.
    pub(super) shape: &'static str,
}

/// How most fields of a cluster are inherited.
const FROM_TOP: &str = "from the top";

/// The same where an empty value means "none".
const FROM_TOP_UNLESS_EMPTY: &str = "from the top, unless empty";

/// Parts of the table that the manual shows apart: a title for its marker, whose fields they are, and the fields.
pub(super) const PARTS: [(&str, Scope, &[Facts]); 3] = [
    ("campaign", Scope::Campaign, &campaign::FIELDS),
    ("cluster", Scope::Cluster, &cluster::FIELDS),
    ("extras", Scope::Cluster, &extras::FIELDS),
];

/// The fields that say which tasks there are.
pub(super) const SOURCES: [&str; 4] = ["nb_jobs", "params", "param_file", "parameters"];

/// What people write from other habits, and our word for it.
const ALIASES: &[(&str, &str)] = &[
    ("campaign_type", "type"),
    ("checkpoint", "checkpointing_type"),
    ("cmd", "exec_file"),
    ("command", "exec_file"),
    ("directory", "exec_directory"),
    ("exec", "exec_file"),
    ("grouping", "temporal_grouping"),
    ("jobs", "nb_jobs"),
    ("njobs", "nb_jobs"),
    ("output", "output_file"),
    ("script", "exec_file"),
    ("test", "test_mode"),
    ("time", "walltime"),
    ("workdir", "exec_directory"),
];

/// The fields of one scope.
pub(super) fn of_scope(scope: Scope) -> impl Iterator<Item = &'static Facts> {
    PARTS.into_iter().filter(move |(_, of, _)| *of == scope).flat_map(|(_, _, fields)| fields)
}

/// Refuses, by name, the keys of one object that are unknown or misplaced.
pub(super) fn check_keys(fields: &[(String, Node)], parent: &str, scope: Scope, report: &mut Report) {
    for (key, node) in fields {
        let lower = key.to_ascii_lowercase();
        let name = match scope {
            Scope::Campaign => lower.as_str(),
            Scope::Cluster => key,
        };
        if !is_known(name, scope) {
            let (line, column) = node.place;
            report.refuse_with(|| unknown(key, parent, scope).on_line(line, column));
        }
    }
}

/// Names that may stand in an object of this scope: a cluster's fields may stand at the top as well.
fn names(scope: Scope) -> impl Iterator<Item = &'static str> {
    let campaign = of_scope(Scope::Campaign).filter(move |_| scope == Scope::Campaign);
    of_scope(Scope::Cluster).chain(campaign).map(|facts| facts.name)
}

fn is_known(name: &str, scope: Scope) -> bool {
    names(scope).any(|known| known == name)
}

fn unknown(key: &str, parent: &str, scope: Scope) -> Problem {
    let path = member_path(parent, key);
    let problem = Problem::new(path, "an unknown field", "a field of the language");
    if scope == Scope::Cluster && is_known(key, Scope::Campaign) {
        return problem.hint(format!("`{key}` belongs to the top of the file, not to a cluster"));
    }
    let alias = ALIASES.iter().find(|(word, _)| word.eq_ignore_ascii_case(key)).map(|(_, known)| *known);
    match alias.or_else(|| nearest(key, names(scope))) {
        Some(known) => problem.hint(format!("did you mean `{known}`?")),
        None => problem,
    }
}

//! The rules file (TOML): read and checked as a whole, all problems at once, each with the rule it is in.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use toml::Table;

use super::expression::{Expression, from_json};
use super::trial::Trial;
use super::{Action, Applicant, Each, Effect, Rule, Rules};
use crate::language::expanded::{CAMPAIGN_FIELDS, CLUSTER_FIELDS};
use crate::language::{CampaignSpec, ClusterSpec, Context};

/// Entries of all lists together: conditions walk through them.
const MOST_ENTRIES: usize = 10_000;

/// What is wrong with a rules file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleProblem {
    /// The rule and its part (`rule 2 (NAME), when`), or `lists`, or empty for the text as a whole.
    pub place: String,
    /// What is wrong there.
    pub problem: String,
}

/// All problems of a rules file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleProblems(pub Vec<RuleProblem>);

impl fmt::Display for RuleProblems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, RuleProblem { place, problem }) in self.0.iter().enumerate() {
            let end = if index > 0 { "\n" } else { "" };
            let colon = if place.is_empty() { "" } else { ": " };
            write!(out, "{end}{place}{colon}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RuleProblems {}

impl Rules {
    /// Reads and checks the text of a rules file.
    ///
    /// # Errors
    /// Every problem: syntax, unknown names, and rules that cannot be weighed for a campaign of defaults.
    pub fn compile(text: &str) -> Result<Rules, RuleProblems> {
        let mut table: Table = toml::from_str(text).map_err(|error| only("", error.to_string()))?;
        let mut problems = Vec::new();
        let mut rules = Rules { lists: lists(table.remove("lists"), &mut problems), ..Rules::default() };
        for (index, value) in entries(table.remove("rule"), "rule", &mut problems).into_iter().enumerate() {
            rules.rules.extend(rule(index + 1, value, &mut problems));
        }
        for (index, value) in entries(table.remove("test"), "test", &mut problems).into_iter().enumerate() {
            match Trial::read(value) {
                Ok(trial) => rules.trials.push(trial),
                Err(problem) => note(&mut problems, &format!("test {}", index + 1), problem),
            }
        }
        for name in table.keys() {
            note(&mut problems, "", format!("`{name}` is unknown; there are [[rule]], [lists] and [[test]]"));
        }
        if problems.is_empty() {
            problems = unfit(&rules);
        }
        if problems.is_empty() { Ok(rules) } else { Err(RuleProblems(problems)) }
    }
}

fn only(place: &str, problem: String) -> RuleProblems {
    RuleProblems(vec![RuleProblem { place: place.to_owned(), problem: problem.trim_end().to_owned() }])
}

fn note(problems: &mut Vec<RuleProblem>, place: &str, problem: impl Into<String>) {
    problems.push(RuleProblem { place: place.to_owned(), problem: problem.into().trim_end().to_owned() });
}

fn entries(value: Option<toml::Value>, name: &str, problems: &mut Vec<RuleProblem>) -> Vec<toml::Value> {
    match value {
        None => Vec::new(),
        Some(toml::Value::Array(items)) => items,
        Some(_) => {
            note(problems, name, format!("is written [[{name}]]"));
            Vec::new()
        }
    }
}

fn lists(value: Option<toml::Value>, problems: &mut Vec<RuleProblem>) -> Option<cel::Value> {
    let value = serde_json::to_value(value?).unwrap_or_default();
    let count = match &value {
        Value::Object(lists) => lists.values().map(count_entries).sum::<Option<usize>>(),
        _ => None,
    };
    match count {
        None => note(problems, "lists", "each is a list of texts, or a table of such lists by cluster"),
        Some(count) if count > MOST_ENTRIES => {
            note(problems, "lists", format!("{count} entries; at most {MOST_ENTRIES} in all"));
        }
        Some(_) => return Some(from_json(&value)),
    }
    None
}

/// Texts in a list or in a table of lists.
fn count_entries(value: &Value) -> Option<usize> {
    match value {
        Value::Array(items) => items.iter().all(Value::is_string).then_some(items.len()),
        Value::Object(table) => {
            table.values().map(|list| list.is_array().then(|| count_entries(list)).flatten()).sum::<Option<usize>>()
        }
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    #[serde(default)]
    each: Option<String>,
    when: String,
    refuse: Option<String>,
    #[serde(default)]
    set: BTreeMap<String, String>,
    warn: Option<String>,
}

fn rule(number: usize, value: toml::Value, problems: &mut Vec<RuleProblem>) -> Option<Rule> {
    let before = problems.len();
    let name = value.get("name").and_then(toml::Value::as_str).unwrap_or("without a name").to_owned();
    let place = format!("rule {number} ({name})");
    let written: Written = match value.try_into() {
        Ok(written) => written,
        Err(error) => {
            note(problems, &place, error.to_string());
            return None;
        }
    };
    let each = match written.each.as_deref() {
        None | Some("campaign") => Each::Campaign,
        Some("cluster") => Each::Cluster,
        Some(other) => {
            note(problems, &format!("{place}, each"), format!("is \"campaign\" or \"cluster\", not \"{other}\""));
            return None;
        }
    };
    let mut compile = |part: &str, text: &str| {
        let expression = Expression::compile(text, variables(each));
        expression.map_err(|problem| note(problems, &format!("{place}, {part}"), problem)).ok()
    };
    let when = compile("when", &written.when);
    let mut set = Vec::new();
    for (field, text) in &written.set {
        set.extend(compile(&format!("set.{field}"), text).map(|expression| (field.clone(), expression)));
    }
    check_parts(&written, each, &place, problems);
    if problems.len() > before {
        return None;
    }
    let action = written.refuse.map_or(Action::Set(set), Action::Refuse);
    Some(Rule { name: written.name, each, when: when?, action, warn: written.warn })
}

fn variables(each: Each) -> &'static [&'static str] {
    match each {
        Each::Campaign => &["user", "admin", "tasks", "campaign", "lists"],
        Each::Cluster => &["user", "admin", "tasks", "campaign", "cluster", "lists"],
    }
}

fn check_parts(written: &Written, each: Each, place: &str, problems: &mut Vec<RuleProblem>) {
    let (refuses, sets, warns) = (written.refuse.is_some(), !written.set.is_empty(), written.warn.is_some());
    if refuses && (sets || warns) {
        note(problems, place, "it refuses, so `set` and `warn` would have no effect");
    } else if !refuses && !sets && !warns {
        note(problems, place, "it does nothing: give `refuse`, `set` or `warn`");
    }
    let fields: &[&str] = match each {
        Each::Campaign => &CAMPAIGN_FIELDS,
        Each::Cluster => &CLUSTER_FIELDS,
    };
    // The kind of parameters that a campaign has cannot be made up for it.
    let settable = |field: &str| fields.contains(&field) && field != "jobs_type";
    for field in written.set.keys().filter(|field| !settable(field)) {
        let known: Vec<&str> = fields.iter().copied().filter(|field| settable(field)).collect();
        note(problems, &format!("{place}, set.{field}"), format!("no such field; there are {}", known.join(", ")));
    }
    for message in written.refuse.iter().chain(&written.warn) {
        for word in placeholders(message) {
            let known = word == "user" || word == "campaign" || (word == "cluster" && each == Each::Cluster);
            if !known {
                note(problems, place, format!("{{{word}}} stands for nothing here, only user, campaign and cluster"));
            }
        }
    }
}

/// Words in braces.
fn placeholders(message: &str) -> impl Iterator<Item = &str> {
    let parts = message.split('{').skip(1).filter_map(|part| part.split_once('}'));
    parts.map(|(word, _)| word).filter(|word| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

/// Rules that already fail for a campaign of defaults: they would refuse everybody.
fn unfit(rules: &Rules) -> Vec<RuleProblem> {
    let clusters = [("sample".to_owned(), ClusterSpec::new("true", "$HOME"))].into();
    let spec = CampaignSpec::new("sample", clusters);
    let context = sample_context();
    let mut problems = Vec::new();
    for tasks in [Some(1), None] {
        let verdict = rules.weigh(&spec, Applicant { user: "nobody", admin: false, tasks }, &context);
        for step in verdict.steps {
            let Effect::Fails(reason) = step.effect else { continue };
            let place = format!("rule {} ({})", step.rule, step.name);
            let known = if tasks.is_none() { " while the number of tasks is not known" } else { "" };
            let problem = format!("for a campaign of defaults{known} it {reason}");
            if !problems.iter().any(|found: &RuleProblem| found.place == place) {
                problems.push(RuleProblem { place, problem });
            }
        }
    }
    problems
}

/// Defaults for campaigns that are only looked at.
pub(super) fn sample_context() -> Context<'static> {
    Context {
        known_clusters: None,
        default_directory: None,
        parameters_streamed: false,
        default_walltime_s: 7200,
        default_resources: "/core=1",
    }
}

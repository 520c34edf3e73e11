//! Examples in a rules file (`[[test]]`): a campaign, its user, and what the rules are to make of it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::file::sample_context;
use super::{Applicant, Rules, Verdict};
use crate::language::{Context, Limits, parse, resolve};

/// One example.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trial {
    name: Option<String>,
    user: String,
    #[serde(default)]
    admin: bool,
    /// A campaign file: its text, or the same as a table.
    campaign: Value,
    expect: Expected,
    /// Names of the rules that refuse it, all of them.
    refused_by: Option<Vec<String>>,
    /// What the expanded campaign says then.
    set: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expected {
    Accepted,
    Refused,
}

/// How an example went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Its name, or its number.
    pub name: String,
    /// What is not as expected; `None` if all is.
    pub problem: Option<String>,
}

impl Trial {
    pub(super) fn read(value: toml::Value) -> Result<Self, String> {
        value.try_into().map_err(|error| error.to_string())
    }

    fn problem(&self, rules: &Rules) -> Option<String> {
        let verdict = match self.verdict(rules) {
            Ok(verdict) => verdict,
            Err(problem) => return Some(problem),
        };
        match (self.expect, verdict.refusal()) {
            (Expected::Accepted, Some(refusal)) => return Some(format!("it is refused: {refusal}")),
            (Expected::Refused, None) => return Some("it is accepted".to_owned()),
            _ => {}
        }
        if let Some(expected) = &self.refused_by {
            let names: Vec<&String> = verdict.refusing().collect();
            if names != expected.iter().collect::<Vec<_>>() {
                return Some(format!("it is refused by {names:?}, not by {expected:?}"));
            }
        }
        let jdl = verdict.spec.to_jdl();
        let set = self.set.as_ref()?;
        (!contains(&jdl, set)).then(|| format!("the campaign becomes {jdl}, which does not contain {set}"))
    }

    fn verdict(&self, rules: &Rules) -> Result<Verdict, String> {
        let text = match &self.campaign {
            Value::String(text) => text.clone(),
            table => table.to_string(),
        };
        let written =
            parse(text.as_bytes(), &Limits::default()).map_err(|problems| format!("its campaign: {problems}"))?;
        let parameters_streamed = written.parameter_file().is_some();
        let context = Context { parameters_streamed, ..sample_context() };
        let resolved = resolve(written, &context).map_err(|problems| format!("its campaign: {problems}"))?;
        let applicant = Applicant { user: &self.user, admin: self.admin, tasks: resolved.parameters.count() };
        Ok(rules.weigh(&resolved.spec, applicant, &context))
    }
}

impl Rules {
    /// Tries every example of the file.
    pub fn try_examples(&self) -> Vec<Tried> {
        let name = |index: usize, trial: &Trial| trial.name.clone().unwrap_or_else(|| format!("test {}", index + 1));
        let tried = |(index, trial): (usize, &Trial)| Tried { name: name(index, trial), problem: trial.problem(self) };
        self.trials.iter().enumerate().map(tried).collect()
    }
}

/// Whether every field of `part` has that value in `whole`.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| contains(whole.get(key).unwrap_or(&json!(null)), part))
        }
        _ => whole == part,
    }
}

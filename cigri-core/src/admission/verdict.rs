//! What the rules make of one campaign.

use serde::Serialize;
use serde_json::Value;

use crate::language::CampaignSpec;

/// The outcome of weighing a campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The campaign with what the rules rewrote; not to be run if there is a refusal.
    pub spec: CampaignSpec,
    /// Every effect of every rule, in order.
    pub steps: Vec<Step>,
}

/// One effect of one rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Number of the rule in its file, from 1.
    pub rule: usize,
    /// Its name.
    pub name: String,
    /// The cluster that it was weighed for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// What it does.
    #[serde(flatten)]
    pub effect: Effect,
}

/// What a rule does to a campaign.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Refuses it, with the administrator's message.
    Refuses(String),
    /// Gives a field another value.
    Sets {
        /// Name of the field.
        field: String,
        /// Its value before.
        from: Value,
        /// Its value now, as the language reads it.
        to: Value,
    },
    /// Tells the user something.
    Warns(String),
    /// It could not be evaluated or carried out, which refuses the campaign.
    Fails(String),
}

impl Verdict {
    /// Nothing could be weighed at all.
    pub(super) fn broken(spec: &CampaignSpec, reason: String) -> Self {
        let step = Step { rule: 0, name: "every rule".to_owned(), cluster: None, effect: Effect::Fails(reason) };
        Self { spec: spec.clone(), steps: vec![step] }
    }

    /// Why the campaign is refused: a line for each rule that refuses it, `rule N failed: ...`; `None` if it is taken.
    pub fn refusal(&self) -> Option<String> {
        let lines: Vec<String> = self.steps.iter().filter_map(Step::refusal).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// Names of the rules that refuse it.
    pub(super) fn refusing(&self) -> impl Iterator<Item = &String> {
        self.steps.iter().filter(|step| step.refusal().is_some()).map(|step| &step.name)
    }

    /// What the user is told of an accepted campaign: warnings, and whatever was rewritten.
    pub fn notices(&self) -> Vec<String> {
        self.steps.iter().filter_map(Step::notice).collect()
    }
}

impl Step {
    fn refusal(&self) -> Option<String> {
        let number = self.rule;
        match &self.effect {
            Effect::Refuses(message) => Some(format!("rule {number} failed: {message}")),
            Effect::Fails(reason) => {
                let name = &self.name;
                Some(format!("rule {number} failed: the administrator's rule {number} ({name}) {reason}"))
            }
            Effect::Sets { .. } | Effect::Warns(_) => None,
        }
    }

    fn notice(&self) -> Option<String> {
        let place = self.cluster.as_ref().map(|cluster| format!("clusters.{cluster}: ")).unwrap_or_default();
        match &self.effect {
            Effect::Warns(message) => Some(format!("{place}{message} (rule {})", self.rule)),
            Effect::Sets { field, from, to } => {
                Some(format!("{place}`{field}` is {to} instead of {from} (rule {}: {})", self.rule, self.name))
            }
            Effect::Refuses(_) | Effect::Fails(_) => None,
        }
    }
}

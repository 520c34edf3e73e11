//! Admission rules: what the administrator refuses, rewrites or warns of before a campaign is taken in.
//!
//! A rule is a condition over the expanded campaign and its user. Rules are read and checked as a whole; each is weighed
//! in the order of its file, and a later one sees what an earlier one has rewritten. What they rewrite goes through the
//! language again, so that no rule can make what the language refuses.

mod expression;
mod file;
mod nesting;
mod rewrite;
mod trial;
mod verdict;

use cel::Context as Variables;
use serde_json::{Value, json};

use crate::language::expanded::campaign_fields;
use crate::language::{CampaignSpec, Context};
pub(crate) use expression::Expression;
use expression::from_json;

pub use file::{RuleProblem, RuleProblems};
pub use trial::Tried;
pub use verdict::{Effect, Step, Verdict};

/// Compiled rules.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    /// `[lists]`, as expressions see it.
    lists: Option<cel::Value>,
    trials: Vec<trial::Trial>,
}

#[derive(Debug)]
struct Rule {
    name: String,
    each: Each,
    when: Expression,
    action: Action,
    warn: Option<String>,
}

/// What a rule is weighed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Each {
    Campaign,
    Cluster,
}

#[derive(Debug)]
enum Action {
    /// With this message.
    Refuse(String),
    /// Fields and the expressions of their new values; none for a rule that only warns.
    Set(Vec<(String, Expression)>),
}

/// Who asks, and for how much.
#[derive(Debug, Clone, Copy)]
pub struct Applicant<'a> {
    /// Login.
    pub user: &'a str,
    /// Whether the server takes the user for an administrator.
    pub admin: bool,
    /// Number of tasks; `None` while they are still to arrive.
    pub tasks: Option<u64>,
}

impl Rules {
    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Weighs every rule. `context` has the defaults that the campaign was resolved with.
    pub fn weigh(&self, spec: &CampaignSpec, applicant: Applicant<'_>, context: &Context<'_>) -> Verdict {
        let shared = match self.shared(applicant) {
            Ok(shared) => shared,
            Err(reason) => return Verdict::broken(spec, reason),
        };
        let mut weighing = Weighing { shared: &shared, applicant, context, spec: spec.clone(), steps: Vec::new() };
        for (index, rule) in self.rules.iter().enumerate() {
            match rule.each {
                Each::Campaign => weighing.weigh(index, rule, None),
                Each::Cluster => {
                    let names: Vec<String> = weighing.spec.clusters.keys().cloned().collect();
                    names.iter().for_each(|name| weighing.weigh(index, rule, Some(name)));
                }
            }
        }
        Verdict { spec: weighing.spec, steps: weighing.steps }
    }

    /// Functions, and the variables that are the same for all rules: lists are long, and are made ready once.
    fn shared(&self, applicant: Applicant<'_>) -> Result<Variables<'static, 'static>, String> {
        let mut shared = expression::functions()?;
        shared.add_variable_from_value("user", applicant.user);
        shared.add_variable_from_value("admin", applicant.admin);
        shared.add_variable_from_value("tasks", from_json(&json!(applicant.tasks)));
        shared.add_variable_from_value("lists", self.lists.clone().unwrap_or_else(|| from_json(&json!({}))));
        Ok(shared)
    }
}

/// One campaign on its way through the rules.
struct Weighing<'a> {
    shared: &'a Variables<'static, 'static>,
    applicant: Applicant<'a>,
    context: &'a Context<'a>,
    spec: CampaignSpec,
    steps: Vec<Step>,
}

impl<'a> Weighing<'a> {
    fn weigh(&mut self, index: usize, rule: &Rule, cluster: Option<&str>) {
        match self.effects(rule, cluster) {
            Ok(effects) => effects.into_iter().for_each(|effect| self.note(index, rule, cluster, effect)),
            Err(reason) => self.note(index, rule, cluster, Effect::Fails(reason)),
        }
    }

    fn note(&mut self, index: usize, rule: &Rule, cluster: Option<&str>, effect: Effect) {
        let cluster = cluster.map(str::to_owned);
        self.steps.push(Step { rule: index + 1, name: rule.name.clone(), cluster, effect });
    }

    fn effects(&mut self, rule: &Rule, cluster: Option<&str>) -> Result<Vec<Effect>, String> {
        let variables = self.variables(cluster);
        let failed = |reason| format!("cannot be evaluated: {reason}");
        if !rule.when.holds(&variables).map_err(failed)? {
            return Ok(Vec::new());
        }
        let mut effects = match &rule.action {
            Action::Refuse(message) => vec![Effect::Refuses(self.fill(message, cluster))],
            Action::Set(fields) => {
                let value =
                    |(name, expression): &(String, Expression)| Ok((name.clone(), expression.value(&variables)?));
                let values = fields.iter().map(value).collect::<Result<Vec<_>, String>>().map_err(failed)?;
                self.set(values, cluster)?
            }
        };
        effects.extend(rule.warn.as_ref().map(|message| Effect::Warns(self.fill(message, cluster))));
        Ok(effects)
    }

    fn set(&mut self, values: Vec<(String, Value)>, cluster: Option<&str>) -> Result<Vec<Effect>, String> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let next = rewrite::rewrite(&self.spec, cluster, &values, self.context);
        let next = next.map_err(|problems| format!("makes a campaign that cannot be run: {problems}"))?;
        let field = |spec: &CampaignSpec, name: &str| match cluster {
            Some(cluster) => spec.clusters[cluster].to_jdl()[name].clone(),
            None => spec.to_jdl()[name].clone(),
        };
        let changed = |(name, _): (String, Value)| {
            let (from, to) = (field(&self.spec, &name), field(&next, &name));
            (from != to).then_some(Effect::Sets { field: name, from, to })
        };
        let effects = values.into_iter().filter_map(changed).collect();
        self.spec = next;
        Ok(effects)
    }

    fn variables(&self, cluster: Option<&str>) -> Variables<'a, 'static> {
        let mut variables = self.shared.new_inner_scope();
        variables.add_variable_from_value("campaign", from_json(&Value::Object(campaign_fields(&self.spec))));
        if let Some((name, spec)) = cluster.and_then(|name| self.spec.clusters.get_key_value(name)) {
            let mut settings = spec.to_jdl();
            settings["name"] = json!(name);
            variables.add_variable_from_value("cluster", from_json(&settings));
        }
        variables
    }

    fn fill(&self, message: &str, cluster: Option<&str>) -> String {
        message
            .replace("{cluster}", cluster.unwrap_or_default())
            .replace("{user}", self.applicant.user)
            .replace("{campaign}", &self.spec.name)
    }
}

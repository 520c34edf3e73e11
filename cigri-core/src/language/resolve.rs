//! From what was written to what will be done: defaults, inheritance, checks. All problems are reported at once.

use std::collections::BTreeSet;

use super::checks;
use super::clusters::resolve_clusters;
use super::endless::resolve_endless;
use super::field::Field;
use super::fields::{Scope, check_keys};
use super::max_failures::resolve_max_failures;
use super::named::check_names;
use super::parameters::{Parameters, no_parameters_of, resolve_parameters};
use super::problem::{Problem, Problems, Report, excerpt};
use super::spec::CampaignSpec;
use super::sweep::Sweep;
use super::written::Written;

/// What resolving depends on besides the text.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// Clusters that may be named; `None` accepts any sound name.
    pub known_clusters: Option<&'a BTreeSet<String>>,
    /// `exec_directory` where the campaign gives none; `None` is the user's home directory.
    pub default_directory: Option<&'a str>,
    /// Parameters arrive beside the campaign file, as lines.
    pub parameters_streamed: bool,
    /// Walltime where the campaign gives none, in seconds.
    pub default_walltime_s: u64,
    /// Resource request (without walltime) where the campaign gives none.
    pub default_resources: &'a str,
}

/// A campaign that can be carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// Everything but the parameters.
    pub spec: CampaignSpec,
    /// Where the parameters come from.
    pub parameters: Parameters,
    /// What was accepted but deserves a look.
    pub warnings: Vec<Problem>,
}

/// Resolves a campaign.
///
/// # Errors
/// Every problem of every field, in the order of the text.
pub fn resolve(written: Written, context: &Context<'_>) -> Result<Resolved, Problems> {
    let mut report = written.twice.clone();
    check_keys(&written.fields, "", Scope::Campaign, &mut report);
    let name = resolve_name(&written, &mut report);
    check_schema(&written, &mut report);
    let priority = resolve_priority(&written, &mut report);
    let endless = resolve_endless(&written, &mut report);
    let max_failures = resolve_max_failures(&written, &mut report);
    check_default_directory(context, &mut report);
    let named = written.field("parameters").is_some();
    let (clusters, test) = resolve_clusters(&written, context, named, &mut report);
    let parameters = match endless {
        Some(_) => no_parameters_of(&written, context.parameters_streamed, &mut report),
        None => resolve_parameters(written, context.parameters_streamed, &mut report),
    };
    let plain = CampaignSpec::new(name.clone().unwrap_or_default(), clusters);
    let mut spec = CampaignSpec { test, priority, endless, max_failures, ..plain };
    if let Some(Parameters::Sweep(sweep)) = &parameters {
        spec.sweep = Some(sweep.clone());
    }
    // The names of a table come with its first row.
    if !matches!(parameters, Some(Parameters::Table(_)) | None) {
        check_names(&spec).into_iter().for_each(|problem| report.refuse(problem));
    }
    if let Some(Parameters::Table(_)) = &parameters {
        // They have names, which come with the table.
        spec.sweep = Some(Sweep::listed(Vec::new()));
    }
    let warnings = report.finish()?;
    // Without problems both are there; the fallback keeps that from being a matter of trust.
    let (Some(_), Some(parameters)) = (name, parameters) else {
        return Err(Problem::new("name", "an incomplete campaign", "a complete one").into());
    };
    Ok(Resolved { spec, parameters, warnings })
}

fn resolve_name(written: &Written, report: &mut Report) -> Option<String> {
    match written.field("name") {
        Some((key, node)) => report.take(checks::name(&Field::new("", key, node))),
        None => {
            report.refuse(Problem::new("name", "nothing", "a name for the campaign"));
            None
        }
    }
}

fn resolve_priority(written: &Written, report: &mut Report) -> i32 {
    let bounds = (CampaignSpec::LEAST_PRIORITY, CampaignSpec::MOST_PRIORITY);
    let field = written.field("priority").map(|(key, node)| Field::new("", key, node));
    field.and_then(|field| report.take(field.signed_number(bounds))).unwrap_or_default()
}

/// The default is the client's, not the file's, but a bad one would fail every job.
fn check_default_directory(context: &Context<'_>, report: &mut Report) {
    if let Some(directory) = context.default_directory.filter(|directory| !checks::is_default_directory(directory)) {
        let found = format!("the default \"{}\"", excerpt(directory));
        report.refuse(Problem::new("exec_directory", found, "an absolute directory on one line"));
    }
}

/// The name of a schema is for editors, which want a text.
fn check_schema(written: &Written, report: &mut Report) {
    if let Some((key, node)) = written.field("$schema") {
        let field = Field::new("", key, node);
        report.take(field.text("the place of a JSON Schema", |_| true));
    }
}

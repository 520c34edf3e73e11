//! From what was written to what will be done: defaults, inheritance, checks. All problems are reported at once.

use std::collections::BTreeSet;

use super::checks;
use super::clusters::resolve_clusters;
use super::fields::{Scope, check_keys};
use super::parameters::{Parameters, resolve_parameters};
use super::problem::{Problem, Problems, Report, excerpt};
use super::settings::Field;
use super::spec::CampaignSpec;
use super::tree::Value;
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
    check_jobs_type(&written, &mut report);
    check_default_directory(context, &mut report);
    let clusters = resolve_clusters(&written, context, &mut report);
    let parameters = resolve_parameters(written, context.parameters_streamed, &mut report);
    let warnings = report.finish()?;
    // Without problems both are there; the fallback keeps that from being a matter of trust.
    let (Some(name), Some(parameters)) = (name, parameters) else {
        return Err(Problem::new("name", "an incomplete campaign", "a complete one").into());
    };
    Ok(Resolved { spec: CampaignSpec::new(name, clusters), parameters, warnings })
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

/// The default is the client's, not the file's, but a bad one would fail every job.
fn check_default_directory(context: &Context<'_>, report: &mut Report) {
    if let Some(directory) = context.default_directory.filter(|directory| !checks::is_default_directory(directory)) {
        let found = format!("the default \"{}\"", excerpt(directory));
        report.refuse(Problem::new("exec_directory", found, "an absolute directory on one line"));
    }
}

fn check_jobs_type(written: &Written, report: &mut Report) {
    let Some((key, node)) = written.field("jobs_type") else {
        return;
    };
    let problem = Field::new("", key, node).problem("`normal`");
    match &node.value {
        Value::Text(text) if text == "normal" => {}
        Value::Text(text) if text == "desktop_computing" => {
            report.refuse(problem.hint("`desktop_computing` is not supported yet"));
        }
        _ => report.refuse(problem),
    }
}

//! Prologues and epilogues: a script with a walltime and resources of its own.

use super::dependents::Dependents;
use super::field::{Field, Setting};
use super::macros::home_in_script;
use super::parts::Step;
use super::problem::{Problem, Report};
use super::script::{Unfinished, unfinished};
use super::settings::request;
use super::tree::Value;

/// Longest script, in bytes: quoted, it still has to fit into one argument of a program.
const LONGEST: usize = 16 << 10;

const EXPECTED: &str = "a list of shell lines, or one text";

/// What one object says of a step.
#[derive(Debug, Default)]
pub(super) struct StepFields {
    script: Setting<String>,
    walltime_s: Setting<u64>,
    resources: Setting<String>,
}

impl StepFields {
    /// Reads the field `name` if it is one of the step `step`.
    pub(super) fn read(&mut self, step: &str, name: &str, field: &Field<'_>, report: &mut Report) {
        match name.strip_prefix(step) {
            Some("") => self.script = read_script(field, report),
            Some("_walltime") => self.walltime_s = Setting::read(field, report, |field| field.walltime()),
            Some("_resources") => self.resources = Setting::read(field, report, resources),
            _ => {}
        }
    }

    /// The step of a cluster with these fields of its own and these of the top.
    pub(super) fn resolve(
        &self,
        (step, top): (&str, &Self),
        walltime_s: u64,
        dependents: &mut Dependents,
    ) -> Option<Step> {
        let (walltime, resources) = (self.walltime_s.or(&top.walltime_s), self.resources.or(&top.resources));
        let script = self.script.or(&top.script);
        let Some(script) = script.value() else {
            if !script.is_unsound() {
                dependents.idle(walltime, step);
                dependents.idle(resources, step);
            }
            return None;
        };
        Some(Step {
            script: script.clone(),
            walltime_s: walltime.value().copied().unwrap_or(walltime_s),
            resources: resources.value().cloned().unwrap_or_else(|| "/core=1".to_owned()),
        })
    }
}

/// A script of blanks only is none.
fn read_script(field: &Field<'_>, report: &mut Report) -> Setting<String> {
    match Setting::read(field, report, script) {
        Setting::Given(script, _) if script.trim().is_empty() => Setting::Nothing,
        setting => setting,
    }
}

fn resources(field: &Field<'_>) -> Result<String, Problem> {
    let request = request(field)?;
    match (request.resources, request.walltime_s) {
        (Some(resources), None) => Ok(resources),
        _ => Err(field
            .problem("a request without walltime, such as `/core=1`")
            .hint("`prologue_walltime` and `epilogue_walltime` say how long")),
    }
}

/// The script with its home directories made `$HOME`.
fn script(field: &Field<'_>) -> Result<String, Problem> {
    let text = match &field.node.value {
        Value::Text(text) => text.clone(),
        Value::Texts(lines) => lines.join("\n"),
        _ => return Err(field.problem(EXPECTED)),
    };
    if text.len() > LONGEST {
        return Err(field
            .problem(&format!("a script of at most {LONGEST} bytes"))
            .hint("put it into a file on the cluster"));
    }
    if text.contains(|character: char| character.is_control() && !"\n\t".contains(character)) {
        return Err(field.problem("shell lines without control characters (carriage returns included)"));
    }
    match unfinished(&text) {
        None => Ok(home_in_script(&text)),
        Some(Unfinished::Quote(quote)) => Err(field.problem(&format!("a script with its {quote} quotes balanced"))),
        Some(Unfinished::Backslash) => Err(field.problem("a script that does not end in a backslash")),
        Some(Unfinished::Document(end)) => {
            Err(field.problem(&format!("a script whose here-document ends in a line `{end}`")))
        }
        Some(Unfinished::Template(name)) => Err(field
            .problem(&format!("a script without `{{{name}}}`, which stands for nothing"))
            .hint(format!("if a program is to read the braces, quote them: '{{{name}}}'"))),
    }
}

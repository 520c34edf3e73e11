//! `cigri admin rules test`: a rules file checked, its examples tried, and what it would make of campaign files.

use std::io::Read;
use std::path::{Path, PathBuf};

use cigri_core::admission::{Applicant, Effect, Rules, Step, Tried};
use cigri_core::language::{CampaignSpec, Context, Limits, Problems, parse, resolve};
use serde_json::{Value, json};

use crate::cli::RulesCommand;
use crate::exit::{Exit, Failure};
use crate::screen::{Screen, plain};

/// Carries out `cigri admin rules ...`.
pub(crate) fn rules(command: &RulesCommand, screen: &Screen) -> Result<Exit, Failure> {
    let RulesCommand::Test { rules, campaigns, user, admin } = command;
    let text = read(rules, 4 << 20)?;
    let text = String::from_utf8(text).map_err(|_| unusable(rules, "it is not UTF-8"))?;
    let compiled = Rules::compile(&text).map_err(|problems| unusable(rules, &problems.to_string()))?;
    let tried = compiled.try_examples();
    let user = user.as_deref().unwrap_or_default();
    let weighed: Vec<(&PathBuf, Vec<Step>)> = campaigns
        .iter()
        .map(|file| Ok((file, weigh(&compiled, file, user, *admin)?)))
        .collect::<Result<_, Failure>>()?;
    if screen.json {
        screen.value(&as_json(compiled.len(), &tried, &weighed))?;
    } else {
        tell(rules, compiled.len(), (&tried, &weighed), screen)?;
    }
    match tried.iter().filter(|tried| tried.problem.is_some()).count() {
        0 => Ok(Exit::Success),
        failed => Err(Failure::Refused(format!("{failed} of {} examples do not hold", tried.len()))),
    }
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    match read {
        Err(error) => Err(unusable(path, &error.to_string())),
        Ok(length) if length as u64 > most => Err(unusable(path, &format!("it has more than {most} bytes"))),
        Ok(_) => Ok(bytes),
    }
}

fn unusable(path: &Path, reason: &str) -> Failure {
    let message = format!("cannot use `{}`: {reason}", path.display());
    Failure::Campaign { message, problems: Vec::new() }
}

fn weigh(rules: &Rules, file: &Path, user: &str, admin: bool) -> Result<Vec<Step>, Failure> {
    let context = Context {
        known_clusters: None,
        default_directory: None,
        parameters_streamed: false,
        default_walltime_s: 7200,
        default_resources: "/resource_id=1",
    };
    let text = read(file, Limits::default().max_bytes as u64)?;
    let (spec, tasks) = resolved(&text, &context).map_err(|problems| unusable(file, &problems.to_string()))?;
    Ok(rules.weigh(&spec, Applicant { user, admin, tasks }, &context).steps)
}

fn resolved(text: &[u8], context: &Context<'_>) -> Result<(CampaignSpec, Option<u64>), Problems> {
    let written = parse(text, &Limits::default())?;
    let parameters_streamed = written.parameter_file().is_some();
    let resolved = resolve(written, &Context { parameters_streamed, ..context.clone() })?;
    Ok((resolved.spec, resolved.parameters.count()))
}

fn as_json(rules: usize, tried: &[Tried], weighed: &[(&PathBuf, Vec<Step>)]) -> Value {
    let tried: Vec<Value> = tried.iter().map(|tried| json!({"name": tried.name, "problem": tried.problem})).collect();
    let weighed: Vec<Value> = weighed.iter().map(|(file, steps)| json!({"file": file, "steps": steps})).collect();
    json!({ "rules": rules, "tests": tried, "campaigns": weighed })
}

fn tell(
    rules: &Path,
    count: usize,
    (tried, weighed): (&[Tried], &[(&PathBuf, Vec<Step>)]),
    screen: &Screen,
) -> Result<(), Failure> {
    let rules_word = if count == 1 { "rule" } else { "rules" };
    screen.line(&format!("`{}`: {count} {rules_word}, without problems", rules.display()))?;
    for tried in tried {
        let outcome = tried.problem.as_ref().map_or("ok".to_owned(), |problem| format!("FAILED: {}", plain(problem)));
        screen.line(&format!("  test {}: {outcome}", plain(&tried.name)))?;
    }
    for (file, steps) in weighed {
        let none = if steps.is_empty() { " no rule applies" } else { "" };
        screen.line(&format!("{}:{none}", file.display()))?;
        for step in steps {
            screen.line(&format!("  {}", plain(&line(step))))?;
        }
    }
    Ok(())
}

fn line(step: &Step) -> String {
    let place = step.cluster.as_ref().map(|cluster| format!(", cluster {cluster}")).unwrap_or_default();
    let effect = match &step.effect {
        Effect::Refuses(message) => format!("refuses: {message}"),
        Effect::Sets { field, from, to } => format!("sets `{field}` to {to} (was {from})"),
        Effect::Warns(message) => format!("warns: {message}"),
        Effect::Fails(reason) => format!("refuses, because it {reason}"),
    };
    format!("rule {} ({}{place}) {effect}", step.rule, step.name)
}

//! New values for fields of a campaign, read by the language like those that a user writes.

use serde_json::{Map, Value, json};

use crate::language::{CampaignSpec, ClusterSpec, Context, Limits, Problem, Problems, check_names, parse, resolve};

type Fields = Map<String, Value>;

/// The campaign with these fields of a cluster (or its own, without one) set; null means the default.
///
/// # Errors
/// What the language says of the result.
pub(super) fn rewrite(
    spec: &CampaignSpec,
    cluster: Option<&str>,
    values: &[(String, Value)],
    context: &Context<'_>,
) -> Result<CampaignSpec, Problems> {
    let mut jdl = spec.to_jdl();
    for (name, settings) in jdl["clusters"].as_object_mut().into_iter().flatten() {
        let changed = if cluster == Some(name) { values } else { &[] };
        if let Some(fields) = settings.as_object_mut() {
            stand_in(fields, changed);
        }
    }
    let place = match cluster {
        Some(cluster) => &mut jdl["clusters"][cluster],
        None => &mut jdl,
    };
    if let Some(fields) = place.as_object_mut() {
        drop_dependents(fields, values);
        fields.extend(values.iter().cloned());
    }
    let named = spec.sweep.is_some();
    match named {
        // The names are looked at below; a file is read by nobody.
        true => jdl["parameters"] = json!({"csv": "parameters"}),
        false if jdl["jobs_type"] == "normal" => jdl["nb_jobs"] = json!(1),
        false => {}
    }
    let context =
        Context { known_clusters: None, default_directory: None, parameters_streamed: named, ..context.clone() };
    let resolved = resolve(parse(jdl.to_string().as_bytes(), &Limits::default())?, &context).map_err(without_lines)?;
    let mut next = CampaignSpec { clusters: resolved.spec.clusters, ..spec.clone() };
    (next.name, next.test, next.endless) = (resolved.spec.name, resolved.spec.test, resolved.spec.endless);
    next.priority = resolved.spec.priority;
    for (name, settings) in &mut next.clusters {
        let changed = if cluster == Some(name) { values } else { &[] };
        restore(settings, &spec.clusters[name], changed);
    }
    // Those of a table come with its first row.
    let problems = if next.parameter_names().is_empty() { Vec::new() } else { check_names(&next) };
    if problems.is_empty() { Ok(next) } else { Err(without_lines(Problems(problems))) }
}

/// Fields with those that mean something only beside them.
const DEPENDENTS: [(&str, &[&str]); 5] = [
    ("prologue", &["prologue_walltime", "prologue_resources"]),
    ("epilogue", &["epilogue_walltime", "epilogue_resources"]),
    ("temporal_grouping", &["temporal_grouping_batch_duration"]),
    ("checkpointing_type", &["checkpointing_period", "checkpointing_signal"]),
    ("output_gathering_method", &["output_file", "output_destination"]),
];

/// What a rule switches off takes along what says how it is done, which the language would refuse.
fn drop_dependents(fields: &mut Fields, values: &[(String, Value)]) {
    for (name, _) in values.iter().filter(|(_, value)| is_off(value)) {
        let dependents = DEPENDENTS.iter().find(|(field, _)| field == name).map_or(&[][..], |(_, fields)| fields);
        dependents.iter().for_each(|field| drop(fields.remove(*field)));
    }
}

/// Whether a value asks for nothing. One task in turn is no group.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_u64() == Some(1),
        Value::String(text) => ["", "false", "none", "1"].contains(&text.trim().to_ascii_lowercase().as_str()),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

fn sets(changed: &[(String, Value)], beginning: &str) -> bool {
    changed.iter().any(|(name, _)| name.starts_with(beginning))
}

/// What is not rewritten need not be read again: a client's own folder and named parameters depend on more than this text.
fn stand_in(fields: &mut Fields, changed: &[(String, Value)]) {
    for (name, value) in [("exec_file", "true"), ("exec_directory", "$HOME")] {
        if !sets(changed, name) {
            fields.insert(name.to_owned(), json!(value));
        }
    }
    if !sets(changed, "output_") {
        fields.retain(|name, _| !name.starts_with("output_"));
    }
}

fn restore(settings: &mut ClusterSpec, before: &ClusterSpec, changed: &[(String, Value)]) {
    if !sets(changed, "exec_file") {
        settings.exec_file.clone_from(&before.exec_file);
    }
    if !sets(changed, "exec_directory") {
        settings.exec_directory.clone_from(&before.exec_directory);
    }
    if !sets(changed, "output_") {
        settings.output.clone_from(&before.output);
    }
}

/// Lines of a text that nobody has written say nothing.
fn without_lines(problems: Problems) -> Problems {
    Problems(problems.0.into_iter().map(|problem| Problem { line: None, ..problem }).collect())
}

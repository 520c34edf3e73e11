//! The circumstances that these tests resolve campaigns in.

use cigri_core::language::{ClusterSpec, Context, Limits, Problems, Resolved, parse, resolve};

/// Any cluster name, the user's home directory, nothing streamed, one core for ten minutes.
pub(crate) fn plain() -> Context<'static> {
    Context {
        known_clusters: None,
        default_directory: None,
        parameters_streamed: false,
        default_walltime_s: 600,
        default_resources: "/core=1",
    }
}

/// The same with parameters that arrive beside the file.
pub(crate) fn streamed() -> Context<'static> {
    Context { parameters_streamed: true, ..plain() }
}

/// Parse and resolve.
pub(crate) fn read(text: &str, context: &Context<'_>) -> Result<Resolved, Problems> {
    resolve(parse(text.as_bytes(), &Limits::default())?, context)
}

/// A campaign of one task on one cluster with these further fields, given at the top.
pub(crate) fn with_fields(fields: &str) -> String {
    let comma = if fields.is_empty() { "" } else { ", " };
    format!(r#"{{"name": "n", "nb_jobs": 1, "clusters": {{"dahu": {{}}}}{comma}{fields}}}"#)
}

/// What such a campaign becomes on its cluster.
pub(crate) fn cluster_with(fields: &str) -> ClusterSpec {
    let text = with_fields(&format!(r#""exec_file": "run.sh"{fields}"#));
    match read(&text, &plain()) {
        Ok(resolved) => resolved.spec.clusters["dahu"].clone(),
        Err(problems) => panic!("{text} is refused: {problems}"),
    }
}

/// The sentences by which a campaign is refused.
pub(crate) fn refusals(text: &str, context: &Context<'_>) -> Vec<String> {
    match read(text, context) {
        Ok(_) => panic!("{text} is accepted"),
        Err(problems) => problems.0.iter().map(ToString::to_string).collect(),
    }
}

/// A campaign that is sound but for what line 2 holds.
pub(crate) fn with_line(line: &str) -> String {
    format!("{{\"name\": \"n\", \"nb_jobs\": 1, \"clusters\": {{\"dahu\": {{}}}}, \"exec_file\": \"a\",\n{line}}}")
}

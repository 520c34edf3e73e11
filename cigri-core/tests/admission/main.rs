//! What admission rules promise: they refuse, rewrite and warn as written, a bad file is refused whole with every
//! problem, and no text makes them panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod files;
mod properties;
mod sample;
mod weighing;

use cigri_core::admission::{Applicant, Rules, Verdict};
use cigri_core::language::{CampaignSpec, Context, Limits, parse, resolve};

pub(crate) fn context() -> Context<'static> {
    Context {
        known_clusters: None,
        default_directory: None,
        parameters_streamed: false,
        default_walltime_s: 7200,
        default_resources: "/core=1",
    }
}

pub(crate) fn rules(text: &str) -> Rules {
    Rules::compile(text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A campaign on `dahu` and `luke`, with these fields at its top.
pub(crate) fn campaign(fields: &str) -> CampaignSpec {
    let comma = if fields.is_empty() { "" } else { ", " };
    let text = format!(
        r#"{{"name": "c", "nb_jobs": 5, "exec_file": "run.sh", "clusters": {{"dahu": {{}}, "luke": {{}}}}{comma}{fields}}}"#
    );
    resolve(parse(text.as_bytes(), &Limits::default()).unwrap(), &context()).unwrap().spec
}

pub(crate) fn weigh(rules: &Rules, user: &str, spec: &CampaignSpec) -> Verdict {
    rules.weigh(spec, Applicant { user, admin: false, tasks: Some(5) }, &context())
}

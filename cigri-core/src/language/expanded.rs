//! A resolved campaign in the language's own words: what its file says once every default and inheritance is written out.
//!
//! It is what users see of a campaign, what admission rules read and rewrite, and it resolves to the same campaign.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};

use super::parts::{AfterTest, Endless, Gathering, Grouping, InTurn, Output, Step, TestMode};
use super::spec::{CampaignSpec, ClusterSpec, JobKind};
use super::walltime::format_walltime;

type Fields = Map<String, Value>;

/// Fields of an expanded campaign, beside its clusters.
pub(crate) const CAMPAIGN_FIELDS: [&str; 6] = ["name", "jobs_type", "test_mode", "priority", "until", "successes"];

/// Fields of an expanded cluster.
pub(crate) const CLUSTER_FIELDS: [&str; 24] = [
    "exec_file",
    "exec_directory",
    "walltime",
    "resources",
    "properties",
    "project",
    "cluster_job_type",
    "type",
    "max_jobs",
    "prologue",
    "prologue_walltime",
    "prologue_resources",
    "epilogue",
    "epilogue_walltime",
    "epilogue_resources",
    "temporal_grouping",
    "temporal_grouping_batch_duration",
    "dimensional_grouping",
    "checkpointing_type",
    "checkpointing_period",
    "checkpointing_signal",
    "output_gathering_method",
    "output_file",
    "output_destination",
];

impl CampaignSpec {
    /// The campaign with every default filled in, without its parameters:
    /// `{name, jobs_type, test_mode, priority, clusters: {NAME: {exec_file, ...}}}`.
    ///
    /// What a cluster does not use is null or false. Fields that only say how something unused would be done are left out.
    pub fn to_jdl(&self) -> Value {
        let mut fields = campaign_fields(self);
        let clusters: Fields = self.clusters.iter().map(|(name, spec)| (name.clone(), spec.to_jdl())).collect();
        fields.insert("clusters".to_owned(), Value::Object(clusters));
        Value::Object(fields)
    }
}

/// The campaign without its clusters.
pub(crate) fn campaign_fields(spec: &CampaignSpec) -> Fields {
    let jobs_type = if spec.endless.is_some() { "desktop_computing" } else { "normal" };
    let mut fields = Fields::new();
    put(&mut fields, "name", json!(spec.name));
    put(&mut fields, "jobs_type", json!(jobs_type));
    put(&mut fields, "test_mode", spec.test.as_ref().map_or(json!(false), test_mode));
    put(&mut fields, "priority", json!(spec.priority));
    if let Some(Endless { until, successes }) = &spec.endless {
        let date = until.and_then(DateTime::from_timestamp_millis);
        put(&mut fields, "until", json!(date.map(|date| date.to_rfc3339_opts(SecondsFormat::AutoSi, true))));
        put(&mut fields, "successes", json!(successes));
    }
    fields
}

impl ClusterSpec {
    /// The settings of one cluster, as they stand under its name.
    pub(crate) fn to_jdl(&self) -> Value {
        let mut fields = Fields::new();
        put(&mut fields, "exec_file", json!(self.exec_file));
        put(&mut fields, "exec_directory", json!(self.exec_directory));
        put(&mut fields, "walltime", json!(format_walltime(self.walltime_s)));
        put(&mut fields, "resources", json!(self.resources));
        put(&mut fields, "properties", json!(self.properties));
        put(&mut fields, "project", json!(self.project));
        put(&mut fields, "cluster_job_type", json!(self.cluster_job_type));
        put(&mut fields, "type", json!(kind(self.kind)));
        put(&mut fields, "max_jobs", json!(self.max_jobs));
        step(&mut fields, "prologue", self.prologue.as_ref());
        step(&mut fields, "epilogue", self.epilogue.as_ref());
        grouping(&mut fields, &self.grouping);
        checkpoint(&mut fields, self);
        output(&mut fields, self.output.as_ref());
        Value::Object(fields)
    }
}

fn put(fields: &mut Fields, name: &str, value: Value) {
    fields.insert(name.to_owned(), value);
}

fn test_mode(test: &TestMode) -> Value {
    let then = match test.then {
        AfterTest::Wait => "wait",
        AfterTest::Continue => "continue",
    };
    json!({ "jobs": test.jobs, "then": then })
}

fn kind(kind: JobKind) -> &'static str {
    match kind {
        JobKind::BestEffort => "best-effort",
        JobKind::Normal => "normal",
        JobKind::SemiBestEffort => "semi-best-effort",
        JobKind::Nightly => "nightly",
    }
}

fn step(fields: &mut Fields, name: &str, step: Option<&Step>) {
    let lines: Vec<&str> = step.map(|step| step.script.split('\n').collect()).unwrap_or_default();
    put(fields, name, json!(lines));
    if let Some(step) = step {
        put(fields, &format!("{name}_walltime"), json!(format_walltime(step.walltime_s)));
        put(fields, &format!("{name}_resources"), json!(step.resources));
    }
}

fn grouping(fields: &mut Fields, grouping: &Grouping) {
    let in_turn = match grouping.in_turn {
        InTurn::One => json!(false),
        InTurn::Auto => json!("auto"),
        InTurn::AtMost(most) => json!(most),
    };
    put(fields, "temporal_grouping", in_turn);
    if grouping.in_turn != InTurn::One {
        put(fields, "temporal_grouping_batch_duration", json!(grouping.batch_s));
    }
    let side_by_side = if grouping.side_by_side == 1 { json!(false) } else { json!(grouping.side_by_side) };
    put(fields, "dimensional_grouping", side_by_side);
}

fn checkpoint(fields: &mut Fields, spec: &ClusterSpec) {
    put(fields, "checkpointing_type", spec.checkpoint.map_or(Value::Null, |_| json!("oar")));
    if let Some(checkpoint) = &spec.checkpoint {
        put(fields, "checkpointing_period", json!(checkpoint.before_s));
        put(fields, "checkpointing_signal", json!(checkpoint.signal));
    }
}

fn output(fields: &mut Fields, output: Option<&Output>) {
    let (method, destination) = match output.map(|output| &output.method) {
        None => (Value::Null, None),
        Some(Gathering::Collector(folder)) => (json!("collector"), folder.clone()),
        Some(Gathering::Scp(place)) => (json!("scp"), Some(place.clone())),
        Some(Gathering::Irods(collection)) => (json!("irods"), Some(collection.clone())),
    };
    put(fields, "output_gathering_method", method);
    if let Some(output) = output {
        put(fields, "output_file", json!(output.file));
        put(fields, "output_destination", json!(destination));
    }
}

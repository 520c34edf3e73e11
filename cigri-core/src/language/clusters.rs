//! The clusters of a campaign: each takes the top-level fields that it does not give itself, then the defaults.

use std::collections::{BTreeMap, BTreeSet};

use super::checks;
use super::fields::{Scope, check_keys};
use super::parts::Grouping;
use super::problem::{Problem, Report, excerpt, nearest};
use super::reader::member_path;
use super::resolve::Context;
use super::settings::{Settings, read_settings};
use super::spec::{ClusterSpec, JobKind};
use super::tree::{Node, Value};
use super::walltime::format_walltime;
use super::written::Written;

/// All clusters of a campaign that are sound; problems of the others are noted.
pub(super) fn resolve_clusters(
    written: &Written,
    context: &Context<'_>,
    report: &mut Report,
) -> BTreeMap<String, ClusterSpec> {
    let top = read_settings(&written.fields, "", true, report);
    let has_exec_file = written.field("exec_file").is_some();
    let expected = "an object: the name of each cluster, with its settings (`{}` for none)";
    let mut specs = BTreeMap::new();
    let Some((key, node)) = written.field("clusters") else {
        report.refuse(Problem::new("clusters", "nothing", expected));
        return specs;
    };
    let clusters = match &node.value {
        Value::Object(clusters) if !clusters.is_empty() => clusters,
        other => {
            let problem = Problem::new(member_path("", key), other.excerpt(), expected);
            report.refuse(problem.on_line(node.place.0, node.place.1));
            return specs;
        }
    };
    let parent = member_path("", key);
    for (name, node) in clusters {
        let cluster = Cluster { path: member_path(&parent, name), name, node };
        cluster.check_name(context, report);
        let Some(own) = cluster.settings(report) else {
            continue;
        };
        if !cluster.gives("exec_file") && !has_exec_file {
            let path = member_path(&cluster.path, "exec_file");
            let expected = "a command, here or at the top of the file";
            report.refuse(cluster.place(Problem::new(path, "nothing", expected)));
        }
        if let Some(spec) = cluster.merge(own, &top, context, report) {
            specs.insert(name.clone(), spec);
        }
    }
    specs
}

struct Cluster<'a> {
    path: String,
    name: &'a str,
    node: &'a Node,
}

impl Cluster<'_> {
    fn place(&self, problem: Problem) -> Problem {
        problem.on_line(self.node.place.0, self.node.place.1)
    }

    fn check_name(&self, context: &Context<'_>, report: &mut Report) {
        let found = || format!("\"{}\"", excerpt(self.name));
        if !checks::is_cluster_name(self.name) {
            report.refuse_with(|| self.place(Problem::new(self.path.as_str(), found(), checks::CLUSTER_NAME)));
        } else if let Some(known) = context.known_clusters.filter(|known| !known.contains(self.name)) {
            report.refuse_with(|| self.unknown(known, found()));
        }
    }

    fn unknown(&self, known: &BTreeSet<String>, found: String) -> Problem {
        let names = || known.iter().map(String::as_str);
        let hint = match nearest(self.name, names()) {
            Some(name) => format!("did you mean `{name}`?"),
            None if known.is_empty() => "no cluster is configured".into(),
            None => format!("known are: {}", some_of(names())),
        };
        self.place(Problem::new(self.path.as_str(), found, "a cluster known here").hint(hint))
    }

    fn settings(&self, report: &mut Report) -> Option<Settings> {
        match &self.node.value {
            Value::Object(fields) => {
                check_keys(fields, &self.path, Scope::Cluster, report);
                Some(read_settings(fields, &self.path, false, report))
            }
            other => {
                let expected = "an object with the settings of the cluster (`{}` for none)";
                let problem = Problem::new(self.path.as_str(), other.excerpt(), expected);
                report.refuse(self.place(problem));
                None
            }
        }
    }

    fn gives(&self, name: &str) -> bool {
        match &self.node.value {
            Value::Object(fields) => fields.iter().any(|(key, node)| key == name && node.value != Value::Null),
            _ => false,
        }
    }

    fn merge(&self, own: Settings, top: &Settings, context: &Context<'_>, report: &mut Report) -> Option<ClusterSpec> {
        let written_in = own.request.as_ref().or(top.request.as_ref()).and_then(|request| request.walltime_s);
        // A cluster that only adds a walltime to its resources still takes the resources of the top.
        let requests = [own.request.as_ref(), top.request.as_ref()].into_iter().flatten();
        let resources = requests.filter_map(|request| request.resources.clone()).next();
        let walltime = own.walltime_s.or(top.walltime_s);
        if let (Some(field), Some(request)) = (walltime, written_in)
            && field != request
        {
            report.refuse(self.place(two_walltimes(&self.path, field, request)));
        }
        Some(ClusterSpec {
            exec_file: own.exec_file.or_else(|| top.exec_file.clone())?,
            exec_directory: own
                .exec_directory
                .or_else(|| top.exec_directory.clone())
                .unwrap_or_else(|| context.default_directory.unwrap_or("$HOME").to_owned()),
            walltime_s: walltime.or(written_in).unwrap_or(context.default_walltime_s),
            resources: resources.unwrap_or_else(|| context.default_resources.to_owned()),
            properties: own.properties.or_else(|| top.properties.clone()).flatten(),
            project: own.project.or_else(|| top.project.clone()).flatten(),
            cluster_job_type: own.cluster_job_type.or_else(|| top.cluster_job_type.clone()).flatten(),
            kind: own.kind.or(top.kind).unwrap_or(JobKind::BestEffort),
            max_jobs: own.max_jobs.or(top.max_jobs),
            prologue: None,
            epilogue: None,
            grouping: Grouping::default(),
            checkpoint: None,
            output: None,
        })
    }
}

fn two_walltimes(path: &str, field: u64, request: u64) -> Problem {
    let found = format!("`walltime` {} and {} in `resources`", format_walltime(field), format_walltime(request));
    Problem::new(member_path(path, "walltime"), found, "one walltime")
}

/// The first few names, for a message.
fn some_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.take(10).collect::<Vec<_>>().join(", ")
}

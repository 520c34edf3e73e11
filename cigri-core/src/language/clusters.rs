//! The clusters of a campaign: each takes the top-level fields that it does not give itself, then the defaults.

use std::collections::{BTreeMap, BTreeSet};

use super::checks;
use super::dependents::Dependents;
use super::fields::{Scope, check_keys};
use super::output::same_for_all;
use super::parts::{Checkpoint, Gathering, Grouping, Output, TestMode};
use super::problem::{Problem, Report, excerpt, nearest};
use super::reader::member_path;
use super::resolve::Context;
use super::settings::{Settings, read_settings};
use super::spec::{ClusterSpec, JobKind};
use super::test_mode::agreed;
use super::tree::{Node, Value};
use super::walltime::format_walltime;
use super::written::Written;

/// Most clusters of a campaign: each costs a copy of what the top of the file says.
const MOST_CLUSTERS: usize = 1000;

/// All clusters of a campaign that are sound, and the sample that they agree on; problems of the others are noted.
pub(super) fn resolve_clusters(
    written: &Written,
    context: &Context<'_>,
    named: bool,
    report: &mut Report,
) -> (BTreeMap<String, ClusterSpec>, Option<TestMode>) {
    let top = read_settings(&written.fields, "", true, report);
    let has_exec_file = written.field("exec_file").is_some();
    let Some((parent, clusters)) = named_clusters(written, report) else {
        return (BTreeMap::new(), None);
    };
    let mut all = Vec::new();
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
        all.push((cluster, own));
    }
    let samples = all.iter().map(|(cluster, own)| (cluster.name.to_owned(), own.test_mode.or(&top.test_mode)));
    let test = agreed(&samples.collect(), report);
    let mut merger = Merger { top: &top, context, named, dependents: Dependents::default() };
    let merged = all.iter().filter_map(|(cluster, own)| {
        let spec = merger.merge(cluster, own, report)?;
        Some((cluster.name.to_owned(), spec))
    });
    let specs = merged.collect();
    merger.dependents.tell(all.len(), report);
    one_folder(&specs, &all, report);
    (specs, test)
}

/// The client fetches all files into one folder: clusters that name different ones are refused.
fn one_folder(specs: &BTreeMap<String, ClusterSpec>, all: &[(Cluster<'_>, Settings)], report: &mut Report) {
    let mut first = None;
    for (cluster, _) in all {
        let output = specs.get(cluster.name).and_then(|spec| spec.output.as_ref());
        let Some(Gathering::Collector(Some(folder))) = output.map(|output| &output.method) else { continue };
        let (known, name) = *first.get_or_insert((folder, cluster.name));
        if known != folder {
            let expected = format!("\"{}\", as on {name}, because the client fetches into one folder", excerpt(known));
            let found = format!("\"{}\"", excerpt(folder));
            report.refuse(cluster.place_together(Problem::new("output_destination", found, expected)));
        }
    }
}

/// The clusters of the file as written, and the path of the field.
fn named_clusters<'a>(written: &'a Written, report: &mut Report) -> Option<(String, &'a [(String, Node)])> {
    let expected = "an object: the name of each cluster, with its settings (`{}` for none)";
    let Some((key, node)) = written.field("clusters") else {
        report.refuse(Problem::new("clusters", "nothing", expected));
        return None;
    };
    let refused = |expected: &str| {
        let problem = Problem::new(member_path("", key), node.value.excerpt(), expected);
        problem.on_line(node.place.0, node.place.1)
    };
    match &node.value {
        Value::Object(clusters) if clusters.len() > MOST_CLUSTERS => {
            report.refuse(refused(&format!("at most {MOST_CLUSTERS} clusters")));
            None
        }
        Value::Object(clusters) if !clusters.is_empty() => Some((member_path("", key), clusters)),
        _ => {
            report.refuse(refused(expected));
            None
        }
    }
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

    /// Places what was found when the fields of this cluster were seen together.
    fn place_together(&self, problem: Problem) -> Problem {
        let path = member_path(&self.path, &problem.path);
        self.place(problem.at(path))
    }
}

/// What all clusters of a campaign have in common while each takes its settings.
struct Merger<'a> {
    top: &'a Settings,
    context: &'a Context<'a>,
    named: bool,
    dependents: Dependents,
}

impl Merger<'_> {
    fn merge(&mut self, cluster: &Cluster<'_>, own: &Settings, report: &mut Report) -> Option<ClusterSpec> {
        let (top, context) = (self.top, self.context);
        let walltime_s = self.walltime(cluster, own, report);
        // A cluster that only adds a walltime to its resources still takes the resources of the top.
        let requests = [own.request.as_ref(), top.request.as_ref()].into_iter().flatten();
        let resources = requests.filter_map(|request| request.resources.as_deref()).next();
        let escalate = own.escalate.or(&top.escalate).value().cloned();
        let first = escalate.as_ref().and_then(|escalate| escalate.resources.first());
        if let Some(problem) =
            first.and_then(|first| unlike_first(first, resources, own.grouping.is_wide(&top.grouping)))
        {
            report.refuse(cluster.place_together(problem));
        }
        let resources = resources.or(first.map(String::as_str)).unwrap_or(context.default_resources);
        let grouped = own.grouping.resolve(&top.grouping, resources, &mut self.dependents);
        let grouped = report.take(grouped.map_err(|problem| cluster.place_together(problem)));
        let (grouping, resources) = grouped.unwrap_or_else(|| (Grouping::default(), resources.to_owned()));
        Some(ClusterSpec {
            walltime_s,
            resources,
            properties: own.properties.clone().or_else(|| top.properties.clone()).flatten(),
            project: own.project.clone().or_else(|| top.project.clone()).flatten(),
            cluster_job_type: own.cluster_job_type.clone().or_else(|| top.cluster_job_type.clone()).flatten(),
            kind: own.kind.or(top.kind).unwrap_or(JobKind::BestEffort),
            max_jobs: own.max_jobs.or(top.max_jobs),
            prologue: own.prologue.resolve(("prologue", &top.prologue), walltime_s, &mut self.dependents),
            epilogue: own.epilogue.resolve(("epilogue", &top.epilogue), walltime_s, &mut self.dependents),
            grouping,
            checkpoint: self.checkpoint(cluster, own, walltime_s, report),
            output: self.output(cluster, own, !grouping.is_none(), report),
            retries: own.retries.or(&top.retries).value().cloned().unwrap_or_default(),
            escalate: escalate.clone(),
            ..ClusterSpec::new(own.exec_file.clone().or_else(|| top.exec_file.clone())?, self.directory(own))
        })
    }

    fn walltime(&self, cluster: &Cluster<'_>, own: &Settings, report: &mut Report) -> u64 {
        let request = own.request.as_ref().or(self.top.request.as_ref());
        let written_in = request.and_then(|request| request.walltime_s);
        let walltime = own.walltime_s.or(self.top.walltime_s);
        if let (Some(field), Some(request)) = (walltime, written_in)
            && field != request
        {
            report.refuse(cluster.place(two_walltimes(&cluster.path, field, request)));
        }
        // Requests of a cluster's own need not say again what the top's says of the time.
        let inherited = self.top.request.as_ref().and_then(|request| request.walltime_s);
        walltime.or(written_in).or(inherited).unwrap_or(self.context.default_walltime_s)
    }

    fn directory(&self, own: &Settings) -> String {
        let given = own.exec_directory.as_ref().or(self.top.exec_directory.as_ref());
        given.map_or_else(|| self.context.default_directory.unwrap_or("$HOME").to_owned(), Clone::clone)
    }

    fn checkpoint(
        &mut self,
        cluster: &Cluster<'_>,
        own: &Settings,
        walltime_s: u64,
        report: &mut Report,
    ) -> Option<Checkpoint> {
        let found = own.checkpoint.resolve(&self.top.checkpoint, walltime_s, &mut self.dependents);
        report.take(found.map_err(|problem| cluster.place_together(problem))).flatten()
    }

    fn output(&mut self, cluster: &Cluster<'_>, own: &Settings, grouped: bool, report: &mut Report) -> Option<Output> {
        let found = own.output.resolve(&self.top.output, self.named, &mut self.dependents);
        let output = report.take(found.map_err(|problem| cluster.place_together(problem))).flatten()?;
        if let Some(problem) = same_for_all(&output, grouped, self.named) {
            report.warn(cluster.place_together(problem));
        }
        Some(output)
    }
}

/// What is wrong with the resources of levels beside the first attempt's, and beside tasks side by side.
fn unlike_first(first: &str, resources: Option<&str>, is_wide: bool) -> Option<Problem> {
    if is_wide {
        let expected = "no `resources`, as `dimensional_grouping` shares out those of the campaign";
        return Some(Problem::new("escalate", format!("`{}` and more", excerpt(first)), expected));
    }
    let other = resources.filter(|resources| *resources != first)?;
    let expected = format!("`{}` as the first of its `resources`, as `resources` says", excerpt(other));
    Some(Problem::new("escalate", format!("`{}`", excerpt(first)), expected))
}

fn two_walltimes(path: &str, field: u64, request: u64) -> Problem {
    let found = format!("`walltime` {} and {} in `resources`", format_walltime(field), format_walltime(request));
    Problem::new(member_path(path, "walltime"), found, "one walltime")
}

/// The first few names, for a message.
fn some_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.take(10).collect::<Vec<_>>().join(", ")
}

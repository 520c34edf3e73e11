//! The last ends of jobs, as far as breakers look at them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::{BreakerSettings, Trip};
use crate::failure::Class;

/// What an end says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It ended well.
    Well,
    /// The task failed; the cluster did what it should.
    Program,
    /// The cluster failed it.
    Cluster,
}

/// What a failure of a class says; `None` for what is neither the program's fault nor the cluster's.
pub fn verdict(class: Class) -> Option<Verdict> {
    match class {
        Class::Preempted | Class::PersonKill | Class::Asked => None,
        Class::Node | Class::Lost | Class::Unknown | Class::Output => Some(Verdict::Cluster),
        Class::Walltime
        | Class::Exit
        | Class::Signal
        | Class::Memory
        | Class::Disk
        | Class::MissingFile
        | Class::MissingModule
        | Class::Licence
        | Class::Program
        | Class::Directory => Some(Verdict::Program),
    }
}

/// One end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// When it was seen, epoch milliseconds.
    pub at: i64,
    /// The campaign of its task.
    pub campaign: i64,
    /// Whose campaign that is.
    pub owner: Arc<str>,
    /// What kind of failure it was; `None`: it ended well.
    pub class: Option<Class>,
    /// Exit code of its program, where it has one.
    pub exit_code: Option<i32>,
    /// Its node, where known.
    pub node: Option<Arc<str>>,
    /// Whether the program ended by itself, so that a class of trouble there is its own word for it.
    pub by_itself: bool,
}

impl End {
    /// What it says of its campaign there; `None`: nothing.
    pub fn verdict(&self) -> Option<Verdict> {
        self.class.map_or(Some(Verdict::Well), verdict)
    }

    /// What it says of the whole cluster: a program that ended by itself was run, whatever it wrote.
    pub fn verdict_on_cluster(&self) -> Option<Verdict> {
        match self.verdict() {
            Some(Verdict::Cluster) if self.by_itself => Some(Verdict::Program),
            verdict => verdict,
        }
    }

    /// Whether it failed, for whatever reason.
    pub fn is_failure(&self) -> bool {
        self.class.is_some()
    }

    /// Whether its campaign fares so by the cluster's fault.
    pub(super) fn is_by_cluster(&self) -> bool {
        self.verdict() == Some(Verdict::Cluster)
    }

    /// Whether the cluster itself failed it.
    pub(super) fn is_against_cluster(&self) -> bool {
        self.verdict_on_cluster() == Some(Verdict::Cluster)
    }

    fn label(&self) -> String {
        match (self.class, self.exit_code) {
            (Some(class), Some(code)) if verdict(class) == Some(Verdict::Program) => format!("exit {code}"),
            (Some(class), _) => class.as_str().to_owned(),
            (None, _) => String::new(),
        }
    }
}

/// The last ends, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window(VecDeque<End>);

impl Window {
    /// One more; those that are too many are forgotten.
    pub fn push(&mut self, end: End, settings: &BreakerSettings) {
        if end.verdict().is_none() {
            return;
        }
        self.0.push_back(end);
        let too_many = self.0.len().saturating_sub(settings.ends.max(1) as usize);
        self.0.drain(..too_many);
    }

    /// Forgets what is too old at `now`, and what a clock that went back dates in the future.
    pub fn age(&mut self, now: i64, settings: &BreakerSettings) {
        let window_ms = (settings.window_s as i64).saturating_mul(1000);
        self.0.retain(|end| (0..=window_ms).contains(&(now - end.at)));
    }

    /// Forgets what the cluster itself failed: its own breaker is open for that.
    pub fn forget_cluster_failures(&mut self) {
        self.0.retain(|end| end.verdict_on_cluster() != Some(Verdict::Cluster));
    }

    /// Forgets everything: a breaker that opened begins anew.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Forgets what happened on a node that is left out from now on.
    pub fn forget_node(&mut self, node: &str) {
        self.0.retain(|end| end.node.as_deref() != Some(node));
    }

    /// Whether all that `is_failure` picks happened on one node: the others may be well.
    pub(super) fn is_of_one_node(&self, is_failure: impl Fn(&End) -> bool) -> bool {
        let nodes: BTreeSet<Option<&str>> = self.failed(is_failure).map(|end| end.node.as_deref()).collect();
        nodes.len() == 1 && !nodes.contains(&None)
    }

    /// Whether no more ends are remembered than these.
    pub(super) fn is_full(&self, settings: &BreakerSettings) -> bool {
        self.len() >= settings.ends
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Ends that are remembered.
    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// How many of them `is_failure` picks.
    pub fn failures(&self, is_failure: impl Fn(&End) -> bool) -> u64 {
        self.failed(is_failure).count() as u64
    }

    /// Part of the ends that failed, for whatever reason; `None` with fewer than `least` ends.
    pub fn rate(&self, least: u64) -> Option<f64> {
        let failed = self.failures(End::is_failure);
        (self.len() >= least.max(1)).then(|| failed as f64 / self.len() as f64)
    }

    /// Its ends.
    pub(super) fn ends(&self) -> impl Iterator<Item = &End> {
        self.0.iter()
    }

    /// What was counted, with the most frequent kind of failure.
    pub(super) fn trip(&self, is_failure: impl Fn(&End) -> bool) -> Trip {
        let mut labels: BTreeMap<String, u32> = BTreeMap::new();
        let failures = self.failed(is_failure).map(|end| *labels.entry(end.label()).or_default() += 1).count() as u32;
        let mostly = labels.into_iter().max_by_key(|(_, count)| *count).map(|(label, _)| label).unwrap_or_default();
        Trip { failures, ends: self.len() as u32, mostly }
    }

    fn failed(&self, is_failure: impl Fn(&End) -> bool) -> impl Iterator<Item = &End> {
        self.0.iter().filter(move |end| is_failure(end))
    }
}

//! The resolved campaign: every default filled in, every value checked; what the rest of CiGri works with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::parts::{Checkpoint, Endless, Escalation, Grouping, MaxFailures, Output, Step, TestMode};
use super::resources;
use super::sweep::Sweep;
use super::walltime::{LONGEST_S, format_walltime};
use crate::policy::Retries;
use crate::state::Role;

/// A campaign without its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CampaignSpec {
    /// Name given by the user: 1 to 255 characters.
    pub name: String,
    /// Settings by cluster name; at least one.
    pub clusters: BTreeMap<String, ClusterSpec>,
    /// A sample that is run first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestMode>,
    /// Among its owner's campaigns, a higher one goes first: [`Self::LEAST_PRIORITY`] to [`Self::MOST_PRIORITY`].
    #[serde(default, skip_serializing_if = "is_usual")]
    pub priority: i32,
    /// The bag has no end; its tasks are numbered like those of `nb_jobs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endless: Option<Endless>,
    /// Its parameters have names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
    /// It goes on hold when more tasks than this fail for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<MaxFailures>,
}

fn is_usual(priority: &i32) -> bool {
    *priority == 0
}

impl CampaignSpec {
    /// The priority of what can wait longest.
    pub const LEAST_PRIORITY: i32 = -100;
    /// The highest priority.
    pub const MOST_PRIORITY: i32 = 100;

    /// A campaign without sample and with an end, whose parameters have no names.
    pub fn new(name: impl Into<String>, clusters: BTreeMap<String, ClusterSpec>) -> Self {
        Self { name: name.into(), clusters, test: None, priority: 0, endless: None, sweep: None, max_failures: None }
    }

    /// Names of its parameters, in the order of a task's words; none where they have none.
    pub fn parameter_names(&self) -> &[String] {
        self.sweep.as_ref().map_or(&[], |sweep| &sweep.names)
    }
}

/// How the tasks of a campaign run on one cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterSpec {
    /// Command line that the parameter is appended to. `{CAMPAIGN_ID}` and `{OAR_JOB_ID}` are still in it.
    pub exec_file: String,
    /// Working directory: absolute, or starting with `$HOME`. `{CAMPAIGN_ID}` is still in it.
    pub exec_directory: String,
    /// Longest duration of a job, in seconds.
    pub walltime_s: u64,
    /// Resource request without walltime (`/core=1`).
    pub resources: String,
    /// SQL condition on the cluster's resources.
    pub properties: Option<String>,
    /// Project that the jobs are accounted to.
    pub project: Option<String>,
    /// A further OAR job type (`devel`).
    pub cluster_job_type: Option<String>,
    /// Whether the cluster may kill the jobs, and when they are sent.
    pub kind: JobKind,
    /// Most jobs of the campaign at one time on this cluster.
    pub max_jobs: Option<u32>,
    /// A job that is run there before the first task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prologue: Option<Step>,
    /// A job that is run there after the last task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epilogue: Option<Step>,
    /// How tasks are packed into jobs.
    #[serde(default, skip_serializing_if = "Grouping::is_none")]
    pub grouping: Grouping,
    /// OAR's signal before a job is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    /// What becomes of the tasks' files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    /// What it says of retries, by class of failures; what it does not say is as usual.
    #[serde(default, skip_serializing_if = "Retries::is_empty")]
    pub retries: Retries,
    /// What further attempts ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate: Option<Escalation>,
}

/// Whether the cluster may kill the jobs to make room for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// Runs on idle resources only, and is killed when a normal job needs them.
    BestEffort,
    /// An ordinary job of the cluster.
    Normal,
    /// Best-effort by day, normal by night (the cluster's calendar says which is which).
    SemiBestEffort,
    /// An ordinary job that is started, and ends, by night only.
    Nightly,
}

impl JobKind {
    /// Whether jobs of this kind are best-effort at some hour: the cluster's longest walltime for such jobs holds for them.
    pub fn may_be_killed(self) -> bool {
        matches!(self, JobKind::BestEffort | JobKind::SemiBestEffort)
    }
}

impl ClusterSpec {
    /// Best-effort jobs of one core and OAR's default walltime of two hours.
    pub fn new(exec_file: impl Into<String>, exec_directory: impl Into<String>) -> Self {
        Self {
            exec_file: exec_file.into(),
            exec_directory: exec_directory.into(),
            walltime_s: 2 * 3600,
            resources: "/core=1".to_owned(),
            properties: None,
            project: None,
            cluster_job_type: None,
            kind: JobKind::BestEffort,
            max_jobs: None,
            prologue: None,
            epilogue: None,
            grouping: Grouping::default(),
            checkpoint: None,
            output: None,
            retries: Retries::new(),
            escalate: None,
        }
    }

    /// What an attempt of this level asks for, within the cluster's longest walltime, seconds. Level 0 asks for what the
    /// campaign says, whatever the cluster's bound is.
    #[must_use]
    pub fn at_level(&self, level: u32, longest_s: Option<u64>) -> Self {
        let Some(escalate) = self.escalate.as_ref().filter(|_| level > 0) else { return self.clone() };
        let raised = self.walltime_s as f64 * escalate.walltime.powf(f64::from(level));
        // A float above all numbers becomes the largest one.
        let bound = longest_s.unwrap_or(LONGEST_S).min(LONGEST_S).max(self.walltime_s);
        let at = (level as usize).min(escalate.resources.len().saturating_sub(1));
        let resources = escalate.resources.get(at).unwrap_or(&self.resources).clone();
        Self { walltime_s: (raised.ceil() as u64).min(bound), resources, ..self.clone() }
    }

    /// What a scheduler looks at when it starts the jobs or leaves them waiting: jobs of one shape wait alike.
    pub fn shape(&self) -> String {
        let mut shape = self.resource_request();
        for part in [&self.properties, &self.cluster_job_type].into_iter().flatten() {
            shape.push_str(", ");
            shape.push_str(part);
        }
        if self.kind == JobKind::Normal {
            shape.push_str(", normal");
        }
        shape
    }

    /// The request as OAR takes it: `/core=1,walltime=00:10:00`.
    pub fn resource_request(&self) -> String {
        format!("{},walltime={}", self.resources, format_walltime(self.walltime_s))
    }

    /// OAR job types of a job that may be killed for others, or not: `besteffort` where it applies, then the cluster's own.
    pub fn types(&self, best_effort: bool) -> Vec<String> {
        let kind = best_effort.then(|| "besteffort".to_owned());
        kind.into_iter().chain(self.cluster_job_type.clone()).collect()
    }

    /// Cores that one job asks for, as far as the request tells; at least 1.
    pub fn cores(&self) -> u32 {
        resources::cores(&self.resources)
    }

    /// The step that is a job of this role; none for tasks.
    pub fn step_of(&self, role: Role) -> Option<&Step> {
        match role {
            Role::Prologue => self.prologue.as_ref(),
            Role::Epilogue => self.epilogue.as_ref(),
            Role::Tasks | Role::Test => None,
        }
    }

    /// Cores that one job of this role asks for, as far as its request tells, at least 1; and whether it tells them all.
    pub fn cores_for(&self, role: Role) -> (u32, bool) {
        let asked = self.step_of(role).map_or(&self.resources, |step| &step.resources);
        (resources::cores(asked), resources::tells_cores(asked))
    }
}

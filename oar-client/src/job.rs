//! Jobs as OAR lists them: only the fields a client needs, read straight from the wire.
//!
//! OAR leaves out every field that is null, so whatever may be missing is optional or has a default.

use serde::{Deserialize, Deserializer};

use crate::paging::Row;
use crate::state::State;

/// A row of a listing without details. `array_id`, `array_index` and `command` are not in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JobSummary {
    /// The job's id.
    pub id: u64,
    /// The name given at submission.
    pub name: Option<String>,
    /// Its state.
    pub state: State,
    /// Its owner.
    pub user: Option<String>,
    /// The queue it is in; best-effort jobs are in one of their own, `besteffort`.
    pub queue_name: Option<String>,
    /// Raw wait status (exit 1 is 256, killed by signal 9 is 9); absent while unknown and for killed jobs.
    pub exit_code: Option<i32>,
}

/// A job with its details. `submission_time` is left out on purpose: OAR's value may be hours wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JobDetails {
    /// The job's id.
    pub id: u64,
    /// Id of the first job of the array; the job's own id when it is alone; 0 in a half-created row.
    #[serde(default)]
    pub array_id: u64,
    /// Place in the array, from 1.
    #[serde(default)]
    pub array_index: u64,
    /// The name given at submission.
    pub name: Option<String>,
    /// Its state.
    pub state: State,
    /// Its owner.
    pub user: Option<String>,
    /// Its project.
    pub project: Option<String>,
    /// The queue it is in.
    #[serde(rename = "queue_name")]
    pub queue: Option<String>,
    /// The command line, with the job's parameters.
    pub command: Option<String>,
    /// The command line as submitted, without parameters.
    pub initial_request: Option<String>,
    /// Raw wait status (exit 1 is 256, killed by signal 9 is 9); absent while unknown and for killed jobs.
    pub exit_code: Option<i32>,
    /// Epoch seconds; 0 (or -1 with a dependency) until the scheduler chose it.
    #[serde(default)]
    pub start_time: i64,
    /// Epoch seconds; 0 until finished, and for ever when deleted before the start.
    #[serde(default)]
    pub stop_time: i64,
    /// The working directory.
    pub launching_directory: Option<String>,
    /// Output file, relative to `launching_directory` unless absolute.
    pub stdout_file: Option<String>,
    /// Error output file, relative to `launching_directory` unless absolute.
    pub stderr_file: Option<String>,
    /// Free text of the scheduler, for people.
    pub message: Option<String>,
    /// The job that OAR submitted again as this one; 0 normally.
    #[serde(default)]
    pub resubmit_job_id: u64,
    /// What OAR noted about it, ordered by id.
    #[serde(default, deserialize_with = "events_by_id")]
    pub events: Vec<JobEvent>,
    /// Network addresses of its nodes; empty before it is scheduled.
    #[serde(default, deserialize_with = "addresses")]
    pub nodes: Vec<String>,
    /// Seconds; absent until scheduled.
    pub walltime: Option<i64>,
}

/// Something OAR noted about a job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JobEvent {
    /// The event's id; events of a job happened in this order.
    pub id: u64,
    /// OAR's event type, such as `BESTEFFORT_KILL`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Epoch seconds.
    #[serde(default)]
    pub date: i64,
    /// OAR's sentence.
    #[serde(default)]
    pub description: String,
    /// True until OAR has treated the event.
    #[serde(default, deserialize_with = "yes")]
    pub to_check: bool,
}

impl Row for JobSummary {
    fn id(&self) -> u64 {
        self.id
    }
}

impl Row for JobDetails {
    fn id(&self) -> u64 {
        self.id
    }
}

/// OAR does not promise any order.
fn events_by_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<JobEvent>, D::Error> {
    let mut events: Vec<JobEvent> = Vec::deserialize(deserializer)?;
    events.sort_by_key(|event| event.id);
    Ok(events)
}

fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    struct Node {
        network_address: String,
    }
    let nodes: Vec<Node> = Vec::deserialize(deserializer)?;
    Ok(nodes.into_iter().map(|node| node.network_address).collect())
}

fn yes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let word: std::borrow::Cow<'de, str> = Deserialize::deserialize(deserializer)?;
    Ok(word == "YES")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_created_row_is_readable() {
        let job: JobDetails = serde_json::from_str(r#"{"id":7,"state":"Hold"}"#).unwrap();
        assert_eq!((job.id, job.array_id, job.start_time), (7, 0, 0));
        assert_eq!((job.name, job.exit_code, job.walltime), (None, None, None));
        assert!(job.events.is_empty() && job.nodes.is_empty());
    }

    #[test]
    fn events_are_ordered_by_id() {
        let text = r#"{"id":7,"state":"Error","events":[
            {"id":9,"type":"SWITCH_INTO_ERROR_STATE","date":3,"description":"b","to_check":"YES"},
            {"id":8,"type":"FRAG_JOB_REQUEST","date":2,"description":"a","to_check":"NO"}]}"#;
        let job: JobDetails = serde_json::from_str(text).unwrap();
        let seen: Vec<(u64, bool)> = job.events.iter().map(|e| (e.id, e.to_check)).collect();
        assert_eq!(seen, [(8, false), (9, true)]);
    }
}

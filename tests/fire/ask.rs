//! What the server asks of a cluster, recognised from outside: from the request, and from what went before.

use std::collections::HashSet;

use bytes::Bytes;
use cigri_core::ledger;
use http::{Method, Request, Response};
use serde_json::Value;

/// A step of the ledger or of the observation, as the cluster sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Ask {
    /// POST of a submission's gate.
    Gate,
    /// POST of its array.
    Array,
    /// The array's listing with details.
    Adoption,
    /// A look at the gate before it is deleted.
    GateLook,
    /// The gate's DELETE.
    GateDelete,
    /// A look at the gate after it.
    GateVerify,
    /// A count of an array's jobs.
    Count,
    /// An array's jobs.
    Listing,
    /// A job that a listing lacked.
    SecondLook,
    /// Details of ended jobs.
    EndDetails,
    /// The last lines of a failed job's stderr.
    Tail,
    /// All live jobs of a user: a look-up by name, or the orphan sweep.
    LookUp,
    /// A user's jobs that ended in a window: the second half of a look-up.
    LookUpEnded,
    /// The job that a look-up found.
    LookUpJob,
    /// DELETE of something that is no gate.
    Delete,
    /// Whether the API's database answers.
    Probe,
    /// POST of the jobs by which gates are tried.
    Test,
    /// Anything else.
    Other,
}

impl Ask {
    /// Whether it asks for jobs.
    pub(crate) fn is_post(self) -> bool {
        matches!(self, Ask::Gate | Ask::Array | Ask::Test)
    }

    /// Whether it changes nothing.
    pub(crate) fn is_read(self) -> bool {
        !self.is_post() && !matches!(self, Ask::GateDelete | Ask::Delete)
    }
}

/// What has to be remembered to recognise the next request.
#[derive(Default)]
pub(crate) struct Reader {
    gates: HashSet<u64>,
    tests: HashSet<u64>,
    deleted: HashSet<u64>,
    last: Option<Ask>,
}

impl Reader {
    /// Recognises a request, in the order of their coming.
    pub(crate) fn read(&mut self, request: &Request<Bytes>) -> Ask {
        let ask = self.recognise(request);
        self.last = Some(ask);
        ask
    }

    /// Learns the ids of gates from the cluster's answers.
    pub(crate) fn learn(&mut self, ask: Ask, answer: &Response<Bytes>) {
        let id = serde_json::from_slice::<Value>(answer.body()).ok().and_then(|body| body["id"].as_u64());
        match (ask, id) {
            (Ask::Gate, Some(id)) => drop(self.gates.insert(id)),
            (Ask::Test, Some(id)) => drop(self.tests.insert(id)),
            _ => {}
        }
    }

    fn recognise(&mut self, request: &Request<Bytes>) -> Ask {
        let path = request.uri().path();
        let query: Vec<(&str, &str)> =
            request.uri().query().unwrap_or("").split('&').filter_map(|pair| pair.split_once('=')).collect();
        let get = |name: &str| query.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let number = path.strip_prefix("/jobs/").and_then(|id| id.parse::<u64>().ok());
        match (request.method(), path, number) {
            (&Method::POST, "/jobs", _) => posted(request.body()),
            (&Method::DELETE, _, Some(id)) if self.gates.contains(&id) => {
                self.deleted.insert(id);
                Ask::GateDelete
            }
            (&Method::DELETE, _, Some(id)) if self.tests.contains(&id) => Ask::Other,
            (&Method::DELETE, _, Some(_)) => Ask::Delete,
            (&Method::GET, _, Some(_)) => Ask::SecondLook,
            (&Method::GET, "/media", _) if get("tail").is_some() => Ask::Tail,
            (&Method::GET, "/jobs", _) => self.listing(&get),
            _ => Ask::Other,
        }
    }

    fn listing<'a>(&self, get: &impl Fn(&str) -> Option<&'a str>) -> Ask {
        let of_gate = get("job_ids").and_then(|id| id.parse().ok()).filter(|id| self.gates.contains(id));
        match (get("array"), get("user"), get("job_ids"), get("details")) {
            (Some(_), _, _, Some(_)) => Ask::Adoption,
            (Some(_), _, _, None) if get("limit") == Some("0") => Ask::Count,
            (Some(_), ..) => Ask::Listing,
            (_, Some(_), ..) if get("start_time").is_some() => Ask::LookUpEnded,
            (_, Some(_), ..) => Ask::LookUp,
            (_, _, Some(_), None) if of_gate.is_some_and(|gate| self.deleted.contains(&gate)) => Ask::GateVerify,
            (_, _, Some(_), None) if of_gate.is_some() => Ask::GateLook,
            (_, _, Some(_), Some(_)) if self.last == Some(Ask::LookUpEnded) => Ask::LookUpJob,
            (_, _, Some(_), Some(_)) => Ask::EndDetails,
            _ if get("limit") == Some("1") => Ask::Probe,
            _ => Ask::Other,
        }
    }
}

fn posted(body: &Bytes) -> Ask {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    match body["name"].as_str().and_then(ledger::parse_name) {
        Some(name) if name.submission == ledger::TEST_SUBMISSION => Ask::Test,
        Some(name) if name.gate => Ask::Gate,
        Some(_) => Ask::Array,
        None => Ask::Other,
    }
}

//! A cluster's resources, with whatever columns its administrator added.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::paging::Row;

/// One row of `GET /resources?detailed=true`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Resource {
    /// The resource's id (the column `resource_id` in a property).
    pub id: u64,
    /// `Alive`, `Absent`, `Suspected` or `Dead`.
    #[serde(default)]
    pub state: String,
    /// Every other column, OAR's and the site's.
    #[serde(flatten)]
    pub properties: BTreeMap<String, Value>,
}

/// How a cluster's resources are at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// All of them.
    pub total: u64,
    /// Those that jobs hold.
    pub busy: u64,
    /// Those that are not `Alive`: absent, suspected, dead.
    pub unavailable: u64,
}

impl Row for Resource {
    fn id(&self) -> u64 {
        self.id
    }
}

//! When breakers open, and for how long: what an admin may set for a cluster.

use serde::{Deserialize, Serialize};

use super::Pauses;

/// Settings of a cluster's breakers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerSettings {
    /// Part of the ends that must have failed, 0 to 1; over 1: breakers never open.
    pub rate: f64,
    /// Ends that are looked at, the last ones.
    pub ends: u64,
    /// None of them is older, seconds.
    pub window_s: u64,
    /// Fewer ends of a campaign open nothing.
    pub least: u64,
    /// Fewer ends of a cluster's jobs open nothing.
    pub least_cluster: u64,
    /// The first pause, seconds; it doubles each time.
    pub pause_s: u64,
    /// The longest, seconds.
    pub longest_s: u64,
    /// How long a node that fails almost everything gets nothing, seconds; it doubles each time, up to a day.
    pub node_pause_s: u64,
    /// Part of a cluster's nodes that may be left out, 0 to 1; 0: none is.
    pub nodes: f64,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        BreakerSettings {
            rate: 0.5,
            ends: 50,
            window_s: 900,
            least: 20,
            least_cluster: 10,
            pause_s: 300,
            longest_s: 3600,
            node_pause_s: 3600,
            nodes: 0.2,
        }
    }
}

/// A node is left out for a day at most.
const LONGEST_NODE_S: u64 = 86_400;

impl BreakerSettings {
    /// Pauses of campaigns and of the cluster.
    pub fn pauses(&self) -> Pauses {
        Pauses { first_s: self.pause_s, longest_s: self.longest_s }
    }

    /// Pauses of nodes.
    pub fn node_pauses(&self) -> Pauses {
        Pauses { first_s: self.node_pause_s, longest_s: LONGEST_NODE_S }
    }
}

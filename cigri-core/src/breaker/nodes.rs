//! Black holes: a node on which almost everything fails at once, and that takes job after job because it is always free.
//!
//! It is left out of the next submissions by a condition on OAR's column `network_address`, while others do clearly
//! better. Where many nodes are bad it is the cluster that is bad, and its breaker that opens.

use std::collections::BTreeMap;

use super::{BreakerSettings, Trip};

/// Fewer ends say nothing about a node.
const LEAST: u32 = 8;
/// Part of its ends from which on almost everything fails.
const ALMOST_ALL: f64 = 0.8;
/// Another node is clearly better if at most this part of its ends failed.
const BETTER: f64 = 0.4;
/// Ends that another node must have had for that.
const LEAST_BETTER: u32 = 3;
/// Better nodes that there must be.
const BETTER_NODES: usize = 2;
/// A condition names no more nodes than this.
pub const MOST_NAMES: usize = 50;

/// The last ends on a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Ends that failed, and when the last was, epoch milliseconds.
    pub failures: u32,
    /// Ends.
    pub ends: u32,
}

impl Tally {
    fn rate(&self) -> f64 {
        f64::from(self.failures) / f64::from(self.ends.max(1))
    }

    fn is_black_hole(&self) -> bool {
        self.ends >= LEAST && self.rate() >= ALMOST_ALL
    }

    fn is_better(&self) -> bool {
        self.ends >= LEAST_BETTER && self.rate() <= BETTER
    }
}

/// Whether a node should be watched: only then the nodes of what ends well are worth asking for.
pub fn is_suspect(tally: &Tally) -> bool {
    tally.failures >= LEAST / 2 && tally.rate() >= ALMOST_ALL
}

/// The nodes that are to be left out, the worst first, at most `room` of them, with what was counted.
pub fn black_holes(tallies: &BTreeMap<String, Tally>, room: usize) -> Vec<(String, Trip)> {
    let is_known = |name: &str| tallies.get(name).is_some_and(Tally::is_better);
    if tallies.keys().filter(|name| is_known(name)).count() < BETTER_NODES {
        return Vec::new();
    }
    let mut found: Vec<(&String, &Tally)> =
        tallies.iter().filter(|(name, tally)| tally.is_black_hole() && is_plain(name)).collect();
    found.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.failures));
    let trip = |tally: &Tally| Trip { failures: tally.failures, ends: tally.ends, mostly: "node".to_owned() };
    found.into_iter().take(room).map(|(name, tally)| (name.clone(), trip(tally))).collect()
}

/// How many of a cluster's nodes may be left out.
pub fn room(nodes: usize, settings: &BreakerSettings) -> usize {
    ((nodes as f64 * settings.nodes).floor() as usize).min(MOST_NAMES)
}

/// A name that needs no quoting inside of quotes: others are never sent.
fn is_plain(name: &str) -> bool {
    let is_sign = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '.' | '-' | '_');
    !name.is_empty() && name.len() <= 255 && name.chars().all(is_sign)
}

/// A campaign's own condition on resources, without these nodes.
///
/// ```
/// use cigri_core::breaker::nodes::without;
///
/// let nodes = ["node12".to_owned()];
/// assert_eq!(without(None, &nodes).as_deref(), Some("network_address <> 'node12'"));
/// let both = without(Some("gpu = 1 OR mem > 8"), &nodes);
/// assert_eq!(both.as_deref(), Some("(gpu = 1 OR mem > 8) AND network_address <> 'node12'"));
/// ```
pub fn without(properties: Option<&str>, nodes: &[String]) -> Option<String> {
    let names: Vec<String> = nodes
        .iter()
        .filter(|name| is_plain(name))
        .take(MOST_NAMES)
        .map(|name| format!("network_address <> '{name}'"))
        .collect();
    if names.is_empty() {
        return properties.map(str::to_owned);
    }
    // The plainest SQL: what every parser on the way understands.
    let others = names.join(" AND ");
    let own = properties.map(str::trim).filter(|own| !own.is_empty());
    Some(own.map_or_else(|| others.clone(), |own| format!("({own}) AND {others}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tallies(of: &[(&str, u32, u32)]) -> BTreeMap<String, Tally> {
        of.iter()
            .map(|(name, failures, ends)| ((*name).to_owned(), Tally { failures: *failures, ends: *ends }))
            .collect()
    }

    fn names(of: &[(&str, u32, u32)], room: usize) -> Vec<String> {
        black_holes(&tallies(of), room).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_node_that_fails_almost_everything_is_left_out_while_two_others_do_well() {
        assert_eq!(names(&[("n1", 0, 5), ("n2", 1, 5), ("n3", 9, 10)], 5), ["n3"]);
        assert!(names(&[("n1", 0, 5), ("n3", 9, 10)], 5).is_empty(), "one better node may be luck");
        assert!(names(&[("n1", 0, 5), ("n2", 1, 5), ("n3", 7, 7)], 5).is_empty(), "too few to tell");
        assert!(names(&[("n1", 0, 5), ("n2", 1, 5), ("n3", 7, 10)], 5).is_empty(), "some succeed there");
    }

    #[test]
    fn where_everything_fails_it_is_no_nodes_fault() {
        assert!(names(&[("n1", 20, 20), ("n2", 19, 20), ("n3", 20, 20), ("n4", 0, 9)], 5).is_empty());
    }

    #[test]
    fn no_more_than_a_part_of_the_nodes_is_left_out_the_worst_first() {
        let of = [("n1", 0, 5), ("n2", 0, 5), ("n3", 9, 10), ("n4", 30, 30)];
        assert_eq!(names(&of, 1), ["n4"]);
        let settings = BreakerSettings::default();
        assert_eq!([4, 5, 14, 1000].map(|nodes| room(nodes, &settings)), [0, 1, 2, MOST_NAMES]);
        assert_eq!(room(1000, &BreakerSettings { nodes: 0.0, ..settings }), 0);
    }

    #[test]
    fn a_name_that_could_end_the_quotes_is_never_sent() {
        assert!(names(&[("n1", 0, 5), ("n2", 0, 5), ("x') OR ('1'='1", 10, 10)], 5).is_empty());
        assert_eq!(without(Some("mem > 8"), &["a'b".to_owned()]).as_deref(), Some("mem > 8"));
        assert_eq!(without(Some("  "), &["n1".to_owned()]).as_deref(), Some("network_address <> 'n1'"));
        assert_eq!(without(None, &[]), None);
    }
}

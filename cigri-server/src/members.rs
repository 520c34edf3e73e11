//! Who belongs to the groups that have quotas: as the configuration says, else as this machine's system does.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::unistd::Group;
use tracing::warn;

use crate::clock::monotonic;

/// How long what the system said is good.
const GOOD_FOR: Duration = Duration::from_secs(600);
/// How long the system may take: its directory may be far away.
const PATIENCE: Duration = Duration::from_secs(5);

/// Groups and their members.
#[derive(Debug, Default)]
pub(crate) struct Members {
    configured: BTreeMap<String, Vec<String>>,
    /// What the system said last, and when.
    known: Mutex<BTreeMap<String, (Instant, Vec<String>)>>,
}

impl Members {
    /// These groups are as the configuration says, all others as the system does.
    pub(crate) fn new(configured: BTreeMap<String, Vec<String>>) -> Members {
        Members { configured, known: Mutex::default() }
    }

    /// The members of these groups; none of one that nobody knows. The system does not tell whose primary group a
    /// group is: only those are members that it lists.
    pub(crate) async fn of(&self, names: impl Iterator<Item = &String>) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        for name in names {
            let members = match self.configured.get(name) {
                Some(members) => members.clone(),
                None => self.of_system(name).await,
            };
            found.insert(name.clone(), members);
        }
        found
    }

    async fn of_system(&self, name: &str) -> Vec<String> {
        let last = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let old = match last {
            Some((at, members)) if at.elapsed() < GOOD_FOR => return members,
            last => last.map(|(_, members)| members),
        };
        let asked = name.to_owned();
        let answer = tokio::task::spawn_blocking(move || Group::from_name(&asked));
        let members = match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(Ok(Some(group)))) => group.mem,
            Ok(Ok(Ok(None))) => {
                warn!(group = name, "the system knows no such group: its quota binds nobody");
                Vec::new()
            }
            // What was known is better than nothing.
            failed => {
                warn!(group = name, "the members of a group cannot be read: {failed:?}");
                old.unwrap_or_default()
            }
        };
        let entry = (monotonic(), members.clone());
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), entry);
        members
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_configuration_goes_before_the_system_and_an_unknown_group_is_empty() {
        let configured = BTreeMap::from([("root".to_owned(), vec!["alice".to_owned(), "bob".to_owned()])]);
        let names = ["root".to_owned(), "daemon".to_owned(), "no-such-group".to_owned()];
        let members = Members::new(configured).of(names.iter()).await;
        assert_eq!(members["root"], ["alice", "bob"]);
        assert_eq!(members["daemon"], Group::from_name("daemon").unwrap().unwrap().mem);
        assert!(members["no-such-group"].is_empty());
    }
}

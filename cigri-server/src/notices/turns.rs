//! What users may have done once a minute: test messages go to addresses that they chose, which may be others' mailboxes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// From one turn of a user to the next, in milliseconds.
const APART_MS: i64 = 60_000;

/// When users had their last turns, in epoch milliseconds. Forgotten when the server stops.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<BTreeMap<String, i64>>);

impl Turns {
    /// Takes a user's turn.
    ///
    /// # Errors
    /// The seconds until there is one, at least 1.
    pub(crate) fn take(&self, login: &str, now: i64) -> Result<(), u64> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back makes nobody wait for longer.
        last.retain(|_, at| (now - APART_MS + 1..=now).contains(at));
        match last.get(login) {
            Some(at) => Err(((at + APART_MS - now) as u64).div_ceil(1000)),
            None => {
                last.insert(login.to_owned(), now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_one_turn_a_minute() {
        let turns = Turns::default();
        let now = 1_000_000;
        assert_eq!([turns.take("alice", now), turns.take("bob", now)], [Ok(()), Ok(())]);
        assert_eq!(turns.take("alice", now + 1), Err(60));
        assert_eq!(turns.take("alice", now + APART_MS - 1), Err(1));
        assert_eq!(turns.take("alice", now + APART_MS), Ok(()));
        assert_eq!(turns.take("bob", now - 10 * APART_MS), Ok(()), "the clock was set back");
    }
}

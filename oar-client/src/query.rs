//! Which jobs to list, and one page of the answer.

use crate::error::{Error, Invalid};
use crate::state::State;

/// Larger values overflow OAR's database types, and an SQL error there breaks the API for everybody.
const LARGEST: u64 = i32::MAX as u64;

/// A filter of `GET /jobs`. Without `ids` and `array` only live jobs are listed; `window` adds those
/// that finished in it. **Empty `ids` means "no filter by id"**, not "nothing".
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct JobQuery {
    /// Jobs of this user only.
    pub user: Option<String>,
    /// Jobs of this array, in any state.
    pub array: Option<u64>,
    /// These jobs, in any state; unknown ids are simply missing in the answer.
    pub ids: Vec<u64>,
    /// Only jobs in one of these states.
    pub states: Vec<State>,
    /// First and last epoch second; on the cluster's clock.
    pub window: Option<(i64, i64)>,
    /// Rows to skip.
    pub offset: u64,
    /// Rows in one page; 0 lets the client choose.
    pub limit: u64,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Page<T> {
    /// How many rows the whole listing has.
    pub total: u64,
    /// The rows of this page, ordered by id.
    pub items: Vec<T>,
}

impl<T> Page<T> {
    /// What an offset past the end stands for.
    pub(crate) fn empty() -> Page<T> {
        Page { total: 0, items: Vec::new() }
    }
}

impl JobQuery {
    /// Refuses what is known or likely to break the API's database session for every later request.
    pub fn validate(&self) -> Result<(), Error> {
        let mut problems = Vec::new();
        if let Some(user) = &self.user {
            problems.extend(bad_user(user));
        }
        if self.array == Some(0) {
            problems.push(Invalid::new("array", "0 would list every job"));
        }
        for state in &self.states {
            if let State::Unknown(text) = state {
                let problem = format!("{text:?} is no state of OAR 3");
                problems.push(Invalid::new("states", problem));
            }
        }
        if self.offset > LARGEST || self.limit > LARGEST {
            problems.push(Invalid::new("limit", format!("more than {LARGEST} rows")));
        }
        if self.window.is_some_and(|(first, last)| first > last) {
            problems.push(Invalid::new("start_time", "the window ends before it starts"));
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
    }
}

fn bad_user(user: &str) -> Option<Invalid> {
    if user.is_empty() {
        return Some(Invalid::new("user", "empty, which would list everybody's jobs"));
    }
    let control = user.chars().any(char::is_control);
    control.then(|| Invalid::new("user", "control character in the user name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(query: JobQuery) -> String {
        query.validate().unwrap_err().to_string()
    }

    #[test]
    fn queries_that_would_break_the_api_are_refused() {
        assert_eq!(
            refused(JobQuery {
                states: vec![State::Error, State::Unknown("Terminated,Error".into())],
                ..JobQuery::default()
            }),
            "states: \"Terminated,Error\" is no state of OAR 3"
        );
        assert_eq!(refused(JobQuery { limit: u64::MAX, ..JobQuery::default() }), "limit: more than 2147483647 rows");
    }

    #[test]
    fn queries_that_would_list_far_too_much_are_refused() {
        assert_eq!(
            refused(JobQuery { array: Some(0), user: Some(String::new()), ..JobQuery::default() }),
            "user: empty, which would list everybody's jobs; array: 0 would list every job"
        );
    }

    #[test]
    fn a_backward_window_is_refused() {
        assert!(JobQuery { window: Some((2, 1)), ..JobQuery::default() }.validate().is_err());
    }
}

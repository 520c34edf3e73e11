//! OAR's job states, with its spelling.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};

/// The state of a job as OAR tells it. A state this program does not know is kept as text, so that a
/// newer OAR never makes a whole listing unreadable.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the names are OAR's own and say all there is
pub enum State {
    Waiting,
    Hold,
    ToLaunch,
    ToError,
    ToAckReservation,
    Launching,
    Running,
    Suspended,
    Resuming,
    Finishing,
    Terminated,
    Error,
    /// A spelling that OAR 3 does not use; it must not be sent in a query.
    Unknown(String),
}

const SPELLINGS: [(State, &str); 12] = [
    (State::Waiting, "Waiting"),
    (State::Hold, "Hold"),
    (State::ToLaunch, "toLaunch"),
    (State::ToError, "toError"),
    (State::ToAckReservation, "toAckReservation"),
    (State::Launching, "Launching"),
    (State::Running, "Running"),
    (State::Suspended, "Suspended"),
    (State::Resuming, "Resuming"),
    (State::Finishing, "Finishing"),
    (State::Terminated, "Terminated"),
    (State::Error, "Error"),
];

impl State {
    /// True for the two states that OAR itself never leaves on its own.
    pub fn is_final(&self) -> bool {
        matches!(self, State::Terminated | State::Error)
    }

    /// OAR's spelling.
    pub fn as_str(&self) -> &str {
        if let State::Unknown(text) = self {
            return text;
        }
        SPELLINGS.iter().find(|(state, _)| state == self).map_or("", |(_, text)| text)
    }
}

impl From<&str> for State {
    fn from(text: &str) -> State {
        SPELLINGS
            .iter()
            .find(|(_, spelling)| *spelling == text)
            .map_or_else(|| State::Unknown(text.to_owned()), |(state, _)| state.clone())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<State, D::Error> {
        deserializer.deserialize_str(StateVisitor)
    }
}

/// Reads the text in place: a listing has thousands of states.
struct StateVisitor;

impl Visitor<'_> for StateVisitor {
    type Value = State;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a job state")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<State, E> {
        Ok(State::from(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_read_back() {
        for (state, text) in SPELLINGS {
            assert_eq!(State::from(text), state);
            assert_eq!(state.to_string(), text);
        }
    }

    #[test]
    fn only_terminated_and_error_are_final() {
        let last: Vec<&str> = SPELLINGS.iter().filter(|(state, _)| state.is_final()).map(|(_, text)| *text).collect();
        assert_eq!(last, ["Terminated", "Error"]);
        assert!(!State::Unknown("Gone".into()).is_final());
    }

    #[test]
    fn an_unknown_state_is_kept() {
        let state: State = serde_json::from_str("\"Dreaming\"").unwrap();
        assert_eq!(state, State::Unknown("Dreaming".into()));
        assert_eq!(state.to_string(), "Dreaming");
    }
}

//! What the API answers to a delete, and what it says of itself.

/// What OAR made of a delete. It always answers 200; this comes from `exit_status` and the text.
/// None of them proves the job's state: a delete is an intention, so look at the job again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// It will be killed soon (also said once for a job that has already finished).
    Accepted,
    /// A delete came before. For an array: some jobs were already deleted, the others now are.
    AlreadyKilled,
    /// The job belongs to somebody else.
    NotOwner,
    /// No such job, or an API whose database session is broken.
    Missing,
    /// Anything else.
    Other {
        /// OAR's exit status.
        exit_status: i64,
        /// OAR's words.
        text: String,
    },
}

impl DeleteOutcome {
    /// Reads the exit status, and the text where OAR says 0 for an array that does not exist.
    pub(crate) fn read(exit_status: i64, text: &str) -> DeleteOutcome {
        match exit_status {
            0 if text.contains("There are no job for this array") => DeleteOutcome::Missing,
            0 => DeleteOutcome::Accepted,
            1 => DeleteOutcome::NotOwner,
            6 => DeleteOutcome::AlreadyKilled,
            7 => DeleteOutcome::Missing,
            _ => DeleteOutcome::Other { exit_status, text: text.trim().to_owned() },
        }
    }
}

/// What the server says it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Version {
    /// OAR's version, such as `3.0.3`.
    #[serde(rename = "oar_version")]
    pub oar: String,
    /// The API's own version.
    #[serde(rename = "api_version")]
    pub api: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_exit_status_keeps_its_words() {
        assert_eq!(DeleteOutcome::read(3, "odd\n"), DeleteOutcome::Other { exit_status: 3, text: "odd".into() });
    }
}

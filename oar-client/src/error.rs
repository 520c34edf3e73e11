//! What can go wrong, sorted by the only question that matters to a caller: was it done or not?

use crate::transport::TransportError;

/// One reason why a request is not sent at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Invalid {
    /// Where: a field of the request, as OAR names it (`name`, `resource[0]`, `param_file[3]`).
    pub field: String,
    /// What was found and what was expected, as a fragment of a sentence.
    pub problem: String,
}

impl Invalid {
    /// A problem with one field.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Invalid {
        Invalid { field: field.into(), problem: problem.into() }
    }
}

/// Why a request gave no result. Texts are fragments, never hold a token, and are at most some lines long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Refused here: it would have hurt the API or been misunderstood.
    #[error("{}", joined(.0))]
    Invalid(Vec<Invalid>),
    /// Nothing reached the server.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Credentials missing (403), or bad, expired or revoked (401).
    #[error("credentials refused (status {status}): {detail}")]
    Unauthorized {
        /// 401 or 403.
        status: u16,
        /// The server's words.
        detail: String,
    },
    /// The server understood and said no: other 4xx, 501, and redirections, which are never followed.
    #[error("refused (status {status}): {detail}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's words.
        detail: String,
    },
    /// The server failed (5xx but 501). A job or a delete may exist all the same.
    #[error("server failure (status {status}): {body}")]
    Server {
        /// HTTP status.
        status: u16,
        /// Start of the body; OAR sends plain text here.
        body: String,
    },
    /// The request left and no whole answer came back.
    #[error("answer lost: {0}")]
    Lost(String),
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// An answer that is not what was asked for: another shape, an HTML page, too long.
    #[error("unexpected answer instead of {what}: {excerpt}")]
    Garbled {
        /// What was expected.
        what: String,
        /// Start of what came, or why it could not be read.
        excerpt: String,
    },
}

impl Error {
    /// True when the server surely did nothing of what was asked.
    pub fn certainly_not_done(&self) -> bool {
        matches!(self, Error::Invalid(_) | Error::NotSent(_) | Error::Unauthorized { .. } | Error::Refused { .. })
    }

    /// True when the server may have done all, part or nothing of it; look before asking again.
    pub fn is_doubt(&self) -> bool {
        !self.certainly_not_done()
    }

    /// A single refusal made here.
    pub(crate) fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Error {
        Error::Invalid(vec![Invalid::new(field, problem)])
    }

    /// An answer that could not be used.
    pub(crate) fn garbled(what: &str, excerpt: impl Into<String>) -> Error {
        Error::Garbled { what: what.to_owned(), excerpt: excerpt.into() }
    }
}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Error {
        match error {
            TransportError::NotSent(why) => Error::NotSent(why),
            TransportError::Lost(why) => Error::Lost(why),
            TransportError::TimedOut => Error::TimedOut,
        }
    }
}

fn joined(problems: &[Invalid]) -> String {
    let texts: Vec<String> = problems.iter().map(Invalid::to_string).collect();
    texts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_is_either_certain_or_a_doubt() {
        let certain = [
            Error::invalid("name", "too long"),
            Error::NotSent("refused".into()),
            Error::Unauthorized { status: 401, detail: String::new() },
            Error::Refused { status: 501, detail: String::new() },
        ];
        let doubts = [
            Error::Server { status: 500, body: String::new() },
            Error::Lost("reset".into()),
            Error::TimedOut,
            Error::garbled("a job id", "{}"),
        ];
        assert!(certain.iter().all(|e| e.certainly_not_done() && !e.is_doubt()));
        assert!(doubts.iter().all(|e| e.is_doubt() && !e.certainly_not_done()));
    }

    #[test]
    fn all_problems_are_shown_at_once() {
        let error = Error::Invalid(vec![Invalid::new("name", "too long"), Invalid::new("command", "empty")]);
        assert_eq!(error.to_string(), "name: too long; command: empty");
    }
}

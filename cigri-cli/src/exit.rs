//! How `cigri` ends: the exit codes that scripts may rely on, and the failures that lead to them.

use std::io::Write;
use std::process::ExitCode;

use cigri_api::{ErrorBody, ErrorCode, Problem};

use crate::api::ApiError;

/// The table that `cigri --help` ends with.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done; for `run`: every task succeeded
  1  the campaign has ended, and some tasks did not succeed; for `results`: some files are missing
  2  wrong use of the command
  3  the campaign file cannot be read, or has problems
  4  the campaign is not finished: paused, interrupted, cancelled, or held by an error
  5  the server cannot be reached or started, or the machine refuses (data directory, disk)
  6  refused: no such campaign or job, a conflict, a rule, or a campaign file that has changed
";

/// The ways to end, as exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is done.
    Success = 0,
    /// The campaign ended with tasks that did not succeed.
    TasksFailed = 1,
    /// Wrong use of the command; clap ends with the same code.
    Usage = 2,
    /// The campaign file cannot be used.
    BadCampaign = 3,
    /// The campaign has not come to its end.
    Unfinished = 4,
    /// No server, no data directory, no room.
    Environment = 5,
    /// Understood and refused.
    Refused = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The campaign file (first its name) cannot be used.
    #[error("{message}")]
    Campaign {
        /// What is wrong, in one sentence.
        message: String,
        /// Each problem with its place; may be empty.
        problems: Vec<Problem>,
    },
    /// Something outside of the campaign is in the way.
    #[error("{0}")]
    Environment(String),
    /// What is asked does not fit what is there.
    #[error("{0}")]
    Refused(String),
    /// The server said no, or nothing.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Standard output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(std::io::Error),
}

impl Failure {
    /// The exit code of this failure.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Campaign { .. } => Exit::BadCampaign,
            Self::Environment(_) => Exit::Environment,
            Self::Refused(_) => Exit::Refused,
            Self::Api(ApiError::Refused(body)) => exit_of(body),
            Self::Api(_) => Exit::Environment,
            // The reader (`head`) has what it wanted.
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Success,
            Self::Output(_) => Exit::Environment,
        }
    }

    /// True when the server could not be reached at all, so that nothing can have happened there.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Api(error) if error.is_unreachable())
    }

    /// Says it on standard error: one message, then each problem on its own line.
    pub(crate) fn report(&self) {
        if self.exit() == Exit::Success {
            return;
        }
        let mut text = format!("error: {self}\n");
        for problem in self.problems() {
            text.push_str(&format!("  {}\n", problem_line(problem)));
        }
        // Nothing is left to be told to whom when standard error is closed.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    fn problems(&self) -> &[Problem] {
        match self {
            Self::Campaign { problems, .. } => problems,
            Self::Api(ApiError::Refused(body)) => &body.problems,
            _ => &[],
        }
    }
}

fn exit_of(body: &ErrorBody) -> Exit {
    match body.code {
        ErrorCode::InvalidCampaign | ErrorCode::TooLarge => Exit::BadCampaign,
        ErrorCode::InvalidLimits => Exit::Usage,
        ErrorCode::AdmissionRule
        | ErrorCode::InvalidRequest
        | ErrorCode::NotFound
        | ErrorCode::Forbidden
        | ErrorCode::Conflict
        | ErrorCode::IdempotencyKey => Exit::Refused,
        ErrorCode::ClusterUnavailable | ErrorCode::ClusterBusy | ErrorCode::NoLeader | ErrorCode::Internal => {
            Exit::Environment
        }
    }
}

/// One problem or warning as one line: `place: found X, expected Y (hint)`.
pub(crate) fn problem_line(problem: &Problem) -> String {
    let place = match (problem.path.as_str(), problem.line) {
        ("", None) => String::new(),
        ("", Some((line, column))) => format!("line {line}, column {column}: "),
        (path, None) => format!("{path}: "),
        (path, Some((line, column))) => format!("{path} (line {line}, column {column}): "),
    };
    let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{place}found {}, expected {}{hint}", problem.found, problem.expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(path: &str, line: Option<(usize, usize)>, hint: Option<&str>) -> Problem {
        Problem {
            path: path.into(),
            found: "`abc`".into(),
            expected: "a duration".into(),
            hint: hint.map(Into::into),
            line,
        }
    }

    #[test]
    fn a_problem_is_one_line_with_its_place_first() {
        assert_eq!(problem_line(&problem("", None, None)), "found `abc`, expected a duration");
        assert_eq!(
            problem_line(&problem("walltime", Some((3, 5)), Some("such as 1:30:0"))),
            "walltime (line 3, column 5): found `abc`, expected a duration (such as 1:30:0)"
        );
        assert_eq!(
            problem_line(&problem("", Some((1, 2)), None)),
            "line 1, column 2: found `abc`, expected a duration"
        );
        assert_eq!(problem_line(&problem("params[3]", None, None)), "params[3]: found `abc`, expected a duration");
    }

    #[test]
    fn what_the_server_refuses_has_the_code_of_its_kind() {
        let body =
            |code| ErrorBody { status: 400, title: "Error".into(), message: "no".into(), code, problems: vec![] };
        let exit = |code| Failure::from(ApiError::Refused(Box::new(body(code)))).exit();
        assert_eq!(exit(ErrorCode::InvalidCampaign), Exit::BadCampaign);
        assert_eq!(exit(ErrorCode::InvalidLimits), Exit::Usage);
        assert_eq!(exit(ErrorCode::NotFound), Exit::Refused);
        assert_eq!(exit(ErrorCode::Conflict), Exit::Refused);
        assert_eq!(exit(ErrorCode::Internal), Exit::Environment);
    }

    #[test]
    fn a_reader_that_leaves_is_no_failure() {
        let closed = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert_eq!(Failure::Output(closed).exit(), Exit::Success);
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(Failure::Output(full).exit(), Exit::Environment);
    }
}

//! Where a job's output is on its cluster.

/// Path of a job's standard output: OAR's default name in the submission's directory.
pub(crate) fn stdout_path(directory: &str, submission_name: &str, remote_id: u64) -> String {
    format!("{directory}/OAR.{submission_name}.{remote_id}.stdout")
}

/// Path of a job's standard error.
pub(crate) fn stderr_path(directory: &str, submission_name: &str, remote_id: u64) -> String {
    format!("{directory}/OAR.{submission_name}.{remote_id}.stderr")
}

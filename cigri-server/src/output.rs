//! Where a job's output is on its cluster.

/// One of a job's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Path of a job's output: OAR's default name in the submission's directory.
pub(crate) fn path(directory: &str, submission_name: &str, remote_id: u64, stream: Stream) -> String {
    let end = match stream {
        Stream::Out => "stdout",
        Stream::Err => "stderr",
    };
    format!("{}/OAR.{submission_name}.{remote_id}.{end}", directory.trim_end_matches('/'))
}

/// Path of the output of a task of a group, in the folder of its submission's results.
pub(crate) fn grouped_path(folder: &str, remote_id: u64, slot: i32, stream: Stream) -> String {
    let end = match stream {
        Stream::Out => "out",
        Stream::Err => "err",
    };
    format!("{folder}/{remote_id}.{slot}.{end}")
}

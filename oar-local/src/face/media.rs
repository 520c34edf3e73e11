//! `GET /media`: files, and the captured output of jobs under the names that their files would have.

use bytes::Bytes;
use http::Response;

use super::answer::{Answer, Fault, Problem, bytes};
use super::auth;
use super::call::Call;
use crate::machine::{Job, Machine, absolute};

/// Characters that make a path unusable on a real OAR.
const UNUSABLE: [char; 4] = [' ', '$', ',', '`'];

/// What the face asks of the world outside the machine.
pub trait Outside {
    /// The one-minute load average as text.
    fn load(&self) -> Option<String>;

    /// Whether the nodes know a user. The API takes the word of a token for it, but fails to read files for others.
    fn has_account(&self, _user: &str) -> bool {
        true
    }

    /// The content behind a path: the last `tail` lines, or all of it when 0.
    ///
    /// # Errors
    /// When there is no such file, or it may not be read.
    fn read(&self, wanted: &Wanted) -> Result<Vec<u8>, Unreadable>;
}

/// One of a job's two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// What a `GET /media` is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Absolute path.
    pub path: String,
    /// Lines wanted from the end; 0 for all.
    pub tail: usize,
    /// The outputs that are known under that path, oldest job first.
    pub outputs: Vec<(u64, Stream)>,
    /// The path as the client wrote it.
    asked: String,
}

/// Why nothing was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// There is no such file, or its folder is closed.
    Missing,
    /// The file is closed.
    Forbidden,
}

/// A checked `GET /media`, or the refusal.
#[derive(Debug)]
pub struct Located(pub(super) Result<Wanted, Box<Response<Bytes>>>);

pub(super) fn locate(machine: &Machine, call: &Call<'_>) -> Result<Wanted, Problem> {
    let user = auth::user(call)?;
    let asked = call.find("path_filename").ok_or_else(|| Fault::missing(&["query", "path_filename"]))?;
    let tail = call.integer("tail")?.unwrap_or(0).unsigned_abs();
    if !call.face.outside.has_account(&user) {
        return Err(Problem::Crash);
    }
    let path = if asked.starts_with('/') { asked.to_owned() } else { format!("/{asked}") };
    let outputs = outputs(machine, &path);
    // OAR escapes these wrongly; the outputs of a lenient cluster must be readable wherever its user works.
    if !machine.settings().lenient && asked.contains(UNUSABLE) {
        let escape = |text: String, c: char| text.replace(c, &format!("\\{c}"));
        return Err(missing(&UNUSABLE.into_iter().fold(asked.to_owned(), escape)));
    }
    Ok(Wanted { path, tail: usize::try_from(tail).unwrap_or(usize::MAX), outputs, asked: asked.to_owned() })
}

pub(super) fn fetch(wanted: &Wanted, outside: &dyn Outside) -> Answer {
    match outside.read(wanted) {
        Ok(content) => Ok(bytes(200, "application/octet-stream", content.into())),
        Err(Unreadable::Missing) => Err(missing(&wanted.asked)),
        Err(Unreadable::Forbidden) => Err(Problem::Detail(403, format!("File could not be read: /{}", wanted.asked))),
    }
}

fn missing(asked: &str) -> Problem {
    Problem::Detail(404, format!("File not found: /{asked}"))
}

/// The started jobs whose output goes to `path`. Names that OAR makes contain the job's id: the numbers in the
/// path are the only candidates.
fn outputs(machine: &Machine, path: &str) -> Vec<(u64, Stream)> {
    let digits = path.split(|c: char| !c.is_ascii_digit());
    let mut ids: Vec<u64> = digits.filter_map(|digits| digits.parse().ok()).collect();
    ids.extend(machine.jobs_of_shared_output(path));
    ids.sort_unstable();
    ids.dedup();
    let jobs = ids.into_iter().filter_map(|id| machine.find_job(id)).filter(|job| job.start != 0);
    jobs.flat_map(|job| streams(job, path)).collect()
}

fn streams(job: &Job, path: &str) -> impl Iterator<Item = (u64, Stream)> {
    let is_here = |file: String| absolute(&job.batch.directory, &file) == path;
    let out = is_here(job.stdout_file()).then_some((job.id, Stream::Out));
    let err = is_here(job.stderr_file()).then_some((job.id, Stream::Err));
    out.into_iter().chain(err)
}

/// The last `count` lines; all of them for 0.
#[must_use]
pub fn last_lines(content: &[u8], count: usize) -> &[u8] {
    if count == 0 {
        return content;
    }
    let body = content.strip_suffix(b"\n").unwrap_or(content);
    let breaks = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    let start = breaks.map(|(place, _)| place + 1).nth(count - 1);
    content.get(start.unwrap_or(0)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::last_lines;

    #[test]
    fn tail_counts_lines_like_tail() {
        assert_eq!(last_lines(b"a\nb\nc\n", 2), b"b\nc\n");
        assert_eq!(last_lines(b"a\nb\nc", 1), b"c");
        assert_eq!(last_lines(b"a\nb\n", 9), b"a\nb\n");
        assert_eq!(last_lines(b"a\nb\n", 0), b"a\nb\n");
        assert_eq!(last_lines(b"", 3), b"");
        assert_eq!(last_lines(b"\n\n", 1), b"\n");
    }
}

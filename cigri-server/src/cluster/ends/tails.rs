//! The last lines that failed programs wrote to their standard error, within a budget of requests and bytes.

use std::collections::HashMap;

use cigri_core::cause::Cause;
use cigri_core::failure::Class;
use cigri_core::group::journal::Told;
use cigri_core::signature;
use cigri_store::SubmissionRow;
use oar_client::{Error as ApiError, Token};

use super::Facts;
use crate::cluster::Round;
use crate::output::Stream;

/// At most this many are read per look: a campaign that fails as a whole must not flood the cluster.
const TAILS_PER_LOOK: usize = 50;
/// Lines read: a trace of calls may follow the line that tells.
const LINES: u32 = 20;
/// Lines kept with a failed job.
const LINES_KEPT: usize = 5;
/// Characters kept with a failed job.
const CHARS_KEPT: usize = 2000;
/// So many of an exit code have to be of one class before others of it, unread, are taken for such.
const ENOUGH_ALIKE: usize = 5;

/// Reads them.
pub(super) struct Tails<'a> {
    pub(super) round: &'a Round<'a>,
    pub(super) seen: &'a SubmissionRow,
    token: Option<Token>,
    left: usize,
    /// The remote job read last: tasks of a group share one.
    last: Option<(u64, Option<String>)>,
    /// How many were read of each way to end, and their class if it is the same.
    alike: HashMap<String, (usize, Option<Class>)>,
}

impl<'a> Tails<'a> {
    pub(super) fn new(round: &'a Round<'a>, seen: &'a SubmissionRow, token: Option<Token>) -> Tails<'a> {
        // What local processes wrote is at hand.
        let left = if round.is_local() { usize::MAX } else { TAILS_PER_LOOK };
        Tails { round, seen, token, left, last: None, alike: HashMap::new() }
    }

    /// The last lines of a task. The runner of a group has brought its tasks' with its results.
    pub(super) async fn of(&mut self, facts: &Facts<'_>) -> Option<String> {
        match &facts.told {
            Some(Told::Ended { tail, .. }) => readable(tail.as_bytes()),
            _ => self.read(facts).await,
        }
    }

    /// What kind of trouble ended a task, with its last lines if they were read. Those beyond the budget are taken for
    /// what all that ended in the same way in this look were.
    pub(super) async fn class(&mut self, facts: &Facts<'_>) -> (Option<Class>, Option<String>) {
        if !matches!(facts.cause, Cause::ExitCode(_) | Cause::Signal(_)) {
            return (Class::of(&facts.cause), None);
        }
        let way = format!("{:?}", facts.cause);
        let is_over = self.left == 0 && facts.told.is_none();
        let tail = self.of(facts).await;
        if is_over && tail.is_none() {
            let known = self.alike.get(&way).filter(|(count, _)| *count >= ENOUGH_ALIKE);
            return (known.and_then(|(_, class)| *class).or_else(|| Class::of(&facts.cause)), None);
        }
        let class = Class::seen(&facts.cause, tail.as_deref());
        let (count, alike) = self.alike.entry(way).or_insert((0, class));
        *count += 1;
        *alike = alike.filter(|alike| Some(*alike) == class);
        (class, tail)
    }

    /// Those of the remote job.
    pub(super) async fn read(&mut self, facts: &Facts<'_>) -> Option<String> {
        let id = facts.summary.id;
        if let Some((_, text)) = self.last.as_ref().filter(|(last, _)| *last == id) {
            return text.clone();
        }
        let text = self.fetch(id).await;
        self.last = Some((id, text.clone()));
        text
    }

    /// `None` when there is nothing, or it cannot be read: a missing tail must not hide the failure itself.
    async fn fetch(&mut self, remote_id: u64) -> Option<String> {
        let token = self.token.as_ref()?;
        self.left = self.left.checked_sub(1)?;
        let path = crate::output::path(&self.seen.directory, &self.seen.name, remote_id, Stream::Err);
        let answer = self.round.handle.client.tail(token, &path, LINES).await;
        let hangs = |error: &ApiError| error.is_doubt() && !matches!(error, ApiError::Garbled { .. });
        if answer.as_ref().is_err_and(hangs) {
            // It hangs or fails: not once more for each of the others.
            self.left = 0;
        }
        readable(&answer.ok()??)
    }
}

fn readable(bytes: &[u8]) -> Option<String> {
    let text = signature::readable(bytes);
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

/// What is shown of them.
pub(super) fn shown(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(LINES_KEPT)..).unwrap_or_default().join("\n");
    let start = last.char_indices().rev().nth(CHARS_KEPT - 1).map_or(0, |(at, _)| at);
    last.get(start..).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_lines_are_shown_however_long() {
        assert_eq!(shown("1\n2\n3\n4\n5\n6\n7"), "3\n4\n5\n6\n7");
        let long = "é".repeat(5000);
        assert_eq!(shown(&long).chars().count(), CHARS_KEPT);
        assert_eq!(readable(b" \x1b[0m\n"), None);
    }
}

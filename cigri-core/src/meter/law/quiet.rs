//! Rounds in which jobs waited and none was started: what a cluster cannot start is given up some day.

use super::Sighting;

/// So long without a start, while jobs wait, is a round without one.
const EMPTY_ROUND_MS: i64 = 90_000;

/// Such rounds of one kind of job.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(in crate::meter) struct Quiet {
    /// The last start, or the last empty round, epoch milliseconds.
    since: Option<i64>,
    rounds: u32,
    now: i64,
}

impl Quiet {
    /// Moves after a look at `now` (epoch milliseconds); true if it ends a round without a start. A clock that went back
    /// takes all moments with it.
    pub(in crate::meter) fn look(&mut self, now: i64, seen: &Sighting) -> bool {
        if now < self.now {
            self.since = self.since.map(|_| now);
        }
        self.now = now;
        if seen.starts > 0 {
            self.rounds = 0;
        }
        if seen.starts > 0 || seen.waiting == 0 {
            self.since = Some(now);
            return false;
        }
        let since = *self.since.get_or_insert(now);
        let is_over = now.saturating_sub(since) >= EMPTY_ROUND_MS;
        if is_over {
            self.since = Some(now);
            self.rounds = self.rounds.saturating_add(1);
        }
        is_over
    }

    /// Rounds without a start since the last start.
    pub(in crate::meter) fn rounds(&self) -> u32 {
        self.rounds
    }
}

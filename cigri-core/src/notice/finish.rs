//! How a campaign ended, in a few lines.

use super::text::{number, times};

/// A campaign that has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finish {
    /// Tasks that succeeded.
    pub done: i64,
    /// Tasks that failed for good.
    pub failed: i64,
    /// Tasks ended by their owner.
    pub cancelled: i64,
    /// Attempts that clusters killed and that were made again.
    pub kills: i64,
    /// From its submission to its end, milliseconds.
    pub lasted_ms: i64,
    /// Failed tasks by the word of their failure's class.
    pub causes: Vec<(String, i64)>,
}

impl Finish {
    /// How it ended: counts, duration, and what the failures were.
    pub fn text(&self) -> String {
        let mut text = format!(
            "finished after {}: {} done, {} failed, {} cancelled.",
            duration(self.lasted_ms / 1000),
            number(self.done),
            number(self.failed),
            number(self.cancelled)
        );
        if self.kills > 0 {
            text.push_str(&format!(
                " Attempts that clusters ended early and that were made again: {}.",
                number(self.kills)
            ));
        }
        if !self.causes.is_empty() {
            text.push_str("\nFailed tasks by cause:");
        }
        for (cause, count) in &self.causes {
            text.push_str(&format!("\n  {}: {}", words(cause), times(*count, "task")));
        }
        text
    }
}

/// A class in words.
fn words(class: &str) -> String {
    match class {
        "exit" => "the program ended with an error code".to_owned(),
        "signal" => "the program was ended by a signal".to_owned(),
        "walltime" => "the walltime was too short".to_owned(),
        "program" => "the program was not found".to_owned(),
        other => other.replace('_', " "),
    }
}

/// Seconds as people say them, in two units at most.
fn duration(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_tells_counts_duration_and_causes() {
        let causes = vec![("exit".to_owned(), 2), ("walltime".to_owned(), 1)];
        let finish = Finish { done: 39_997, failed: 3, kills: 12, lasted_ms: 7_500_000, causes, ..Finish::default() };
        let text = finish.text();
        assert!(text.starts_with("finished after 2 h 5 min: 39 997 done, 3 failed, 0 cancelled."), "{text}");
        assert!(text.contains("made again: 12."), "{text}");
        assert!(text.ends_with("error code: 2 tasks\n  the walltime was too short: 1 task"), "{text}");
        assert_eq!([5, 65, 90_000].map(duration), ["5 s", "1 min 5 s", "1 d 1 h"]);
    }
}

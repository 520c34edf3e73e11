//! How a campaign's sample ended: whether it goes on by itself, and what its owner is told.

use crate::language::AfterTest;

/// A task of a sample that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampled {
    /// Where.
    pub cluster: String,
    /// Task index.
    pub task: i64,
    /// Whether it succeeded.
    pub done: bool,
    /// Why it did not, in words.
    pub detail: Option<String>,
}

/// All of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Campaign id.
    pub campaign: i64,
    /// Its tasks that have ended.
    pub tasks: Vec<Sampled>,
    /// Clusters where nothing of it could run, each with the reason.
    pub without: Vec<(String, String)>,
    /// Tasks that wait in the bag, unless it has no end.
    pub pending: Option<u64>,
}

/// What follows a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the campaign goes on by itself.
    pub goes_on: bool,
    /// In words.
    pub words: String,
}

/// Failed tasks that are told one by one.
const TOLD: usize = 3;

/// Decides what follows. A campaign goes on by itself if it was asked to, and the whole sample ran and succeeded.
pub fn outcome(sample: &Sample, then: AfterTest) -> Outcome {
    let done = sample.tasks.iter().filter(|task| task.done).count();
    let all = done > 0 && done == sample.tasks.len() && sample.without.is_empty();
    let goes_on = then == AfterTest::Continue && all;
    let mut parts = vec![counts(sample, done)];
    let failed: Vec<&Sampled> = sample.tasks.iter().filter(|task| !task.done).collect();
    parts.extend(failed.iter().take(TOLD).map(|task| failure(task)));
    if failed.len() > TOLD {
        parts.push(format!("{} more failed", failed.len() - TOLD));
    }
    parts.extend(
        sample.without.iter().map(|(cluster, reason)| format!("not all of it could run on {cluster} ({reason})")),
    );
    let others = sample.pending.map_or_else(|| "the others".to_owned(), |pending| format!("the other {pending}"));
    parts.push(match goes_on {
        true => format!("{others} follow"),
        false => format!("`cigri resume {}` sends {others}", sample.campaign),
    });
    Outcome { goes_on, words: parts.join("; ") }
}

fn counts(sample: &Sample, done: usize) -> String {
    let mut clusters: Vec<&str> = sample.tasks.iter().map(|task| task.cluster.as_str()).collect();
    clusters.sort_unstable();
    clusters.dedup();
    match sample.tasks.len() {
        0 => "sample: no task ran".to_owned(),
        count => format!("sample: {done} of {count} tasks succeeded on {}", clusters.join(", ")),
    }
}

fn failure(task: &Sampled) -> String {
    // The end says most: the last line of what the program wrote.
    let lines = task.detail.as_deref().unwrap_or("its job says no more").lines().map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let reason = match lines[..] {
        [] => "its job says no more".to_owned(),
        [only] => only.to_owned(),
        [first, .., last] => format!("{first}: {last}"),
    };
    format!("task {} failed: {reason}", task.task)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(cluster: &str, task: i64, failure: Option<&str>) -> Sampled {
        Sampled { cluster: cluster.into(), task, done: failure.is_none(), detail: failure.map(str::to_owned) }
    }

    fn sample(tasks: Vec<Sampled>) -> Sample {
        Sample { campaign: 12, tasks, without: Vec::new(), pending: Some(996) }
    }

    #[test]
    fn a_sample_that_succeeded_goes_on_only_if_it_was_asked_to() {
        let good = sample(vec![sampled("luke", 1, None), sampled("dahu", 0, None)]);
        let waits = outcome(&good, AfterTest::Wait);
        assert!(!waits.goes_on);
        assert_eq!(waits.words, "sample: 2 of 2 tasks succeeded on dahu, luke; `cigri resume 12` sends the other 996");
        let goes_on = outcome(&good, AfterTest::Continue);
        assert!(goes_on.goes_on);
        assert_eq!(goes_on.words, "sample: 2 of 2 tasks succeeded on dahu, luke; the other 996 follow");
    }

    #[test]
    fn a_failure_or_a_cluster_without_a_sample_makes_it_wait_with_the_reason() {
        let bad = sample(vec![sampled("dahu", 0, None), sampled("dahu", 7, Some("exit code 3\n a\nno such star\n"))]);
        let waits = outcome(&bad, AfterTest::Continue);
        assert!(!waits.goes_on);
        assert_eq!(
            waits.words,
            "sample: 1 of 2 tasks succeeded on dahu; task 7 failed: exit code 3: no such star; \
             `cigri resume 12` sends the other 996"
        );
        let mut missing = sample(vec![sampled("dahu", 0, None)]);
        missing.without.push(("luke".into(), "its prologue failed".into()));
        let waits = outcome(&missing, AfterTest::Continue);
        assert!(!waits.goes_on && waits.words.contains("could run on luke (its prologue failed)"), "{}", waits.words);
        assert!(!outcome(&sample(Vec::new()), AfterTest::Continue).goes_on);
    }
}

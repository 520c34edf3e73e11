//! The attempts of one task, each with why it ended and what came next.

use cigri_api::PastAttempt as Shown;
use cigri_core::state::JobState;
use cigri_store::PastAttempt;

use super::words::first_line;

/// What is told of them; `waits`: the task is in the bag.
pub(super) fn shown(attempts: &[PastAttempt], waits: bool) -> Vec<Shown> {
    let followers = attempts.iter().skip(1).map(Some).chain([None]);
    attempts.iter().zip(followers).map(|(attempt, follower)| one(attempt, next(attempt, follower, waits))).collect()
}

fn next(attempt: &PastAttempt, follower: Option<&PastAttempt>, waits: bool) -> Option<&'static str> {
    match follower {
        Some(follower) if follower.generation > attempt.generation => Some("retried"),
        Some(_) => Some("tried again"),
        None if attempt.state.is_live() => None,
        None if waits => Some("waits for its next try"),
        None => Some("over"),
    }
}

fn one(attempt: &PastAttempt, next: Option<&str>) -> Shown {
    let detail = attempt.detail.as_deref().map(|text| first_line(text.trim())).filter(|line| !line.is_empty());
    // A success needs no reason.
    let is_told = attempt.state != JobState::Done;
    Shown {
        job_id: attempt.job,
        generation: attempt.generation,
        attempt: attempt.number,
        state: attempt.state.as_str().to_owned(),
        cluster: attempt.cluster.clone(),
        node: attempt.node.clone(),
        asked: attempt.asked.clone(),
        why: attempt.class.clone().or_else(|| attempt.cause.clone()).filter(|_| is_told),
        detail: detail.map(str::to_owned).filter(|_| is_told),
        next: next.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_says_what_came_next() {
        let attempt = |generation, state| PastAttempt {
            job: 1,
            generation,
            number: 1,
            state,
            cluster: "dahu".into(),
            node: Some("n1".into()),
            asked: Some("/core=1,walltime=02:00:00".into()),
            class: Some("walltime".into()),
            cause: Some("cluster_kill".into()),
            detail: Some("\ntoo long\nby far".into()),
        };
        let killed = attempt(1, JobState::Killed);
        let all = [killed.clone(), attempt(1, JobState::Failed), attempt(2, JobState::Killed)];
        let words = |attempts: &[PastAttempt], waits| -> Vec<Option<String>> {
            shown(attempts, waits).into_iter().map(|shown| shown.next).collect()
        };
        let said = |words: [Option<&str>; 3]| words.map(|word| word.map(str::to_owned)).to_vec();
        assert_eq!(words(&all, true), said([Some("tried again"), Some("retried"), Some("waits for its next try")]));
        assert_eq!(words(&all, false).pop(), Some(Some("over".to_owned())));
        assert_eq!(words(&[attempt(1, JobState::Running)], false), [None]);
        let told = shown(&[killed], false).remove(0);
        assert_eq!((told.why.as_deref(), told.detail.as_deref()), (Some("walltime"), Some("too long")));
    }
}

//! Where one task is, in a sentence and in fields.

use cigri_api::TaskPlace;
use cigri_core::policy::is_due;
use cigri_core::state::JobState;
use cigri_store::{Attempt, TaskState};

use super::words::{counted, first_line, span};

/// What is told of the task with this index.
pub(super) fn place(index: i64, state: &TaskState, now: i64) -> TaskPlace {
    let empty = TaskPlace {
        index,
        state: "pending".to_owned(),
        sentence: String::new(),
        before: None,
        job_id: None,
        cluster: None,
        since: None,
        attempts: 0,
        avoids: Vec::new(),
        history: Vec::new(),
    };
    match state {
        TaskState::Ended { state, last } => {
            let sentence = ended(index, *state, last.as_ref(), now);
            with_attempt(TaskPlace { state: state.as_str().to_owned(), sentence, ..empty }, last.as_ref())
        }
        TaskState::Live(job) => {
            let sentence = format!("task {index} {}: job {}, attempt {}", live(job, now), job.job, job.number);
            with_attempt(TaskPlace { state: job.state.as_str().to_owned(), sentence, ..empty }, Some(job))
        }
        TaskState::InBag { last_of_all, before, attempts, not_before, level, failed_on, last } => {
            let mut sentence = format!("task {index} waits to be sent again, {}", behind(*before));
            if !is_due(*not_before, now) {
                let wait = span(not_before - now);
                sentence = format!("task {index} waits for its next try, in {wait}, {}", behind(*before));
            }
            if *last_of_all {
                sentence.push_str(", those never tried among them");
            }
            if !failed_on.is_empty() {
                let clusters = failed_on.join(", ");
                sentence.push_str(&format!("; it failed on {clusters} and goes elsewhere while another is open"));
            }
            sentence.push_str(&next(*level, last.as_ref()));
            let place = with_attempt(TaskPlace { sentence, ..empty }, last.as_ref());
            let (attempts, before) = (u64::try_from(*attempts).unwrap_or_default(), Some(number(*before)));
            TaskPlace { attempts, before, avoids: failed_on.clone(), ..place }
        }
        TaskState::Untried { before } => TaskPlace {
            sentence: format!("task {index} was never sent: it waits {}", behind(*before)),
            before: Some(number(*before)),
            ..empty
        },
    }
}

/// Why it came back, and what it will ask for.
fn next(level: u32, last: Option<&Attempt>) -> String {
    let cause = last.and_then(|last| last.cause.as_deref().map(|cause| (last.number, cause)));
    let mut words = cause.map(|(number, cause)| format!("; attempt {number} ended by {cause}")).unwrap_or_default();
    if level > 0 {
        words.push_str(&format!("; it will ask for more (level {level} of `escalate`)"));
    }
    words
}

fn with_attempt(place: TaskPlace, attempt: Option<&Attempt>) -> TaskPlace {
    let Some(last) = attempt else { return place };
    TaskPlace {
        job_id: Some(last.job),
        cluster: Some(last.cluster.clone()),
        since: Some(last.since / 1000),
        attempts: u64::try_from(last.number).unwrap_or_default(),
        ..place
    }
}

fn number(count: i64) -> u64 {
    count.max(0) as u64
}

fn behind(before: i64) -> String {
    match before {
        ..=0 => "and is the next of its campaign".to_owned(),
        _ => format!("behind {} of its campaign", counted(number(before), "task")),
    }
}

fn live(job: &Attempt, now: i64) -> String {
    let (cluster, time) = (&job.cluster, span(now - job.since));
    match job.state {
        JobState::Running => format!("has run on {cluster} for {time}"),
        JobState::Submitted => format!("was sent to {cluster} {time} ago and has not started there"),
        JobState::Unknown => format!("is in doubt: {cluster} denies its job; it is looked up again by itself"),
        _ => format!("is being sent to {cluster}"),
    }
}

fn ended(index: i64, state: JobState, last: Option<&Attempt>, now: i64) -> String {
    let Some(job) = last else { return format!("task {index} was cancelled before its first attempt") };
    let word = match state {
        JobState::Done => "is done",
        JobState::Failed => "has failed",
        _ => "was cancelled",
    };
    let cause = job.cause.as_deref().filter(|_| state != JobState::Done).map(|cause| format!(" ({cause})"));
    let detail = job.detail.as_deref().filter(|_| state == JobState::Failed).and_then(last_line);
    let detail = detail.map(|line| format!(": {}", first_line(line))).unwrap_or_default();
    let (id, cluster, time) = (job.job, &job.cluster, span(now - job.since));
    format!("task {index} {word}: job {id} on {cluster}, {time} ago{}{detail}", cause.unwrap_or_default())
}

fn last_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(state: JobState) -> Attempt {
        Attempt {
            job: 77,
            number: 2,
            state,
            cluster: "dahu".into(),
            remote_id: Some(900),
            since: 0,
            cause: Some("exit_code".into()),
            detail: Some("no such star\n".into()),
        }
    }

    fn told(state: TaskState) -> String {
        place(41, &state, 600_000).sentence
    }

    #[test]
    fn every_place_of_a_task_is_a_sentence() {
        assert_eq!(
            told(TaskState::Live(attempt(JobState::Running))),
            "task 41 has run on dahu for 10 min: job 77, attempt 2"
        );
        assert_eq!(
            told(TaskState::Live(attempt(JobState::Submitted))),
            "task 41 was sent to dahu 10 min ago and has not started there: job 77, attempt 2"
        );
        let done = TaskState::Ended { state: JobState::Done, last: Some(attempt(JobState::Done)) };
        assert_eq!(told(done), "task 41 is done: job 77 on dahu, 10 min ago");
        let failed = TaskState::Ended { state: JobState::Failed, last: Some(attempt(JobState::Failed)) };
        assert_eq!(told(failed), "task 41 has failed: job 77 on dahu, 10 min ago (exit_code): no such star");
        let dropped = TaskState::Ended { state: JobState::Cancelled, last: None };
        assert_eq!(told(dropped), "task 41 was cancelled before its first attempt");
        assert_eq!(
            told(TaskState::Untried { before: 0 }),
            "task 41 was never sent: it waits and is the next of its campaign"
        );
        assert_eq!(
            told(TaskState::Untried { before: 1 }),
            "task 41 was never sent: it waits behind 1 task of its campaign"
        );
    }

    #[test]
    fn a_task_that_came_back_says_what_it_avoids_and_its_attempts() {
        let bag = TaskState::InBag {
            last_of_all: false,
            before: 12,
            attempts: 2,
            not_before: 0,
            level: 0,
            failed_on: vec!["dahu".into()],
            last: Some(attempt(JobState::Failed)),
        };
        let place = place(41, &bag, 600_000);
        assert_eq!(
            place.sentence,
            "task 41 waits to be sent again, behind 12 tasks of its campaign; it failed on dahu and goes elsewhere while \
             another is open; attempt 2 ended by exit_code"
        );
        assert_eq!((place.before, place.attempts, place.job_id), (Some(12), 2, Some(77)));
        assert_eq!((place.state.as_str(), place.avoids), ("pending", vec!["dahu".to_owned()]));
    }

    #[test]
    fn a_task_that_waits_says_until_when_and_what_it_will_ask_for() {
        let bag = TaskState::InBag {
            last_of_all: false,
            before: 0,
            attempts: 1,
            not_before: 1_200_000,
            level: 2,
            failed_on: Vec::new(),
            last: Some(Attempt { number: 1, cause: Some("walltime".into()), ..attempt(JobState::Killed) }),
        };
        assert_eq!(
            told(bag),
            "task 41 waits for its next try, in 10 min, and is the next of its campaign; attempt 1 ended by walltime; it \
             will ask for more (level 2 of `escalate`)"
        );
    }
}

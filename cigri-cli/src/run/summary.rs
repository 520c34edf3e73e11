//! The last words of `cigri run`: what was done, what failed and why, and what to do next.

use std::time::Duration;

use cigri_api::{Campaign, CampaignState, Job, List};

use super::follow::Ending;
use crate::api::Api;
use crate::command_line::{other_command, same_command};
use crate::exit::{Exit, Failure};
use crate::screen::{excerpt, plain};
use crate::show::endless::{end_words, open_bag};
use crate::show::events::obstacles;
use crate::show::jobs::{is_step, last_line};
use crate::show::table::duration;

/// Failed tasks that are shown one by one.
const SHOWN: usize = 5;
/// Failed jobs looked at to find them: a task may have failed and succeeded since.
const LOOKED_AT: usize = 25;
/// Characters of a parameter and of a line of stderr.
const WIDTH: usize = 100;

/// What this command saw of the campaign.
pub(super) struct Seen {
    /// The campaign at the end.
    pub(super) campaign: Campaign,
    /// How it ended.
    pub(super) ending: Ending,
    /// How many of its tasks had ended before.
    pub(super) ended_before: u64,
    /// How long it was followed.
    pub(super) elapsed: Duration,
}

/// The exit code that a campaign's end deserves.
pub(super) fn exit_of(ending: Ending, campaign: &Campaign) -> Exit {
    match (ending, campaign.state) {
        (Ending::Finished, CampaignState::Terminated) if campaign.done == campaign.total_jobs => Exit::Success,
        (Ending::Finished, CampaignState::Terminated) => Exit::TasksFailed,
        _ => Exit::Unfinished,
    }
}

/// The summary, as lines.
pub(super) async fn summary(api: &Api, seen: &Seen) -> Result<String, Failure> {
    let campaign = &seen.campaign;
    let mut lines = vec![first_line(campaign)];
    lines.extend(speed(seen));
    if campaign.failed > 0 {
        lines.extend(failures(api, campaign).await?);
    }
    match seen.ending {
        _ if campaign.state == CampaignState::Cancelled => {
            lines.push(format!("  it was cancelled; to start afresh: {} --new", same_command()));
        }
        Ending::Finished => {
            lines.push(format!("  output of a job: {}", other_command("logs JOB")));
            lines.push(format!("  its jobs: {}", other_command(&format!("jobs {}", campaign.id))));
        }
        Ending::Paused => {
            lines.extend(campaign.sample.as_ref().map(|sample| format!("  {}", plain(sample))));
            let resume = other_command(&format!("resume {}", campaign.id));
            lines.push(format!("  it is paused; to go on: {resume}, or the same command: {}", same_command()));
        }
        Ending::Interrupted => lines.push(format!("  it is paused; to go on: {}", same_command())),
        Ending::Stalled => {
            lines.push("  nothing more can run until this is mended:".into());
            lines.extend(obstacles(api, campaign.id).await?.into_iter().map(|line| format!("    {line}")));
            lines.push(format!("  then run the same command again: {}", same_command()));
        }
    }
    Ok(lines.join("\n"))
}

fn first_line(campaign: &Campaign) -> String {
    let mut text = format!(
        "campaign {} `{}`: {}",
        campaign.id,
        excerpt(&campaign.name, WIDTH),
        match open_bag(campaign) {
            Some(endless) => format!("{} tasks done, {}", campaign.done, end_words(endless)),
            None => format!("{} of {} tasks done", campaign.done, campaign.total_jobs),
        }
    );
    let others = [("failed", campaign.failed), ("cancelled", campaign.cancelled)];
    for (word, count) in others.into_iter().filter(|(_, count)| *count > 0) {
        text.push_str(&format!(", {count} {word}"));
    }
    text
}

/// Nothing for a campaign that had ended before.
fn speed(seen: &Seen) -> Option<String> {
    let campaign = &seen.campaign;
    let ended = (campaign.done + campaign.failed + campaign.cancelled).saturating_sub(seen.ended_before);
    if ended == 0 && seen.ended_before == campaign.total_jobs {
        return None;
    }
    let seconds = seen.elapsed.as_secs_f64();
    let mut text = format!("  {}", duration(seconds));
    if ended > 0 && seconds > 0.0 {
        // Counts far below 2^53: exact as floating point.
        text.push_str(&format!(", {:.1} tasks/s", ended as f64 / seconds));
    }
    match campaign.kills {
        0 => {}
        1 => text.push_str(", 1 kill survived"),
        kills => text.push_str(&format!(", {kills} kills survived")),
    }
    Some(text)
}

/// The first failed tasks, each with its exit code and the last line that it wrote to standard error.
async fn failures(api: &Api, campaign: &Campaign) -> Result<Vec<String>, Failure> {
    let path = format!("/campaigns/{}/jobs", campaign.id);
    let query = [("state", "failed".to_owned()), ("limit", LOOKED_AT.to_string())];
    let failed: List<Job> = api.get_with(&path, &query).await?;
    let mut lines = Vec::new();
    for job in failed.items.iter().filter(|job| !is_step(job)) {
        if lines.len() == SHOWN {
            break;
        }
        let query = [("task", job.task_index.to_string()), ("limit", "1000".to_owned())];
        let attempts: List<Job> = api.get_with(&path, &query).await?;
        if attempts.items.iter().all(|attempt| attempt.id <= job.id) {
            lines.push(failure_line(job));
        }
    }
    let more = campaign.failed.saturating_sub(lines.len() as u64);
    if more > 0 {
        let all = other_command(&format!("jobs {} --state failed", campaign.id));
        lines.push(format!("  {more} more failed: {all}"));
    }
    lines.push(format!("  to try the failed tasks again: {} --retry-failed", same_command()));
    Ok(lines)
}

fn failure_line(job: &Job) -> String {
    let how = match (job.exit_code, &job.cause) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(cause)) => plain(cause),
        (None, None) => "failed".to_owned(),
    };
    let last = last_line(job).map(|line| format!(": {}", excerpt(line, WIDTH))).unwrap_or_default();
    format!(
        "  task {} (`{}`), job {} on {}, {how}{last}",
        job.task_index,
        excerpt(&job.parameters, WIDTH),
        job.id,
        plain(&job.cluster)
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::run) fn campaign(state: CampaignState, done: u64, failed: u64) -> Campaign {
        Campaign {
            id: 3,
            name: "n".into(),
            user: "u".into(),
            state,
            submission_time: 0,
            finish_time: None,
            total_jobs: 10,
            parameter_names: Vec::new(),
            pending: 0,
            live: 0,
            running: 0,
            done,
            failed,
            cancelled: 0,
            kills: 2,
            clusters: std::collections::BTreeMap::new(),
            stalled: false,
            sample: None,
            origin: None,
            endless: None,
        }
    }

    #[test]
    fn only_a_campaign_whose_tasks_all_succeeded_is_a_success() {
        let exit = |ending, state, done, failed| exit_of(ending, &campaign(state, done, failed));
        assert_eq!(exit(Ending::Finished, CampaignState::Terminated, 10, 0), Exit::Success);
        assert_eq!(exit(Ending::Finished, CampaignState::Terminated, 9, 1), Exit::TasksFailed);
        assert_eq!(exit(Ending::Finished, CampaignState::Cancelled, 10, 0), Exit::Unfinished);
        assert_eq!(exit(Ending::Interrupted, CampaignState::Paused, 3, 0), Exit::Unfinished);
        assert_eq!(exit(Ending::Stalled, CampaignState::InTreatment, 3, 0), Exit::Unfinished);
    }

    #[test]
    fn the_speed_counts_what_ended_since_the_command_began() {
        let campaign = campaign(CampaignState::Terminated, 10, 0);
        let seen = Seen { campaign, ending: Ending::Finished, ended_before: 6, elapsed: Duration::from_secs(2) };
        assert_eq!(speed(&seen).as_deref(), Some("  2.0 s, 2.0 tasks/s, 2 kills survived"));
        assert_eq!(speed(&Seen { ended_before: 10, ..seen }), None);
    }
}

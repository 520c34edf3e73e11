//! Times, counts and whole campaigns in words.

use cigri_api::{Campaign, CampaignState};
use cigri_store::EventRow;

/// Milliseconds in words.
pub(super) fn span(ms: i64) -> String {
    match ms.max(0) / 1000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// `1 task`, `2 tasks`.
pub(super) fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The first line of a text.
pub(super) fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// `rounds there have failed for 12 min (event 31): connection refused`.
pub(super) fn failing(event: &EventRow, now: i64) -> String {
    let (time, text) = (span(now - event.opened_at), first_line(&event.message));
    format!("rounds there have failed for {time} (event {}): {text}", event.id)
}

/// Nothing is left in the bag, and something is on its way.
pub(super) fn is_all_sent(campaign: &Campaign) -> bool {
    campaign.pending == 0 && campaign.live > 0
}

/// What concerns the whole campaign, in a sentence; `asleep`: nobody runs its jobs.
pub(super) fn summary(campaign: &Campaign, asleep: bool) -> Option<String> {
    let Campaign { id, live, running, .. } = campaign;
    match campaign.state {
        CampaignState::Receiving => {
            Some(format!("campaign {id} is still being received: nothing is sent before its end"))
        }
        CampaignState::Paused if campaign.sample.is_some() => None,
        CampaignState::Paused => Some(format!("campaign {id} is paused: `cigri resume {id}` goes on with it")),
        CampaignState::Terminated => Some(outcome(campaign)),
        CampaignState::Cancelled if *live > 0 => {
            let left = counted(*live, "job");
            Some(format!("campaign {id} is cancelled: {left} of it still to be ended"))
        }
        CampaignState::Cancelled => Some(format!("campaign {id} is cancelled")),
        CampaignState::InTreatment if asleep => {
            Some(format!("nobody runs jobs in this data directory now: `cigri run FILE` goes on with campaign {id}"))
        }
        CampaignState::InTreatment if is_all_sent(campaign) => {
            let sent = live.saturating_sub(*running);
            Some(format!("all that is left of campaign {id} is sent: {running} running, {sent} not started yet"))
        }
        CampaignState::InTreatment => None,
    }
}

fn outcome(campaign: &Campaign) -> String {
    let Campaign { id, done, failed, cancelled, .. } = campaign;
    let counts = [("failed", failed), ("cancelled", cancelled)];
    let others = counts.iter().filter(|(_, count)| **count > 0).map(|(word, count)| format!(", {count} {word}"));
    let retry = format!("; `cigri retry {id}` tries these again");
    let retry = if failed + cancelled > 0 { retry.as_str() } else { "" };
    format!("campaign {id} has ended: {done} done{}{retry}", others.collect::<String>())
}

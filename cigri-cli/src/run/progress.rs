//! The live progress: one line drawn again and again on a terminal, a plain line every few seconds elsewhere.

use std::time::{Duration, Instant};

use cigri_api::{Campaign, CampaignState, Endless};
use indicatif::{ProgressBar, ProgressStyle};

use super::pace::Pace;
use crate::screen::{Screen, say};
use crate::show::endless::{end_words, open_bag};
use crate::show::table::duration;

/// Between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
const TEMPLATE: &str = "{bar:20} {wide_msg}";
const COLORED: &str = "{bar:20.green} {wide_msg}";

/// Progress as the user wants to see it.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    pace: Pace,
    last_plain: Instant,
    last_text: String,
}

impl Progress {
    /// Progress that begins now.
    pub(super) fn start(screen: &Screen, now: Instant) -> Self {
        let bar = screen.draws().then(|| drawn(screen));
        Self { bar, quiet: screen.quiet, pace: Pace::default(), last_plain: now, last_text: String::new() }
    }

    /// Shows a campaign as it is now.
    pub(super) fn show(&mut self, campaign: &Campaign, now: Instant) {
        let ended = campaign.done + campaign.failed + campaign.cancelled;
        self.pace.note(now, ended);
        let total = total(campaign, ended);
        let left = total.saturating_sub(ended);
        let text = sentence(campaign, self.pace.seconds_for(left));
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(ended);
            bar.set_message(text);
        } else if !self.quiet && now.duration_since(self.last_plain) >= PLAIN_EVERY && text != self.last_text {
            self.last_plain = now;
            say(&format!("campaign {}: {text}", campaign.id));
            self.last_text = text;
        }
    }

    /// Says something without spoiling the progress line.
    pub(super) fn say(&self, text: &str) {
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    /// Takes the line away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn drawn(screen: &Screen) -> ProgressBar {
    let template = if screen.color { COLORED } else { TEMPLATE };
    let bar = ProgressBar::new(0);
    // A template that is wrong only costs its looks; a test reads both.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// What the bar is filled up to: without an end, the successes that are wanted, or what is there now.
fn total(campaign: &Campaign, ended: u64) -> u64 {
    let endless = open_bag(campaign).map(|endless| endless.successes.unwrap_or(ended + campaign.live));
    endless.unwrap_or(campaign.total_jobs)
}

/// `42 done, 2 running, 1 failed, endless until 2026-12-01 08:00 UTC`.
fn endless_sentence(campaign: &Campaign, endless: &Endless) -> String {
    let counts = format!("{} done, {} running, {} failed", campaign.done, campaign.running, campaign.failed);
    let paused = if campaign.state == CampaignState::Paused { ", paused" } else { "" };
    format!("{counts}, {}{paused}", end_words(endless))
}

/// `120/200 done, 2 running, 1 failed, 77 pending, 12 kills, about 14.0 s left`.
fn sentence(campaign: &Campaign, seconds_left: Option<f64>) -> String {
    if let Some(endless) = open_bag(campaign) {
        return endless_sentence(campaign, endless);
    }
    let mut parts = vec![
        format!("{}/{} done", campaign.done, campaign.total_jobs),
        format!("{} running", campaign.running),
        format!("{} failed", campaign.failed),
        format!("{} pending", campaign.pending + campaign.live.saturating_sub(campaign.running)),
    ];
    if campaign.kills > 0 {
        parts.push(format!("{} kills", campaign.kills));
    }
    match campaign.state {
        CampaignState::Paused => parts.push("paused".into()),
        CampaignState::Cancelled => parts.push("cancelled".into()),
        CampaignState::Receiving => parts.push("receiving parameters".into()),
        _ => parts.extend(seconds_left.map(|seconds| format!("about {} left", duration(seconds)))),
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_sound() {
        for template in [TEMPLATE, COLORED] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}

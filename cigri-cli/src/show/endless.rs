//! Campaigns without an end: what is said in the place of their number of tasks.

use chrono::DateTime;
use cigri_api::{Campaign, Endless};

/// What may still end the campaign, if its tasks are not numbered.
pub(crate) fn open_bag(campaign: &Campaign) -> Option<&Endless> {
    campaign.endless.as_ref().filter(|endless| endless.bag == "open")
}

/// The number of tasks: `200`, or `endless until 2026-12-01 08:00 UTC`.
pub(crate) fn total_words(campaign: &Campaign) -> String {
    open_bag(campaign).map_or_else(|| campaign.total_jobs.to_string(), end_words)
}

/// The same with its noun: `200 tasks`, or `endless until 100 successes`.
pub(crate) fn tasks_words(campaign: &Campaign) -> String {
    let counted = || match campaign.total_jobs {
        1 => "1 task".to_owned(),
        tasks => format!("{tasks} tasks"),
    };
    open_bag(campaign).map_or_else(counted, end_words)
}

/// `endless`, and what ends it.
pub(crate) fn end_words(endless: &Endless) -> String {
    let moment = |at: i64| DateTime::from_timestamp(at, 0).map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string());
    let until = endless.until.and_then(moment);
    let successes = endless.successes.map(|count| format!("{count} successes"));
    match until.into_iter().chain(successes).collect::<Vec<_>>().join(" or ") {
        ends if ends.is_empty() => "endless".to_owned(),
        ends => format!("endless until {ends}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_it_is_said() {
        let endless = |until, successes| end_words(&Endless { until, successes, bag: "open".into() });
        assert_eq!(endless(None, None), "endless");
        assert_eq!(endless(Some(1_796_112_000), None), "endless until 2026-12-01 08:00 UTC");
        assert_eq!(endless(Some(1_796_112_000), Some(100)), "endless until 2026-12-01 08:00 UTC or 100 successes");
    }
}

//! Accounts put together by user, campaign, cluster or day.

use cigri_api::{CoreHours, JobCounts, Usage, UsageRow};
use cigri_core::usage::{Account, By, CORE_HOUR_MS};
use cigri_store::{AccountSum, CampaignNames};

/// The answer.
pub(super) fn usage(
    by: By,
    user: Option<String>,
    (from, to): (Option<i64>, Option<i64>),
    sums: &[AccountSum],
    names: &CampaignNames,
) -> Usage {
    let row = |sum: &AccountSum| UsageRow {
        user: sum.owner.clone(),
        campaign: sum.campaign,
        name: sum.campaign.and_then(|id| names.get(&id).cloned()),
        cluster: sum.cluster.clone(),
        day: sum.day.map(date),
        ..UsageRow::default()
    };
    let all = sums.iter().fold(Account::default(), |all, sum| all.and(sum.account));
    Usage {
        by: by.as_str().to_owned(),
        user,
        from: from.map(date),
        to: to.map(date),
        total: sums.len() as u64,
        items: sums.iter().map(|sum| figures(row(sum), &sum.account)).collect(),
        sum: figures(UsageRow::default(), &all),
    }
}

fn figures(head: UsageRow, account: &Account) -> UsageRow {
    let hours = |ms: i64| ms as f64 / CORE_HOUR_MS;
    UsageRow {
        core_hours: CoreHours {
            useful: hours(account.useful_ms),
            lost: hours(account.lost_ms),
            failed: hours(account.failed_ms),
            cancelled: hours(account.cancelled_ms),
        },
        jobs: JobCounts {
            done: account.done,
            killed: account.killed,
            failed: account.failed,
            cancelled: account.cancelled,
            guessed: account.guessed,
            untimed: account.untimed,
        },
        ..head
    }
}

/// A day counted from the epoch, as `YYYY-MM-DD`.
pub(super) fn date(day: i64) -> String {
    let date = chrono::DateTime::from_timestamp(day.saturating_mul(86_400), 0);
    date.map_or_else(|| day.to_string(), |date| date.format("%Y-%m-%d").to_string())
}

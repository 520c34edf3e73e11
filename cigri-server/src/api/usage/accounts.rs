//! Accounts put together by user, campaign, cluster or day.

use std::collections::BTreeMap;

use cigri_api::{CoreHours, JobCounts, Usage, UsageRow};
use cigri_core::usage::{Account, CORE_HOUR_MS};
use cigri_store::{AccountRow, CampaignNames};

/// What rows are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    User,
    Campaign,
    Cluster,
    Day,
}

impl By {
    /// The word of a query.
    pub(super) fn parse(word: &str) -> Option<By> {
        [By::User, By::Campaign, By::Cluster, By::Day].into_iter().find(|by| by.as_str() == word)
    }

    fn as_str(self) -> &'static str {
        match self {
            By::User => "user",
            By::Campaign => "campaign",
            By::Cluster => "cluster",
            By::Day => "day",
        }
    }

    /// What rows are put together and ordered by.
    fn key(self, row: &AccountRow) -> (i64, String) {
        match self {
            By::User => (0, row.owner.clone()),
            By::Campaign => (row.campaign_id, String::new()),
            By::Cluster => (0, row.cluster.clone()),
            By::Day => (row.day, String::new()),
        }
    }

    /// A row without figures.
    fn head(self, row: &AccountRow, names: &CampaignNames) -> UsageRow {
        let mut head = UsageRow::default();
        match self {
            By::User => head.user = Some(row.owner.clone()),
            By::Campaign => {
                head.user = Some(row.owner.clone());
                head.campaign = Some(row.campaign_id);
                head.name = names.get(&row.campaign_id).cloned();
            }
            By::Cluster => head.cluster = Some(row.cluster.clone()),
            By::Day => head.day = Some(date(row.day)),
        }
        head
    }
}

/// The answer.
pub(super) fn usage(
    by: By,
    user: Option<String>,
    (from, to): (Option<i64>, Option<i64>),
    rows: &[AccountRow],
    names: &CampaignNames,
) -> Usage {
    let mut sums: BTreeMap<(i64, String), (UsageRow, Account)> = BTreeMap::new();
    let mut sum = Account::default();
    for row in rows {
        let (_, account) = sums.entry(by.key(row)).or_insert_with(|| (by.head(row, names), Account::default()));
        *account = account.and(row.account);
        sum = sum.and(row.account);
    }
    let items: Vec<UsageRow> = sums.into_values().map(|(head, account)| figures(head, &account)).collect();
    Usage {
        by: by.as_str().to_owned(),
        user,
        from: from.map(date),
        to: to.map(date),
        total: items.len() as u64,
        items,
        sum: figures(UsageRow::default(), &sum),
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

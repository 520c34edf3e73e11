//! Whether the caller's tokens outlast a campaign. A campaign is taken in all the same: it is on hold where a token ends,
//! for its user alone, until there is a new one.

use cigri_core::language::{CampaignSpec, Problem};
use cigri_core::token::{Prospect, Renewal, in_words};
use cigri_core::usage;
use cigri_store::{AccountFilter, AccountRow, ClusterKind, Store, StoreError, TokenRow};

use super::dry_run;
use super::identity::Caller;
use super::respond::ApiError;
use crate::clock::now_ms;
use crate::cluster::preview;
use crate::grid::Grid;

/// Days whose accounts say how fast clusters are.
const LATELY: i64 = 7;

/// What is wrong with the caller's token for one cluster.
pub(super) struct Doubt {
    cluster: String,
    /// In words.
    told: String,
    found: String,
    expected: String,
    hint: String,
}

impl Doubt {
    /// As a warning with its place.
    pub(super) fn problem(&self) -> Problem {
        Problem::new(format!("clusters.{}", self.cluster), self.found.clone(), self.expected.clone())
            .hint(self.hint.clone())
    }

    /// As a sentence.
    pub(super) fn sentence(&self) -> String {
        format!("{}: {}; {}", self.cluster, self.told, self.hint)
    }
}

/// What is to be said of the caller's tokens for a campaign of so many tasks; `None`: without an end.
pub(super) async fn doubts(
    grid: &Grid,
    caller: &Caller,
    spec: &CampaignSpec,
    tasks: Option<u64>,
) -> Result<Vec<Doubt>, ApiError> {
    let is_remote = |name: &&String| grid.cluster(name).is_some_and(|handle| handle.row.kind != ClusterKind::Local);
    let names: Vec<String> = spec.clusters.keys().filter(is_remote).cloned().collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let (login, now) = (caller.login.clone(), now_ms());
    let read = move |store: &Store| Ok((store.list_tokens(&login)?, recent(store, now)?));
    let (tokens, accounts) = crate::blocking(&grid.store, read).await?;
    let tasks = tasks.filter(|_| spec.endless.is_none());
    let rows = dry_run::rows(grid, spec).await?;
    let prospect = Prospect {
        tasks,
        at_best_s: tasks.and_then(|count| dry_run::ends_within(grid, count, spec, &rows)),
        walltime_s: spec.clusters.values().map(preview::longest_walltime_s).max().unwrap_or_default(),
        jobs_a_day: jobs_a_day(&accounts, &names, usage::day(now)),
    };
    let of = |name: &String| doubt(name, tokens.iter().find(|token| token.cluster == *name), &prospect, now / 1000);
    Ok(names.iter().filter_map(of).collect())
}

fn recent(store: &Store, now: i64) -> Result<Vec<AccountRow>, StoreError> {
    store.accounts(&AccountFilter { from: Some(usage::day(now) - LATELY), ..AccountFilter::default() })
}

/// Jobs that these clusters ended a day, since the first account of the last days.
fn jobs_a_day(accounts: &[AccountRow], names: &[String], today: i64) -> f64 {
    let there: Vec<&AccountRow> = accounts.iter().filter(|row| names.contains(&row.cluster)).collect();
    let Some(first) = there.iter().map(|row| row.day).min() else { return 0.0 };
    let jobs: i64 = there.iter().map(|row| row.account.done + row.account.failed).sum();
    jobs as f64 / (today - first + 1).max(1) as f64
}

fn doubt(name: &str, token: Option<&TokenRow>, prospect: &Prospect, now_s: i64) -> Option<Doubt> {
    let hint = format!("add one with `cigri token add {name}`");
    let expected = "a valid token; nothing is sent there before".to_owned();
    let (cluster, told) = (name.to_owned(), "you have no token there".to_owned());
    let Some(token) = token else {
        return Some(Doubt { cluster, told, found: "none of yours".to_owned(), expected, hint });
    };
    let left = token.life()?.left_s(now_s);
    if left <= 0 {
        let (told, found) = ("your token has expired".to_owned(), "one that has expired".to_owned());
        return Some(Doubt { cluster, told, found, expected, hint });
    }
    let (needed, basis) = prospect.ends_in_s();
    let needed = i64::try_from(needed).unwrap_or(i64::MAX);
    // One that the server renewed before is renewed again.
    if left >= needed || token.renewal != Renewal::Never && token.renewed_at.is_some() {
        return None;
    }
    let (left, needed) = (in_words(left), in_words(needed));
    let why = basis.as_str();
    let hint = match token.renewal {
        Renewal::Never => format!("{hint} in time"),
        _ => format!("the server asks for a new one by itself, and tells you if it gets none: then {hint}"),
    };
    Some(Doubt {
        cluster,
        told: format!("your token expires in {left}, and the campaign may take {needed} ({why})"),
        found: format!("one that expires in {left}"),
        expected: format!("a token that lasts for the campaign, {needed} ({why})"),
        hint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cigri_core::usage::Account;

    fn token(expires_at: i64, renewal: Renewal) -> TokenRow {
        let (owner, cluster, login) = ("alice".to_owned(), "dahu".to_owned(), "alice".to_owned());
        let (expires_at, secret) = (Some(expires_at), Vec::new());
        TokenRow { owner, cluster, login, secret, expires_at, issued_at: None, renewal, renewed_at: None }
    }

    fn told(token: Option<&TokenRow>, prospect: &Prospect) -> Option<String> {
        doubt("dahu", token, prospect, 0).map(|doubt| doubt.sentence())
    }

    #[test]
    fn a_token_is_measured_by_the_clusters_pace_of_late() {
        let account = |cluster: &str, day, done| AccountRow {
            campaign_id: 1,
            owner: "bob".to_owned(),
            cluster: cluster.to_owned(),
            day,
            account: Account { done, ..Account::default() },
        };
        let accounts = [account("dahu", 98, 100), account("dahu", 100, 50), account("luke", 90, 999)];
        let pace = jobs_a_day(&accounts, &["dahu".to_owned()], 100);
        assert_eq!(pace, 50.0);
        assert_eq!(jobs_a_day(&accounts, &["yeti".to_owned()], 100), 0.0);
        let prospect = Prospect { tasks: Some(1000), walltime_s: 3600, jobs_a_day: pace, at_best_s: None };
        assert_eq!(told(Some(&token(21 * 86_400, Renewal::Needed)), &prospect), None);
        assert_eq!(
            told(Some(&token(19 * 86_400, Renewal::Never)), &prospect).unwrap(),
            "dahu: your token expires in 19 days, and the campaign may take 20 days (at the clusters' pace of late); add \
             one with `cigri token add dahu` in time"
        );
    }

    #[test]
    fn without_a_prediction_a_walltime_and_a_day_are_enough() {
        let prospect = Prospect { tasks: None, walltime_s: 3600, jobs_a_day: 9.0, at_best_s: None };
        assert_eq!(told(Some(&token(90_000, Renewal::Needed)), &prospect), None);
        let short = told(Some(&token(89_999, Renewal::Needed)), &prospect).unwrap();
        assert!(short.contains("by itself") && short.contains("a walltime and a day"), "{short}");
        let renewed = TokenRow { renewed_at: Some(5), ..token(89_999, Renewal::Needed) };
        assert_eq!(told(Some(&renewed), &prospect), None, "renewal works there");
    }

    #[test]
    fn a_token_that_is_missing_or_has_expired_is_told_and_nothing_is_refused() {
        let prospect = Prospect { tasks: Some(1), walltime_s: 60, jobs_a_day: 0.0, at_best_s: Some(60) };
        assert!(told(None, &prospect).unwrap().contains("you have no token there"));
        assert!(told(Some(&token(0, Renewal::Needed)), &prospect).unwrap().contains("has expired"));
        let endless = TokenRow { expires_at: None, ..token(0, Renewal::Needed) };
        assert_eq!(told(Some(&endless), &prospect), None);
    }
}

//! What may be asked of usage, and what is said of anything else.

use chrono::NaiveDate;
use cigri_core::usage::By;
use serde::Deserialize;

use crate::api::respond::ApiError;

/// Query of `GET /usage`. Everything comes as text, so that what is wrong can be told in words.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct UsageQuery {
    by: Option<String>,
    from: Option<String>,
    to: Option<String>,
    pub(super) user: Option<String>,
    campaign: Option<String>,
    pub(super) cluster: Option<String>,
    pub(super) format: Option<String>,
}

/// Query of `GET /gridusage`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct GridQuery {
    from: Option<String>,
    to: Option<String>,
    step: Option<String>,
    pub(super) cluster: Option<String>,
    pub(super) format: Option<String>,
}

/// Seconds of a day.
const DAY_S: i64 = 86_400;
/// Beyond this many seconds from the epoch nothing is meant: year 9999.
const LAST_S: i64 = 253_402_300_799;

impl UsageQuery {
    /// What the rows are told apart by.
    pub(super) fn by(&self) -> Result<By, ApiError> {
        let word = self.by.as_deref().unwrap_or("campaign");
        By::parse(word).ok_or_else(|| wrong("by", word, "`user`, `campaign`, `cluster` or `day`"))
    }

    /// The campaign, if one is meant.
    pub(super) fn campaign(&self) -> Result<Option<i64>, ApiError> {
        let number = |text: &String| whole(text).ok_or_else(|| wrong("campaign", text, "a campaign's number"));
        self.campaign.as_ref().map(number).transpose()
    }

    /// First and last day, counted from the epoch.
    pub(super) fn days(&self) -> Result<(Option<i64>, Option<i64>), ApiError> {
        let day = |key: &str, text: &Option<String>| {
            let moment = text.as_deref().map(|text| moment(key, text, 0)).transpose()?;
            Ok::<_, ApiError>(moment.map(|at| at.div_euclid(DAY_S)))
        };
        let (from, to) = (day("from", &self.from)?, day("to", &self.to)?);
        match (from, to) {
            (Some(from), Some(to)) if from > to => Err(turned()),
            days => Ok(days),
        }
    }
}

impl GridQuery {
    /// The range, epoch seconds, both ends included; `None`: the last samples. An open end is the beginning or the end of
    /// time.
    pub(super) fn range(&self) -> Result<Option<(i64, i64)>, ApiError> {
        if self.from.is_none() && self.to.is_none() {
            return Ok(None);
        }
        let from = self.from.as_deref().map_or(Ok(0), |text| moment("from", text, 0))?;
        let to = self.to.as_deref().map_or(Ok(LAST_S), |text| moment("to", text, DAY_S - 1))?;
        if from > to { Err(turned()) } else { Ok(Some((from, to))) }
    }

    /// Samples of so many seconds are put together.
    pub(super) fn step(&self) -> Result<Option<i64>, ApiError> {
        let Some(text) = &self.step else { return Ok(None) };
        let step = whole(text).filter(|step| (1..=366 * DAY_S).contains(step));
        step.map(Some).ok_or_else(|| wrong("step", text, "a number of seconds from 1 to 31622400"))
    }
}

/// A date (its first second and `more`), or a number of seconds since the epoch.
fn moment(key: &str, text: &str, more: i64) -> Result<i64, ApiError> {
    if let Some(seconds) = whole(text).filter(|seconds| *seconds <= LAST_S) {
        return Ok(seconds);
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|date| date.and_hms_opt(0, 0, 0));
    let seconds = date.map(|date| date.and_utc().timestamp() + more).filter(|at| (0..=LAST_S).contains(at));
    seconds.ok_or_else(|| wrong(key, text, "a date (YYYY-MM-DD, UTC) or seconds since 1970"))
}

/// Digits alone: no sign, no blank, no exponent.
fn whole(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn wrong(key: &str, found: &str, expected: &str) -> ApiError {
    let found: String = found.chars().take(40).collect();
    ApiError::bad_request(format!("{key}: found `{found}`, expected {expected}"))
}

fn turned() -> ApiError {
    ApiError::bad_request("from: it is after `to`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(from: &str, to: &str) -> Result<Option<(i64, i64)>, String> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let query = GridQuery { from: some(from), to: some(to), ..GridQuery::default() };
        query.range().map_err(|error| error.to_string())
    }

    #[test]
    fn a_range_is_of_dates_or_seconds() {
        assert_eq!(grid("", ""), Ok(None));
        assert_eq!(grid("1795219200", "1795219300"), Ok(Some((1_795_219_200, 1_795_219_300))));
        assert_eq!(grid("2026-11-21", "2026-11-21"), Ok(Some((1_795_219_200, 1_795_305_599))), "the whole day");
        assert_eq!(grid("5", ""), Ok(Some((5, LAST_S))));
    }

    #[test]
    fn what_is_no_number_is_told() {
        for bad in ["abc", "-1", "1e9", "1.5", " 1", "1; DROP TABLE grid_usage", "2026-02-30", "99999999999999999999"] {
            let error = grid(bad, "").unwrap_err();
            assert!(error.starts_with("from: found `") && error.contains("expected a date"), "{bad}: {error}");
        }
        assert_eq!(grid("9", "5").unwrap_err(), "from: it is after `to`");
        let query = GridQuery { step: Some("0".to_owned()), ..GridQuery::default() };
        assert!(query.step().unwrap_err().to_string().contains("step: found `0`"));
        let query =
            UsageQuery { campaign: Some("12abc".to_owned()), by: Some("hour".to_owned()), ..UsageQuery::default() };
        assert!(query.campaign().unwrap_err().to_string().contains("12abc"));
        assert!(query.by().unwrap_err().to_string().contains("`user`, `campaign`, `cluster` or `day`"));
    }
}

//! Nights of a cluster: when jobs that should not disturb the day's users may run there.
//!
//! A night goes from the evening to the morning, on the cluster's own clocks; week-ends and holidays are nights as a
//! whole, and nights that touch are one. Where clocks are changed a night begins at the later and ends at the earlier
//! of two moments with the same name, and what the change leaves out is the moment of the change.

use std::collections::BTreeSet;

use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::language::{ClusterSpec, JobKind};

/// A calendar as it is written in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CalendarSettings {
    /// Name of the time zone in the IANA database, such as `Europe/Paris`.
    pub time_zone: String,
    /// Evening and morning: `20:00-07:00`.
    pub nights: String,
    /// Whether Saturdays and Sundays are nights.
    pub week_ends: bool,
    /// Days that are nights: `2026-12-25`.
    pub holidays: Vec<String>,
}

impl Default for CalendarSettings {
    fn default() -> CalendarSettings {
        let (time_zone, nights) = ("UTC".to_owned(), "20:00-07:00".to_owned());
        CalendarSettings { time_zone, nights, week_ends: true, holidays: Vec::new() }
    }
}

/// A calendar that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    zone: Tz,
    evening: NaiveTime,
    morning: NaiveTime,
    week_ends: bool,
    holidays: BTreeSet<NaiveDate>,
}

impl Default for Calendar {
    fn default() -> Calendar {
        let at = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default();
        Calendar { zone: Tz::UTC, evening: at(20), morning: at(7), week_ends: true, holidays: BTreeSet::new() }
    }
}

/// One night, epoch milliseconds; the end is the morning's first moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Night {
    /// Its first moment.
    pub begins: i64,
    /// The first moment after it.
    pub ends: i64,
}

impl CalendarSettings {
    /// The calendar, or everything that is wrong with it, each with its key.
    pub fn check(&self) -> Result<Calendar, Vec<String>> {
        let mut problems = Vec::new();
        let zone = self.time_zone.parse::<Tz>().ok();
        if zone.is_none() {
            let found = &self.time_zone;
            problems.push(format!("time_zone: \"{found}\" is no time zone; one looks like \"Europe/Paris\""));
        }
        let nights = read_nights(&self.nights).map_err(|problem| problems.push(format!("nights: {problem}"))).ok();
        let mut holidays = BTreeSet::new();
        for (at, text) in self.holidays.iter().enumerate() {
            match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
                Ok(day) => drop(holidays.insert(day)),
                Err(_) => problems.push(format!("holidays[{at}]: \"{text}\" is no day; one looks like \"2026-12-25\"")),
            }
        }
        match (zone, nights) {
            (Some(zone), Some((evening, morning))) if problems.is_empty() => {
                Ok(Calendar { zone, evening, morning, week_ends: self.week_ends, holidays })
            }
            _ => Err(problems),
        }
    }
}

fn read_nights(text: &str) -> Result<(NaiveTime, NaiveTime), String> {
    let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").ok();
    let both = text.split_once('-').and_then(|(evening, morning)| time(evening).zip(time(morning)));
    match both {
        None => Err(format!("\"{text}\" is no evening and morning; they look like \"20:00-07:00\"")),
        Some((evening, morning)) if evening == morning => {
            Err(format!("\"{text}\" never opens: the morning is the evening"))
        }
        Some(both) => Ok(both),
    }
}

impl Calendar {
    /// The time zone of the cluster's clocks.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// Whether it is night at `now` (epoch milliseconds).
    pub fn is_night(&self, now: i64) -> bool {
        self.night(now).begins <= now
    }

    /// The present night, or by day the next one. Nights that touch are one.
    pub fn night(&self, now: i64) -> Night {
        let nights = self.nights_around(now);
        let still_open = nights.into_iter().find(|night| night.ends > now);
        // There is one each day: the window is never without.
        still_open.unwrap_or(Night { begins: i64::MAX, ends: i64::MAX })
    }

    /// A moment as people there say it: `20:00 Europe/Paris`, with its day if that is not the day of `now`.
    pub fn clock(&self, at: i64, now: i64) -> String {
        let (at, now) = (self.local(at), self.local(now));
        let form = if at.date_naive() == now.date_naive() { "%H:%M" } else { "%a %Y-%m-%d %H:%M" };
        format!("{} {}", at.format(form), self.zone)
    }

    fn local(&self, at: i64) -> DateTime<Tz> {
        DateTime::<Utc>::from_timestamp_millis(at).unwrap_or_default().with_timezone(&self.zone)
    }

    /// The nights around `now`, in order, joined; far enough that the one that is open, or comes, is there whole.
    fn nights_around(&self, now: i64) -> Vec<Night> {
        let today = self.local(now).date_naive();
        // Whole days that touch: at most the holidays, and the week-ends between them.
        let reach = 8 + 2 * self.holidays.len() as u64;
        let first = today.checked_sub_days(Days::new(reach)).unwrap_or(today);
        let mut nights: Vec<Night> =
            first.iter_days().take(2 * reach as usize + 1).flat_map(|day| self.of(day)).collect();
        nights.sort();
        let mut joined: Vec<Night> = Vec::with_capacity(nights.len());
        for night in nights {
            match joined.last_mut().filter(|last| night.begins <= last.ends) {
                Some(last) => last.ends = last.ends.max(night.ends),
                None => joined.push(night),
            }
        }
        joined
    }

    /// The nights that begin on a day: its own, and itself if it is one as a whole.
    fn of(&self, day: NaiveDate) -> impl Iterator<Item = Night> {
        let tomorrow = day.checked_add_days(Days::new(1)).unwrap_or(day);
        let last = if self.morning > self.evening { day } else { tomorrow };
        let own = self.between(day.and_time(self.evening), last.and_time(self.morning));
        let whole = self.between(day.and_time(NaiveTime::MIN), tomorrow.and_time(NaiveTime::MIN));
        std::iter::once(own).chain(self.is_whole(day).then_some(whole)).filter(|night| night.begins < night.ends)
    }

    fn is_whole(&self, day: NaiveDate) -> bool {
        self.week_ends && day.weekday().number_from_monday() > 5 || self.holidays.contains(&day)
    }

    fn between(&self, begins: NaiveDateTime, ends: NaiveDateTime) -> Night {
        let instants = |local| match self.zone.from_local_datetime(&local) {
            MappedLocalTime::Single(one) => (one, one),
            MappedLocalTime::Ambiguous(first, second) => (first, second),
            MappedLocalTime::None => (self.after_gap(local), self.after_gap(local)),
        };
        let (begins, ends) = (instants(begins).1, instants(ends).0);
        Night { begins: begins.timestamp_millis(), ends: ends.timestamp_millis() }
    }

    /// The first moment after the clocks' jump over this time.
    fn after_gap(&self, local: NaiveDateTime) -> DateTime<Tz> {
        let minutes = (1..=24 * 60).map(|minute| local + TimeDelta::minutes(minute));
        let there = minutes.filter_map(|local| self.zone.from_local_datetime(&local).earliest()).next();
        there.unwrap_or_else(|| self.zone.from_utc_datetime(&local))
    }
}

/// Whether a job that is sent at `now` may be killed for others. Without a calendar it is never night.
pub fn is_best_effort(kind: JobKind, calendar: Option<&Calendar>, now: i64) -> bool {
    match kind {
        JobKind::BestEffort => true,
        JobKind::Normal | JobKind::Nightly => false,
        JobKind::SemiBestEffort => !calendar.is_some_and(|calendar| calendar.is_night(now)),
    }
}

/// The longest that a job of a campaign may hold its resources, seconds.
pub fn longest_s(spec: &ClusterSpec) -> u64 {
    let batch = if spec.grouping.is_none() { 0 } else { spec.grouping.batch_s };
    spec.walltime_s.saturating_add(batch)
}

/// Why a nightly job of at most `longest_s` seconds may not start on `cluster` within the next `slack_ms`; `None` if it
/// may.
pub fn nightly_problem(
    calendar: &Calendar,
    cluster: &str,
    longest_s: u64,
    (now, slack_ms): (i64, i64),
) -> Option<String> {
    let night = calendar.night(now);
    if night.begins > now {
        return Some(format!("nightly: {cluster}'s night begins at {}", calendar.clock(night.begins, now)));
    }
    let latest_end = now.saturating_add(slack_ms).saturating_add((longest_s as i64).saturating_mul(1000));
    (latest_end > night.ends).then(|| {
        let (wanted, left) = (in_words(longest_s as i64), in_words((night.ends - now) / 1000));
        let morning = calendar.clock(night.ends, now);
        format!("nightly: a job of {wanted} passes {cluster}'s morning, {morning}: {left} left")
    })
}

/// `1 h 10 min`, rounded down.
fn in_words(seconds: i64) -> String {
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paris(holidays: &[&str]) -> Calendar {
        let holidays = holidays.iter().map(|day| (*day).to_owned()).collect();
        let time_zone = "Europe/Paris".to_owned();
        CalendarSettings { time_zone, holidays, ..CalendarSettings::default() }.check().unwrap()
    }

    /// A moment in UTC.
    fn at(text: &str) -> i64 {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap().and_utc().timestamp_millis()
    }

    fn night(begins: &str, ends: &str) -> Night {
        Night { begins: at(begins), ends: at(ends) }
    }

    #[test]
    fn a_night_goes_from_the_evening_to_the_morning_of_the_clusters_zone() {
        // A Tuesday in winter: Paris is an hour ahead of UTC.
        let (calendar, tonight) = (paris(&[]), night("2026-11-24 19:00", "2026-11-25 06:00"));
        assert_eq!(calendar.night(at("2026-11-24 12:00")), tonight);
        assert!(!calendar.is_night(at("2026-11-24 18:59")) && calendar.is_night(at("2026-11-24 19:00")));
        assert!(calendar.is_night(at("2026-11-25 05:59")) && !calendar.is_night(at("2026-11-25 06:00")));
        assert_eq!(calendar.night(at("2026-11-25 03:00")), tonight);
        assert_eq!(calendar.night(at("2026-11-25 06:00")), night("2026-11-25 19:00", "2026-11-26 06:00"));
    }

    #[test]
    fn week_ends_and_holidays_join_their_nights() {
        let calendar = paris(&[]);
        assert_eq!(calendar.night(at("2026-11-28 12:00")), night("2026-11-27 19:00", "2026-11-30 06:00"));
        let feasts = ["2026-12-24", "2026-12-25", "2026-12-28", "2026-12-29"];
        let calendar = paris(&feasts);
        assert_eq!(calendar.night(at("2026-12-26 12:00")), night("2026-12-23 19:00", "2026-12-30 06:00"));
        let settings = CalendarSettings { week_ends: false, ..CalendarSettings::default() };
        assert!(!settings.check().unwrap().is_night(at("2026-11-28 12:00")));
    }

    #[test]
    fn nights_on_which_clocks_change_are_an_hour_shorter_or_longer() {
        let calendar = CalendarSettings { week_ends: false, time_zone: "Europe/Paris".into(), ..Default::default() };
        let calendar = calendar.check().unwrap();
        // The nights to 2026-03-29 and to 2026-10-25.
        assert_eq!(calendar.night(at("2026-03-28 22:00")), night("2026-03-28 19:00", "2026-03-29 05:00"));
        assert_eq!(calendar.night(at("2026-10-24 22:00")), night("2026-10-24 18:00", "2026-10-25 06:00"));
    }

    #[test]
    fn a_night_that_begins_or_ends_in_the_changed_hour_is_the_shorter_one() {
        let of = |nights: &str| {
            let (time_zone, nights) = ("Europe/Paris".to_owned(), nights.to_owned());
            CalendarSettings { time_zone, nights, week_ends: false, holidays: Vec::new() }.check().unwrap()
        };
        // 02:30 does not exist on 2026-03-29: the clocks jump to 03:00 at 01:00 UTC.
        assert_eq!(of("02:30-07:00").night(at("2026-03-29 00:00")), night("2026-03-29 01:00", "2026-03-29 05:00"));
        assert_eq!(of("20:00-02:30").night(at("2026-03-29 00:00")), night("2026-03-28 19:00", "2026-03-29 01:00"));
        // 02:30 comes twice on 2026-10-25, at 00:30 and at 01:30 UTC.
        assert_eq!(of("02:30-07:00").night(at("2026-10-25 00:00")), night("2026-10-25 01:30", "2026-10-25 06:00"));
        assert_eq!(of("20:00-02:30").night(at("2026-10-25 00:00")), night("2026-10-24 18:00", "2026-10-25 00:30"));
    }

    #[test]
    fn a_night_may_lie_within_one_day() {
        let settings = CalendarSettings { nights: "01:00-05:00".into(), ..CalendarSettings::default() };
        let calendar = settings.check().unwrap();
        assert_eq!(calendar.night(at("2026-11-24 12:00")), night("2026-11-25 01:00", "2026-11-25 05:00"));
        assert_eq!(calendar.night(at("2026-11-28 12:00")), night("2026-11-28 00:00", "2026-11-30 00:00"));
    }

    #[test]
    fn all_problems_are_said_at_once_with_their_keys() {
        let holidays = vec!["2026-12-25".to_owned(), "Noël".to_owned()];
        let (time_zone, nights) = ("Europe/Grenoble".to_owned(), "20:00-25:00".to_owned());
        let settings = CalendarSettings { time_zone, nights, week_ends: true, holidays };
        assert_eq!(
            settings.check().unwrap_err(),
            [
                "time_zone: \"Europe/Grenoble\" is no time zone; one looks like \"Europe/Paris\"",
                "nights: \"20:00-25:00\" is no evening and morning; they look like \"20:00-07:00\"",
                "holidays[1]: \"Noël\" is no day; one looks like \"2026-12-25\"",
            ]
        );
        let never = CalendarSettings { nights: "07:00-07:00".into(), ..CalendarSettings::default() };
        assert_eq!(never.check().unwrap_err(), ["nights: \"07:00-07:00\" never opens: the morning is the evening"]);
    }

    #[test]
    fn the_default_is_what_the_settings_say() {
        assert_eq!(CalendarSettings::default().check().unwrap(), Calendar::default());
    }

    #[test]
    fn a_nightly_job_must_fit_into_the_rest_of_the_night() {
        let calendar = paris(&[]);
        let problem = |time: &str, longest_s| nightly_problem(&calendar, "dahu", longest_s, (at(time), 0));
        assert_eq!(problem("2026-11-24 12:00", 3600).unwrap(), "nightly: dahu's night begins at 20:00 Europe/Paris");
        assert_eq!(problem("2026-11-24 23:00", 7 * 3600), None);
        assert_eq!(
            problem("2026-11-25 04:50", 4 * 3600).unwrap(),
            "nightly: a job of 4 h passes dahu's morning, 07:00 Europe/Paris: 1 h 10 min left"
        );
        assert!(problem("2026-11-24 22:00", 8 * 3600 + 1).unwrap().contains("Wed 2026-11-25 07:00"));
    }

    #[test]
    fn semi_best_effort_jobs_are_normal_by_night_only() {
        let (calendar, noon, midnight) = (paris(&[]), at("2026-11-24 12:00"), at("2026-11-24 23:00"));
        let semi = |calendar, now| is_best_effort(JobKind::SemiBestEffort, calendar, now);
        assert!(semi(Some(&calendar), noon) && !semi(Some(&calendar), midnight) && semi(None, midnight));
        assert!(is_best_effort(JobKind::BestEffort, Some(&calendar), midnight));
        assert!(!is_best_effort(JobKind::Nightly, Some(&calendar), noon));
    }
}

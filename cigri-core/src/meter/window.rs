//! Windows: when jobs may be sent to a cluster, week by week, as its own clocks show it.
//!
//! What counts is what a clock on the wall there says: an hour that clocks show twice is open, or shut, twice, and one
//! that they leave out is neither.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeZone, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::language::Problem;

/// One window: `Mon-Fri 20:00-07:00` opens on these days at 20:00 and closes at the next 07:00; `Sat,Sun` is open all
/// day; `24:00` is the day's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    /// Days on which it opens, Monday first.
    days: [bool; 7],
    /// When it opens, and when it closes: the next day if that is not later. `None`: the whole day.
    hours: Option<(NaiveTime, NaiveTime)>,
    text: String,
}

/// Days after which every window has opened, even one that lies in an hour that clocks leave out this week.
const AHEAD_DAYS: u64 = 15;
const HALF_HOUR_MS: i64 = 30 * 60 * 1000;

impl Window {
    /// Whether it is open at `now` (epoch milliseconds) in a time zone.
    pub fn is_open(&self, zone: Tz, now: i64) -> bool {
        let local = local(zone, now);
        let (today, time) = (local.date_naive(), local.time());
        let yesterday = today.pred_opt().unwrap_or(today);
        match self.hours {
            None => self.opens_on(today),
            Some((opens, closes)) if opens < closes => self.opens_on(today) && (opens..closes).contains(&time),
            Some((opens, closes)) => self.opens_on(today) && time >= opens || self.opens_on(yesterday) && time < closes,
        }
    }

    /// `now` if it is open, or when it opens next (epoch milliseconds).
    pub fn next_opening(&self, zone: Tz, now: i64) -> Option<i64> {
        if self.is_open(zone, now) {
            return Some(now);
        }
        let starts = self.starts(zone, now);
        // Clocks are changed at half hours: a window may open by that alone.
        let last = now / HALF_HOUR_MS + AHEAD_DAYS as i64 * 48;
        let changes = (now / HALF_HOUR_MS + 1..last).map(|half_hour| half_hour * HALF_HOUR_MS);
        starts.chain(changes).filter(|at| *at > now && self.is_open(zone, *at)).min()
    }

    /// The moments of the next weeks at which clocks show its first minute.
    fn starts(&self, zone: Tz, now: i64) -> impl Iterator<Item = i64> {
        let opens = self.hours.map_or(NaiveTime::MIN, |(opens, _)| opens);
        let days =
            (0..AHEAD_DAYS).filter_map(move |ahead| local(zone, now).date_naive().checked_add_days(Days::new(ahead)));
        days.flat_map(move |day| {
            let at = zone.from_local_datetime(&day.and_time(opens));
            [at.earliest(), at.latest()].into_iter().flatten().map(|at| at.timestamp_millis())
        })
    }

    fn opens_on(&self, day: NaiveDate) -> bool {
        self.days[day.weekday().num_days_from_monday() as usize]
    }
}

/// Why nothing may be sent at `now` (epoch milliseconds) to a cluster in this time zone; `None` while a window is open,
/// or when there is none at all.
pub fn problem(windows: &[Window], zone: Tz, now: i64) -> Option<String> {
    if windows.is_empty() || windows.iter().any(|window| window.is_open(zone, now)) {
        return None;
    }
    let openings = windows.iter().filter_map(|window| Some((window.next_opening(zone, now)?, window)));
    let Some((at, window)) = openings.min_by_key(|(at, _)| *at) else {
        return Some("none of its windows opens within two weeks".to_owned());
    };
    let at = clock(zone, at, now);
    Some(match windows.len() {
        1 => format!("its window `{window}` opens {at}"),
        count => format!("none of its {count} windows is open; the next, `{window}`, opens {at}"),
    })
}

/// `Mon 20:00 Europe/Paris`, with the date if that is not within six days.
fn clock(zone: Tz, at: i64, now: i64) -> String {
    let form = if at - now < 6 * 86_400_000 { "%a %H:%M" } else { "%a %Y-%m-%d %H:%M" };
    format!("{} {zone}", local(zone, at).format(form))
}

fn local(zone: Tz, at: i64) -> DateTime<Tz> {
    DateTime::<Utc>::from_timestamp_millis(at).unwrap_or_default().with_timezone(&zone)
}

impl FromStr for Window {
    type Err = Problem;

    /// An error says what was found and what was expected.
    fn from_str(text: &str) -> Result<Window, Problem> {
        let wrong = |expected: &str| Problem::new("", format!("{text:?}"), expected);
        let expected = || wrong("a window such as \"Mon-Fri 20:00-07:00\" or \"Sat,Sun\"");
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, hours) = match words[..] {
            [days] => (read_days(days).ok_or_else(expected)?, None),
            [days, hours] => (read_days(days).ok_or_else(expected)?, Some(read_hours(hours).ok_or_else(expected)?)),
            _ => return Err(expected()),
        };
        let hours = match hours {
            Some((opens, Closes::At(closes))) if opens == closes => {
                return Err(wrong("a window that opens").hint("it closes when it opens"));
            }
            Some((NaiveTime::MIN, Closes::AtMidnight)) | None => None,
            Some((opens, Closes::AtMidnight)) => Some((opens, NaiveTime::MIN)),
            Some((opens, Closes::At(closes))) => Some((opens, closes)),
        };
        Ok(Window { days, hours, text: words.join(" ") })
    }
}

fn read_days(text: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse::<Weekday>().ok()?, last.parse::<Weekday>().ok()?);
        let mut day = first;
        days[day.num_days_from_monday() as usize] = true;
        while day != last {
            day = day.succ();
            days[day.num_days_from_monday() as usize] = true;
        }
    }
    Some(days)
}

enum Closes {
    At(NaiveTime),
    AtMidnight,
}

fn read_hours(text: &str) -> Option<(NaiveTime, Closes)> {
    let time = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").ok();
    let (opens, closes) = text.split_once('-')?;
    let closes = if closes == "24:00" { Closes::AtMidnight } else { Closes::At(time(closes)?) };
    Some((time(opens)?, closes))
}

impl TryFrom<String> for Window {
    type Error = Problem;

    fn try_from(text: String) -> Result<Window, Problem> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> String {
        window.text
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDateTime;
    use proptest::prelude::*;

    use super::*;

    fn window(text: &str) -> Window {
        text.parse().unwrap()
    }

    /// A moment in UTC.
    fn at(text: &str) -> i64 {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap().and_utc().timestamp_millis()
    }

    fn open(text: &str, moments: &[&str]) -> Vec<bool> {
        moments.iter().map(|moment| window(text).is_open(Tz::Europe__Paris, at(moment))).collect()
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_opens() {
        // 2026-11-23 is a Monday; Paris is an hour ahead.
        let moments = ["2026-11-23 18:59", "2026-11-23 19:00", "2026-11-24 05:59", "2026-11-24 06:00"];
        assert_eq!(open("Mon-Fri 20:00-07:00", &moments), [false, true, true, false]);
        let week_end = ["2026-11-28 05:59", "2026-11-28 06:00", "2026-11-28 20:00", "2026-11-30 04:00"];
        assert_eq!(open("Mon-Fri 20:00-07:00", &week_end), [true, false, false, false]);
        assert_eq!(open("Mon 09:00-17:00", &["2026-11-23 08:00", "2026-11-23 16:00"]), [true, false]);
    }

    #[test]
    fn days_may_wrap_over_the_week_and_be_open_as_a_whole() {
        let moments = ["2026-11-27 22:59", "2026-11-27 23:00", "2026-11-30 22:59", "2026-11-30 23:00"];
        assert_eq!(open("Sat-Mon", &moments), [false, true, true, false]);
        assert_eq!(open("Sat,Sun,Mon 00:00-24:00", &moments), [false, true, true, false]);
        let evening = ["2026-11-27 18:59", "2026-11-27 19:00", "2026-11-27 22:59", "2026-11-27 23:00"];
        assert_eq!(open("Fri 20:00-24:00", &evening), [false, true, true, false]);
    }

    #[test]
    fn an_hour_that_clocks_show_twice_is_open_twice_and_one_they_leave_out_never() {
        // On 2026-10-25 clocks go back from 3:00 to 2:00, at 01:00 UTC.
        let twice = ["2026-10-25 00:15", "2026-10-25 00:45", "2026-10-25 01:15", "2026-10-25 01:45"];
        assert_eq!(open("Sun 02:00-02:30", &twice), [true, false, true, false]);
        let (zone, evening) = (Tz::Europe__Paris, window("Sun 01:00-02:30"));
        assert_eq!(evening.next_opening(zone, at("2026-10-25 00:45")), Some(at("2026-10-25 01:00")), "once more");
        // On 2026-03-29 they go from 2:00 to 3:00, at 01:00 UTC.
        let lost = window("Sun 02:10-02:40");
        assert_eq!(lost.next_opening(zone, at("2026-03-28 12:00")), Some(at("2026-04-05 00:10")));
        let cut = window("Sun 02:30-05:00");
        assert_eq!(cut.next_opening(zone, at("2026-03-28 12:00")), Some(at("2026-03-29 01:00")), "at three");
    }

    #[test]
    fn the_sentence_says_which_window_opens_next_on_the_clusters_clocks() {
        let say = |windows: &[&str], moment| {
            let windows: Vec<Window> = windows.iter().map(|text| window(text)).collect();
            problem(&windows, Tz::Europe__Paris, at(moment))
        };
        assert_eq!(say(&[], "2026-11-23 12:00"), None);
        assert_eq!(say(&["Mon-Fri 20:00-07:00"], "2026-11-23 22:00"), None);
        assert_eq!(
            say(&["Mon-Fri 20:00-07:00"], "2026-11-22 12:00").unwrap(),
            "its window `Mon-Fri 20:00-07:00` opens Mon 20:00 Europe/Paris"
        );
        assert_eq!(say(&["Mon-Fri 20:00-07:00", "Sat,Sun"], "2026-11-28 08:00"), None, "one that is open is enough");
        assert_eq!(
            say(&["Sun 10:00-12:00", "Sat"], "2026-11-23 12:00").unwrap(),
            "none of its 2 windows is open; the next, `Sat`, opens Sat 00:00 Europe/Paris"
        );
        assert_eq!(
            say(&["Mon 12:00-13:00"], "2026-11-23 12:00").unwrap(),
            "its window `Mon 12:00-13:00` opens Mon 2026-11-30 12:00 Europe/Paris"
        );
    }

    #[test]
    fn what_is_no_window_or_never_opens_is_refused() {
        for text in ["", "20:00-07:00", "Mon 20:00", "Mon-Fry", "Mon 25:00-26:00", "Mon 1:00-2:00 x", "Mon, Tue"] {
            assert!(text.parse::<Window>().unwrap_err().expected.contains("such as"), "{text}");
        }
        let never = "Mon 07:00-07:00".parse::<Window>().unwrap_err().to_string();
        assert_eq!(never, "expected a window that opens, found \"Mon 07:00-07:00\"; it closes when it opens");
        assert_eq!(window("monday-Wednesday  8:00-9:00").to_string(), "monday-Wednesday 8:00-9:00");
    }

    proptest! {
        #[test]
        fn it_is_shut_until_its_next_opening_and_open_then(
            (first, last, opens, closes) in (0u8..7, 0u8..7, 0u32..1440, 0u32..1440),
            now in 1_700_000_000_000i64..1_900_000_000_000,
        ) {
            prop_assume!(opens != closes);
            let day = |day: u8| Weekday::try_from(day).unwrap();
            let time = |minutes| format!("{:02}:{:02}", minutes / 60, minutes % 60);
            let text = format!("{}-{} {}-{}", day(first), day(last), time(opens), time(closes));
            let (window, zone) = (window(&text), Tz::Europe__Paris);
            let opening = window.next_opening(zone, now).unwrap();
            prop_assert!(window.is_open(zone, opening), "{text}");
            // Once a minute, as clocks show it.
            let minutes = (now / 60_000 + 1..opening / 60_000).map(|minute| minute * 60_000);
            for minute in minutes {
                prop_assert!(!window.is_open(zone, minute), "{text} at {minute}");
            }
        }
    }
}

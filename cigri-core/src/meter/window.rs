//! Windows: when jobs may be sent to a cluster, week by week, on its own clocks.

use std::fmt;
use std::str::FromStr;

use chrono::{NaiveTime, Weekday};
use serde::{Deserialize, Serialize};

/// One window: `Mon-Fri 20:00-07:00` opens on these days at 20:00 and closes at the next 07:00; `Sat,Sun` is open all
/// day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    /// Days on which it opens, Monday first.
    pub(crate) days: [bool; 7],
    /// When it opens, and when it closes: the next day if that is not later. `None`: the whole day.
    pub(crate) hours: Option<(NaiveTime, NaiveTime)>,
    text: String,
}

impl FromStr for Window {
    type Err = String;

    /// An error says what was found and what was expected.
    fn from_str(text: &str) -> Result<Window, String> {
        let expected = || format!("\"{text}\" is no window; one looks like \"Mon-Fri 20:00-07:00\" or \"Sat,Sun\"");
        let mut days = [false; 7];
        let mut words = text.split_whitespace();
        for part in words.next().ok_or_else(expected)?.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let day = |name: &str| name.parse::<Weekday>().ok();
            let (first, last) = day(first).zip(day(last)).ok_or_else(expected)?;
            let mut day = first;
            days[day.num_days_from_monday() as usize] = true;
            while day != last {
                day = day.succ();
                days[day.num_days_from_monday() as usize] = true;
            }
        }
        let hours = match words.next() {
            None => None,
            Some(hours) => {
                let time = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").ok();
                let hours = hours.split_once('-').and_then(|(opens, closes)| time(opens).zip(time(closes)));
                Some(hours.ok_or_else(expected)?)
            }
        };
        if hours.is_some_and(|(opens, closes)| opens == closes) {
            return Err(format!("\"{text}\" never opens: it closes when it opens"));
        }
        if words.next().is_some() {
            return Err(expected());
        }
        Ok(Window { days, hours, text: text.to_owned() })
    }
}

impl TryFrom<String> for Window {
    type Error = String;

    fn try_from(text: String) -> Result<Window, String> {
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

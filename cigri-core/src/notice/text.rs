//! The words of a message: what happened, how often, and what can be typed next.

use serde::Serialize;

use crate::event::{Class, Code, Severity};

/// Bytes of an event's own message that are passed on.
const MOST_BYTES: usize = 4000;
/// Topics that one message tells.
const MOST_ITEMS: usize = 50;
/// Bytes of all paragraphs together: Jabber servers refuse much longer messages.
const MOST_TEXT: usize = 30_000;

/// One topic to tell of. Times in epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The event's code.
    pub code: String,
    /// How urgent it is.
    pub severity: Severity,
    /// Campaign concerned.
    pub campaign: Option<i64>,
    /// Cluster concerned.
    pub cluster: Option<String>,
    /// What it is about, in words: `campaign 7 (sweep)`.
    pub title: String,
    /// The last event's own words.
    pub message: String,
    /// What to do about it; empty: nothing is known.
    pub advice: String,
    /// How often it happened since it was told last.
    pub times: i64,
    /// The first of these.
    pub first_at: i64,
    /// The last of these.
    pub last_at: i64,
    /// When it was told last.
    pub told_at: Option<i64>,
}

/// A message to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// One line, in CiGri 3's form.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

/// The first of these topics, as many as one message tells, with what strangers wrote cut short and cleaned.
pub fn fitting(items: &[Item]) -> Vec<Item> {
    let mut left = MOST_TEXT;
    let mut fitting = Vec::new();
    for item in items.iter().take(MOST_ITEMS) {
        let title = one_line(&item.title);
        let (message, advice) = (cut(&clean(&item.message)), cut(&clean(&item.advice)));
        let item = Item { title, message, advice, ..item.clone() };
        let length = paragraph(&item).len();
        if length > left {
            break;
        }
        left -= length;
        fitting.push(item);
    }
    fitting
}

/// Words for topics that are due together.
pub fn compose(items: &[Item]) -> Message {
    let severity = items.iter().map(|item| item.severity).max().unwrap_or(Severity::Low);
    let subject = match items {
        [item] => format!("{}: {}", item.title, item.code),
        _ => format!("{} messages", items.len()),
    };
    let mut text: Vec<String> = fitting(items).iter().map(paragraph).collect();
    let more = items.len() - text.len();
    if more > 0 {
        text.push(format!("And {more} more: `cigri events` shows what happened."));
    }
    text.push(FOOT.to_owned());
    Message { subject: one_line(&format!("[CIGRI] ({}): {subject}", severity.as_str())), text: text.join("\n\n") }
}

const FOOT: &str = "-- \nCiGri. `cigri notify list` shows what you are told and how; `cigri notify mute CAMPAIGN` ends the \
                    messages of one campaign.";

/// What `cigri notify test` sends at a time in epoch seconds, which tells it from the one before.
pub fn test_message(login: &str, at: i64) -> Message {
    let moment = chrono::DateTime::from_timestamp(at, 0).unwrap_or_default().format("%Y-%m-%d %H:%M:%S UTC");
    let text = format!("This is a test of {moment}: notifications for {login} arrive here.\n\n{FOOT}");
    Message { subject: "[CIGRI] (low): test".to_owned(), text }
}

fn paragraph(item: &Item) -> String {
    let place = match (&item.cluster, item.campaign) {
        (Some(cluster), Some(_)) => format!(" on {cluster}"),
        _ => String::new(),
    };
    let head = match item.told_at {
        Some(at) => format!("{} since {}", more(item.times), time(at)),
        None if item.times > 1 => format!("{} from {} on", times(item.times, "time"), time(item.first_at)),
        None => time(item.last_at),
    };
    let Item { title, code, message, advice, .. } = item;
    let advice = if advice.is_empty() { String::new() } else { format!("What to do: {advice}.\n") };
    format!("{title}{place}: {code} ({}; {head})\n{message}\n{advice}{}", item.severity.as_str(), commands(item))
}

fn more(count: i64) -> String {
    format!("{} more {}", number(count), if count == 1 { "time" } else { "times" })
}

/// What to type to see more.
fn commands(item: &Item) -> String {
    let code: Option<Code> = item.code.parse().ok();
    match (item.campaign, code) {
        (None, _) => "See: cigri events; cigri clusters".to_owned(),
        (Some(id), Some(Code::Finished)) => format!("See: cigri status {id}; cigri failures {id}"),
        (Some(id), Some(code)) if code == Code::Walltime || code.class() == Class::Job => {
            format!("See: cigri failures {id}; cigri events {id}; cigri why {id}")
        }
        (Some(id), _) => format!("See: cigri events {id}; cigri why {id}"),
    }
}

fn time(ms: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(ms);
    time.map_or_else(|| "an unknown time".to_owned(), |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
}

/// `1 task`, `39 999 tasks`.
pub(super) fn times(count: i64, what: &str) -> String {
    format!("{} {what}{}", number(count), if count == 1 { "" } else { "s" })
}

/// Digits in groups of three.
pub(super) fn number(value: i64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && text != "-" {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Without what a terminal or a mail reader might obey, or XML cannot hold.
fn clean(text: &str) -> String {
    text.trim().chars().filter(|c| is_text(*c)).map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

fn one_line(text: &str) -> String {
    text.chars().filter(|c| is_text(*c)).map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

/// Whether it is one of XML's characters (XML 1.0, section 2.2), as far as those above the controls go.
fn is_text(c: char) -> bool {
    !matches!(c, '\u{fffe}' | '\u{ffff}')
}

fn cut(text: &str) -> String {
    let mut end = MOST_BYTES.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let rest = if end < text.len() { " [...]" } else { "" };
    format!("{}{rest}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(code: &str, times: i64, told_at: Option<i64>) -> Item {
        Item {
            code: code.to_owned(),
            severity: Severity::High,
            campaign: Some(7),
            cluster: Some("dahu".to_owned()),
            title: "campaign 7 (sweep)".to_owned(),
            message: "the program was not found: check exec_file".to_owned(),
            advice: "install it, then `cigri resume 7`".to_owned(),
            times,
            first_at: 0,
            last_at: 60_000,
            told_at,
        }
    }

    #[test]
    fn a_message_says_what_where_how_often_and_what_to_type() {
        let message = compose(&[item("PROGRAM_MISSING", 1, None)]);
        assert_eq!(message.subject, "[CIGRI] (high): campaign 7 (sweep): PROGRAM_MISSING");
        for words in ["on dahu", "1970-01-01 00:01 UTC", "check exec_file", "cigri events 7", "cigri resume 7"] {
            assert!(message.text.contains(words), "{words}: {}", message.text);
        }
    }

    #[test]
    fn what_to_do_is_the_events_own_advice() {
        let advice = "mend the program, then `cigri retry 7`".to_owned();
        let text = compose(&[Item { advice, ..item("EXIT_ERROR", 1, None) }]).text;
        assert!(text.contains("What to do: mend the program, then `cigri retry 7`.\nSee: cigri failures 7;"), "{text}");
        assert!(!text.contains("resume"), "{text}");
        let text = compose(&[Item { advice: String::new(), campaign: None, ..item("NEW_CODE", 1, None) }]).text;
        assert!(text.contains("exec_file\nSee: cigri events"), "{text}");
    }

    #[test]
    fn tests_are_told_from_each_other() {
        assert_ne!(test_message("alice", 1), test_message("alice", 2));
        assert!(test_message("alice", 61).text.contains("1970-01-01 00:01:01 UTC"));
    }

    #[test]
    fn repetitions_are_counted_since_the_last_message() {
        let text = compose(&[item("EXIT_ERROR", 39_999, Some(0))]).text;
        assert!(text.contains("39 999 more times since 1970-01-01 00:00 UTC"), "{text}");
        let text = compose(&[item("EXIT_ERROR", 40_000, None)]).text;
        assert!(text.contains("40 000 times from 1970-01-01 00:00 UTC on"), "{text}");
    }

    #[test]
    fn many_topics_make_one_message_of_bounded_length() {
        let long = Item { message: "é".repeat(100_000), ..item("EXIT_ERROR", 1, None) };
        let message = compose(&vec![long; 1000]);
        assert_eq!(message.subject, "[CIGRI] (high): 1000 messages");
        assert!(message.text.len() < 31_000 && message.text.contains("And 993 more"), "{}", message.text.len());
        let message = compose(&vec![item("EXIT_ERROR", 1, None); 60]);
        assert!(message.text.contains("And 10 more"));
    }

    #[test]
    fn no_control_character_gets_through() {
        let evil = Item {
            title: "a\r\nBcc: eve".to_owned(),
            message: "\u{1b}[2Jx\0\u{ffff}".to_owned(),
            ..item("A", 1, None)
        };
        let message = compose(&[evil]);
        assert_eq!(message.subject, "[CIGRI] (high): a  Bcc: eve: A");
        assert!(!message.text.contains(['\u{1b}', '\0', '\r', '\u{ffff}']));
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(number), ["0", "999", "1 000", "1 234 567"]);
    }
}

//! Events: things worth telling, with CiGri 3's codes where they exist.

mod code;
mod manual;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use code::{Code, UnknownCode};
pub use manual::with_code_table;

/// How urgent an event is for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For the record.
    Low,
    /// Worth a look.
    Medium,
    /// Needs somebody.
    High,
}

impl Severity {
    /// Every one, the least urgent first.
    pub const ALL: &'static [Severity] = &[Severity::Low, Severity::Medium, Severity::High];

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
        }
    }
}

/// CiGri 3's classes of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// About a cluster.
    Cluster,
    /// About a campaign, as a whole or on a cluster.
    Campaign,
    /// About jobs.
    Job,
    /// For a user to know.
    Notify,
    /// For the admins to know.
    Log,
}

impl Class {
    /// The stored and shown word.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Cluster => "cluster",
            Class::Campaign => "campaign",
            Class::Job => "job",
            Class::Notify => "notify",
            Class::Log => "log",
        }
    }
}

/// How an event ends by itself. One about a campaign ends with the campaign in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// As soon as this is seen.
    Recovery(&'static str),
    /// When it did not happen again for so many hours.
    Quiet(u32),
    /// With its campaign alone.
    CampaignEnd,
    /// It waits for a person, who types this, or closes it.
    Person(&'static str),
}

/// Who may close an event by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closer {
    /// Whose campaign or token it is about, and admins.
    Owner,
    /// Admins alone.
    Admin,
    /// Nobody: closing it would do harm, or nothing.
    Nobody,
}

/// Whom or what an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Campaign concerned, if one.
    pub campaign: Option<i64>,
    /// Cluster concerned, if one.
    pub cluster: Option<String>,
    /// User concerned, if one.
    pub user: Option<String>,
}

impl Scope {
    /// The service itself.
    pub fn service() -> Scope {
        Scope { campaign: None, cluster: None, user: None }
    }

    /// A campaign as a whole.
    pub fn campaign(campaign: i64) -> Scope {
        Scope { campaign: Some(campaign), cluster: None, user: None }
    }

    /// A cluster as a whole.
    pub fn cluster(cluster: &str) -> Scope {
        Scope { campaign: None, cluster: Some(cluster.to_owned()), user: None }
    }

    /// A campaign on a cluster.
    pub fn campaign_on(campaign: i64, cluster: &str) -> Scope {
        Scope { campaign: Some(campaign), ..Scope::cluster(cluster) }
    }

    /// A user on a cluster.
    pub fn user_on(user: &str, cluster: &str) -> Scope {
        Scope { user: Some(user.to_owned()), ..Scope::cluster(cluster) }
    }

    /// The scope as one text, under which repetitions are counted.
    pub fn key(&self) -> String {
        let campaign = self.campaign.map(|id| id.to_string()).unwrap_or_default();
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        format!("{campaign}@{}/{}", part(&self.cluster), part(&self.user))
    }
}

/// An event to be told. The same (scope, code) while still open is counted, not repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Whom it is about.
    pub scope: Scope,
    /// What happened.
    pub code: Code,
    /// In words, with advice.
    pub message: String,
    /// Whether submissions in this scope stop until it is closed.
    pub holds: bool,
    /// How many times it happened just now.
    pub times: i64,
    /// What to do, if there is more to say than the code's own advice.
    pub advice: Option<String>,
    /// The event that led to this one, if it is open.
    pub cause: Option<(Code, Scope)>,
}

impl NewEvent {
    /// Something that happened once and holds nothing.
    pub fn note(scope: Scope, code: Code, message: impl Into<String>) -> NewEvent {
        NewEvent { scope, code, message: message.into(), holds: false, times: 1, advice: None, cause: None }
    }

    /// Something that stops submissions in its scope.
    pub fn hold(scope: Scope, code: Code, message: impl Into<String>) -> NewEvent {
        NewEvent { holds: true, ..NewEvent::note(scope, code, message) }
    }

    /// The same with other advice than its code's.
    pub fn advised(self, advice: impl Into<String>) -> NewEvent {
        NewEvent { advice: Some(advice.into()), ..self }
    }

    /// The same, as a consequence of another event: nothing is noted if that is not open.
    pub fn because(self, code: Code, scope: Scope) -> NewEvent {
        NewEvent { cause: Some((code, scope)), ..self }
    }

    /// What to do about it.
    pub fn advice(&self) -> String {
        self.advice.clone().unwrap_or_else(|| self.code.advice(&self.scope))
    }
}

/// One event per scope and code, which counts; of several messages the first is kept.
pub fn merge(events: impl IntoIterator<Item = NewEvent>) -> Vec<NewEvent> {
    let mut merged: BTreeMap<(String, &str), NewEvent> = BTreeMap::new();
    for event in events {
        let key = (event.scope.key(), event.code.as_str());
        let count = |known: &mut NewEvent| {
            known.times += event.times;
            known.holds |= event.holds;
        };
        merged.entry(key).and_modify(count).or_insert(event);
    }
    merged.into_values().collect()
}

impl Code {
    /// What to do about it, in one sentence with the command to type.
    pub fn advice(self, scope: &Scope) -> String {
        fill(self.raw_advice(), scope)
    }

    /// How it ends by itself, for a person: the end of a sentence that begins with "closes".
    pub fn ending(self, scope: &Scope) -> String {
        let by_itself = match self.closing() {
            Closing::Recovery(when) => format!("by itself when {when}"),
            Closing::Quiet(1) => "by itself when it did not happen for an hour".to_owned(),
            Closing::Quiet(hours) => format!("by itself when it did not happen for {hours} hours"),
            Closing::CampaignEnd => "when the campaign ends".to_owned(),
            Closing::Person(command) => format!("with `{command}`"),
        };
        fill(&by_itself, scope)
    }

    /// How urgent it is after so many times.
    pub fn severity_after(self, times: i64) -> Severity {
        let risen = self.rises().filter(|(at, _)| times >= *at);
        risen.map_or(self.severity(), |(_, severity)| severity)
    }
}

fn fill(text: &str, scope: &Scope) -> String {
    let campaign = scope.campaign.map_or_else(|| "ID".to_owned(), |id| id.to_string());
    let cluster = scope.cluster.as_deref().unwrap_or("CLUSTER");
    text.replace("{campaign}", &campaign).replace("{cluster}", cluster)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_word_of_its_own_and_is_found_by_it() {
        for code in Code::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
        assert_eq!(
            "NOTHING".parse::<Code>().unwrap_err().to_string().split(':').next(),
            Some("`NOTHING` is no code of an event")
        );
    }

    #[test]
    fn every_code_says_how_it_ends_and_what_to_do() {
        for code in Code::ALL {
            let scope = Scope { campaign: Some(7), ..Scope::user_on("alice", "dahu") };
            let (ending, advice) = (code.ending(&scope), code.advice(&scope));
            assert!(advice.len() > 15 && !advice.contains('{'), "{code:?}: {advice}");
            assert!(ending.len() > 10 && !ending.contains('{'), "{code:?}: {ending}");
            // Nobody is left with an event that neither ends by itself nor by a command.
            let by_command = matches!(code.closing(), Closing::Person(command) if command.starts_with("cigri "));
            let by_itself = !matches!(code.closing(), Closing::Person(_) | Closing::Quiet(0));
            assert!(by_command || by_itself, "{code:?}");
        }
    }

    #[test]
    fn what_goes_on_for_long_is_more_urgent() {
        assert_eq!(Code::ApiFailure.severity_after(29), Severity::Medium);
        assert_eq!(Code::ApiFailure.severity_after(30), Severity::High);
        assert!(Code::ALL.iter().all(|code| code.rises().is_none_or(|(at, to)| at > 1 && to > code.severity())));
    }

    #[test]
    fn a_hundred_thousand_failures_are_a_dozen_events_that_count() {
        let codes = [Code::ExitError, Code::Walltime, Code::ClusterTrouble, Code::PersonKill];
        let failure = |n: usize| {
            let scope = Scope::campaign_on(7, ["dahu", "luke", "bigfoot"][n / 4 % 3]);
            NewEvent::note(scope, codes[n % 4], format!("task {n}"))
        };
        let merged = merge((0..100_000).map(failure));
        assert_eq!(merged.len(), 12);
        assert_eq!(merged.iter().map(|event| event.times).sum::<i64>(), 100_000);
        assert!(merged.iter().all(|event| event.times >= 8_332));
    }

    #[test]
    fn a_hold_among_notes_still_holds() {
        let scope = || Scope::user_on("alice", "dahu");
        let note = NewEvent::note(scope(), Code::TokenNotFound, "no token");
        let merged = merge([note.clone(), NewEvent::hold(scope(), Code::TokenNotFound, "none")]);
        assert_eq!(merged, [NewEvent { holds: true, times: 2, ..note }]);
    }
}

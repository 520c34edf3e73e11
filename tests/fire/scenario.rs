//! The trials that CiGri 3 was put to, and what it made of them (as measured by this project's reference).

use std::time::Duration;

use crate::ask::Ask;
use crate::bench::Tasks;
use crate::proxy::{Fault, Side, Weather};

/// What is done to the server or the cluster.
#[derive(Clone, Copy)]
pub(crate) enum Trial {
    /// The server is killed so often while such a request is held, and started again after a pause.
    Kills { times: usize, at: (Ask, Side), pause: Duration },
    /// The weather from before the first request, or from mid-campaign.
    Outage { from: From, weather: Weather, seconds: Seconds },
    /// Connections are refused.
    Refusal { from: From, seconds: Seconds },
    /// Best-effort kills, at a rate.
    BestEffort(f64),
    /// Somebody deletes running jobs on the cluster.
    DeletedByHand(usize),
}

/// When an outage begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// Before anything is asked.
    Beginning,
    /// When the first POST was sent, which is lost in it.
    FirstPost,
    /// When a fifth of the tasks have started.
    MidCampaign,
}

/// Length of an outage in the short and in the long set.
#[derive(Clone, Copy)]
pub(crate) struct Seconds {
    pub(crate) short: u64,
    pub(crate) long: u64,
}

const MINUTE: Seconds = Seconds { short: 10, long: 60 };

/// One row of the table.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// CiGri 3's number for it.
    pub(crate) name: &'static str,
    /// In words.
    pub(crate) what: &'static str,
    /// What happens.
    pub(crate) trial: Trial,
    /// Number of tasks.
    pub(crate) params: u64,
    /// Requests of which the first answered one shows that work goes on.
    pub(crate) back: &'static [Ask],
    /// Outcome, executed, recorded: CiGri 3's.
    pub(crate) cigri3: [&'static str; 3],
}

impl Scenario {
    /// What its tasks do: an outage from mid-campaign must find tasks that are not sent yet.
    pub(crate) fn tasks(&self) -> Tasks {
        let sleep = match self.trial {
            Trial::BestEffort(_) | Trial::Kills { .. } => 0.2,
            Trial::DeletedByHand(_) => 1.0,
            Trial::Outage { .. } | Trial::Refusal { .. } => 0.5,
        };
        Tasks { count: self.params, sleep, failing: u64::MAX }
    }
}

fn failing(_: Ask) -> Option<Fault> {
    Some(Fault::Fail)
}

fn frozen(_: Ask) -> Option<Fault> {
    Some(Fault::Freeze)
}

fn hanging(_: Ask) -> Option<Fault> {
    Some(Fault::Hang)
}

fn late_posts(ask: Ask) -> Option<Fault> {
    ask.is_post().then_some(Fault::Late(Duration::from_secs(8)))
}

fn lost_posts(ask: Ask) -> Option<Fault> {
    ask.is_post().then_some(Fault::LoseAnswer(Duration::from_secs(5)))
}

fn failing_reads(ask: Ask) -> Option<Fault> {
    ask.is_read().then_some(Fault::Fail)
}

fn failing_posts(ask: Ask) -> Option<Fault> {
    ask.is_post().then_some(Fault::Fail)
}

const SENT: &[Ask] = &[Ask::Array];
const LISTED: &[Ask] = &[Ask::Listing, Ask::Array];

/// The trials in which CiGri 3 was killed.
pub(crate) fn kills() -> Vec<Scenario> {
    let kills = |times, at, pause| Trial::Kills { times, at, pause: Duration::from_secs(pause) };
    vec![
        Scenario {
            name: "R1a",
            what: "`kill -9` three times, 1 s after a POST was received, which is carried out",
            trial: kills(3, (Ask::Array, Side::Answer), 0),
            params: 60,
            back: LISTED,
            cigri3: ["terminated", "52 / 8 / 0", "60 / 0 / 0"],
        },
        Scenario {
            name: "R1b",
            what: "the same twice, started again 3 s later",
            trial: kills(2, (Ask::Array, Side::Answer), 3),
            params: 60,
            back: LISTED,
            cigri3: ["terminated", "50 / 10 / 0", "60 / 0 / 0"],
        },
        Scenario {
            name: "R1c",
            what: "`kill -9` three times between the POST's answer and the array's listing",
            trial: kills(3, (Ask::Adoption, Side::Request), 0),
            params: 60,
            back: LISTED,
            cigri3: ["stalled for ever", "60 / 0 / 0", "48 / 0 / 12"],
        },
    ]
}

/// The outages that the first POST falls into.
pub(crate) fn first_posts() -> Vec<Scenario> {
    let outage = |from, weather, seconds| Trial::Outage { from, weather, seconds };
    let stalled = |after| ["stalled for ever", "0 / 0 / 80", after];
    let posts = Seconds { short: 10, long: 40 };
    let row = |name, what, trial, cigri3| Scenario { name, what, trial, params: 80, back: SENT, cigri3 };
    let late = ["stalled for ever", "after fix 72 / 8 / 0", "22 / 0 / 58"];
    vec![
        row("R2a", "500 to everything", outage(From::FirstPost, failing, MINUTE), stalled("0 / 0 / 80")),
        row(
            "R2b",
            "connections refused",
            Trial::Refusal { from: From::FirstPost, seconds: MINUTE },
            ["terminated", "80 / 0 / 0", "80 / 0 / 0"],
        ),
        row("R2c", "no answer until the end, then all", outage(From::FirstPost, frozen, MINUTE), stalled("0 / 0 / 80")),
        row(
            "R2c'",
            "no answer, connections cut at the end",
            outage(From::FirstPost, hanging, MINUTE),
            stalled("0 / 0 / 80"),
        ),
        row("R2d", "POSTs answered 8 s late", outage(From::Beginning, late_posts, posts), late),
        row("R2d'", "POSTs carried out, cut after 5 s", outage(From::Beginning, lost_posts, posts), late),
    ]
}

/// The outages of a campaign that is on its way.
pub(crate) fn outages() -> Vec<Scenario> {
    let outage = |weather| Trial::Outage { from: From::MidCampaign, weather, seconds: MINUTE };
    let row = |name, what, trial, back, cigri3| Scenario { name, what, trial, params: 60, back, cigri3 };
    vec![
        row(
            "R5a",
            "mid-campaign, GETs answer 500",
            outage(failing_reads),
            LISTED,
            ["stalled for ever", "13 / 0 / 47, after fix 47 / 13 / 0", "0 / 0 / 60, after fix 47 / 13 / 0"],
        ),
        row(
            "R5b",
            "mid-campaign, POSTs answer 500",
            outage(failing_posts),
            SENT,
            ["stalled for ever", "after fix 60 / 0 / 0", "after fix 60 / 0 / 0"],
        ),
        row(
            "R5c",
            "mid-campaign, connections refused",
            Trial::Refusal { from: From::MidCampaign, seconds: MINUTE },
            LISTED,
            ["terminated", "60 / 0 / 0", "60 / 0 / 0"],
        ),
    ]
}

/// Jobs that the cluster or a person kills.
pub(crate) fn killed_jobs() -> Vec<Scenario> {
    let row = |name, what, trial, params| {
        let cigri3 = match params {
            150 => ["terminated", "150 / 0 / 0", "150 / 0 / 0"],
            _ => ["terminated", "80 / 0 / 0", "80 / 0 / 0"],
        };
        Scenario { name, what, trial, params, back: &[], cigri3 }
    };
    vec![
        row("R3a", "30 % of jobs killed for others", Trial::BestEffort(0.3), 80),
        row("R3c", "5 jobs deleted on the cluster", Trial::DeletedByHand(5), 80),
        row("R4", "15 % of 150 jobs killed for others", Trial::BestEffort(0.15), 150),
    ]
}

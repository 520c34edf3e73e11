//! Each term of the meter binds once, through the real server and a cluster behind a port: what its owner is then told,
//! and what can be done about it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cigri_core::meter::Term;
use cigri_store::{NewCampaign, Store, TokenRow};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::bed::{Oar, Server, campaign};
use crate::troubled::Troubled;

/// Scenarios at one time: each has a server and a cluster.
const AT_ONCE: usize = 6;
/// The slowest are made of half a minute's waiting.
const LIMIT: Duration = Duration::from_secs(120);

/// How a term comes to bind.
struct Scenario {
    term: Term,
    /// More keys of the cluster's table.
    limits: String,
    /// More settings of the server.
    settings: String,
    /// What else the campaign asks for.
    asks: Value,
    /// How many tasks it has, and what each does.
    tasks: (u64, &'static str),
    trouble: Trouble,
    /// A part of the sentence.
    says: &'static str,
    /// A part of the remedy.
    remedy: &'static str,
}

/// What goes wrong around it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Nothing,
    /// Its owner has no token there.
    NoToken,
    /// Another user's campaign wants the same.
    AnotherUser,
    /// Another campaign of the same user came first.
    BehindAnother,
    /// The cluster's database is made anew once a campaign ran there.
    Reset,
    /// Arrays get lost.
    LostArrays,
    /// The same where gates do not work.
    LostWithoutGates,
    /// The cluster takes its time to answer.
    Slow,
    /// It takes very long, once jobs are there.
    Stuck,
    /// Somebody's normal jobs fill it, and another waits.
    Crowded,
}

/// A term that binds by what the admin, or the campaign, asks for.
fn asked(term: Term, limits: &str, asks: Value, (says, remedy): (&'static str, &'static str)) -> Scenario {
    Scenario {
        term,
        limits: limits.to_owned(),
        settings: String::new(),
        asks,
        tasks: (50, "sleep 600"),
        trouble: Trouble::Nothing,
        says,
        remedy,
    }
}

fn limited(term: Term, limits: &str, says: (&'static str, &'static str)) -> Scenario {
    asked(term, limits, json!({}), says)
}

fn troubled(term: Term, trouble: Trouble, says: (&'static str, &'static str)) -> Scenario {
    Scenario { trouble, ..limited(term, "", says) }
}

/// A window that is shut for the next hours, whenever this runs: the day after tomorrow's.
fn shut_window() -> String {
    let day = chrono::Utc::now() + chrono::Days::new(2);
    format!("windows = [\"{} 10:00-11:00\"]", day.format("%a"))
}

/// A calendar whose night is hours away.
fn daylight() -> String {
    let hour = |ahead| (chrono::Utc::now() + chrono::TimeDelta::hours(ahead)).format("%H:00").to_string();
    format!("[clusters.dahu.calendar]\ntime_zone = \"UTC\"\nnights = \"{}-{}\"\nweek_ends = false", hour(8), hour(9))
}

/// A server that prints a number to whoever asks, as long as the process lives.
fn sensor(load: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/load", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            let request = BufReader::new(&stream).lines().map_while(Result::ok);
            request.take_while(|line| !line.is_empty()).for_each(drop);
            let length = load.len();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{load}").ok();
        }
    });
    url
}

fn of_admins() -> Vec<Scenario> {
    vec![
        limited(
            Term::Mode,
            "mode = \"drained\"\nnote = \"moving house\"",
            ("the cluster is drained: moving house", "an admin opens it again: `cigri admin cluster undrain dahu`"),
        ),
        limited(Term::Window, &shut_window(), ("its window `", "cigri admin cluster set dahu --window ")),
        limited(Term::WaitingCap, "max_waiting = 3", ("waiting jobs 3/3 (admin's cap)", "set dahu --max-waiting N")),
        limited(
            Term::RunningCap,
            "max_running = 3",
            ("live jobs 3/3 (admin's cap on running jobs", "set dahu --max-running N"),
        ),
        limited(
            Term::CycleCap,
            "max_per_cycle = 2",
            (
                "/2 jobs sent within 1 s (admin's cap)",
                "an admin allows more than 2: `cigri admin cluster set dahu --max",
            ),
        ),
        limited(Term::ArraySize, "max_array = 1", ("at most 1 job per submission", "set dahu --max-array N")),
        limited(
            Term::Backlog,
            "",
            (
                "of our jobs wait there, 10 are enough until some have started",
                "wait: the more of them start, the more are sent",
            ),
        ),
        limited(
            Term::UserQuota,
            "user_quotas = { \"*\" = 1 }",
            (" has 1 of 1 live job there", "cigri admin cluster set dahu --user-quota "),
        ),
        Scenario {
            settings: format!("[groups]\nchemists = [{:?}]\n", login()),
            ..limited(
                Term::GroupQuota,
                "group_quotas = { chemists = 1 }",
                ("group chemists has 1 of 1 live job there", "set dahu --group-quota chemists=N"),
            )
        },
        asked(
            Term::ProjectQuota,
            "project_quotas = { chem = 1 }",
            json!({"project": "chem"}),
            ("project chem has 1 of 1 live job there", "set dahu --project-quota chem=N"),
        ),
    ]
}

/// Of readings, and of the budget.
fn of_readings() -> Vec<Scenario> {
    vec![
        Scenario {
            trouble: Trouble::Slow,
            ..limited(
                Term::Requests,
                "busy = 0.1",
                (
                    "our budget of 10 % of the time there is used up",
                    "`--busy X`: the one that is named): `cigri admin cluster set dahu --requests-per-s X`",
                ),
            )
        },
        limited(
            Term::Stress,
            "stress = { reference = 1e-6 }",
            ("the cluster is under stress: ", "set dahu --stress-reference X"),
        ),
        limited(
            Term::FileServer,
            &format!("file_server = {{ sensor = {:?}, reference = 6 }}", sensor("50")),
            ("the file server's load is 50.0, 6.0 is its limit: ", "set dahu --file-server reference=X"),
        ),
        Scenario {
            trouble: Trouble::Crowded,
            ..limited(
                Term::GiveWay,
                "give_way = { after_s = 0 }",
                ("a normal job of others waits there for over 0 s: ours give way", "set dahu --give-way none"),
            )
        },
        troubled(
            Term::Stale,
            Trouble::Stuck,
            ("what is known of the cluster is ", "`cigri events 1` says if its API fails"),
        ),
    ]
}

fn of_campaigns() -> Vec<Scenario> {
    vec![
        // Slow enough to be seen before the task is sent.
        Scenario { tasks: (1, "true"), ..troubled(Term::Pending, Trouble::Slow, ("1 task waits", "")) },
        Scenario {
            tasks: (1, "false"),
            ..asked(
                Term::Delayed,
                "",
                json!({"retries": {"exit": {"most": 3, "delay_s": 600}}}),
                ("1 task waits for its next try, at ", "they failed before, and are tried again"),
            )
        },
        asked(
            Term::Calendar,
            &daylight(),
            json!({"type": "nightly"}),
            ("nightly: dahu's night begins at ", "wait: by its own file it runs at night there"),
        ),
        asked(
            Term::Hold,
            "",
            json!({"resources": "/core=99"}),
            ("dahu refuses the jobs: ", "its owner says `cigri resume 1`"),
        ),
        asked(
            Term::Prologue,
            "",
            json!({"prologue": ["sleep 600"]}),
            ("its prologue is there since ", "wait: its tasks follow when that job has ended"),
        ),
        Scenario {
            tasks: (1, "true"),
            ..asked(
                Term::Epilogue,
                "",
                json!({"epilogue": ["sleep 600"]}),
                ("its epilogue is there since ", "wait: its tasks follow"),
            )
        },
        asked(
            Term::TestMode,
            "",
            json!({"test_mode": "true"}),
            ("its sample of 1 was sent there", "wait: the others follow when the sample has ended well"),
        ),
        asked(
            Term::MaxJobs,
            "",
            json!({"max_jobs": 1}),
            ("1 of max_jobs 1 is live there", "a campaign file with a `max_jobs` above 1 may have more"),
        ),
        troubled(
            Term::Token,
            Trouble::NoToken,
            ("has no token for dahu: add one with `cigri token add dahu`", "its owner does that; who has no account"),
        ),
    ]
}

fn of_others() -> Vec<Scenario> {
    vec![
        troubled(
            Term::Breaker,
            Trouble::LostArrays,
            ("submissions in a row got no usable answer", "wait: it is tried again without anybody's help"),
        ),
        Scenario {
            tasks: (600, "false"),
            ..limited(
                Term::Breaker,
                "law = { name = \"fixed\", waiting = 100 }",
                (
                    "of the campaign's last 50 jobs there failed (exit 1): one job tries again in",
                    "wait: one job after another tries without anybody's help",
                ),
            )
        },
        troubled(
            Term::Doubt,
            Trouble::LostWithoutGates,
            ("a submission is in doubt and being looked up", "wait: what became of it is found out"),
        ),
        Scenario {
            tasks: (1, "true"),
            ..troubled(
                Term::ClusterHold,
                Trouble::Reset,
                ("event ", "after a reset: `cigri admin accept-reset dahu --jobs lost`"),
            )
        },
        Scenario {
            tasks: (500, "sleep 0.2"),
            ..troubled(
                Term::Share,
                Trouble::AnotherUser,
                ("'s share among 2 users is ", "cigri admin cluster set dahu --weight "),
            )
        },
        Scenario {
            trouble: Trouble::BehindAnother,
            ..limited(
                Term::Behind,
                "law = { name = \"tap-3\" }",
                (
                    "campaign 1 is served first: the cluster's law serves one campaign in a round",
                    "set dahu --law adaptive",
                ),
            )
        },
    ]
}

fn scenarios() -> Vec<Scenario> {
    // The slow ones first.
    [of_readings(), of_others(), of_admins(), of_campaigns()].into_iter().flatten().collect()
}

fn login() -> String {
    let uid = nix::unistd::getuid();
    nix::unistd::User::from_uid(uid).unwrap().unwrap().name
}

#[test]
fn no_term_is_without_a_scenario() {
    let known: Vec<Term> = scenarios().iter().map(|scenario| scenario.term).collect();
    let missing: Vec<&str> = Term::ALL.iter().filter(|term| !known.contains(term)).map(|term| term.as_str()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_term_binds_and_says_why_and_what_can_be_done() {
    let runs = scenarios().into_iter().map(|scenario| async move {
        let term = scenario.term.as_str();
        let task = tokio::spawn(async move { run(&scenario).await });
        let outcome = task.await.unwrap_or_else(|panic| Err(panic.to_string()));
        outcome.map_err(|problem| format!("{term}: {problem}")).err()
    });
    let problems: Vec<Option<String>> = futures_util::stream::iter(runs).buffer_unordered(AT_ONCE).collect().await;
    let problems: Vec<String> = problems.into_iter().flatten().collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Sets the scene, and looks until the term binds as it should.
async fn run(scenario: &Scenario) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let mut oar = Oar::start(folder.path());
    let way = Arc::new(Troubled::before(&oar.url));
    let place = oar.url.trim_start_matches("http://").to_owned();
    oar.url.clone_from(&way.url);
    match scenario.trouble {
        Trouble::LostArrays => way.lose_arrays(),
        Trouble::Slow => way.slow_down(Duration::from_secs(1)),
        Trouble::LostWithoutGates => {
            way.ignore_gates();
            way.lose_arrays();
        }
        _ => {}
    }
    if scenario.trouble == Trouble::Crowded {
        crowd(&oar).await;
    }
    let server = Server::start_limited(folder.path(), &oar, (&scenario.settings, &scenario.limits)).await;
    let mut id = submit(&server, folder.path(), scenario).await;
    if scenario.trouble == Trouble::BehindAnother {
        id = submit(&server, folder.path(), scenario).await;
    }
    if scenario.trouble != Trouble::NoToken {
        let (status, answer) = server.post("/tokens", &json!({"cluster": "dahu", "token": oar.token})).await;
        assert_eq!(status, 201, "{answer}");
    }
    if scenario.trouble == Trouble::AnotherUser {
        let folder = folder.path().to_owned();
        tokio::task::spawn_blocking(move || add_another_user(&folder)).await.unwrap();
    }
    if scenario.trouble == Trouble::Reset {
        server.wait_for(&id, "state", &json!("terminated")).await;
        drop(oar);
        way.cut();
        oar = Oar::start_on(&folder.path().join("anew"), TcpListener::bind(&place).unwrap());
        id = submit(&server, folder.path(), scenario).await;
    }
    if scenario.trouble == Trouble::Stuck {
        server.until(&format!("/campaigns/{id}"), LIMIT, |campaign| campaign["running"] == 2).await;
        // A round looks twice at least: that is more than half a minute, and less than an answer may take.
        way.slow_down(Duration::from_secs(17));
    }
    let outcome = look(&server, &id, scenario).await;
    drop(oar);
    outcome
}

/// One normal job takes the whole cluster, the next waits for it. Who sent them is not asked: they are not ours.
async fn crowd(oar: &Oar) {
    let job = json!({"command": "sleep 600", "resource": ["/core=2,walltime=1:00:00"]});
    for _ in 0..2 {
        let request = reqwest::Client::new().post(format!("{}/jobs", oar.url)).bearer_auth(&oar.token).json(&job);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }
}

/// A campaign of a user who is not here to send it, with a token that serves as well.
fn add_another_user(folder: &Path) {
    let store = Store::open_sqlite(&folder.join("data/cigri.sqlite"), "").unwrap();
    let token = store.cluster_tokens("dahu").unwrap().remove(0);
    store.put_token(&TokenRow { owner: "another".to_owned(), ..token }).unwrap();
    // Jobs of one kind share a queue.
    let spec = store.campaign(1).unwrap().spec;
    let new = NewCampaign { owner: "another", spec: &spec, jdl: "{}", origin: None };
    let now = chrono::Utc::now().timestamp_millis();
    let id = store.begin_campaign(&new, now).unwrap();
    store.open_campaign(id, 500, true).unwrap();
}

async fn submit(server: &Server, folder: &Path, scenario: &Scenario) -> Value {
    let (count, script) = scenario.tasks;
    let mut jdl = campaign(folder, count, script);
    for (key, value) in scenario.asks.as_object().unwrap() {
        jdl[key] = value.clone();
    }
    let (status, answer) = server.post("/campaigns", &jdl).await;
    assert_eq!(status, 201, "{answer}");
    answer["id"].clone()
}

async fn look(server: &Server, id: &Value, scenario: &Scenario) -> Result<(), String> {
    let deadline = Instant::now() + LIMIT;
    let mut seen = Vec::new();
    while Instant::now() < deadline {
        let why = server.get(&format!("/campaigns/{id}/why")).await;
        let item = why["items"].get(0).cloned().unwrap_or_default();
        let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
        if text("bound_by") == scenario.term.as_str() && text("reason").contains(scenario.says) {
            let remedy = text("remedy");
            let serves = remedy.contains(scenario.remedy);
            return if serves { Ok(()) } else { Err(format!("{remedy:?} instead of {:?}", scenario.remedy)) };
        }
        if seen.last() != Some(&item) {
            seen.push(item);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(format!("never said {:?}, but {}", scenario.says, json!(seen)))
}

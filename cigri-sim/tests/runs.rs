//! Whole runs: what comes again, what must not depend on how it is computed, and what the laws are measured by.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use cigri_core::meter::GiveWay;
use cigri_sim::load::swf;
use cigri_sim::{LawSettings, Outcome, Run, Scenario, Traces};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn example(name: &str) -> (Scenario, Traces) {
    let folder = repository().join("examples/scenarios");
    let text = std::fs::read_to_string(folder.join(format!("{name}.toml"))).unwrap();
    let scenario = Scenario::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let trace = |file: &str| swf::parse(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap();
    let traces = scenario.traces().map(|file| (file.to_owned(), trace(file))).collect();
    (scenario, traces)
}

fn play((scenario, traces): &(Scenario, Traces), seed: u64, law: Option<&LawSettings>) -> Outcome {
    cigri_sim::run(Run { scenario, traces, seed, law, steered: true })
}

fn all_names() -> Vec<String> {
    let entries = std::fs::read_dir(repository().join("examples/scenarios")).unwrap();
    let files = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    files.filter_map(|file| Some(file.strip_suffix(".toml")?.to_owned())).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let square = example("square-wave");
    let bytes = |seed| serde_json::to_string(&play(&square, seed, None)).unwrap();
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

#[test]
fn every_task_is_done_once_whatever_is_killed_or_fails() {
    for name in ["square-wave", "black-hole", "outages", "two-campaigns"] {
        let outcome = play(&example(name), 1, None);
        assert!(outcome.finished, "{name}");
        assert!(outcome.campaigns.iter().all(|campaign| campaign.done == campaign.tasks), "{name}");
        let sent: u64 = outcome.clusters.iter().map(|cluster| cluster.jobs).sum();
        let tasks: u64 = outcome.campaigns.iter().map(|campaign| campaign.tasks).sum();
        let failed = if name == "black-hole" { outcome.clusters[1].jobs } else { 0 };
        assert_eq!(sent, tasks + outcome.kills + failed, "{name}");
    }
}

#[test]
fn all_laws_do_the_same_work_and_caps_hold() {
    let free = example("free-100-uniform");
    let most = free.0.clusters[0].resolved.max_waiting;
    for (text, least) in [("adaptive", 0.95), ("tap-3", 0.94), ("tap-paper", 0.5), ("fixed", 0.9)] {
        let law: LawSettings = serde_json::from_value(serde_json::json!({ "name": text })).unwrap();
        let outcome = play(&free, 1, Some(&law));
        let work = outcome.utilisation * outcome.free_core_h;
        // 5 000 tasks of 240 s are 333 core-hours; the last 100 run while nothing is left to send.
        assert!((315.0..335.0).contains(&work), "{text}: {work}");
        assert!(outcome.waiting_p95 <= most && outcome.utilisation > least, "{text}: {outcome:?}");
    }
}

#[test]
fn with_slow_rounds_the_adaptive_law_uses_more_than_any_tap_and_far_more_where_caps_leave_it_to_the_law() {
    let cases = [
        ("round-30-100", 0.08),
        ("round-60-100", 0.15),
        ("round-30-3000", 0.0),
        ("round-60-3000", 0.0),
        ("round-30-3000-narrow-cycle", 0.15),
        ("round-60-3000-narrow-cycle", 0.15),
        ("round-30-3000-wide-caps", 0.0),
        ("round-60-3000-wide-caps", 0.15),
    ];
    for (name, gain) in cases {
        let slow = example(name);
        let taps = [100, 300, 500, 1000, 1500].map(|max| {
            let law: LawSettings = serde_json::from_value(serde_json::json!({ "name": "tap-3", "max": max })).unwrap();
            play(&slow, 1, Some(&law)).utilisation
        });
        let (adaptive, best) = (play(&slow, 1, None).utilisation, taps.into_iter().fold(0.0, f64::max));
        assert!(adaptive > best + gain, "{name}: {adaptive} against {best}");
    }
}

#[test]
fn normal_jobs_wait_at_most_one_round_longer_with_us() {
    let outcome = play(&example("square-wave"), 1, None);
    let normal = outcome.normal.unwrap();
    let (mean, p95) = normal.rounds_worse();
    assert!(normal.jobs > 0 && mean > 0.0 && mean <= 1.0 && p95 <= 1.0, "{normal:?}");
}

#[test]
fn giving_way_leaves_no_place_to_be_cleared_and_costs_slots() {
    let mut busy = example("trace-busy");
    let never = play(&busy, 1, None);
    busy.0.clusters[0].resolved.give_way = Some(GiveWay { after_s: 60, ..GiveWay::default() });
    let always = play(&busy, 1, None);
    assert!(always.kills * 10 < never.kills * 9, "{} kills instead of {}", always.kills, never.kills);
    assert!(always.waiting_mean < never.waiting_mean && always.utilisation < never.utilisation);
    assert!(always.finished && always.campaigns[0].done == 20_000, "all of it is done all the same");
}

#[test]
fn every_example_is_a_scenario_of_its_file_s_name_and_is_in_the_document() {
    let document = std::fs::read_to_string(repository().join("docs/METERING.md")).unwrap();
    for name in all_names() {
        assert_eq!(example(&name).0.name, name);
        assert!(document.contains(&format!("| {name} |")), "docs/METERING.md lacks {name}");
        assert!(document.contains(&format!("\n### {name}\n")), "docs/METERING.md lacks the table of {name}");
    }
}

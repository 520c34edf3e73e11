//! What is said of campaigns, cluster by cluster and as a whole.

use std::collections::BTreeMap;

use super::*;

fn campaign(state: CampaignState) -> Campaign {
    Campaign {
        id: 7,
        name: "sweep".into(),
        user: "alice".into(),
        state,
        submission_time: 0,
        finish_time: None,
        total_jobs: 5000,
        parameter_names: Vec::new(),
        pending: 4200,
        live: 60,
        running: 20,
        done: 740,
        failed: 0,
        cancelled: 0,
        kills: 0,
        clusters: BTreeMap::new(),
        stalled: false,
        sample: None,
        endless: None,
        origin: None,
    }
}

fn decided(cluster: &str, terms: Vec<Bound>) -> DecisionRow {
    let bound = terms.iter().min_by_key(|bound| bound.allowed).unwrap();
    DecisionRow {
        campaign_id: 7,
        cluster: cluster.into(),
        decided_at: 0,
        allowed: bound.allowed as i64,
        bound_by: bound.term().as_str().into(),
        reason: bound.reason.to_string(),
        terms,
        inputs: serde_json::json!({}),
    }
}

fn found(campaign: Campaign, decisions: Vec<DecisionRow>) -> Found {
    let clusters = vec!["bigfoot".to_owned(), "dahu".to_owned()];
    let (failures, history) = (Vec::new(), Vec::new());
    Found { campaign, clusters, decisions, failures, task: None, history, now: 3_600_000 }
}

fn known() -> Vec<String> {
    vec!["bigfoot".to_owned(), "dahu".to_owned()]
}

fn failure(cluster: &str) -> EventRow {
    EventRow {
        id: 31,
        code: Code::ApiFailure.as_str().into(),
        severity: "medium".into(),
        scope: String::new(),
        campaign_id: None,
        cluster: Some(cluster.into()),
        owner: None,
        message: "connection refused\nand more".into(),
        holds: false,
        occurrences: 3,
        opened_at: 2_880_000,
        last_at: 2_880_000,
        ..EventRow::default()
    }
}

#[test]
fn each_cluster_has_its_numbers_its_reason_and_the_remedy() {
    let pending = Bound::new(4200, Reason::Pending { tasks: 4200 });
    let dahu = decided("dahu", vec![pending.clone(), Bound::none(Reason::WaitingCap { waiting: 60, most: 60 })]);
    let hold = Bound::none(Reason::Hold { text: "event 31: exit_code: no such file".into() });
    let why = answer(
        found(campaign(CampaignState::InTreatment), vec![decided("bigfoot", vec![hold]), dahu]),
        &known(),
        false,
    );
    assert_eq!((why.summary, why.total), (None, 2));
    let told: Vec<_> = why.items.iter().map(|item| (item.allowed, item.of, item.bound_by.as_str())).collect();
    assert_eq!(told, [(0, 4200, "hold"), (0, 4200, "waiting_cap")]);
    assert_eq!(why.items[1].reason, "waiting jobs 60/60 (admin's cap)");
    let remedy = why.items[1].remedy.as_deref().unwrap();
    assert!(remedy.contains("`cigri admin cluster set dahu --max-waiting N`"), "{remedy}");
    assert!(why.items[0].remedy.as_deref().unwrap().contains("`cigri resume 7`"), "its own number");
    let terms: Vec<_> = why.items[1].terms.iter().map(|term| (term.term.as_str(), term.allowed)).collect();
    assert_eq!(terms, [("pending", 4200), ("waiting_cap", 0)]);
}

#[test]
fn a_decision_that_no_round_confirms_any_more_says_how_old_it_is_and_why() {
    let row = decided("dahu", vec![Bound::new(3, Reason::ArraySize { most: 3 })]);
    let failing = Found {
        failures: vec![failure("dahu"), failure("bigfoot")],
        ..found(campaign(CampaignState::InTreatment), vec![row])
    };
    let why = answer(failing, &known(), false);
    assert_eq!(
        (why.items[0].bound_by.as_str(), why.items[0].reason.as_str()),
        ("no_round", "rounds there have failed for 12 min (event 31): connection refused",)
    );
    assert_eq!(
        why.items[1].outdated.as_deref(),
        Some("this was decided 60 min ago, and rounds there have failed for 12 min (event 31): connection refused")
    );
}

#[test]
fn clusters_that_are_gone_are_told() {
    let row = decided("dahu", vec![Bound::new(3, Reason::ArraySize { most: 3 })]);
    let why = answer(found(campaign(CampaignState::InTreatment), vec![row]), &[], false);
    assert!(why.items.iter().all(|item| item.bound_by == "cluster_gone" && item.remedy.is_some()));
}

#[test]
fn a_campaign_that_sends_nothing_any_more_gets_a_sentence() {
    let row = || decided("dahu", vec![Bound::none(Reason::WaitingCap { waiting: 60, most: 60 })]);
    let told = |campaign: Campaign| {
        let why = answer(found(campaign, vec![row()]), &known(), false);
        assert!(why.items.is_empty(), "what rounds decided is past");
        why.summary.unwrap()
    };
    assert_eq!(told(campaign(CampaignState::Paused)), "campaign 7 is paused: `cigri resume 7` goes on with it");
    assert_eq!(
        told(Campaign { failed: 2, done: 4998, ..campaign(CampaignState::Terminated) }),
        "campaign 7 has ended: 4998 done, 2 failed; `cigri retry 7` tries these again"
    );
    assert_eq!(told(campaign(CampaignState::Cancelled)), "campaign 7 is cancelled: 60 jobs of it still to be ended");
    assert_eq!(
        told(Campaign { pending: 0, ..campaign(CampaignState::InTreatment) }),
        "all that is left of campaign 7 is sent: 20 running, 40 not started yet"
    );
    let sample = Campaign { sample: Some("2 of 2 tasks".into()), ..campaign(CampaignState::Paused) };
    let why = answer(found(sample, vec![row()]), &known(), false);
    assert_eq!((why.summary, why.items[1].reason.as_str()), (None, "2 of 2 tasks"));
}

#[test]
fn earlier_decisions_tell_what_they_were_made_from() {
    let at = |pending: u64| DecisionRow {
        inputs: serde_json::json!({"cluster": {"waiting": 60}, "campaign": {"pending": pending}}),
        ..decided("dahu", vec![Bound::none(Reason::WaitingCap { waiting: 60, most: 60 })])
    };
    let rows = vec![at(5000), at(0)];
    let why =
        answer(Found { history: rows, ..found(campaign(CampaignState::InTreatment), vec![at(4700)]) }, &known(), false);
    let of: Vec<u64> = why.history.iter().map(|one| one.of).collect();
    assert_eq!((of, why.items[1].of), (vec![5000, 0], 4700), "the numbers of then, not of today");
    assert_eq!(why.history[0].inputs["cluster"]["waiting"], 60);
    assert!(why.items[0].inputs.is_null(), "no round was held there");
}

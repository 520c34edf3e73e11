//! What the meter keeps: limits changed at run time with their audit, decisions, usage; on every database.

use std::collections::BTreeMap;

use cigri_core::event::{Code, Scope};
use cigri_core::meter::{Bound, ClusterLimits, Mode, Reason};
use cigri_core::state::{JobState, SubmissionState};
use cigri_store::{ClusterRow, DecisionRow, Store, StoreError};
use serde_json::json;

use super::databases::Fresh;
use super::fixture::*;

fn configured(store: &Store, max_waiting: u64) {
    let limits = ClusterLimits { max_waiting, ..ClusterLimits::default() };
    store.put_cluster(&ClusterRow { limits, ..cluster("dahu") }).unwrap();
}

pub(super) fn limits_changed_at_run_time_outlive_the_configuration(database: &Fresh) {
    let store = database.store();
    configured(&store, 500);
    let patch = json!({"max_waiting": 60, "mode": "drained", "note": "repair", "user_quotas": {"alice": 200}});
    let now = store.change_cluster("dahu", &patch, "root", 5000).unwrap();
    assert_eq!((now.max_waiting, now.mode, now.user_quotas["alice"]), (60, Mode::Drained, 200));
    configured(&store, 400);
    assert_eq!(store.cluster_limits("dahu").unwrap(), now, "a start of the server changes nothing of it");
    assert_eq!(store.list_clusters().unwrap()[0].limits, now);
    let back = store.change_cluster("dahu", &json!({"max_waiting": null, "mode": null}), "root", 6000).unwrap();
    assert_eq!((back.max_waiting, back.mode), (400, Mode::Open), "as the configuration says");
    let settings = store.cluster_settings("dahu").unwrap();
    assert_eq!(settings.changes, json!({"note": "repair", "user_quotas": {"alice": 200}}));
    assert_eq!((settings.configured.note.as_str(), settings.effective), ("", back));
    assert_eq!(settings.problems, []);
}

pub(super) fn a_change_that_is_wrong_changes_nothing(database: &Fresh) {
    let store = database.store();
    configured(&store, 500);
    for wrong in [json!({"max_waitin": 3}), json!({"max_waiting": -1}), json!({"windows": ["never"]}), json!([1])] {
        let error = store.change_cluster("dahu", &wrong, "root", 5000).unwrap_err();
        assert!(matches!(&error, StoreError::Conflict(_)), "{wrong}: {error}");
    }
    assert_eq!(store.cluster_settings("dahu").unwrap().changes, json!({}));
    assert_eq!(store.audit(None, 10, None).unwrap(), []);
    assert!(matches!(store.change_cluster("luke", &json!({}), "root", 1), Err(StoreError::Missing(_))));
    assert!(matches!(store.cluster_limits("luke"), Err(StoreError::Missing(_))));
}

pub(super) fn who_changed_limits_is_written_down(database: &Fresh) {
    let store = database.store();
    configured(&store, 500);
    store.put_cluster(&cluster("luke")).unwrap();
    store.change_cluster("dahu", &json!({"max_waiting": 60}), "root", 5000).unwrap();
    store.change_cluster("dahu", &json!({"max_waiting": 60}), "eve", 5500).unwrap();
    store.change_cluster("luke", &json!({"mode": "disabled"}), "al\0ice", 6000).unwrap();
    store.change_cluster("dahu", &json!({"max_waiting": null}), "bob", 7000).unwrap();
    let rows = store.audit(Some("dahu"), 10, None).unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.at, row.who.as_str(), &row.before, &row.after)).collect();
    let (more, less) = (json!({"max_waiting": 500}), json!({"max_waiting": 60}));
    assert_eq!(told, [(7000, "bob", &less, &more), (5000, "root", &more, &less)], "what changed nothing is not told");
    let all = store.audit(None, 2, None).unwrap();
    assert_eq!(all.iter().map(|row| row.at).collect::<Vec<_>>(), [7000, 6000]);
    let before = store.audit(None, 2, Some(all[1].id)).unwrap();
    assert_eq!(before.iter().map(|row| row.at).collect::<Vec<_>>(), [5000]);
}

pub(super) fn what_the_configuration_says_anyway_is_not_kept(database: &Fresh) {
    let store = database.store();
    configured(&store, 500);
    store
        .change_cluster("dahu", &json!({"mode": "drained", "note": "repair", "max_waiting": 500}), "root", 5000)
        .unwrap();
    assert_eq!(store.cluster_settings("dahu").unwrap().changes, json!({"mode": "drained", "note": "repair"}));
    store.change_cluster("dahu", &json!({"mode": "open", "note": ""}), "root", 6000).unwrap();
    assert_eq!(store.cluster_settings("dahu").unwrap().changes, json!({}));
    configured(&store, 400);
    assert_eq!(store.cluster_limits("dahu").unwrap().max_waiting, 400, "nobody asked for another number");
    let error = store.change_cluster("dahu", &json!({"max_array": 0}), "root", 7000).unwrap_err();
    assert!(error.to_string().contains("max_array: expected a whole number from 1"), "{error}");
}

pub(super) fn changes_that_fit_no_more_are_told_and_left_out_alone(database: &Fresh) {
    let (store, scope) = (database.store(), Scope::cluster("dahu"));
    configured(&store, 500);
    let changes = json!({"mode": "drained", "note": "repair", "law": {"ahead": 3}, "user_quotas": {"alice": 7}});
    store.change_cluster("dahu", &changes, "root", 5000).unwrap();
    assert_eq!(
        (store.tell_unfit("dahu", 5500).unwrap(), store.find_message(Code::LimitsUnfit, &scope).unwrap()),
        (vec![], None)
    );
    let limits = ClusterLimits { law: serde_json::from_value(json!("tap-3")).unwrap(), ..ClusterLimits::default() };
    store.put_cluster(&ClusterRow { limits, ..cluster("dahu") }).unwrap();
    let settings = store.cluster_settings("dahu").unwrap();
    let effective = &settings.effective;
    assert_eq!((effective.mode, effective.note.as_str(), effective.law.name()), (Mode::Drained, "repair", "tap-3"));
    assert_eq!((effective.user_quotas["alice"], &settings.changes["law"]), (7, &json!(null)));
    assert_eq!(settings.problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(), ["law.ahead"]);
    assert_eq!(store.list_clusters().unwrap()[0].limits.mode, Mode::Drained);
    assert_eq!(store.tell_unfit("dahu", 6000).unwrap().len(), 1);
    let told = store.find_message(Code::LimitsUnfit, &scope).unwrap().unwrap();
    assert!(told.contains("\nlaw.ahead: expected one of"), "{told}");
    let now = store.change_cluster("dahu", &json!({"max_waiting": 9}), "root", 7000).unwrap();
    assert_eq!((now.max_waiting, now.mode), (9, Mode::Drained), "what does not fit is in the way of nothing");
    assert_eq!(store.find_message(Code::LimitsUnfit, &scope).unwrap(), None);
    assert_eq!(store.cluster_settings("dahu").unwrap().problems, []);
}

pub(super) fn stored_limits_that_cannot_be_read_are_told(database: &Fresh) {
    let store = database.store();
    configured(&store, 500);
    database.execute("UPDATE cluster SET limits = '{\"max_live\": 3}', changes = 'x'").unwrap();
    let settings = store.cluster_settings("dahu").unwrap();
    assert_eq!((&settings.configured, settings.problems.len()), (&ClusterLimits::default(), 2));
    assert_eq!(store.list_clusters().unwrap().len(), 1);
}

fn decision(campaign_id: i64, cluster: &str, at: i64) -> DecisionRow {
    DecisionRow {
        campaign_id,
        cluster: cluster.to_owned(),
        decided_at: at,
        allowed: at % 7,
        bound_by: "waiting_cap".to_owned(),
        reason: format!("waiting jobs {at}/60\0"),
        terms: vec![
            Bound::new(3, Reason::Stress { load: 0.25, most: 0.8 }),
            Bound::none(Reason::Hold { text: "it's \"on\" hold".to_owned() }),
        ],
        inputs: json!({"waiting": at, "targets": {"/core=1": 40}}),
    }
}

fn moments(rows: &[DecisionRow]) -> Vec<i64> {
    rows.iter().map(|row| row.decided_at).collect()
}

pub(super) fn the_last_decision_and_those_before_are_kept_with_their_terms(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu", "luke"], &["a"]);
    store.record_decisions(&[]).unwrap();
    store.record_decisions(&[decision(id, "dahu", 10)]).unwrap();
    store.record_decisions(&[decision(id, "luke", 20)]).unwrap();
    store.record_decisions(&[decision(id, "dahu", 30)]).unwrap();
    let last = store.decisions(id).unwrap();
    let stored = |row: DecisionRow| DecisionRow { reason: row.reason.replace('\0', "\u{fffd}"), ..row };
    assert_eq!(last, [stored(decision(id, "dahu", 30)), stored(decision(id, "luke", 20))]);
    assert_eq!(moments(&store.decision_history(id, None, 2).unwrap()), [30, 20]);
    let dahu = store.decision_history(id, Some("dahu"), 10).unwrap();
    assert_eq!(dahu, [stored(decision(id, "dahu", 30)), stored(decision(id, "dahu", 10))]);
    store.refresh_decisions(&[]).unwrap();
    store.refresh_decisions(&[decision(id, "dahu", 40)]).unwrap();
    assert_eq!(moments(&store.decisions(id).unwrap()), [40, 20]);
    assert_eq!(moments(&store.decision_history(id, None, 10).unwrap()), [30, 20, 10], "its numbers alone changed");
    store.record_decisions(&[decision(id, "dahu", 50)]).unwrap();
    assert_eq!(moments(&store.decision_history(id, Some("dahu"), 10).unwrap()), [50, 30, 10]);
    database.execute("UPDATE decision SET terms = '[{\"allowed\":1,\"reason\":{\"term\":\"of_old\"}}]'").unwrap();
    assert_eq!(store.decisions(id).unwrap()[0].terms, [], "another version's terms");
}

pub(super) fn old_decisions_go_little_by_little_those_of_ended_campaigns_too(database: &Fresh) {
    let store = database.store();
    let many: Vec<i64> = (0..350).map(|_| campaign(&store, &["dahu"], &["a"])).collect();
    for at in 1..=4 {
        let rows: Vec<DecisionRow> = many.iter().map(|id| decision(*id, "dahu", at)).collect();
        store.record_decisions(&rows).unwrap();
    }
    let (ended, left) = (many[0], many[349]);
    let submission = submit(&store, ended, "dahu", 1);
    finish(&store, &submission, &[JobState::Done]);
    assert_eq!(store.prune_decisions(1).unwrap(), 0);
    assert_eq!([(); 3].map(|()| store.prune_decisions(4).unwrap()), [1000, 50, 0]);
    assert_eq!(moments(&store.decision_history(left, None, 10).unwrap()), [4]);
    assert_eq!(store.decisions(ended).unwrap().len(), 1, "it had not ended by then");
    assert_eq!([(); 2].map(|()| store.prune_decisions(7000).unwrap()), [351, 0]);
    assert_eq!((store.decisions(ended).unwrap().len(), store.decisions(left).unwrap().len()), (0, 1));
}

pub(super) fn usage_follows_the_live_jobs_of_users_with_a_half_life(database: &Fresh) {
    let store = database.store();
    let live = |jobs: &[(&str, u64)]| jobs.iter().map(|(owner, jobs)| ((*owner).to_owned(), *jobs)).collect();
    let charge = |jobs: &[(&str, u64)], at: i64| {
        store.charge("dahu", &live(jobs), at, 60.0).unwrap();
        store.usage("dahu").unwrap()
    };
    let of = |usage: &[(&str, f64)]| -> BTreeMap<String, f64> {
        usage.iter().map(|(owner, jobs)| ((*owner).to_owned(), *jobs)).collect()
    };
    assert_eq!(charge(&[("alice", 100), ("nobody", 0)], 0), of(&[("alice", 0.0)]), "it begins now");
    assert_eq!(charge(&[("alice", 100)], 60_000), of(&[("alice", 50.0)]));
    assert_eq!(charge(&[("alice", 100), ("bob", 8)], 120_000), of(&[("alice", 75.0), ("bob", 0.0)]));
    assert_eq!(charge(&[("bob", 8)], 180_000), of(&[("alice", 37.5), ("bob", 4.0)]));
    assert_eq!(charge(&[("bob", 8)], 1_000), of(&[("alice", 37.5), ("bob", 4.0)]), "the clock went back");
    assert_eq!(charge(&[], 1_000 + 60_000 * 10).len(), 1, "bob's 4 became less than a hundredth");
    assert!(store.usage("luke").unwrap().is_empty());
    assert_eq!(store.round_view("dahu").unwrap().usage, store.usage("dahu").unwrap());
    let crowd: BTreeMap<String, u64> = (0..450).map(|user| (format!("user{user}"), 1)).collect();
    store.charge("luke", &crowd, 1, 60.0).unwrap();
    assert_eq!(store.usage("luke").unwrap().len(), 450);
}

pub(super) fn submissions_that_come_to_nothing_are_counted_until_one_arrives(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu", "luke"], &["a", "b"]);
    let luck = |name: &str| {
        let view = store.round_view(name).unwrap();
        (view.campaigns[0].abandoned, view.campaigns[0].unanswered)
    };
    let give_up = |to: SubmissionState, reason: &str, at: i64| {
        let (lost, _) = intend(&store, id, "dahu", 1).unwrap();
        store.give_up(lost.id, to, reason, at).unwrap();
    };
    assert_eq!(luck("dahu"), ((0, 0), 0));
    give_up(SubmissionState::Abandoned, "lost", 3000);
    give_up(SubmissionState::Abandoned, "lost", 4000);
    assert_eq!((luck("dahu"), luck("luke")), (((2, 4000), 2), ((0, 0), 0)));
    give_up(SubmissionState::Refused, cigri_core::ledger::GATE_LOST, 5000);
    assert_eq!(luck("dahu"), ((0, 5000), 3));
    give_up(SubmissionState::Refused, "no such queue", 6000);
    assert_eq!(luck("dahu"), ((0, 0), 0), "it answers");
    give_up(SubmissionState::Abandoned, "lost", 7000);
    submit(&store, id, "dahu", 1);
    assert_eq!(luck("dahu"), ((0, 0), 0), "one arrived");
}

pub(super) fn live_jobs_are_told_by_campaign_and_shape_whatever_their_campaign_does(database: &Fresh) {
    let store = database.store();
    let mut spec = spec(&["dahu"]);
    let settings = spec.clusters.get_mut("dahu").unwrap();
    (settings.resources, settings.project) = ("/nodes=2".to_owned(), Some("sea".to_owned()));
    let new = cigri_store::NewCampaign { owner: "bob", spec: &spec, jdl: "{}", origin: None };
    let wide = store.begin_campaign(&new, 1000).unwrap();
    store.open_campaign(wide, 3, true).unwrap();
    let plain = campaign(&store, &["dahu", "luke"], &["a", "b"]);
    let bobs = cigri_store::NewSubmission { owner: "bob", ..new_submission(wide, "dahu", 3) };
    let (submission, _) = store.intend(&bobs, |id| format!("cigri.test.{id}"), 2000).unwrap().unwrap();
    let submission = adopt(&store, &submission);
    let live = store.live_jobs(submission.id).unwrap();
    store.record_look(&submission, &look(1, 0, &[live[0].id], &[]), 3500).unwrap();
    submit(&store, plain, "dahu", 2);
    store.cancel_campaign(wide, 5000).unwrap();
    let told = || {
        let view = store.round_view("dahu").unwrap();
        assert_eq!((view.live(), view.waiting()), (5, 4));
        let row = |here: &cigri_store::Here| {
            (here.campaign, here.owner.clone(), here.project.clone(), here.shape.clone(), here.waiting, here.running)
        };
        view.here.iter().map(row).collect::<Vec<_>>()
    };
    let expected = [
        (wide, "bob".to_owned(), Some("sea".to_owned()), spec.clusters["dahu"].shape(), 2, 1),
        (plain, "alice".to_owned(), None, super::fixture::spec(&["dahu"]).clusters["dahu"].shape(), 2, 0),
    ];
    assert_eq!(told(), expected);
    database.execute("UPDATE submission SET shape = NULL, project = NULL").unwrap();
    assert_eq!(told(), expected, "from what the campaign asks for");
    assert!(store.round_view("luke").unwrap().here.is_empty());
}

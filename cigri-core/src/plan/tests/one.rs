//! CiGri 3's way: one campaign in a round, and the order of all.

use super::*;
use crate::meter::law::Tap3Settings;

fn tap_limits() -> ClusterLimits {
    limits(|limits| limits.law = LawSettings::Tap3(Tap3Settings::default()))
}

/// A meter that saw jobs of these campaigns wait since a second.
fn waited(limits: &ClusterLimits, campaigns: &[i64], second: i64) -> Metering {
    let mut metering = Metering::default();
    for now in [0, second * 1000] {
        let seen = Sighting { waiting: 1, ..Sighting::default() };
        metering.look(now, campaigns.iter().map(|id| (Key::Campaign(*id), seen)).collect(), limits);
    }
    metering
}

fn of_four() -> [CampaignView; 4] {
    [campaign(1, "alice", 99), campaign(2, "bob", 99), campaign(3, "bob", 99), campaign(4, "carol", 99)]
}

#[test]
fn the_first_campaign_is_served_and_the_others_are_behind_it() {
    let limits = tap_limits();
    let plan = super::super::plan(&ClusterView { limits: &limits, ..cluster() }, &of_four());
    assert_eq!(given(&plan.decisions), BTreeMap::from([(1, 3), (2, 0), (3, 0), (4, 0)]));
    assert_eq!(summary(&plan.decisions)[1].2, Term::Behind);
    assert!(reason(&plan.decisions, 4).starts_with("campaign 1 is served first"));
    assert_eq!(plan.starved, BTreeMap::new(), "nobody's turn is due");
}

#[test]
fn a_tap_that_closed_lately_holds_all_behind_it_and_later_the_next_open_one_is_served() {
    let limits = tap_limits();
    let served = |second| {
        let metering = waited(&limits, &[1], second);
        plan(&ClusterView { limits: &limits, metering: &metering, ..cluster() }, &of_four())
    };
    let held = served(59);
    assert_eq!(given(&held), BTreeMap::from([(1, 0), (2, 0), (3, 0), (4, 0)]));
    let terms: Vec<Term> = summary(&held).into_iter().map(|(.., term)| term).collect();
    assert_eq!(terms, [Term::Backlog, Term::Behind, Term::Behind, Term::Behind]);
    let later = served(60);
    assert_eq!(given(&later), BTreeMap::from([(1, 0), (2, 3), (3, 0), (4, 0)]));
    let terms: Vec<Term> = summary(&later).into_iter().map(|(.., term)| term).collect();
    assert_eq!(terms, [Term::Backlog, Term::Backlog, Term::Behind, Term::Behind]);
}

#[test]
fn while_all_taps_are_closed_each_campaign_waits_for_its_own() {
    let limits = tap_limits();
    let metering = waited(&limits, &[1, 2, 3, 4], 60);
    let plan = plan(&ClusterView { limits: &limits, metering: &metering, ..cluster() }, &of_four());
    assert!(summary(&plan).iter().all(|(_, jobs, term)| (*jobs, *term) == (0, Term::Backlog)), "{plan:?}");
}

#[test]
fn who_can_take_nothing_holds_nobody_back() {
    let limits = limits(|limits| {
        limits.law = LawSettings::Tap3(Tap3Settings::default());
        limits.user_quotas = BTreeMap::from([("bob".to_owned(), 0)]);
    });
    let metering = waited(&limits, &[1, 2], 15);
    let [first, second, third, fourth] = of_four();
    let held = CampaignView { hold: Some("event 3".into()), ..first };
    let campaigns = [held, second, third, fourth];
    let plan = plan(&ClusterView { limits: &limits, metering: &metering, ..cluster() }, &campaigns);
    assert_eq!(given(&plan), BTreeMap::from([(1, 0), (2, 0), (3, 0), (4, 3)]));
}

#[test]
fn a_priority_counts_among_its_owners_campaigns_and_a_weight_before_others() {
    let first = |limits: &ClusterLimits| {
        let [first, second, third, fourth] = of_four();
        let third = CampaignView { priority: 7, ..third };
        let fourth = CampaignView { priority: 100, ..fourth };
        let plan = plan(&ClusterView { limits, ..cluster() }, &[fourth, third, second, first]);
        plan.iter().find(|decision| decision.allowance.allowed > 0).unwrap().campaign
    };
    let mut limits = tap_limits();
    assert_eq!(first(&limits), 1, "the oldest owner's, whatever priority others give theirs");
    limits.weights.insert("alice".to_owned(), 0.5);
    assert_eq!(first(&limits), 3, "bob's are older than carol's, and this is the one that he wants first");
    limits.weights.insert("carol".to_owned(), 2.0);
    assert_eq!(first(&limits), 4);
}

//! The plan's rules, one by one.

use super::*;

mod one;

use crate::meter::law::{AdaptiveSettings, Key, LawSettings};
use crate::meter::{Sighting, Term};
use std::sync::LazyLock;

static LIMITS: LazyLock<ClusterLimits> = LazyLock::new(|| ClusterLimits {
    max_waiting: 60,
    max_running: 100,
    max_array: 50,
    law: LawSettings::Adaptive(AdaptiveSettings { initial: 40, ..AdaptiveSettings::default() }),
    ..ClusterLimits::default()
});
static METERING: LazyLock<Metering> = LazyLock::new(Metering::default);
static GROUPS: BTreeMap<String, Vec<String>> = BTreeMap::new();

fn cluster() -> ClusterView<'static> {
    ClusterView {
        now: 0,
        limits: &LIMITS,
        metering: &METERING,
        waiting: 0,
        live: 0,
        live_of_user: BTreeMap::new(),
        live_of_project: BTreeMap::new(),
        groups: &GROUPS,
        usage: BTreeMap::new(),
        starved: BTreeMap::new(),
        hold: None,
        readings: Vec::new(),
    }
}

fn campaign(id: i64, owner: &str, pending: u64) -> CampaignView {
    CampaignView {
        id,
        owner: owner.into(),
        shape: "/core=1".into(),
        project: None,
        priority: 0,
        turn: Turn::Tasks,
        pending,
        tasks_at_once: 1,
        live_here: 0,
        max_jobs: None,
        hold: None,
        token_problem: None,
        in_doubt: 0,
        calendar: None,
        breaker: None,
    }
}

/// The decisions of a round.
fn plan(cluster: &ClusterView<'_>, campaigns: &[CampaignView]) -> Vec<Decision> {
    super::plan(cluster, campaigns).decisions
}

fn summary(decisions: &[Decision]) -> Vec<(i64, u64, Term)> {
    decisions.iter().map(|d| (d.campaign, d.allowance.allowed, d.allowance.binding().term())).collect()
}

#[test]
fn a_lone_campaign_gets_the_backlog() {
    assert_eq!(summary(&plan(&cluster(), &[campaign(1, "alice", 1000)])), [(1, 40, Term::Backlog)]);
    assert_eq!(summary(&plan(&cluster(), &[campaign(1, "alice", 7)])), [(1, 7, Term::Pending)]);
}

#[test]
fn tasks_that_run_side_by_side_need_fewer_jobs() {
    let wide = CampaignView { tasks_at_once: 4, ..campaign(1, "alice", 30) };
    assert_eq!(summary(&plan(&cluster(), &[wide])), [(1, 8, Term::Pending)]);
}

#[test]
fn campaigns_share_a_round_and_leave_what_they_do_not_need() {
    let campaigns = [campaign(1, "alice", 1000), campaign(2, "bob", 1000)];
    assert_eq!(summary(&plan(&cluster(), &campaigns)), [(1, 20, Term::Share), (2, 20, Term::Share)]);
    let campaigns = [campaign(1, "alice", 5), campaign(2, "bob", 1000)];
    assert_eq!(summary(&plan(&cluster(), &campaigns)), [(1, 5, Term::Pending), (2, 35, Term::Backlog)]);
}

#[test]
fn the_user_with_fewer_live_jobs_goes_first() {
    let busy = ClusterView { live_of_user: BTreeMap::from([("alice".to_owned(), 30)]), ..cluster() };
    let decisions = plan(&busy, &[campaign(1, "alice", 1000), campaign(2, "bob", 1000)]);
    assert_eq!(decisions[0].campaign, 2);
}

#[test]
fn caps_bind_with_their_numbers() {
    let full = ClusterView { waiting: 60, live: 70, ..cluster() };
    let decisions = plan(&full, &[campaign(1, "alice", 10)]);
    assert_eq!(summary(&decisions), [(1, 0, Term::WaitingCap)]);
    assert_eq!(decisions[0].allowance.binding().reason.to_string(), "waiting jobs 60/60 (admin's cap)");
    let busy = CampaignView { live_here: 8, max_jobs: Some(10), ..campaign(1, "alice", 10) };
    assert_eq!(summary(&plan(&cluster(), &[busy])), [(1, 2, Term::MaxJobs)]);
}

#[test]
fn a_campaign_whose_submissions_were_lost_tries_with_one_job() {
    let breaker = |allowed| Some(Bound::new(allowed, Reason::Breaker { failures: 3, left_s: 0, jobs: None }));
    let unlucky = CampaignView { breaker: breaker(1), ..campaign(1, "alice", 100) };
    assert_eq!(summary(&plan(&cluster(), &[unlucky])), [(1, 1, Term::Breaker)]);
    let broken = CampaignView { breaker: breaker(0), ..campaign(1, "alice", 100) };
    assert_eq!(
        summary(&plan(&cluster(), &[broken, campaign(2, "bob", 5)])),
        [(1, 0, Term::Breaker), (2, 5, Term::Pending)]
    );
}

#[test]
fn a_blocked_campaign_keeps_its_reason_and_takes_no_share() {
    let held = CampaignView { hold: Some("event 31".into()), ..campaign(1, "alice", 10) };
    let doubtful = CampaignView { in_doubt: 1, ..campaign(2, "alice", 10) };
    let nightly = CampaignView { calendar: Some("its night begins at 20:00".into()), ..campaign(5, "dave", 10) };
    let tokenless = CampaignView { token_problem: Some("expired".into()), ..campaign(3, "carol", 10) };
    let decisions = plan(&cluster(), &[held, doubtful, tokenless, campaign(4, "bob", 1000), nightly]);
    assert_eq!(
        summary(&decisions),
        [(1, 0, Term::Hold), (2, 0, Term::Doubt), (3, 0, Term::Token), (4, 40, Term::Backlog), (5, 0, Term::Calendar)]
    );
}

#[test]
fn steps_and_samples_go_first_whatever_waits_and_take_no_share() {
    let mut metering = Metering::default();
    let waiting = Sighting { waiting: 40, ..Sighting::default() };
    metering.look(0, BTreeMap::from([(Key::Shape("/core=1".into()), waiting)]), &LIMITS);
    let live_of_user = BTreeMap::from([("alice".to_owned(), 30)]);
    let quiet = ClusterView { live_of_user, ..cluster() };
    let full = ClusterView { waiting: 40, live: 50, metering: &metering, ..quiet.clone() };
    let prologue = CampaignView { turn: Turn::Prologue, live_here: 30, ..campaign(2, "alice", 1000) };
    let epilogue = CampaignView { turn: Turn::Epilogue, ..campaign(3, "carol", 0) };
    let sample = CampaignView { turn: Turn::Sample(4), ..campaign(4, "dave", 1000) };
    let all = [campaign(1, "bob", 1000), prologue, epilogue, sample];
    let decisions = plan(&full, &all);
    let expected = [(3, 1, Term::Epilogue), (4, 4, Term::TestMode), (2, 1, Term::Prologue), (1, 0, Term::Backlog)];
    assert_eq!(summary(&decisions), expected);
    let roles: Vec<Role> = decisions.iter().map(|decision| decision.role).collect();
    assert_eq!(roles, [Role::Epilogue, Role::Test, Role::Prologue, Role::Tasks]);
    let quiet = plan(&quiet, &all);
    assert_eq!(summary(&quiet)[3], (1, 34, Term::Backlog), "all that six leave, for it alone shares");
}

#[test]
fn caps_holds_and_max_jobs_bind_steps_and_samples_too() {
    let turned = |turn| CampaignView { turn, ..campaign(1, "alice", 10) };
    let full = ClusterView { waiting: 59, ..cluster() };
    let two = [turned(Turn::Prologue), CampaignView { id: 2, ..turned(Turn::Prologue) }];
    assert_eq!(summary(&plan(&full, &two)), [(1, 1, Term::Prologue), (2, 0, Term::WaitingCap)]);
    let held = CampaignView { hold: Some("event 3".into()), ..turned(Turn::Epilogue) };
    assert_eq!(summary(&plan(&cluster(), &[held])), [(1, 0, Term::Hold)]);
    let busy = CampaignView { live_here: 1, max_jobs: Some(2), ..turned(Turn::Sample(5)) };
    assert_eq!(summary(&plan(&cluster(), &[busy])), [(1, 1, Term::MaxJobs)]);
    assert_eq!(summary(&plan(&cluster(), &[turned(Turn::Sample(20))])), [(1, 10, Term::Pending)]);
}

#[test]
fn who_waits_for_a_step_keeps_its_reason_and_takes_no_share() {
    let reason = Bound::none(Reason::Prologue { text: "its prologue is there".to_owned() });
    let waits = CampaignView { turn: Turn::Wait(reason), ..campaign(1, "alice", 10) };
    let decisions = plan(&cluster(), &[waits, campaign(2, "bob", 1000)]);
    assert_eq!(summary(&decisions), [(1, 0, Term::Prologue), (2, 40, Term::Backlog)]);
}

fn limits(change: impl FnOnce(&mut ClusterLimits)) -> ClusterLimits {
    let mut limits = LIMITS.clone();
    change(&mut limits);
    limits
}

fn given(plan: &[Decision]) -> BTreeMap<i64, u64> {
    plan.iter().map(|decision| (decision.campaign, decision.allowance.allowed)).collect()
}

fn reason(plan: &[Decision], campaign: i64) -> String {
    let decision = plan.iter().find(|decision| decision.campaign == campaign).unwrap();
    decision.allowance.binding().reason.to_string()
}

#[test]
fn a_users_campaigns_go_by_priority_equals_share_and_what_one_cannot_take_goes_to_the_next() {
    let of_alice = |id, priority, max_jobs| CampaignView { priority, max_jobs, ..campaign(id, "alice", 1000) };
    let campaigns = [of_alice(1, 0, None), of_alice(2, 0, None), of_alice(3, 5, Some(6)), of_alice(4, -1, None)];
    let plan = plan(&cluster(), &campaigns);
    let expected = [(3, 6, Term::MaxJobs), (1, 17, Term::Share), (2, 17, Term::Backlog), (4, 0, Term::Backlog)];
    assert_eq!(summary(&plan), expected);
}

#[test]
fn a_short_campaign_does_not_wait_for_the_end_of_its_owners_long_one() {
    let long = CampaignView { live_here: 30, ..campaign(1, "alice", 1_000_000) };
    let plan = plan(&cluster(), &[long, campaign(2, "alice", 20)]);
    assert_eq!(given(&plan), BTreeMap::from([(1, 20), (2, 20)]));
    assert_eq!(
        reason(&plan, 1),
        "the round's 40 jobs go to all of alice's campaigns: that with the fewest live jobs is first"
    );
}

#[test]
fn a_priority_moves_nobody_before_other_users() {
    let urgent = CampaignView { priority: 100, ..campaign(2, "bob", 1000) };
    assert_eq!(given(&plan(&cluster(), &[campaign(1, "alice", 1000), urgent])), BTreeMap::from([(1, 20), (2, 20)]));
}

#[test]
fn a_shape_whose_backlog_is_full_does_not_keep_others_of_the_user_back() {
    let mut metering = Metering::default();
    let waiting = Sighting { waiting: 40, ..Sighting::default() };
    metering.look(0, BTreeMap::from([(Key::Shape("/core=1".into()), waiting)]), &LIMITS);
    let cluster = ClusterView { metering: &metering, waiting: 40, live: 40, ..cluster() };
    let wide = CampaignView { shape: "/nodes=1".into(), ..campaign(2, "alice", 1000) };
    let plan = plan(&cluster, &[campaign(1, "alice", 1000), wide]);
    assert_eq!(summary(&plan), [(1, 0, Term::Backlog), (2, 20, Term::WaitingCap)]);
    assert_eq!(reason(&plan, 1), "40 of our jobs wait there, 40 are enough until some have started");
}

#[test]
fn who_had_more_gets_less_until_all_stand_level() {
    let live_of_user = BTreeMap::from([("alice".to_owned(), 10)]);
    let busy = ClusterView { live_of_user, live: 10, ..cluster() };
    let both = [campaign(1, "alice", 1000), campaign(2, "bob", 1000)];
    let plan = plan(&busy, &both);
    assert_eq!(summary(&plan), [(2, 25, Term::Share), (1, 15, Term::Share)]);
    assert_eq!(
        reason(&plan, 1),
        "alice's share among 2 users is 15 of the round's 40 jobs: alice stands at 10.0, live and lately, the others at \
         0.0 on average"
    );
    let usage = BTreeMap::from([("alice".to_owned(), 300.0)]);
    let lately = ClusterView { usage, ..cluster() };
    assert_eq!(given(&super::plan(&lately, &both).decisions), BTreeMap::from([(1, 0), (2, 40)]));
}

#[test]
fn weights_multiply_a_share_and_weight_0_gets_what_others_leave() {
    let weights =
        limits(|limits| limits.weights = BTreeMap::from([("alice".to_owned(), 3.0), ("eve".to_owned(), 0.0)]));
    let cluster = ClusterView { limits: &weights, ..cluster() };
    let three = |bobs| [campaign(1, "alice", 1000), campaign(2, "bob", bobs), campaign(3, "eve", 1000)];
    assert_eq!(given(&plan(&cluster, &three(1000))), BTreeMap::from([(1, 30), (2, 10), (3, 0)]));
    let held = CampaignView { hold: Some("event 1".into()), ..campaign(1, "alice", 1000) };
    assert_eq!(given(&plan(&cluster, &[held, campaign(2, "bob", 12), campaign(3, "eve", 1000)]))[&3], 28);
    assert!(reason(&plan(&cluster, &three(1000)), 3).ends_with("; with weight 0 a user gets what others leave"));
}

#[test]
fn a_small_weight_gets_no_more_than_its_share() {
    let small = limits(|limits| {
        limits.weights = BTreeMap::from([("alice".to_owned(), 0.01)]);
        limits.law = LawSettings::Fixed(crate::meter::law::FixedSettings { waiting: 1000 });
        (limits.max_waiting, limits.max_running, limits.max_array) = (1000, 1000, 1000);
    });
    let cluster = ClusterView { limits: &small, ..cluster() };
    let both = [campaign(1, "alice", 9000), campaign(2, "bob", 9000)];
    assert_eq!(given(&plan(&cluster, &both)), BTreeMap::from([(1, 10), (2, 990)]));
}

#[test]
fn quotas_of_users_groups_and_projects_count_what_lives_and_what_the_round_gives() {
    let quotas = limits(|limits| {
        limits.user_quotas = BTreeMap::from([("*".to_owned(), 9), ("alice".to_owned(), 20)]);
        limits.group_quotas = BTreeMap::from([("physics".to_owned(), 12)]);
        limits.project_quotas = BTreeMap::from([("ice".to_owned(), 5)]);
    });
    let groups =
        BTreeMap::from([("physics".to_owned(), vec!["bob".to_owned(), "carol".to_owned(), "carol".to_owned()])]);
    let live_of_user = BTreeMap::from([("alice".to_owned(), 18), ("bob".to_owned(), 1), ("carol".to_owned(), 3)]);
    let live_of_project = BTreeMap::from([("ice".to_owned(), 2)]);
    let cluster = ClusterView { limits: &quotas, groups: &groups, live_of_user, live_of_project, ..cluster() };
    let ice = CampaignView { project: Some("ice".into()), ..campaign(5, "eve", 1000) };
    let more = CampaignView { project: Some("snow".into()), ..campaign(6, "eve", 1000) };
    let campaigns = [campaign(1, "alice", 99), campaign(2, "bob", 99), campaign(3, "carol", 99), ice, more];
    let plan = plan(&cluster, &campaigns);
    let terms: BTreeMap<i64, (u64, Term)> =
        summary(&plan).into_iter().map(|(id, jobs, term)| (id, (jobs, term))).collect();
    assert_eq!(terms[&1], (2, Term::UserQuota));
    assert_eq!(terms[&2].0 + terms[&3].0, 8, "bob and carol fill the group's quota");
    assert_eq!((terms[&5], terms[&6]), ((3, Term::ProjectQuota), (6, Term::UserQuota)));
    assert_eq!(reason(&plan, 1), "alice has 18 of 20 live jobs there");
    assert_eq!(reason(&plan, 5), "project ice has 2 of 5 live jobs there");
    let full = ClusterView { live_of_user: BTreeMap::from([("bob".to_owned(), 12)]), ..cluster };
    assert_eq!(reason(&super::plan(&full, &campaigns).decisions, 3), "group physics has 12 of 12 live jobs there");
    let step = CampaignView { turn: Turn::Prologue, ..campaign(2, "bob", 99) };
    assert_eq!(summary(&super::plan(&full, &[step]).decisions), [(2, 0, Term::UserQuota)]);
}

#[test]
fn a_reading_bounds_the_whole_round_steps_too() {
    let reading = Bound::new(5, Reason::FileServer { load: Some(5.0), reference: 6.0, per_cycle: 5 });
    let cluster = ClusterView { readings: vec![reading], ..cluster() };
    let step = CampaignView { turn: Turn::Prologue, ..campaign(3, "carol", 10) };
    let plan = plan(&cluster, &[campaign(1, "alice", 1000), campaign(2, "bob", 1000), step]);
    assert_eq!(given(&plan), BTreeMap::from([(1, 2), (2, 2), (3, 1)]));
}

#[test]
fn who_got_nothing_for_too_long_goes_first() {
    let usage = BTreeMap::from([("alice".to_owned(), 500.0), ("bob".to_owned(), 100.0)]);
    let one = limits(|limits| limits.max_per_cycle = 1);
    let mut cluster = ClusterView { limits: &one, usage, ..cluster() };
    let three = [campaign(1, "alice", 99), campaign(2, "bob", 99), campaign(3, "carol", 99)];
    let mut first = Vec::new();
    for _ in 0..23 {
        let plan = super::plan(&cluster, &three);
        first.push(plan.decisions.iter().find(|decision| decision.allowance.allowed > 0).unwrap().campaign);
        cluster.starved = plan.starved;
    }
    assert_eq!(first[..20], [3; 20]);
    assert_eq!(first[20..], [2, 1, 3], "alice and bob waited equally long: who stands lower is first");
    let full = limits(|limits| limits.max_waiting = 0);
    let plan = super::plan(&ClusterView { limits: &full, ..cluster.clone() }, &three);
    assert_eq!(plan.starved, cluster.starved, "a round without room changes nothing");
}

#[test]
fn the_rules_of_the_round_do_not_depend_on_the_order_of_its_campaigns() {
    let cluster = cluster();
    let mut campaigns: Vec<CampaignView> =
        (1..9).map(|id| campaign(id, ["alice", "bob"][id as usize % 2], 7)).collect();
    let once = super::plan(&cluster, &campaigns);
    campaigns.reverse();
    assert_eq!(super::plan(&cluster, &campaigns), once);
}

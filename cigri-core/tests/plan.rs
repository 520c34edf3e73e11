//! What holds of every plan: limits, order, shares that converge, and the bound of starvation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, VecDeque};

use cigri_core::fair::{self, Usage};
use cigri_core::meter::law::{AdaptiveSettings, Key, LawSettings};
use cigri_core::meter::{Bound, ClusterLimits, Metering, Reason, Sighting};
use cigri_core::plan::{CampaignView, ClusterView, Decision, Plan, plan};
use cigri_core::turn::Turn;
use proptest::prelude::*;

const USERS: [&str; 5] = ["alice", "bob", "carol", "dave", "eve"];
const SHAPES: [&str; 3] = ["/core=1", "/core=4", "/nodes=1"];

/// A cluster with what its view borrows.
#[derive(Debug, Clone)]
struct World {
    limits: ClusterLimits,
    metering: Metering,
    waiting: u64,
    groups: BTreeMap<String, Vec<String>>,
    live_of_user: BTreeMap<String, u64>,
    live_of_project: BTreeMap<String, u64>,
    usage: BTreeMap<String, f64>,
    starved: BTreeMap<String, u32>,
    readings: Vec<Bound>,
}

impl World {
    fn plan(&self, campaigns: &[CampaignView]) -> Plan {
        let live = self.live_of_user.values().sum();
        let cluster = ClusterView {
            now: 0,
            limits: &self.limits,
            metering: &self.metering,
            waiting: self.waiting,
            live,
            live_of_user: self.live_of_user.clone(),
            live_of_project: self.live_of_project.clone(),
            groups: &self.groups,
            usage: self.usage.clone(),
            starved: self.starved.clone(),
            hold: None,
            readings: self.readings.clone(),
        };
        plan(&cluster, campaigns)
    }

    /// Jobs of a campaign are sent.
    fn give(&mut self, view: &mut CampaignView, jobs: u64) {
        self.waiting += jobs;
        self.metering.sent(0, &Key::Shape(view.shape.clone()), jobs);
        *self.live_of_user.entry(view.owner.clone()).or_default() += jobs;
        *self.live_of_project.entry(view.project.clone().unwrap_or_default()).or_default() += jobs;
        self.readings.iter_mut().for_each(|reading| reading.allowed -= jobs);
        view.live_here += jobs;
        view.pending = view.pending.saturating_sub(jobs * view.tasks_at_once);
    }
}

fn campaign(id: i64, owner: &str) -> CampaignView {
    CampaignView {
        id,
        owner: owner.to_owned(),
        shape: SHAPES[0].into(),
        project: None,
        priority: 0,
        turn: Turn::Tasks,
        pending: 1_000_000,
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

fn law(initial: u64) -> LawSettings {
    LawSettings::Adaptive(AdaptiveSettings { initial, ..AdaptiveSettings::default() })
}

/// A world without limits but those that a test sets.
fn wide() -> World {
    let most = 1_000_000;
    World {
        limits: ClusterLimits {
            max_waiting: most,
            max_running: most,
            max_array: most,
            max_per_cycle: most,
            law: law(most),
            ..ClusterLimits::default()
        },
        metering: Metering::default(),
        waiting: 0,
        groups: BTreeMap::new(),
        live_of_user: BTreeMap::new(),
        live_of_project: BTreeMap::new(),
        usage: BTreeMap::new(),
        starved: BTreeMap::new(),
        readings: Vec::new(),
    }
}

fn named(jobs: [u64; 5]) -> BTreeMap<String, u64> {
    USERS.iter().map(|user| (*user).to_owned()).zip(jobs).collect()
}

prop_compose! {
    fn limits()(
        (waiting, running, array, cycle) in (0u64..80, 0u64..160, 1u64..40, 0u64..80),
        (alice, everybody, physics, ice) in (0u64..30, 0u64..30, 0u64..40, 0u64..30),
        weights in prop::array::uniform5(prop_oneof![Just(0.0), 0.01f64..10.0]),
        initial in 1u64..60,
    ) -> ClusterLimits {
        ClusterLimits {
            max_waiting: waiting,
            max_running: running,
            max_array: array,
            max_per_cycle: cycle,
            law: law(initial),
            user_quotas: BTreeMap::from([("alice".to_owned(), alice), ("*".to_owned(), everybody)]),
            group_quotas: BTreeMap::from([("physics".to_owned(), physics)]),
            project_quotas: BTreeMap::from([("ice".to_owned(), ice)]),
            weights: USERS.iter().map(|user| (*user).to_owned()).zip(weights).collect(),
            ..ClusterLimits::default()
        }
    }
}

prop_compose! {
    fn world()(
        limits in limits(),
        live in prop::array::uniform5(0u64..20),
        usage in prop::array::uniform5(0.0f64..100.0),
        starved in prop::array::uniform5(0u32..40),
        ice in 0u64..20,
        waiting in 0u64..20,
        reading in prop::option::of(0u64..50),
    ) -> World {
        let mut metering = Metering::default();
        let seen = Sighting { waiting, ..Sighting::default() };
        metering.look(0, BTreeMap::from([(Key::Shape(SHAPES[1].into()), seen)]), &limits);
        metering.sent(0, &Key::Shape(SHAPES[2].into()), 3);
        let names = || USERS.iter().map(|user| (*user).to_owned());
        World {
            limits,
            metering,
            waiting,
            groups: BTreeMap::from([("physics".to_owned(), vec!["bob".to_owned(), "carol".to_owned()])]),
            live_of_user: named(live),
            live_of_project: BTreeMap::from([("ice".to_owned(), ice)]),
            usage: names().zip(usage).collect(),
            starved: names().zip(starved).collect(),
            readings: reading.map(|left| Bound::new(left, Reason::ArraySize { most: left })).into_iter().collect(),
        }
    }
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        6 => Just(Turn::Tasks),
        1 => Just(Turn::Prologue),
        1 => Just(Turn::Epilogue),
        1 => (1u64..10).prop_map(Turn::Sample),
    ]
}

prop_compose! {
    fn view()(
        (owner, shape, in_ice, priority) in (0usize..5, 0usize..3, any::<bool>(), -2i32..3),
        (pending, tasks_at_once, live_here) in (0u64..60, 1u64..4, 0u64..10),
        max_jobs in prop::option::of(0u64..20),
        breaker in prop::option::of((1u32..4, 0u64..2)),
        is_held in prop::bool::weighted(0.1),
        turn in turn(),
    ) -> CampaignView {
        CampaignView {
            shape: SHAPES[shape].into(),
            project: in_ice.then(|| "ice".to_owned()),
            priority,
            pending,
            tasks_at_once,
            live_here,
            max_jobs,
            breaker: breaker.map(|(failures, allowed)| {
                Bound::new(allowed, Reason::Breaker { failures, left_s: 1 - allowed, jobs: None })
            }),
            hold: is_held.then(|| "event 1".to_owned()),
            turn,
            ..campaign(0, USERS[owner])
        }
    }
}

fn views() -> impl Strategy<Value = Vec<CampaignView>> {
    prop::collection::vec(view(), 0..12).prop_map(|mut views| {
        views.iter_mut().enumerate().for_each(|(at, view)| view.id = at as i64 + 1);
        views
    })
}

/// Jobs given to the campaigns that `which` picks.
fn given(plan: &Plan, views: &[CampaignView], which: impl Fn(&CampaignView) -> bool) -> u64 {
    let ids: Vec<i64> = views.iter().filter(|view| which(view)).map(|view| view.id).collect();
    let picked = plan.decisions.iter().filter(|decision| ids.contains(&decision.campaign));
    picked.map(|decision| decision.allowance.allowed).sum()
}

/// Full quotas stay full; nothing is added beyond them.
fn fits(quota: u64, live: u64, given: u64) -> bool {
    given <= quota.saturating_sub(live)
}

proptest! {
    #[test]
    fn no_cap_and_no_quota_is_exceeded_by_the_sum(world in world(), views in views()) {
        let plan = world.plan(&views);
        let (limits, live): (&ClusterLimits, u64) = (&world.limits, world.live_of_user.values().sum());
        let all = given(&plan, &views, |_| true);
        prop_assert!(fits(limits.max_waiting, world.waiting, all));
        prop_assert!(fits(limits.max_running, live, all));
        prop_assert!(fits(limits.max_per_cycle, world.metering.sent_in_cycle(), all));
        prop_assert!(world.readings.iter().all(|reading| all <= reading.allowed));
        for user in USERS {
            let quota = limits.user_quotas.get(user).unwrap_or(&limits.user_quotas["*"]);
            prop_assert!(fits(*quota, world.live_of_user[user], given(&plan, &views, |view| view.owner == user)));
        }
        let members = ["bob", "carol"];
        let live_of_group = members.iter().map(|member| world.live_of_user[*member]).sum();
        let of_group = given(&plan, &views, |view| members.contains(&view.owner.as_str()));
        prop_assert!(fits(limits.group_quotas["physics"], live_of_group, of_group));
        let of_project = given(&plan, &views, |view| view.project.is_some());
        prop_assert!(fits(limits.project_quotas["ice"], world.live_of_project["ice"], of_project));
        for shape in SHAPES {
            let room = world.metering.room(&Key::Shape(shape.into()), limits);
            let tasks = given(&plan, &views, |view| &*view.shape == shape && !view.turn.is_ahead());
            prop_assert!(tasks <= room, "{shape}");
        }
    }

    #[test]
    fn every_campaign_has_a_decision_that_is_the_minimum_of_its_terms(world in world(), views in views()) {
        let plan = world.plan(&views);
        let mut ids: Vec<i64> = plan.decisions.iter().map(|decision| decision.campaign).collect();
        ids.sort_unstable();
        prop_assert_eq!(ids, (1..=views.len() as i64).collect::<Vec<i64>>());
        for decision in &plan.decisions {
            let (view, allowance) = (&views[decision.campaign as usize - 1], &decision.allowance);
            let least = allowance.terms.iter().map(|term| term.allowed).min().unwrap();
            prop_assert_eq!(allowance.allowed, least);
            prop_assert_eq!(allowance.binding().allowed, least);
            let most = match view.turn {
                Turn::Prologue | Turn::Epilogue => 1,
                Turn::Sample(left) => left.min(view.pending),
                _ => view.pending.div_ceil(view.tasks_at_once),
            };
            prop_assert!(least <= most && (view.hold.is_none() || least == 0));
            let is_step = matches!(view.turn, Turn::Prologue | Turn::Epilogue);
            let free = view.max_jobs.unwrap_or(u64::MAX).saturating_sub(view.live_here);
            prop_assert!(is_step || least <= free.min(world.limits.max_array));
        }
    }

    #[test]
    fn nothing_is_left_that_somebody_could_have(mut world in world(), mut views in views()) {
        world.limits.max_array = 1000;
        views.iter_mut().for_each(|view| (view.turn, view.breaker) = (Turn::Tasks, None));
        let first = world.plan(&views);
        for decision in &first.decisions {
            let jobs = decision.allowance.allowed;
            world.give(&mut views[decision.campaign as usize - 1], jobs);
            if let Reason::Share { jobs: of_user, all, users, .. } = decision.allowance.binding().reason {
                let rest = if users > 1 { all - of_user } else { all - jobs };
                prop_assert!(rest > 0, "others, or the user's other campaigns, have the rest: {:?}", decision);
            }
        }
        prop_assert_eq!(given(&world.plan(&views), &views, |_| true), 0);
    }

    #[test]
    fn a_plan_depends_on_nothing_but_what_it_is_given_and_not_on_its_order(
        (world, views, shuffled) in (world(), views().prop_flat_map(|views| (Just(views.clone()), Just(views).prop_shuffle())))
            .prop_map(|(world, (views, shuffled))| (world, views, shuffled)),
    ) {
        prop_assert_eq!(world.plan(&views), world.plan(&views));
        prop_assert_eq!(world.plan(&views), world.plan(&shuffled));
    }
}

proptest! {
    #[test]
    fn a_users_campaigns_of_one_priority_fill_up_to_the_same_number_of_live_jobs(
        live in prop::collection::vec(0u64..60, 1..8),
        initial in 1u64..200,
    ) {
        let mut world = wide();
        world.limits.law = law(initial);
        let view = |(at, live): (usize, &u64)| CampaignView { live_here: *live, ..campaign(at as i64 + 1, "alice") };
        let views: Vec<CampaignView> = live.iter().enumerate().map(view).collect();
        let plan = world.plan(&views);
        let after = |decision: &Decision| views[decision.campaign as usize - 1].live_here + decision.allowance.allowed;
        let served = plan.decisions.iter().filter(|decision| decision.allowance.allowed > 0).map(after);
        let (least, most) = served.fold((u64::MAX, 0), |(least, most), live| (least.min(live), most.max(live)));
        prop_assert_eq!(given(&plan, &views, |_| true), initial);
        // Parts of what is left are given, not single jobs.
        prop_assert!(most - least.min(most) <= 1 + initial / 16, "from {} to {}", least, most);
        let left_out = plan.decisions.iter().filter(|decision| decision.allowance.allowed == 0);
        prop_assert!(left_out.map(after).all(|live| live + 1 + initial / 16 >= most));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn who_always_has_something_to_send_gets_a_job_within_the_bound(
        weights in prop::array::uniform5(0.05f64..20.0),
        rounds in prop::collection::vec((0u64..4, prop::array::uniform5(0.0f64..1e6)), 700),
    ) {
        let mut world = wide();
        world.limits.weights = USERS.iter().map(|user| (*user).to_owned()).zip(weights).collect();
        let views: Vec<CampaignView> = (1..).zip(USERS).map(|(id, user)| campaign(id, user)).collect();
        let mut waited = [0u64; 5];
        for (room, usage) in rounds {
            // Whatever users had, and however much it jumps.
            world.usage = USERS.iter().map(|user| (*user).to_owned()).zip(usage).collect();
            world.limits.max_per_cycle = room;
            let plan = world.plan(&views);
            for (at, user) in USERS.iter().enumerate() {
                let jobs = given(&plan, &views, |view| view.owner == *user);
                waited[at] = if jobs > 0 { 0 } else { waited[at] + u64::from(room > 0) };
                let patience = fair::patience(weights[at], weights.iter().sum()).unwrap();
                prop_assert!(waited[at] < u64::from(patience) + 5, "{user} waited {} rounds", waited[at]);
            }
            world.starved = plan.starved;
        }
    }
}

/// Mean live jobs of each user over the last half of many rounds on 100 slots, where every job takes `length` rounds.
fn shares(weights: &[(&str, f64)], length: usize, room: u64) -> BTreeMap<String, f64> {
    let mut world = wide();
    world.limits.max_running = 100;
    world.limits.max_per_cycle = room;
    world.limits.weights = weights.iter().map(|(user, weight)| ((*user).to_owned(), *weight)).collect();
    let views: Vec<CampaignView> = (1..).zip(weights).map(|(id, (user, _))| campaign(id, user)).collect();
    let mut usage: BTreeMap<String, Usage> = BTreeMap::new();
    let mut running: VecDeque<BTreeMap<String, u64>> = VecDeque::new();
    let mut means: BTreeMap<String, f64> = BTreeMap::new();
    for round in 0..4000i64 {
        if running.len() == length {
            for (user, jobs) in running.pop_front().unwrap() {
                *world.live_of_user.get_mut(&user).unwrap() -= jobs;
            }
        }
        let plan = world.plan(&views);
        let mut started = BTreeMap::new();
        for view in &views {
            let jobs = given(&plan, &views, |other| other.id == view.id);
            *world.live_of_user.entry(view.owner.clone()).or_default() += jobs;
            started.insert(view.owner.clone(), jobs);
        }
        running.push_back(started);
        world.starved = plan.starved;
        for (user, live) in &world.live_of_user {
            let at = usage.entry(user.clone()).or_default();
            *at = at.after(round * 15_000, *live, 3600.0);
            *means.entry(user.clone()).or_default() += if round < 2000 { 0.0 } else { *live as f64 / 2000.0 };
        }
        world.usage = usage.iter().map(|(user, usage)| (user.clone(), usage.jobs)).collect();
    }
    means
}

#[test]
fn shares_converge_to_the_weights() {
    for (length, room) in [(1, 1000), (7, 1000), (40, 5), (40, 1000)] {
        let means = shares(&[("alice", 1.0), ("bob", 3.0), ("carol", 6.0)], length, room);
        for (user, share) in [("alice", 10.0), ("bob", 30.0), ("carol", 60.0)] {
            let mean = means[user];
            assert!(
                (mean - share).abs() <= 1.0,
                "{user}: {mean:.2} of {share}, jobs of {length} rounds, {room} a round"
            );
        }
    }
}

//! What a cluster's meter remembers, and how it divides the queue between shapes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{FORGET_MS, Metering, Sighting};
use crate::meter::ClusterLimits;
use crate::meter::law::{AdaptiveSettings, Enough, FixedSettings, Key, LawSettings, Tap3Settings, TapPaperSettings};

fn shape(name: &str) -> Key {
    Key::Shape(name.into())
}

fn limits(max_waiting: u64) -> ClusterLimits {
    ClusterLimits { max_waiting, ..ClusterLimits::default() }
}

/// A look at `second` of what waits and started of each shape.
fn look(metering: &mut Metering, limits: &ClusterLimits, second: i64, seen: &[(&str, u64, u64)]) -> Vec<u64> {
    let sighting = |waiting, starts| Sighting { waiting, starts, ..Sighting::default() };
    let all = seen.iter().map(|(name, waiting, starts)| (shape(name), sighting(*waiting, *starts))).collect();
    metering.look(second * 1000, all, limits);
    seen.iter().map(|(name, ..)| metering.queue(&shape(name), limits).1).collect()
}

#[test]
fn shapes_that_want_little_get_it_and_the_others_share_what_is_left() {
    let (mut metering, limits) = (Metering::default(), limits(100));
    let targets = look(&mut metering, &limits, 0, &[("a", 0, 400), ("b", 0, 300), ("c", 20, 10)]);
    assert_eq!(targets, [40, 40, 20]);
    assert_eq!(metering.queue(&shape("new"), &limits), (0, 1), "a probe of what was not there yet");
    let targets = look(&mut metering, &limits, 15, &[("a", 40, 0), ("b", 40, 0), ("c", 20, 0), ("new", 1, 0)]);
    assert_eq!(targets, [35, 35, 20, 10]);
}

#[test]
fn a_shape_that_nothing_starts_of_gives_its_part_up() {
    let (mut metering, limits) = (Metering::default(), limits(100));
    look(&mut metering, &limits, 0, &[("bad", 0, 100), ("good", 0, 100)]);
    let mut targets = Vec::new();
    for second in (15..=270).step_by(15) {
        targets = look(&mut metering, &limits, second, &[("bad", 50, 0), ("good", 20, 80)]);
    }
    assert_eq!(targets, [1, 99]);
    assert_eq!(metering.excess(&shape("bad")), 0);
    for second in (285..=900).step_by(15) {
        look(&mut metering, &limits, second, &[("bad", 50, 0), ("good", 20, 80)]);
    }
    assert_eq!((metering.excess(&shape("bad")), metering.excess(&shape("good"))), (49, 0));
}

/// The last look of so many every 15 s in which nothing starts, and what is then to be taken back.
fn quiet(law: LawSettings, looks: i64) -> (u64, u64) {
    let (mut metering, limits) = (Metering::default(), ClusterLimits { law, ..limits(100) });
    let key = Metering::key(&limits, 3, &"bad".into());
    let seen = |waiting, starts| BTreeMap::from([(key.clone(), Sighting { waiting, starts, ..Sighting::default() })]);
    for number in 0..=looks {
        metering.look(number * 15_000, seen(40, 0), &limits);
    }
    let excess = metering.excess(&key);
    metering.look(looks * 15_000 + 15_000, seen(0, 1), &limits);
    assert_eq!(metering.excess(&key), 0, "one start, and it is as any other");
    (excess, metering.queue(&key, &limits).1)
}

#[test]
fn under_every_law_all_but_a_probe_is_taken_back_after_ten_empty_rounds() {
    for law in laws() {
        assert_eq!((quiet(law, 59).0, quiet(law, 60).0), (0, 39), "{law:?}");
    }
    assert_eq!(quiet(LawSettings::Fixed(FixedSettings::default()), 60).1, 50);
    assert_eq!(quiet(LawSettings::default(), 60).1, 3);
    let patient = AdaptiveSettings { patience: 0, ..AdaptiveSettings::default() };
    assert_eq!(quiet(LawSettings::Adaptive(patient), 600).0, 0);
}

#[test]
fn what_is_never_started_leaves_its_part_to_others_under_a_fixed_law() {
    let (mut metering, mut limits) = (Metering::default(), limits(100));
    limits.law = LawSettings::Fixed(FixedSettings { waiting: 90 });
    let mut targets = Vec::new();
    for second in (0..=900).step_by(15) {
        targets.push(look(&mut metering, &limits, second, &[("bad", 50, 0), ("good", 20, 80)]));
    }
    assert_eq!((targets[59].as_slice(), targets[60].as_slice()), ([50, 50].as_slice(), [1, 90].as_slice()));
    assert_eq!(metering.why(&shape("bad"), &limits), Enough::Probe);
}

#[test]
fn what_nothing_is_there_of_leaves_its_part_to_others_and_is_forgotten_after_an_hour() {
    let (mut metering, limits) = (Metering::default(), limits(100));
    look(&mut metering, &limits, 0, &[("a", 0, 50), ("b", 0, 50)]);
    assert_eq!(metering.queue(&shape("a"), &limits), (0, 50));
    look(&mut metering, &limits, 15, &[("b", 0, 50)]);
    assert_eq!(metering.queue(&shape("b"), &limits), (0, 100));
    assert_eq!(metering.queue(&shape("a"), &limits), (0, 1));
    look(&mut metering, &limits, FORGET_MS / 1000 - 1, &[]);
    assert_eq!(metering.queue(&shape("a"), &limits), (0, 50));
    look(&mut metering, &limits, FORGET_MS / 1000 + 15, &[]);
    assert_eq!(metering.queue(&shape("a"), &limits), (0, 10), "as before anything was seen");
}

#[test]
fn a_campaign_that_has_not_been_looked_at_counts_what_was_sent() {
    let (mut metering, limits) = (Metering::default(), limits(100));
    look(&mut metering, &limits, 0, &[]);
    assert_eq!(metering.room(&shape("a"), &limits), 10);
    metering.sent(0, &shape("a"), 4);
    assert_eq!((metering.room(&shape("a"), &limits), metering.queue(&shape("a"), &limits)), (6, (4, 10)));
}

#[test]
fn jobs_sent_count_for_one_period_and_after_a_clock_went_back_for_one_more() {
    let (mut metering, limits) = (Metering::default(), limits(100));
    metering.sent(10_000, &shape("a"), 7);
    metering.sent(20_000, &shape("b"), 5);
    look(&mut metering, &limits, 24, &[]);
    assert_eq!(metering.sent_in_cycle(), 12);
    look(&mut metering, &limits, 25, &[]);
    assert_eq!(metering.sent_in_cycle(), 5);
    look(&mut metering, &limits, 5, &[]);
    assert_eq!(metering.sent_in_cycle(), 5);
    look(&mut metering, &limits, 19, &[]);
    assert_eq!(metering.sent_in_cycle(), 5);
    look(&mut metering, &limits, 20, &[]);
    assert_eq!(metering.sent_in_cycle(), 0);
}

#[test]
fn another_law_starts_anew() {
    let (mut metering, mut limits) = (Metering::default(), limits(100));
    assert_eq!(look(&mut metering, &limits, 0, &[("a", 0, 30)]), [90]);
    limits.law = LawSettings::Fixed(FixedSettings { waiting: 25 });
    assert_eq!(look(&mut metering, &limits, 15, &[("a", 3, 0)]), [25]);
    assert_eq!(metering.room(&shape("a"), &limits), 22);
}

#[test]
fn taps_are_of_campaigns_and_hold_back_those_behind() {
    let mut metering = Metering::default();
    let limits = ClusterLimits { law: LawSettings::Tap3(Tap3Settings::default()), ..ClusterLimits::default() };
    let key = Metering::key(&limits, 3, &"/core=1".into());
    assert_eq!(key, Key::Campaign(3));
    let seen = |waiting| BTreeMap::from([(Key::Campaign(3), Sighting { waiting, ..Sighting::default() })]);
    metering.look(0, seen(0), &limits);
    assert_eq!((metering.room(&key, &limits), metering.holds_others(&key)), (3, false));
    metering.look(15_000, seen(1), &limits);
    assert_eq!((metering.room(&key, &limits), metering.holds_others(&key)), (0, true));
    metering.look(30_000, BTreeMap::new(), &limits);
    assert_eq!(metering.room(&key, &limits), 3, "nothing of it is there any more: it opens");
}

fn laws() -> [LawSettings; 4] {
    [
        LawSettings::Adaptive(AdaptiveSettings::default()),
        LawSettings::Tap3(Tap3Settings::default()),
        LawSettings::TapPaper(TapPaperSettings::default()),
        LawSettings::Fixed(FixedSettings::default()),
    ]
}

fn sighting() -> impl Strategy<Value = Sighting> {
    let count = || prop_oneof![0..20u64, 0..2000u64, Just(u64::MAX)];
    (count(), count(), count(), count()).prop_map(|(waiting, running, starts, kills)| Sighting {
        waiting,
        running,
        starts,
        kills,
    })
}

/// When the clock says the look is, and what it shows of each of four keys.
fn looks() -> impl Strategy<Value = Vec<(i64, Vec<Option<Sighting>>)>> {
    let at = prop_oneof![0..1_000_000i64, Just(i64::MIN), Just(i64::MAX), Just(0)];
    let seen = prop::collection::vec(prop::option::of(sighting()), 4);
    prop::collection::vec((at, seen), 1..40)
}

proptest! {
    #[test]
    fn whatever_is_seen_targets_stay_within_the_cap_and_nothing_panics(
        looks in looks(), law in 0..4usize, most in 1..1000u64, seed: u64,
    ) {
        let limits = ClusterLimits { law: laws()[law], max_waiting: most, ..ClusterLimits::default() };
        let keys: Vec<Key> = (0..4).map(|at| Metering::key(&limits, at, &format!("/core={at}").into())).collect();
        let mut metering = Metering::new(seed);
        for (now, seen) in looks {
            let seen: BTreeMap<Key, Sighting> =
                keys.iter().cloned().zip(seen).filter_map(|(key, seen)| Some((key, seen?))).collect();
            metering.look(now, seen, &limits);
            let targets: Vec<u64> = keys.iter().map(|key| metering.queue(key, &limits).1).collect();
            prop_assert!(targets.iter().all(|target| *target >= 1), "{targets:?}");
            if matches!(law, 0 | 3) {
                prop_assert!(targets.iter().all(|target| *target <= most), "{targets:?} of {most}");
                let sum: u64 = metering.laws.values().map(|kept| kept.law.target()).sum();
                prop_assert!(sum <= most + metering.laws.len() as u64, "{sum} of {most}");
            }
            for key in &keys {
                let room = metering.room(key, &limits);
                prop_assert!(room <= metering.queue(key, &limits).1);
                metering.sent(now, key, room);
                prop_assert!(metering.excess(key) <= metering.queue(key, &limits).0);
            }
        }
    }
}

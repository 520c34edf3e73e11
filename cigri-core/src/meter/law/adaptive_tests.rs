//! The adaptive law, look by look.

use super::{Adaptive, AdaptiveSettings};
use crate::meter::Sighting;
use crate::meter::law::Enough;

const MOST: u64 = 500;

fn law() -> Adaptive {
    Adaptive::new(AdaptiveSettings::default(), 7)
}

/// Fills the queue up, then looks at `second`: so many started, so many of all that waits is left.
fn look(law: &mut Adaptive, second: i64, starts: u64, waiting: u64) -> u64 {
    law.sent(law.room(law.waiting));
    law.observe(second * 1000, &Sighting { starts, waiting, ..Sighting::default() }, MOST);
    law.target()
}

#[test]
fn a_queue_that_each_round_empties_trebles_up_to_the_cap() {
    let mut law = law();
    let mut targets = vec![law.target()];
    for round in 1..8 {
        let starts = law.target();
        targets.push(look(&mut law, round * 60, starts, 0));
    }
    assert_eq!(targets, [10, 30, 90, 270, 500, 500, 500, 500]);
}

#[test]
fn while_starts_grow_it_trebles_and_once_they_do_not_it_doubles() {
    let mut law = law();
    assert_eq!(look(&mut law, 0, 80, 0), 240, "the first round is all growth");
    assert_eq!(look(&mut law, 60, 119, 0), 238, "not half as much again");
    assert_eq!(look(&mut law, 120, 180, 0), 500, "half as much again: three times as much, up to the cap");
    assert_eq!(look(&mut law, 180, 100, 0), 360, "the most starts of three rounds");
}

#[test]
fn a_few_left_is_nearly_empty() {
    let settings = AdaptiveSettings { ahead: 1.0, ..AdaptiveSettings::default() };
    let mut law = Adaptive::new(settings, 0);
    assert_eq!(look(&mut law, 0, 90, 10), 300);
    assert_eq!(look(&mut law, 60, 80, 20), 90);
}

#[test]
fn looks_that_are_close_together_show_one_round() {
    let settings = AdaptiveSettings { ahead: 1.0, ..AdaptiveSettings::default() };
    let mut law = Adaptive::new(settings, 0);
    assert_eq!(look(&mut law, 0, 60, 40), 60);
    assert_eq!(look(&mut law, 2, 20, 20), 80, "80 started in this round");
    assert_eq!(look(&mut law, 4, 20, 0), 300, "it started all of 100: three times that, whatever was seen in between");
    assert_eq!(look(&mut law, 9, 50, 50), 100, "another round: the 100 of the one before still count");
}

#[test]
fn with_rounds_of_no_length_every_look_is_a_round() {
    let settings = AdaptiveSettings { round_s: 0.0, ahead: 10.0, initial: 16, patience: 0 };
    let mut law = Adaptive::new(settings, 0);
    for (tenth, (starts, target)) in [(4, 40), (1, 40), (1, 40), (1, 10)].into_iter().enumerate() {
        law.observe(tenth as i64 * 100, &Sighting { starts, waiting: 30, ..Sighting::default() }, 4000);
        assert_eq!(law.target(), target);
    }
}

#[test]
fn it_follows_the_most_starts_of_three_rounds() {
    let mut law = law();
    assert_eq!(look(&mut law, 0, 100, 100), 200);
    assert_eq!(look(&mut law, 15, 0, 100), 200, "no start, no round");
    assert_eq!(look(&mut law, 30, 30, 100), 200);
    assert_eq!(look(&mut law, 60, 40, 100), 200);
    assert_eq!(look(&mut law, 90, 35, 100), 80, "the 100 are three rounds ago");
    for round in 4..7 {
        look(&mut law, round * 30, 1, 100);
    }
    assert_eq!(law.target(), 2);
}

#[test]
fn the_first_number_is_for_the_time_before_the_first_start() {
    let mut law = law();
    law.observe(0, &Sighting { waiting: 10, ..Sighting::default() }, MOST);
    law.observe(90_000, &Sighting { waiting: 10, ..Sighting::default() }, MOST);
    assert_eq!(law.target(), 10);
    assert_eq!(look(&mut law, 100, 4, 6), 8);
    assert_eq!(look(&mut law, 8_000, 1, 7), 8);
    for hour in 3..9 {
        look(&mut law, hour * 3600, 1, 7);
    }
    assert_eq!(law.target(), 2, "long jobs on few slots: no more wait than are to start");
}

#[test]
fn only_what_was_offered_is_doubled() {
    let mut law = law();
    look(&mut law, 0, 100, 0);
    law.sent(2);
    law.observe(60_000, &Sighting { starts: 2, ..Sighting::default() }, MOST);
    law.observe(120_000, &Sighting { starts: 2, ..Sighting::default() }, MOST);
    law.observe(180_000, &Sighting { starts: 2, ..Sighting::default() }, MOST);
    assert_eq!(law.target(), 4, "two jobs were all there was to start");
}

#[test]
fn ninety_seconds_without_a_start_are_an_empty_round_and_three_leave_a_probe() {
    let mut law = law();
    look(&mut law, 0, 50, 50);
    let mut targets = Vec::new();
    for look_at in 1..=18 {
        targets.push(look(&mut law, look_at * 15, 0, 100));
    }
    assert_eq!(targets[..11], [100; 11]);
    assert_eq!(targets[11..17], [100; 6], "two empty rounds: the third still remembers the starts");
    assert_eq!(targets[17], 1);
    assert_eq!(look(&mut law, 300, 20, 79), 40, "with starts it comes back");
}

#[test]
fn an_idle_queue_has_no_empty_rounds() {
    let mut law = law();
    look(&mut law, 0, 50, 0);
    let before = law.target();
    for minute in 1..60 {
        law.observe(minute * 60_000, &Sighting::default(), MOST);
    }
    assert_eq!(law.target(), before);
}

#[test]
fn a_kill_storm_halves_the_target_and_bars_its_rise_for_two_rounds() {
    let mut law = law();
    assert_eq!(look(&mut law, 0, 100, 0), 300);
    law.observe(15_000, &Sighting { waiting: 300, kills: 60, ..Sighting::default() }, MOST);
    assert_eq!(law.target(), 150);
    assert_eq!(look(&mut law, 60, 80, 0), 150, "a round that would raise it");
    assert_eq!(look(&mut law, 120, 80, 0), 150, "and another");
    assert_eq!(look(&mut law, 180, 80, 0), 160);
}

#[test]
fn a_few_kills_are_no_storm_but_count_as_negative_starts() {
    let mut law = law();
    law.observe(0, &Sighting { starts: 50, waiting: 60, kills: 10, ..Sighting::default() }, MOST);
    assert_eq!(law.target(), 80);
    law.observe(15_000, &Sighting { waiting: 60, kills: 3, ..Sighting::default() }, MOST);
    assert_eq!(law.target(), 80);
}

#[test]
fn after_a_storm_it_pauses_for_a_time_that_its_seed_decides() {
    let pause = |seed| {
        let mut law = Adaptive::new(AdaptiveSettings::default(), seed);
        law.observe(0, &Sighting { kills: 10, ..Sighting::default() }, MOST);
        let is_paused = |second: &i64| {
            law.observe(second * 1000, &Sighting::default(), MOST);
            law.room(0) == 0
        };
        (1..100).take_while(is_paused).count() as u64
    };
    let pauses: Vec<u64> = (0..20).map(pause).collect();
    assert_eq!(pauses, (0..20).map(pause).collect::<Vec<_>>());
    assert!(pauses.iter().all(|pause| *pause <= 30), "{pauses:?}");
    assert!(pauses.iter().max() > pauses.iter().min(), "{pauses:?}");
}

#[test]
fn a_queue_is_filled_up_in_one_go_when_it_is_low() {
    let mut law = law();
    look(&mut law, 0, 50, 40);
    assert_eq!((law.target(), law.room(40)), (100, 60));
    law.sent(40);
    law.observe(15_000, &Sighting { waiting: 80, ..Sighting::default() }, MOST);
    assert_eq!(law.room(80), 20, "the rest of it, which a cap kept back");
    law.sent(20);
    law.observe(30_000, &Sighting { waiting: 60, starts: 40, ..Sighting::default() }, MOST);
    assert_eq!(law.room(60), 0, "not for a few");
    law.observe(45_000, &Sighting { waiting: 40, starts: 20, ..Sighting::default() }, MOST);
    assert_eq!(law.room(40), 60);
}

#[test]
fn why_no_more_should_wait_is_said() {
    let mut law = law();
    assert_eq!((law.room(0), law.why()), (10, Enough::UntilStarts));
    look(&mut law, 0, 50, 40);
    assert_eq!((law.room(40), law.why()), (60, Enough::ForStarts));
    law.sent(60);
    law.observe(15_000, &Sighting { waiting: 60, starts: 40, ..Sighting::default() }, MOST);
    assert_eq!((law.room(60), law.why()), (0, Enough::UntilLow { low: 40 }), "100 should wait, but not for a few");
    law.allot(30);
    assert_eq!((law.room(30), law.why()), (0, Enough::Part));
    law.observe(30_000, &Sighting { kills: 60, ..Sighting::default() }, MOST);
    assert!(matches!(law.why(), Enough::Storm { left_s: 1..=30 }), "{:?}", law.why());
    assert_eq!(law.room(0), 0);
}

#[test]
fn a_clock_that_goes_back_stops_nothing() {
    let mut law = law();
    look(&mut law, 1_000_000, 50, 50);
    law.observe(1_000_000_000, &Sighting { waiting: 50, kills: 20, ..Sighting::default() }, MOST);
    assert_eq!(look(&mut law, 10, 40, 10), 50, "barred after the storm, but seen");
    look(&mut law, 20, 40, 10);
    assert_eq!(look(&mut law, 30, 50, 0), 100);
}

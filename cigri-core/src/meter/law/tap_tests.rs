//! The taps, cycle by cycle.

use super::{Tap3, Tap3Settings, TapPaper, TapPaperSettings};
use crate::meter::Sighting;
use crate::meter::law::Enough;

fn seen(waiting: u64, running: u64) -> Sighting {
    Sighting { waiting, running, ..Sighting::default() }
}

/// One cycle of 15 s: a look, then as much as it lets through.
fn cycle(tap: &mut Tap3, number: i64, waiting: u64) -> u64 {
    tap.observe(number * 15_000, &seen(waiting, 0));
    let sent = tap.room();
    if sent > 0 {
        tap.sent(sent);
    }
    sent
}

#[test]
fn nothing_waits_and_it_grows_as_cigri_3_does() {
    let mut tap = Tap3::new(Tap3Settings::default());
    let sent: Vec<u64> = (0..12).map(|number| cycle(&mut tap, number, 0)).collect();
    assert_eq!(sent, [3, 4, 6, 9, 13, 19, 28, 42, 63, 94, 100, 100]);
}

#[test]
fn a_waiting_job_closes_it_and_after_a_minute_the_rate_falls_each_cycle() {
    let mut tap = Tap3::new(Tap3Settings::default());
    for number in 0..10 {
        cycle(&mut tap, number, 0);
    }
    assert_eq!(tap.rate(), 100);
    let rates: Vec<u64> = (10..18)
        .map(|number| {
            assert_eq!(cycle(&mut tap, number, 1), 0);
            assert_eq!(tap.holds_others(), number < 14, "those behind wait for a minute");
            tap.rate()
        })
        .collect();
    assert_eq!(rates, [100, 100, 100, 100, 66, 44, 29, 19]);
    assert_eq!(cycle(&mut tap, 18, 0), 12, "lowered once more for the last cycle, then it opens");
    for number in 19..60 {
        cycle(&mut tap, number, 1);
    }
    assert_eq!(tap.rate(), 3);
}

#[test]
fn within_a_minute_of_closing_it_keeps_its_rate() {
    let mut tap = Tap3::new(Tap3Settings::default());
    for number in 0..5 {
        cycle(&mut tap, number, 0);
    }
    assert_eq!(tap.why(), Enough::Tap);
    assert_eq!((cycle(&mut tap, 5, 8), tap.why()), (0, Enough::TapClosed));
    assert_eq!(cycle(&mut tap, 6, 0), 19);
}

#[test]
fn only_a_submission_that_nearly_uses_the_rate_up_raises_it() {
    let mut tap = Tap3::new(Tap3Settings { initial: 9, ..Tap3Settings::default() });
    tap.observe(0, &seen(0, 0));
    tap.sent(5);
    assert_eq!((tap.rate(), tap.room()), (9, 0), "one submission per cycle");
    tap.observe(15_000, &seen(0, 0));
    tap.sent(6);
    assert_eq!(tap.rate(), 13);
}

#[test]
fn a_clock_that_goes_back_closes_it_for_a_minute_at_most() {
    let mut tap = Tap3::new(Tap3Settings::default());
    tap.observe(1_000_000_000, &seen(1, 0));
    tap.observe(0, &seen(1, 0));
    assert!(tap.holds_others());
    tap.observe(60_000, &seen(1, 0));
    assert!(!tap.holds_others());
}

#[test]
fn the_papers_tap_waits_until_nothing_is_left() {
    let mut tap = TapPaper::new(TapPaperSettings::default());
    let mut sent = Vec::new();
    for _ in 0..11 {
        tap.observe(&seen(0, 0));
        sent.push(tap.room());
        tap.sent(tap.room());
        tap.observe(&seen(0, 1));
        assert_eq!((tap.room(), tap.why()), (0, Enough::TapLive { live: 1 }), "one still runs");
        tap.observe(&seen(1, 0));
        assert_eq!(tap.room(), 0);
    }
    assert_eq!(sent, [3, 4, 6, 9, 13, 19, 28, 42, 63, 94, 100]);
}

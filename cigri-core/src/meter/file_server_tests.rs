//! The controller's gains, and the controller on a modelled file server.

use proptest::prelude::*;

use super::{FileServer, Gains, problem};
use crate::meter::limits::FileServerSettings;
use crate::meter::sensor::Reading;
use crate::meter::{Reason, Term};

const CYCLE_MS: i64 = 30_000;
/// Cores of the modelled server: a higher load is an overload.
const CORES: f64 = 8.0;

fn settings() -> FileServerSettings {
    FileServerSettings {
        sensor: "cat /proc/loadavg".to_owned(),
        reference: 6.0,
        job_mb: 100.0,
        settling: 10.0,
        period_s: 30,
        ttl_s: 90,
        floor: 2,
    }
}

fn reading(value: f64, at: i64) -> Option<Reading> {
    Some(Reading { value, at })
}

#[test]
fn gains_are_computed_from_the_model() {
    let table = [
        (25.0, [(22.98, 24.64), (8.93, 8.99), (1.13, 4.55)]),
        (50.0, [(11.49, 12.32), (4.46, 4.49), (0.56, 2.27)]),
        (100.0, [(5.75, 6.16), (2.23, 2.25), (0.28, 1.14)]),
        (200.0, [(2.87, 3.08), (1.12, 1.12), (0.14, 0.57)]),
        (400.0, [(1.44, 1.54), (0.56, 0.56), (0.07, 0.28)]),
    ];
    for (job_mb, row) in table {
        for (settling, expected) in [5.0, 10.0, 15.0].into_iter().zip(row) {
            let gains = Gains::of(&FileServerSettings { job_mb, settling, ..settings() });
            let rounded = ((gains.kp * 100.0).round() / 100.0, (gains.ki * 100.0).round() / 100.0);
            assert_eq!(rounded, expected, "{job_mb} MB, {settling} cycles");
        }
    }
    let gains = Gains::of(&settings());
    assert!((gains.a - 0.6065).abs() < 1e-4 && (gains.b - 0.0704).abs() < 1e-4, "{gains:?}");
}

#[test]
fn a_settling_time_without_a_good_controller_is_refused() {
    assert_eq!(problem(&settings()), None);
    let slow = FileServerSettings { settling: 20.0, ..settings() };
    let text = "file_server.settling: expected at most 16.0 with cycles of 30 s, found 20 cycles";
    assert_eq!(problem(&slow).unwrap().to_string(), text);
    let long = FileServerSettings { period_s: 60, ..settings() };
    let text = "file_server.settling: expected at most 8.0 with cycles of 60 s, found 10 cycles";
    assert_eq!(problem(&long).unwrap().to_string(), text);
    let hours = FileServerSettings { period_s: 3600, settling: 1.0, ..settings() };
    let text = "file_server.period_s: expected at most 480 s, found 3600 s";
    assert_eq!(problem(&hours).unwrap().to_string(), text);
    assert_eq!(problem(&FileServerSettings { period_s: 480, ..hours }), None);
}

/// A file server with jobs of a size of its own, and all that is asked of it.
struct Plant {
    load: f64,
    job_mb: f64,
    overload: u32,
    peak: f64,
}

impl Plant {
    fn new(job_mb: f64) -> Plant {
        Plant { load: 0.0, job_mb, overload: 0, peak: 0.0 }
    }

    fn cycle(&mut self, jobs: u64) {
        let gains = Gains::of(&FileServerSettings { job_mb: self.job_mb, ..settings() });
        self.load = gains.a * self.load + gains.b * jobs as f64;
        self.overload += u32::from(self.load > CORES);
        self.peak = self.peak.max(self.load);
    }
}

/// One cycle in which as many jobs as allowed are sent, or `most`; returns how many.
fn cycle(server: &mut FileServer, plant: &mut Plant, number: i64, most: u64) -> u64 {
    let (now, settings) = (number * CYCLE_MS, settings());
    server.read(now, reading(plant.load, now), &settings);
    let jobs = server.bound(&settings).allowed.min(most);
    server.sent(jobs);
    plant.cycle(jobs);
    jobs
}

#[test]
fn the_load_settles_at_the_reference_without_overload() {
    let (mut server, mut plant) = (FileServer::new(), Plant::new(100.0));
    for number in 0..10 {
        cycle(&mut server, &mut plant, number, u64::MAX);
    }
    assert!((plant.load - 6.0).abs() < 0.3, "settled within ten cycles: {}", plant.load);
    for number in 10..1000 {
        cycle(&mut server, &mut plant, number, u64::MAX);
        assert!((plant.load - 6.0).abs() < 0.5, "{}", plant.load);
    }
    assert_eq!(plant.overload, 0);
    assert!(plant.peak < 6.3, "overshoot of a few per cent, jobs are whole: {}", plant.peak);
}

#[test]
fn jobs_that_move_less_than_thought_are_sent_in_greater_numbers_all_the_same() {
    let (mut server, mut plant) = (FileServer::new(), Plant::new(25.0));
    for number in 0..200 {
        cycle(&mut server, &mut plant, number, u64::MAX);
    }
    assert!((plant.load - 6.0).abs() < 0.3 && plant.overload == 0, "{}", plant.load);
}

#[test]
fn time_without_work_winds_nothing_up() {
    let (mut server, mut plant) = (FileServer::new(), Plant::new(100.0));
    for number in 0..100 {
        cycle(&mut server, &mut plant, number, u64::MAX);
    }
    for number in 100..400 {
        cycle(&mut server, &mut plant, number, 3);
    }
    for number in 400..500 {
        cycle(&mut server, &mut plant, number, u64::MAX);
    }
    assert_eq!(plant.overload, 0, "peak {}", plant.peak);
    assert!((plant.load - 6.0).abs() < 0.3, "{}", plant.load);
}

#[test]
fn under_a_load_that_is_others_it_stops_and_comes_back() {
    let (mut server, mut plant) = (FileServer::new(), Plant::new(100.0));
    for number in 0..50 {
        plant.load = 20.0;
        let jobs = cycle(&mut server, &mut plant, number, u64::MAX);
        assert_eq!(jobs, 0);
    }
    plant.overload = 0;
    for number in 50..80 {
        cycle(&mut server, &mut plant, number, u64::MAX);
    }
    assert!((plant.load - 6.0).abs() < 0.3, "no debt is left of it: {}", plant.load);
}

#[test]
fn a_reading_holds_while_it_lives_and_then_it_is_the_floor() {
    let (mut server, settings) = (FileServer::new(), settings());
    let bound = server.bound(&settings);
    assert_eq!((bound.allowed, bound.term()), (2, Term::FileServer), "before the first reading");
    server.read(0, reading(3.0, 0), &settings);
    let first = server.bound(&settings);
    assert_eq!(first.allowed, 13, "(2.23 + 2.25) x 3");
    for second in [30, 60, 90] {
        server.read(second * 1000, reading(3.0, 0), &settings);
        assert_eq!(server.bound(&settings), first);
    }
    server.read(120_000, reading(3.0, 0), &settings);
    let bound = server.bound(&settings);
    assert_eq!((bound.allowed, &bound.reason), (2, &Reason::FileServer { load: None, reference: 6.0, per_cycle: 2 }));
    server.read(150_000, None, &settings);
    assert_eq!(server.bound(&settings).allowed, 2);
    server.read(180_000, reading(3.0, 180_000), &settings);
    assert!(server.bound(&settings).allowed > 2);
}

#[test]
fn what_is_sent_counts_until_the_next_cycle() {
    let (mut server, settings) = (FileServer::new(), settings());
    server.read(0, reading(3.0, 0), &settings);
    server.sent(10);
    server.read(15_000, reading(1.0, 15_000), &settings);
    let bound = server.bound(&settings);
    assert_eq!(
        (bound.allowed, bound.reason),
        (3, Reason::FileServer { load: Some(3.0), reference: 6.0, per_cycle: 13 })
    );
    server.sent(100);
    assert_eq!(server.bound(&settings).allowed, 0);
    server.read(31_000, reading(3.0, 31_000), &settings);
    assert!(server.bound(&settings).allowed > 13);
    server.read(59_000, reading(6.0, 59_000), &settings);
    assert_eq!(server.bound(&settings).reason, Reason::FileServer { load: Some(3.0), reference: 6.0, per_cycle: 20 });
    server.read(60_000, reading(6.0, 60_000), &settings);
    assert!(matches!(server.bound(&settings).reason, Reason::FileServer { load: Some(load), .. } if load == 6.0));
}

#[test]
fn what_was_sent_in_a_cycle_counts_though_the_clock_goes_back() {
    let (mut server, settings) = (FileServer::new(), settings());
    server.read(100_000, reading(3.0, 100_000), &settings);
    server.sent(10);
    server.read(50_000, reading(3.0, 50_000), &settings);
    server.read(79_000, reading(3.0, 79_000), &settings);
    assert_eq!(server.bound(&settings).allowed, 3, "13 per cycle");
    server.read(80_000, reading(3.0, 80_000), &settings);
    assert!(server.bound(&settings).allowed >= 13, "the next cycle");
}

#[test]
fn a_fraction_of_a_job_per_cycle_is_a_job_now_and_then() {
    let settings = FileServerSettings { job_mb: 20_000.0, ..settings() };
    let mut server = FileServer::new();
    let mut jobs = 0;
    for number in 0..100 {
        let now = number * CYCLE_MS;
        server.read(now, reading(5.9, now), &settings);
        jobs += server.bound(&settings).allowed;
        server.sent(server.bound(&settings).allowed);
    }
    assert!((1..=20).contains(&jobs), "{jobs}");
}

proptest! {
    #[test]
    fn whatever_the_sensor_and_the_clock_say_it_neither_panics_nor_runs_away(
        steps in prop::collection::vec((prop_oneof![Just(i64::MIN), Just(i64::MAX), 0..10_000_000i64],
            prop::option::of((0.0..1e9f64, prop_oneof![Just(i64::MIN), 0..10_000_000i64])), 0..1000u64), 1..60),
    ) {
        let (mut server, settings) = (FileServer::new(), settings());
        let gains = Gains::of(&settings);
        let most = 10.0 * 6.0 * (1.0 - gains.a) / gains.b + gains.kp * 6.0 + 2.0;
        for (now, seen, sent) in steps {
            server.read(now, seen.map(|(value, at)| Reading { value, at }), &settings);
            prop_assert!(server.bound(&settings).allowed as f64 <= most);
            server.sent(sent);
        }
    }
}

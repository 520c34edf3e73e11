//! Planted rules are found with their numbers; in noise there is nothing to tell.

use proptest::prelude::*;

use super::*;

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

/// Numbers that look like chance, the same for the same seed.
fn dice(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Tasks with a number, a small number and a word, sorted into failed and others by a rule.
fn tasks(seed: u64, count: usize, mut fails: impl FnMut(f64, u64, &str) -> bool) -> [Vec<Vec<String>>; 2] {
    let mut dice = dice(seed);
    let [mut failed, mut others] = [Vec::new(), Vec::new()];
    for _ in 0..count {
        let (alpha, n) = ((dice() * 10_000.0).round() / 10_000.0, (dice() * 16.0) as u64);
        let mode = ["fast", "slow", "exact", "odd"][(dice() * 4.0) as usize];
        let task = vec![alpha.to_string(), n.to_string(), mode.to_owned()];
        if fails(alpha, n, mode) { failed.push(task) } else { others.push(task) }
    }
    [failed, others]
}

fn told(seed: u64, count: usize, fails: impl FnMut(f64, u64, &str) -> bool) -> Vec<Trait> {
    let [failed, others] = tasks(seed, count, fails);
    explain(&names(&["alpha", "n", "mode"]), &failed, &others)
}

#[test]
fn a_threshold_is_found_and_told_with_its_shares() {
    let mut noise = dice(7);
    let found = told(1, 4000, |alpha, _, _| if alpha > 0.9 { noise() < 0.75 } else { noise() < 0.015 });
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].range, Range::Above(0.9));
    assert_eq!(found[0].condition().as_deref(), Some("alpha > 0.9"));
    let sentence = found[0].to_string();
    assert!(sentence.ends_with(" % of the failures have alpha > 0.9, of the others 3 %"), "{sentence}");
}

#[test]
fn an_interval_and_a_set_of_words_are_found() {
    let found = told(2, 3000, |_, n, _| (5..=7).contains(&n));
    assert_eq!(found[0].range, Range::Between(5.0, 7.0), "{found:?}");
    assert_eq!(found[0].condition().as_deref(), Some("n >= 5.0 && n <= 7.0"));
    let found = told(3, 3000, |_, _, mode| mode == "odd" || mode == "exact");
    assert_eq!(found[0].range, Range::OneOf(names(&["exact", "odd"])), "{found:?}");
    assert_eq!(found[0].to_string(), "100 % of the failures have mode = exact or odd, of the others none");
    assert_eq!(found[0].condition().as_deref(), Some("mode in [\"exact\", \"odd\"]"));
}

#[test]
fn numbers_that_are_no_range_are_a_set() {
    let found = told(4, 3000, |_, n, _| n == 2 || n == 11);
    assert_eq!(found[0].range, Range::OneOf(names(&["11", "2"])), "{found:?}");
    assert_eq!(found[0].condition().as_deref(), Some("n in [11, 2]"));
}

#[test]
fn unnamed_words_are_columns() {
    let task = |n: u64| words(&format!("run 'case {n}' {n}"));
    let (failed, others): (Vec<_>, Vec<_>) = ((0..50).map(task).collect(), (50..500).map(task).collect());
    let found = explain(&[], &failed, &others);
    assert_eq!(found[0].parameter, "p3", "{found:?}");
    assert_eq!(found[0].range, Range::Below(50.0));
    assert_eq!(words("a 'b"), ["a", "'b"], "what no shell would read is split at blanks");
}

#[test]
fn few_samples_tell_nothing_and_neither_does_a_half_truth() {
    let found = told(5, 20, |alpha, _, _| alpha > 0.9);
    assert!(found.is_empty(), "2 failures of 20 may be chance: {found:?}");
    let mut noise = dice(8);
    let found = told(6, 4000, |alpha, _, _| noise() < if alpha > 0.5 { 0.6 } else { 0.4 });
    assert!(found.is_empty(), "a little more often is no rule: {found:?}");
    let [failed, others] = tasks(9, 100, |_, _, _| true);
    assert!(explain(&[], &failed, &others).is_empty(), "nothing to compare with");
    assert!(explain(&[], &[], &failed).is_empty());
}

#[test]
fn of_a_thousand_samples_of_noise_hardly_one_is_explained() {
    let wrong = (0..1000).filter(|seed| {
        let mut noise = dice(seed + 77_777);
        !told(*seed, 60 + (*seed as usize % 10) * 40, |_, _, _| noise() < 0.3).is_empty()
    });
    assert!(wrong.count() <= 1);
}

proptest! {
    #[test]
    fn any_words_are_compared_without_harm(
        failed in proptest::collection::vec(proptest::collection::vec(".{0,6}", 0..4), 0..40),
        others in proptest::collection::vec(proptest::collection::vec("[0-9eE.+-]{0,6}|nan|inf", 0..4), 0..40),
    ) {
        for found in explain(&names(&["a"]), &failed, &others) {
            prop_assert!(found.of_failed >= COVERAGE && found.of_failed <= 1.0 && found.of_others <= 0.5);
        }
    }

    #[test]
    fn a_planted_threshold_is_found_wherever_it_is(seed in 0u64..1_000_000, at in 0.1f64..0.9) {
        let [failed, others] = tasks(seed, 1000, |alpha, _, _| alpha > at);
        let found = explain(&names(&["alpha"]), &failed, &others);
        let Some(Range::Above(least)) = found.first().map(|found| found.range.clone()) else {
            return Err(TestCaseError::fail(format!("{found:?}")));
        };
        prop_assert!((least - at).abs() < 0.02);
        prop_assert_eq!((found[0].of_failed, found[0].of_others), (1.0, 0.0));
    }
}

//! Sweeps: the points of each form, exactly; what is refused, in which words.

use std::collections::BTreeSet;

use cigri_core::language::{Parameters, Sweep};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::context::{plain, read};

/// The sweep of a campaign with this `parameters`.
fn sweep(parameters: &str) -> Sweep {
    let text =
        format!(r#"{{"name": "n", "exec_file": "a", "clusters": {{"dahu": {{}}}}, "parameters": {parameters}}}"#);
    let resolved = read(&text, &plain()).unwrap_or_else(|problems| panic!("{text}: {problems}"));
    let Parameters::Sweep(sweep) = resolved.parameters else { panic!("{text}") };
    assert_eq!(resolved.spec.sweep.as_ref(), Some(&sweep));
    let stored: Sweep = serde_json::from_str(&serde_json::to_string(&sweep).unwrap()).unwrap();
    assert_eq!(stored, sweep, "what is stored is read back");
    sweep
}

/// All its points, the values of each joined by blanks.
fn points(parameters: &str) -> Vec<String> {
    let sweep = sweep(parameters);
    let points: Vec<String> = (0..sweep.count() as u64).map(|index| sweep.values(index).unwrap().join(" ")).collect();
    assert_eq!(sweep.values(points.len() as u64), None);
    points
}

/// The values of one axis.
fn axis(range: &str) -> Vec<String> {
    points(&format!(r#"{{"grid": {{"x": {range}}}}}"#))
}

fn numbers(points: &[String], place: usize) -> Vec<f64> {
    points.iter().map(|point| point.split(' ').nth(place).unwrap().parse().unwrap()).collect()
}

/// The sentences by which `parameters` is refused, without place.
fn refused(parameters: &str) -> String {
    let text =
        format!(r#"{{"name": "n", "exec_file": "a", "clusters": {{"dahu": {{}}}}, "parameters": {parameters}}}"#);
    let problems = read(&text, &plain()).expect_err(&text).0;
    let said = problems.into_iter().map(|mut problem| {
        problem.line = None;
        problem.to_string()
    });
    said.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_grid_is_every_combination_and_its_last_name_varies_fastest() {
    let grid = r#"{"grid": {"alpha": [0.10, 2e1], "kind": ["a b", true], "n": {"from": 1, "to": 10, "step": 3}}}"#;
    assert_eq!(sweep(grid).names, ["alpha", "kind", "n"]);
    let points = points(grid);
    assert_eq!(points.len(), 16);
    assert_eq!(points[..5], ["0.10 a b 1", "0.10 a b 4", "0.10 a b 7", "0.10 a b 10", "0.10 true 1"]);
    assert_eq!(points[15], "2e1 true 10");
}

#[test]
fn zipped_lists_are_one_axis_before_the_grid() {
    let both = r#"{"grid": {"n": [1, 2]}, "zip": {"x": [1, 2, 3], "y": ["a", "b", "c"]}}"#;
    assert_eq!(sweep(both).names, ["x", "y", "n"]);
    assert_eq!(points(both), ["1 a 1", "1 a 2", "2 b 1", "2 b 2", "3 c 1", "3 c 2"]);
}

#[test]
fn each_point_is_repeated_before_the_next() {
    let repeated = r#"{"grid": {"n": [7, 8]}, "repeat": 2}"#;
    assert_eq!(sweep(repeated).names, ["n", "repeat"]);
    assert_eq!(points(repeated), ["7 0", "7 1", "8 0", "8 1"]);
    let drawn = points(r#"{"random": {"x": {"from": 0, "to": 1}}, "samples": 2, "repeat": 2}"#);
    assert_eq!(drawn.len(), 4);
    assert_eq!(drawn[0].split(' ').next(), drawn[1].split(' ').next());
}

#[test]
fn steps_are_decimal_and_end_where_they_reach() {
    assert_eq!(axis(r#"{"from": 0.1, "to": 0.5, "step": 0.1}"#), ["0.1", "0.2", "0.3", "0.4", "0.5"]);
    assert_eq!(axis(r#"{"from": 1, "to": 10, "step": 4}"#), ["1", "5", "9"]);
    assert_eq!(axis(r#"{"from": 1, "to": 0, "step": -0.5}"#), ["1", "0.5", "0"]);
    assert_eq!(axis(r#"{"from": 1e-6, "to": 3e-6, "step": 1e-6}"#), ["0.000001", "0.000002", "0.000003"]);
    assert_eq!(axis(r#"{"from": 5, "to": 5, "step": 1}"#), ["5"]);
    assert_eq!(axis(r#"{"from": 2, "to": 4}"#), ["2", "3", "4"]);
    assert_eq!(axis(r#"{"from": 1, "to": -1}"#), ["1", "0", "-1"]);
    let last = sweep(r#"{"grid": {"x": {"from": 0, "to": 999999.9994, "step": 0.001}}}"#).values(999_999_999);
    assert_eq!(last, Some(vec!["999999.999".to_owned()]));
}

#[test]
fn counted_ranges_have_both_ends() {
    assert_eq!(axis(r#"{"from": 0, "to": 1, "count": 5}"#), ["0", "0.25", "0.5", "0.75", "1"]);
    assert_eq!(axis(r#"{"from": 0.1, "to": 0.5, "count": 5}"#), ["0.1", "0.2", "0.3", "0.4", "0.5"]);
    assert_eq!(axis(r#"{"from": 0, "to": 1, "count": 4}"#), ["0", "0.333333333333333", "0.666666666666667", "1"]);
    let log = axis(r#"{"from": 1e-6, "to": 1, "count": 7, "scale": "log"}"#);
    assert_eq!(log, ["1e-6", "1e-5", "0.0001", "0.001", "0.01", "0.1", "1"]);
    let wide = axis(r#"{"from": 1e-300, "to": 1e300, "count": 3, "scale": "log"}"#);
    assert_eq!(wide, ["1e-300", "1", "1e300"]);
    let ends = axis(r#"{"from": 0.123456789012345, "to": 7, "count": 2, "scale": "log"}"#);
    assert_eq!(ends, ["0.123456789012345", "7"]);
    assert_eq!(axis(r#"{"from": 1000, "to": 1, "count": 4, "scale": "log"}"#), ["1000", "100", "10", "1"]);
}

#[test]
fn the_same_seed_draws_the_same_points() {
    for design in ["random", "latin_hypercube", "sobol"] {
        let drawn = |seed: u32| {
            points(&format!(
                r#"{{"{design}": {{"x": {{"from": -1, "to": 1}}, "n": {{"from": 1, "to": 3, "integer": true}}, "c": ["r", "g"]}},
                   "samples": 200, "seed": {seed}}}"#
            ))
        };
        assert_eq!(drawn(42), drawn(42));
        assert_ne!(drawn(42), drawn(43));
        let points = drawn(42);
        assert!(numbers(&points, 0).iter().all(|x| (-1.0..1.0).contains(x)));
        let seen: BTreeSet<i64> = numbers(&points, 1).iter().map(|n| *n as i64).collect();
        assert_eq!(seen, BTreeSet::from([1, 2, 3]), "{design}");
        let seen: BTreeSet<&str> = points.iter().map(|point| point.rsplit(' ').next().unwrap()).collect();
        assert_eq!(seen, BTreeSet::from(["g", "r"]));
        assert_eq!(BTreeSet::from_iter(&points).len(), 200, "{design}: no two points are the same");
    }
}

#[test]
fn drawn_points_are_the_same_for_ever() {
    let first = |design: &str| {
        let all = points(&format!(r#"{{"{design}": {{"x": {{"from": 0, "to": 1}}}}, "samples": 3, "seed": 1}}"#));
        all.join(" ")
    };
    assert_eq!(first("random"), "0.381489413238261 0.294927325781675 0.798254247381596");
    assert_eq!(first("latin_hypercube"), "0.793829804412754 0.431642441927225 0.266084749127199");
    let library = [0, 1, 2].map(|index| f64::from(sobol_burley::sample(index, 0, 1)));
    let ours: Vec<f64> = first("sobol").split(' ').map(|value| value.parse().unwrap()).collect();
    assert!(ours.iter().zip(library).all(|(ours, library)| (ours - library).abs() < 1e-14), "{ours:?} {library:?}");
}

#[test]
fn a_latin_hypercube_has_one_point_in_each_slice_of_each_dimension() {
    for samples in [1, 2, 3, 4, 5, 100, 257, 1000] {
        let points = points(&format!(
            r#"{{"latin_hypercube": {{"x": {{"from": 0, "to": {samples}}}, "y": {{"from": 0, "to": {samples}}}}}, "samples": {samples}}}"#
        ));
        let slices = |place| -> Vec<u64> { numbers(&points, place).iter().map(|x| x.floor() as u64).collect() };
        for place in [0, 1] {
            let mut sorted = slices(place);
            sorted.sort_unstable();
            assert_eq!(sorted, (0..samples).collect::<Vec<_>>());
        }
        assert!(samples < 100 || slices(0) != slices(1), "the dimensions are permuted apart");
    }
}

#[test]
fn drawn_numbers_may_be_spread_over_magnitudes() {
    let all = points(r#"{"sobol": {"x": {"from": 1e-4, "to": 1, "scale": "log"}}, "samples": 4096}"#);
    let below = numbers(&all, 0).iter().filter(|x| **x < 1e-2).count();
    assert_eq!(below, 2048, "half of the points lie in the lower half of the magnitudes");
}

#[test]
fn a_sweep_of_any_size_is_computed_point_by_point() {
    let huge =
        sweep(r#"{"grid": {"a": {"from": 1, "to": 31622, "step": 1}, "b": {"from": 1, "to": 31622, "step": 1}}}"#);
    assert_eq!(huge.count(), 999_950_884);
    assert_eq!(huge.text(999_950_883).unwrap(), "31622 31622");
    assert_eq!(huge.text(31_622).unwrap(), "2 1");
}

#[test]
fn too_many_points_are_refused() {
    let axis = r#"{"from": 1, "to": 1e9, "step": 1}"#;
    assert_eq!(
        refused(&format!(r#"{{"grid": {{"a": {axis}, "b": {axis}, "c": {axis}}}}}"#)),
        "parameters: expected at most 1000000000 points, found some 10^27 points"
    );
    let names: Vec<String> = (0..10).map(|name| format!("\"a{name}\": {axis}")).collect();
    let found = refused(&format!("{{\"grid\": {{{}}}}}", names.join(", ")));
    assert_eq!(found, "parameters: expected at most 1000000000 points, found more than 10^38 points");
    assert!(refused(r#"{"grid": {"a": [1]}, "repeat": 1000000001}"#).contains("a whole number from 1 to 1000000000"));
    assert!(refused(r#"{"sobol": {"a": {"from": 0, "to": 1}}, "samples": 65537}"#).contains("from 1 to 65536"));
    let long = format!(r#"{{"zip": {{"a": {:?}}}}}"#, vec!["x"; 10_001]);
    assert!(refused(&long).contains("put the points into a `csv` or `jsonl` file"));
}

#[test]
fn what_asks_for_nothing_sound_is_refused_with_its_place() {
    for (parameters, expected) in [
        (r#"["a"]"#, "parameters: expected an object with `grid`"),
        (r#"{}"#, "found none of them"),
        (r#"{"grid": {}}"#, "parameters.grid: expected an object: the name of each parameter"),
        (r#"{"grid": {"a": []}}"#, "parameters.grid.a: expected a list of values, or a range"),
        (r#"{"grid": {"a": [1, [2]]}}"#, "parameters.grid.a[1]: expected a text, a number"),
        (r#"{"grid": {"a": ["x\ny"]}}"#, "parameters.grid.a[0]: expected one line of text, found a newline"),
        (r#"{"grid": {"a": {"from": 1, "to": 2.5}}}"#, "found none of `step` and `count`"),
        (r#"{"grid": {"a": {"from": 1, "to": 2, "step": 1, "count": 2}}}"#, "found none or both of `step` and `count`"),
        (r#"{"grid": {"a": {"from": 1, "to": 2, "step": 0}}}"#, "found a `step` of 0 from 1 to 2"),
        (r#"{"grid": {"a": {"from": 1, "to": 2, "step": -1}}}"#, "found a `step` of -1 from 1 to 2"),
        (
            r#"{"grid": {"a": {"from": 1, "to": "x", "step": 1}}}"#,
            "parameters.grid.a.to: expected a number, found \"x\"",
        ),
        (r#"{"grid": {"a": {"from": 1, "step": 1}}}"#, "found no `to`"),
        (r#"{"grid": {"a": {"from": 1e20, "to": 2e20, "step": 1e-20}}}"#, "numbers of too many digits"),
        (r#"{"grid": {"a": {"from": 1e999, "to": 2, "step": 1}}}"#, "numbers of too many digits"),
        (r#"{"grid": {"a": {"from": 0, "to": 1, "count": 3, "scale": "log"}}}"#, "bounds above 0"),
        (r#"{"grid": {"a": {"from": 1, "to": 2, "count": 1}}}"#, "a `count` from 2"),
        (r#"{"grid": {"a": {"from": 1, "to": 2, "stepp": 1}}}"#, "did you mean `step`?"),
        (r#"{"grid": {"2a": [1]}}"#, "parameters.grid.2a: expected a name of letters, digits"),
        (r#"{"grid": {"OAR_X": [1]}}"#, "not beginning with `CIGRI` or `OAR`"),
        (r#"{"grid": {"HOME": [1]}}"#, "a name that is no macro"),
        (r#"{"grid": {"a": [1]}, "zip": {"a": [1]}}"#, "found a second parameter of this name"),
        (
            r#"{"zip": {"a": [1, 2], "b": [1]}}"#,
            "parameters.zip: expected as many values for each name, found 2, 1 values",
        ),
        (r#"{"grid": {"repeat": [1]}, "repeat": 2}"#, "found a parameter `repeat`"),
        (r#"{"grid": {"a": [1]}, "samples": 2}"#, "parameters.samples: expected no `samples` there"),
        (r#"{"random": {"a": {"from": 0, "to": 1}}}"#, "parameters.random: expected `samples`"),
        (r#"{"random": {"a": {"from": 1, "to": 1}}, "samples": 1}"#, "`from` below `to`"),
        (
            r#"{"random": {"a": {"from": 0.5, "to": 1, "integer": true}}, "samples": 1}"#,
            "a whole number of at most 15 digits",
        ),
        (r#"{"random": {"a": {"from": 0, "to": 1}}, "samples": 1, "seed": -1}"#, "a whole number from 0 to 4294967295"),
        (r#"{"random": {"a": [1]}, "sobol": {"a": [1]}, "samples": 1}"#, "found `random` and `sobol`"),
        (r#"{"csv": "p.csv"}"#, "parameters.csv: expected the rows of the file, sent beside the campaign"),
        (r#"{"csv": "p.csv", "grid": {"a": [1]}}"#, "found `grid` and `csv`"),
    ] {
        let said = refused(parameters);
        assert!(said.contains(expected), "{parameters}: {said}");
    }
}

#[test]
fn the_example_is_the_grid_of_its_parameter_file() {
    let text = include_str!("../../../examples/sweep/grid.json");
    let Parameters::Sweep(sweep) = read(text, &plain()).unwrap().parameters else { panic!("no sweep") };
    let lines = include_str!("../../../examples/sweep/parameters.txt").lines();
    let number = |word: &str| word.parse::<f64>().unwrap();
    let listed: Vec<Vec<f64>> = lines.map(|line| line.split(' ').map(number).collect()).collect();
    let computed = (0..sweep.count() as u64).map(|index| sweep.values(index).unwrap());
    let computed: Vec<Vec<f64>> = computed.map(|values| values.iter().map(|value| number(value)).collect()).collect();
    assert_eq!(computed, listed);
}

/// An axis, and how many values it has.
fn any_axis() -> impl Strategy<Value = (Value, u64)> {
    prop_oneof![
        prop::collection::btree_set("[ -~\u{e9}]{0,6}", 1..5).prop_map(|texts| (json!(texts), texts.len() as u64)),
        (-50_i64..50, 1_i64..20, 1_u64..6).prop_map(|(from, step, count)| {
            let at = |tenths: i64| json!(tenths as f64 / 10.0);
            let to = from + step * (count as i64 - 1);
            (json!({"from": at(from), "to": at(to), "step": at(step)}), count)
        }),
        (-50_i64..50, 2_u64..6)
            .prop_map(|(from, count)| (json!({"from": from, "to": from + 7, "count": count}), count)),
        (1_u64..50, 2_u64..6).prop_map(|(from, count)| {
            (json!({"from": from, "to": from * 9, "count": count, "scale": "log"}), count)
        }),
    ]
}

fn exact_words(text: &str, values: &[String]) -> bool {
    shlex::split(text).is_some_and(|words| words == values)
}

proptest! {
    #[test]
    fn every_index_of_a_grid_is_another_point(
        axes in prop::collection::vec(any_axis(), 1..4),
        repeat in prop::option::of(1_u64..4),
    ) {
        let expected = axes.iter().map(|(_, count)| count).product::<u64>() * repeat.unwrap_or(1);
        let grid: Map<String, Value> =
            axes.into_iter().zip(0..).map(|((axis, _), name)| (format!("a{name}"), axis)).collect();
        let sweep = sweep(&json!({"grid": grid, "repeat": repeat}).to_string());
        prop_assert_eq!(sweep.count(), u128::from(expected));
        let mut points = BTreeSet::new();
        for index in 0..expected {
            let values = sweep.values(index).unwrap();
            prop_assert_eq!(values.len(), sweep.names.len());
            prop_assert!(exact_words(&sweep.text(index).unwrap(), &values));
            points.insert(values);
        }
        prop_assert_eq!(points.len() as u64, expected);
        prop_assert_eq!(sweep.text(expected), None);
        prop_assert_eq!(sweep.text(u64::MAX), None);
    }

    #[test]
    fn any_numbers_make_a_range_or_are_refused(
        from in "-?[0-9]{1,30}(\\.[0-9]{1,30})?([eE][-+]?[0-9]{1,3})?",
        to in "-?[1-9][0-9]{0,30}([eE][-+]?[0-9]{1,3})?",
        step in "-?[1-9][0-9]{0,5}(\\.[0-9]{1,30})?([eE][-+]?[0-9]{1,3})?",
        rest in prop_oneof![Just("\"step\": S"), Just("\"count\": 7"), Just("\"count\": 7, \"scale\": \"log\"")],
    ) {
        let rest = rest.replace('S', &step);
        for form in ["grid", "random"] {
            let rest = if form == "grid" { format!(", {rest}") } else { String::new() };
            let samples = if form == "grid" { "" } else { r#", "samples": 9"# };
            let text = format!(
                r#"{{"name": "n", "exec_file": "a", "clusters": {{"dahu": {{}}}},
                   "parameters": {{"{form}": {{"x": {{"from": {from}, "to": {to}{rest}}}}}{samples}}}}}"#
            );
            let Ok(resolved) = read(&text, &plain()) else { continue };
            let Parameters::Sweep(sweep) = resolved.parameters else { panic!("no sweep") };
            let count = sweep.count() as u64;
            for index in [0, count / 2, count - 1] {
                let value = sweep.values(index).and_then(|values| values[0].parse::<f64>().ok());
                prop_assert!(value.is_some_and(f64::is_finite), "{}: {}: {:?}", text, index, value);
            }
        }
    }
}

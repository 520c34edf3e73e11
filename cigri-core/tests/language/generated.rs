//! Campaigns made by chance: sound ones with every field of the language, and heaps of fields that mean anything or nothing.

use proptest::prelude::*;
use proptest::strategy::Union;
use serde_json::{Map, Value, json};

/// A value, or nothing in half of the cases.
type Maybe = BoxedStrategy<Option<Value>>;

fn maybe<T: Into<Value> + std::fmt::Debug + 'static>(strategy: impl Strategy<Value = T> + 'static) -> Maybe {
    prop::option::of(strategy.prop_map(Into::into)).boxed()
}

fn one_of(values: &[Value]) -> BoxedStrategy<Value> {
    Union::new(values.iter().cloned().map(Just)).boxed()
}

/// Fields that are there by chance.
fn object(fields: Vec<(&'static str, Maybe)>) -> BoxedStrategy<Map<String, Value>> {
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    let pair = |(name, value): (&&str, Option<Value>)| value.map(|value| ((*name).to_owned(), value));
    values.prop_map(move |values| names.iter().zip(values).filter_map(pair).collect()).boxed()
}

/// Fields that go together: some of them are nothing without the others.
fn merged(parts: Vec<BoxedStrategy<Map<String, Value>>>) -> BoxedStrategy<Map<String, Value>> {
    parts.prop_map(|parts| parts.into_iter().flatten().collect()).boxed()
}

fn or_nothing(part: BoxedStrategy<Map<String, Value>>) -> BoxedStrategy<Map<String, Value>> {
    prop_oneof![Just(Map::new()), part].boxed()
}

fn always(name: &'static str, value: BoxedStrategy<Value>) -> BoxedStrategy<Map<String, Value>> {
    value.prop_map(move |value| Map::from_iter([(name.to_owned(), value)])).boxed()
}

fn step(names: [&'static str; 3]) -> BoxedStrategy<Map<String, Value>> {
    let script = prop_oneof![
        "[a-z]{1,8}( \\{HOME\\}/[a-z]{1,4}){0,2}".prop_map(Value::from),
        prop::collection::vec("[a-z~/\" ]{0}|[a-z]{1,9} \"\\{OAR_JOB_ID\\}\"", 1..4).prop_map(|mut lines| {
            lines.push("true".into());
            Value::from(lines)
        }),
    ];
    let own = vec![
        (names[1], maybe("[1-9]:[0-5][0-9]:[0-5][0-9]")),
        (names[2], maybe((1_u32..9).prop_map(|cores| format!("/nodes=1/core={cores}")))),
    ];
    or_nothing(merged(vec![always(names[0], script.boxed()), object(own)]))
}

/// Tasks packed into jobs, and OAR's signal.
fn packing() -> BoxedStrategy<Map<String, Value>> {
    let turn = prop_oneof![Just(json!(true)), Just(json!("auto")), (2_u32..1000).prop_map(Value::from)];
    let batch = prop_oneof![(1_u32..86400).prop_map(Value::from), "[0-9]:[1-9]:[0-5][0-9]".prop_map(Value::from)];
    let in_turn = vec![
        always("temporal_grouping", turn.boxed()),
        object(vec![("temporal_grouping_batch_duration", maybe(batch))]),
    ];
    let signals = [json!("USR1"), json!("SIGTERM"), json!(1), json!("12"), json!("")];
    let signal = merged(vec![
        always("checkpointing_type", one_of(&[json!("signal"), json!("oar"), json!(true)])),
        object(vec![("checkpointing_period", maybe(1_u32..3600)), ("checkpointing_signal", maybe(one_of(&signals)))]),
    ]);
    let side = object(vec![(
        "dimensional_grouping",
        maybe(prop_oneof![Just(json!(false)), (1_u32..256).prop_map(Value::from)]),
    )]);
    merged(vec![or_nothing(merged(in_turn)), side, or_nothing(signal)])
}

fn output() -> BoxedStrategy<Map<String, Value>> {
    let file = "[a-z]{1,5}/[a-z]{1,5}\\.\\{(TASK_ID|TASK_INDEX)\\}".prop_map(Value::from).boxed();
    or_nothing(merged(vec![
        always("output_gathering_method", Just(json!("collector")).boxed()),
        always("output_file", file),
        object(vec![("output_destination", maybe("the one folder"))]),
    ]))
}

/// What a cluster may say.
fn cluster() -> BoxedStrategy<Map<String, Value>> {
    let kinds = ["normal", "best-effort", "besteffort", "semi-best-effort", "nightly"].map(Value::from);
    let plain = vec![
        ("exec_file", maybe("[a-z]{1,8}( [a-z]{1,4}){0,2}")),
        ("exec_directory", maybe("(/|~/|\\{HOME\\}/)[a-z]{1,6}")),
        ("walltime", maybe((1_u32..50).prop_map(|hours| format!("{hours}:00:01")))),
        ("resources", maybe((1_u32..9).prop_map(|cores| format!("/nodes=1/core={cores}")))),
        ("properties", maybe(one_of(&[json!(""), json!("mem > 1"), json!("a = 'b c'")]))),
        ("project", maybe("[a-z]{0,9}")),
        ("cluster_job_type", maybe("[a-z]{0,5}x")),
        ("type", maybe(one_of(&kinds))),
        ("max_jobs", maybe(1_u32..=u32::MAX)),
    ];
    let steps = [
        step(["prologue", "prologue_walltime", "prologue_resources"]),
        step(["epilogue", "epilogue_walltime", "epilogue_resources"]),
    ];
    merged(Vec::from_iter([object(plain), packing(), output()].into_iter().chain(steps)))
}

/// What a campaign says of its tasks, and whether they have an end.
fn tasks() -> BoxedStrategy<Map<String, Value>> {
    let ends = vec![("until", maybe(Just("2027-01-31"))), ("successes", maybe(1_u32..1000))];
    let parameters = prop::collection::vec("[a-zA-Z0-9_/ .é-]{0,12}", 1..20).prop_map(Value::from);
    prop_oneof![
        always("params", parameters.boxed()),
        always("nb_jobs", (1_u64..1_000_000_000).prop_map(Value::from).boxed()),
        merged(vec![always("jobs_type", Just(json!("desktop_computing")).boxed()), object(ends)]),
    ]
    .boxed()
}

/// Campaigns that are accepted. Each cluster says everything for itself, so that nothing inherited is at odds with it.
pub(crate) fn campaign() -> impl Strategy<Value = Value> {
    let clusters = prop::collection::btree_map("[a-z][a-z0-9.-]{0,9}", cluster(), 1..4);
    let tests = [json!(true), json!("continue"), json!(3), json!({"jobs": 2, "then": "continue"}), json!(false)];
    let sample = object(vec![("test_mode", maybe(one_of(&tests))), ("priority", maybe(-100_i32..=100))]);
    (clusters, merged(vec![tasks(), sample]), "[a-zA-Z0-9 é]{0,8}[a-z]").prop_map(|(clusters, more, name)| {
        let mut campaign = json!({"name": name, "exec_file": "top.sh", "walltime": "2:00:00", "clusters": clusters});
        campaign.as_object_mut().unwrap().extend(more);
        campaign
    })
}

/// Any JSON, a little biased towards short texts that mean something in the language.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let words = "normal|true|auto|continue|signal|scp|nightly|desktop_computing|2027-01-31|a:b|\\{TASK_ID\\}";
    let text = prop_oneof![any::<String>(), "[~{}a-z/=,+:$HOME#'\"<\n0-9 -]{0,12}", words];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_i64..20).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            fields(inner).prop_map(Value::Object),
        ]
    })
}

/// Fields with names of the language, mostly.
pub(crate) fn fields(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let known = json_schema_names();
    let key = prop_oneof![5 => prop::sample::select(known), 1 => Just("dahu".to_owned()), 1 => any::<String>()];
    prop::collection::vec((key, value), 0..6).prop_map(|pairs| pairs.into_iter().collect())
}

fn json_schema_names() -> Vec<String> {
    let schema = cigri_core::language::json_schema();
    let names = schema["properties"].as_object().unwrap().keys().cloned();
    let of_sweeps = "grid zip csv random sobol samples seed repeat from to step count scale";
    names.chain(of_sweeps.split(' ').map(str::to_owned)).collect()
}

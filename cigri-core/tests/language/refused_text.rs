//! Bad text: not JSON, too big, too deep, ambiguous; each with line and column.

use cigri_core::language::{Limits, Problem, parse};

use super::context::{plain, read, refusals, with_line};

fn syntax(text: &[u8]) -> String {
    parse(text, &Limits::default()).unwrap_err().to_string()
}

#[test]
fn a_problem_is_data_and_one_sentence() {
    let problems = read(&with_line(r#""waltime": "1""#), &plain()).unwrap_err().0;
    assert_eq!(
        problems,
        [Problem {
            path: "waltime".into(),
            found: "an unknown field".into(),
            expected: "a field of the language".into(),
            hint: Some("did you mean `walltime`?".into()),
            line: Some((2, 12)),
        }]
    );
    assert_eq!(
        problems[0].to_string(),
        "waltime (line 2, column 12): expected a field of the language, found an unknown field; \
         did you mean `walltime`?"
    );
}

#[test]
fn text_that_is_not_json_is_refused_with_line_and_column() {
    let cases: [(&[u8], &str); 12] = [
        (b"", "line 1, column 1: expected valid JSON (EOF while parsing a value), found the end of the text"),
        (b"hello", "line 1, column 1: expected valid JSON (expected value), found `hello`"),
        (
            b"{\n  \"a\": 1,\n}",
            "line 3, column 1: expected valid JSON (key must be a string), found `}`; a comma stands only between two entries: remove the last one",
        ),
        (
            b"{\"a\": 1",
            "line 1, column 7: expected valid JSON (EOF while parsing an object), found the end of the text",
        ),
        (
            b"{\"a\": \"x",
            "line 1, column 8: expected valid JSON (EOF while parsing a string), found the end of the text",
        ),
        (b"{}\n{}", "line 2, column 1: expected valid JSON (trailing characters), found `{}`"),
        (b"{\"a\": 1 \"b\": 2}", "line 1, column 9: expected valid JSON (expected `,` or `}`), found `\"b\": 2}`"),
        (b"{'a': 1}", "line 1, column 2: expected valid JSON (key must be a string), found `'a': 1}`"),
        (b"{\"a\": 01}", "line 1, column 8: expected valid JSON (invalid number), found `1}`"),
        (
            "{\"é\": \"\\ud800\"}".as_bytes(),
            "line 1, column 14: expected valid JSON (unexpected end of hex escape), found `\"}`",
        ),
        (
            "{\"é\": \"à".as_bytes(),
            "line 1, column 8: expected valid JSON (EOF while parsing a string), found the end of the text",
        ),
        (b"\xef\xbb\xbf{\"a\" 1}", "line 1, column 6: expected valid JSON (expected `:`), found `1}`"),
    ];
    for (text, expected) in cases {
        assert_eq!(syntax(text), expected, "{}", String::from_utf8_lossy(text));
    }
    assert_eq!(syntax(b"{\n\"name\": \"caf\xe9\"}"), "line 2, column 13: expected UTF-8 text, found the byte 0xe9");
}

#[test]
fn json_of_the_wrong_shape_is_refused() {
    let expected = "a campaign: an object with `name`, `clusters`, `exec_file`...";
    let cases = [("[]", "[]"), (" 3", "3"), ("null", "null"), ("\"x\"", "\"x\""), ("[1, {}]", "a list of 2 items")];
    for (text, found) in cases {
        let column = 1 + text.len() - text.trim_start().len();
        assert_eq!(syntax(text.as_bytes()), format!("line 1, column {column}: expected {expected}, found {found}"));
    }
    assert_eq!(
        refusals("{}", &plain()),
        [
            "name: expected a name for the campaign, found nothing",
            "clusters: expected an object: the name of each cluster, with its settings (`{}` for none), found nothing",
            "params: expected exactly one of `nb_jobs`, `params`, `param_file` and `parameters`, found no parameters",
        ]
    );
}

#[test]
fn keys_given_twice_are_all_refused() {
    let text = "{\"name\": \"a\",\n\"Name\": \"b\", \"nb_jobs\": 1, \"exec_file\": \"x\", \"clusters\": {\"c\": {\"max_jobs\": 1,
\"max_jobs\": 2}, \"c\": {}}}";
    assert_eq!(
        refusals(text, &plain()),
        [
            "Name (line 2, column 9): expected each key only once, found a second value (the first is on line 1)",
            "clusters.c.max_jobs (line 3, column 13): \
             expected each key only once, found a second value (the first is on line 2)",
            "clusters.c (line 3, column 22): expected each key only once, found a second value (the first is on line 2)",
        ]
    );
}

#[test]
fn a_key_given_twice_hides_no_other_problem() {
    let text = "{\"name\": \"a\", \"nb_jobs\": -1, \"name\": \"b\", \"exec_file\": \"x\", \"clusters\": {\"c\": {\"walltime\": \"abc\"}}}";
    let paths: Vec<String> = read(text, &plain()).unwrap_err().0.into_iter().map(|problem| problem.path).collect();
    assert_eq!(paths, ["nb_jobs", "name", "clusters.c.walltime"]);
}

#[test]
fn nesting_size_and_number_of_values_are_bounded() {
    let nested = |depth: usize| format!("{{\"a\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(
        syntax(nested(16).as_bytes()),
        "a[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0] (line 1, column 22): \
         expected at most 16 levels of nesting, found a value nested 17 deep"
    );
    assert!(parse(nested(15).as_bytes(), &Limits::default()).is_ok());
    assert!(syntax(nested(1_000_000).as_bytes()).contains("nested 17 deep"));
    assert!(syntax("[".repeat(1_000_000).as_bytes()).contains("EOF while parsing a list"));

    let small = Limits { max_bytes: 10, ..Limits::default() };
    assert_eq!(
        parse(b"{\"name\": 1}", &small).unwrap_err().to_string(),
        "line 1, column 1: expected at most 10 bytes, found 11 bytes; \
         put the parameters into a `param_file`, which may have any size"
    );

    let few = Limits { max_values: 4, ..Limits::default() };
    assert_eq!(
        parse(b"{\"a\": [1, 2],\n\"b\": [3, {}]}", &few).unwrap_err().to_string(),
        "line 2, column 6: expected at most 4 values, found more values; \
         put the parameters into a `param_file`, which may have any size"
    );
    assert!(parse(b"{\"a\": [1, 2], \"b\": [\"3\", \"4\", \"5\"]}", &few).is_ok());
}

#[test]
fn texts_made_to_take_long_are_refused_soon() {
    let start = std::time::Instant::now();
    let long = "9".repeat(1 << 20);
    let many =
        |what: &str, count: usize| (0..count).map(|n| what.replace('#', &n.to_string())).collect::<Vec<_>>().join(", ");
    let fields = [
        format!("\"max_jobs\": {long}"),
        format!("\"checkpointing_type\": true, \"checkpointing_period\": {long}"),
        format!("\"test_mode\": {{\"jobs\": 1e{long}}}"),
        format!("\"prologue\": [{}]", many("\"cat <<E#\"", 1000)),
        format!("\"output_gathering_method\": \"collector\", \"output_file\": \"{}\"", "{".repeat(1 << 20)),
        format!("\"output_gathering_method\": \"collector\", \"output_file\": \"{}\"", "{}".repeat(500)),
        format!("\"until\": \"{long}\""),
        many("\"field_#\": 1", 100_000),
        format!("\"resources\": \"{}\", \"dimensional_grouping\": 2", "/core=2".repeat(100_000)),
    ];
    for field in fields {
        let said = refusals(&with_line(&field), &plain());
        assert!(said.len() <= 101 && said.iter().all(|one| one.len() < 1000), "{said:?}");
    }
    // Far above what it takes, far below what anything quadratic would.
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

//! Bad parameters and bad clusters, with the exact sentences.

use std::collections::BTreeSet;

use cigri_core::language::Context;

use super::context::{plain, refusals, streamed, with_line};

fn with_parameters(line: &str) -> String {
    format!("{{\"name\": \"n\", \"clusters\": {{\"c\": {{\"exec_file\": \"a\"}}}},\n{line}}}")
}

#[test]
fn parameters_that_no_job_could_get_are_refused() {
    let refused = |line: &str| refusals(&with_parameters(line), &plain());
    assert_eq!(refused("\"params\": []"), ["params (line 2, column 11): expected a list of parameters, found []"]);
    assert_eq!(
        refused("\"params\": \"a\""),
        ["params (line 2, column 11): expected a list of parameters, found \"a\""]
    );
    assert_eq!(
        refused(r#""params": ["a\nb", {}, null, "it's", "a\u0000"]"#),
        [
            "params[1] (line 2, column 20): expected a text, one line, found {}",
            "params[2] (line 2, column 24): expected a text, one line, found null",
            "params[0]: expected one line of text, found a newline",
            "params[4]: expected one line of text, found a NUL character",
        ]
    );
    assert_eq!(
        refused(&format!("\"params\": [\"ok\", \"{}\"]", "x".repeat(1 << 20))),
        ["params[1]: expected at most 65536 bytes, found 1048576 bytes; pass the name of a file that holds the data"]
    );
}

#[test]
fn a_flood_of_problems_is_counted_not_listed() {
    let many = vec!["\"\\n\""; 100_000].join(",");
    let said = refusals(&with_parameters(&format!("\"params\": [{many}]")), &plain());
    assert_eq!(said.len(), 11);
    assert_eq!(said[10], "params: expected parameters that a job can get, found 99990 more such parameters");

    let fields: Vec<String> = (0..1000).map(|index| format!("\"unknown field {index}\": 1")).collect();
    let said = refusals(&with_line(&fields.join(",")), &plain());
    assert_eq!(said.len(), 101);
    assert_eq!(said[100], "...: expected the ones above to be mended first, found 900 more problems");
}

#[test]
fn exactly_one_source_of_parameters_is_taken() {
    let refused = |line: &str, context: &Context<'_>| refusals(&with_parameters(line), context);
    let expected = "expected exactly one of `nb_jobs`, `params`, `param_file` and `parameters`";
    assert_eq!(
        refused(r#""nb_jobs": 1, "params": ["a"], "param_file": "p""#, &plain()),
        [format!("param_file (line 2, column 46): {expected}, found `nb_jobs` and `params` and `param_file`")]
    );
    assert_eq!(
        refused("\"Nb_Jobs\": 1", &streamed()),
        [format!("Nb_Jobs (line 2, column 12): {expected}, found `nb_jobs` and parameters sent beside the file")]
    );
    assert_eq!(
        refused("\"param_file\": \"/etc/passwd\"", &plain()),
        ["param_file (line 2, column 15): expected the lines of the file, sent beside the campaign, found \
          \"/etc/passwd\"; a file is read by the client that submits, never on the server"]
    );
    assert_eq!(
        refused("\"param_file\": \"\"", &streamed()),
        ["param_file (line 2, column 15): expected the name of a file, found \"\""]
    );
}

#[test]
fn clusters_are_named_soundly_and_known() {
    let clusters = |clusters: &str, context: &Context<'_>| {
        refusals(
            &format!("{{\"name\": \"n\", \"nb_jobs\": 1, \"exec_file\": \"a\",\n\"clusters\": {clusters}}}"),
            context,
        )
    };
    let shape = "expected an object: the name of each cluster, with its settings (`{}` for none)";
    assert_eq!(clusters("{}", &plain()), [format!("clusters (line 2, column 13): {shape}, found {{}}")]);
    assert_eq!(
        clusters("[\"dahu\"]", &plain()),
        [format!("clusters (line 2, column 13): {shape}, found a list of 1 item")]
    );
    assert_eq!(
        clusters("{\"dahu\": null}", &plain()),
        [
            "clusters.dahu (line 2, column 22): expected an object with the settings of the cluster (`{}` for none), found null"
        ]
    );
    let name = "expected a cluster's name: letters, digits, `_`, `.` and `-`, at most 64, a letter or digit first";
    for bad in ["", "a b", "$(id)", "-x", "a;b", "é", &"x".repeat(65)] {
        let said = clusters(&format!("{{\"{bad}\": {{}}}}"), &plain());
        assert_eq!(said.len(), 1);
        assert!(said[0].contains(name), "{said:?}");
    }

    let known = BTreeSet::from(["dahu".to_owned(), "bigfoot".to_owned()]);
    let mut context = plain();
    context.known_clusters = Some(&known);
    assert_eq!(
        clusters("{\"dahu\": {}, \"dahou\": {}, \"luke\": {}}", &context),
        [
            "clusters.dahou (line 2, column 35): expected a cluster known here, found \"dahou\"; did you mean `dahu`?",
            "clusters.luke (line 2, column 47): expected a cluster known here, found \"luke\"; known are: bigfoot, dahu",
        ]
    );
    let none = BTreeSet::new();
    context.known_clusters = Some(&none);
    assert!(clusters("{\"dahu\": {}}", &context)[0].ends_with("; no cluster is configured"));
}

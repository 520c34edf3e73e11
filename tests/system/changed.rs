//! A campaign file that has changed since it was run: refused with the difference, never gone on with.

use crate::sandbox::{Finished, Sandbox};

const FIRST: &str =
    r#"{"name": "c", "param_file": "p.txt", "exec_file": "echo", "walltime": "1", "clusters": {"here": {}}}"#;

fn ran() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("p.txt", "a\nb\nc\n");
    sandbox.write("c.json", FIRST);
    sandbox.cigri(&["run", "c.json"]).expect(0);
    sandbox
}

fn refused(sandbox: &Sandbox) -> Finished {
    let run = sandbox.cigri(&["run", "c.json"]);
    run.expect(6);
    assert!(run.error().contains("`c.json` has changed since campaign 1"), "{run}");
    assert!(run.error().contains("run c.json --new"), "the way out is shown: {run}");
    assert_eq!(sandbox.campaigns().len(), 1);
    run
}

#[test]
fn a_changed_field_is_shown_as_a_difference() {
    let sandbox = ran();
    sandbox.write("c.json", FIRST.replace("\"1\"", "\"2\""));
    let run = refused(&sandbox);
    assert!(run.stderr.contains("-  \"walltime\": \"1\"") && run.stderr.contains("+  \"walltime\": \"2\""), "{run}");
    assert!(!run.stderr.contains("parameter that differs"), "{run}");
    sandbox.cigri(&["run", "c.json", "--new"]).expect(0);
    assert_eq!(sandbox.campaigns().len(), 2);
    // From now on the new content is the campaign of this file.
    sandbox.cigri(&["run", "c.json"]).expect(0);
    assert_eq!(sandbox.campaigns().len(), 2);
}

#[test]
fn a_changed_parameter_is_named() {
    let sandbox = ran();
    sandbox.write("p.txt", "a\nB\nc\n");
    let run = refused(&sandbox);
    assert!(run.stderr.contains("number 2 (3 as before)\n-b\n+B\n"), "{run}");
}

#[test]
fn parameters_that_came_or_went_are_counted() {
    let sandbox = ran();
    sandbox.write("p.txt", "a\nb\nc\nd\n");
    let run = refused(&sandbox);
    assert!(run.stderr.contains("number 4 (3 before, 4 now)\n-(none)\n+d\n"), "{run}");
    sandbox.write("p.txt", "a\nb\n");
    let run = refused(&sandbox);
    assert!(run.stderr.contains("number 3 (3 before, 2 now)\n-c\n+(none)\n"), "{run}");
}

#[test]
fn inline_parameters_are_compared_too() {
    let sandbox = Sandbox::new();
    let text = r#"{"name": "c", "params": ["a", "b"], "exec_file": "echo", "clusters": {"here": {}}}"#;
    sandbox.write("c.json", text);
    sandbox.cigri(&["run", "c.json"]).expect(0);
    sandbox.write("c.json", text.replace("\"b\"", "\"z\""));
    let run = refused(&sandbox);
    assert!(run.stderr.contains("number 2 (2 as before)\n-b\n+z\n"), "{run}");
}

#[test]
fn another_layout_is_no_change() {
    let sandbox = ran();
    sandbox.write("c.json", FIRST.replace(": ", " :\n  "));
    let run = sandbox.cigri(&["run", "c.json"]);
    run.expect(0);
    assert!(run.stderr.contains("finished already"), "{run}");
}

#[test]
fn another_path_is_another_campaign() {
    let sandbox = ran();
    sandbox.write("d.json", FIRST.replace("\"1\"", "\"2\""));
    sandbox.cigri(&["run", "d.json"]).expect(0);
    assert_eq!(sandbox.campaigns().len(), 2);
    std::os::unix::fs::symlink(sandbox.path("c.json"), sandbox.path("link.json")).unwrap();
    let run = sandbox.cigri(&["run", "link.json"]);
    run.expect(0);
    assert!(run.stderr.contains("campaign 1 of this file is finished already"), "{run}");
}

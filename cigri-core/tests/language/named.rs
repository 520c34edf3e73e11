//! Named parameters in a real shell: exported as they are, whatever they hold, and put into the command by `{name}`.

use std::process::Command;

use cigri_core::command::{parameter_line, remote_command, shown_command, task_of_command};
use cigri_core::language::{ClusterSpec, quoted};
use cigri_core::task_ids::TaskIds;
use proptest::prelude::*;

use super::context::{plain, read};

fn campaign(exec_file: &str) -> String {
    let exec_file = serde_json::to_string(exec_file).unwrap();
    format!(
        r#"{{"name": "n", "exec_file": {exec_file}, "clusters": {{"dahu": {{}}}}, "parameters": {{"grid": {{"alpha": [1], "n": [2]}}}}}}"#
    )
}

fn cluster(exec_file: &str) -> ClusterSpec {
    let resolved = read(&campaign(exec_file), &plain()).unwrap_or_else(|problems| panic!("{exec_file}: {problems}"));
    resolved.spec.clusters["dahu"].clone()
}

fn names(count: usize) -> Vec<String> {
    ["alpha", "n", "c", "d", "e", "f", "g", "h", "i", "j"].iter().take(count).map(|name| (*name).to_owned()).collect()
}

/// What one task with these values prints, run as a cluster runs it.
fn run(exec_file: &str, values: &[&str]) -> String {
    let command =
        remote_command(3, "dahu", &TaskIds::consecutive(2000, 100), &cluster(exec_file), &names(values.len()));
    let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    let line = format!("{command} {}", parameter_line(2017, 1, &quoted(&values)));
    assert_eq!(task_of_command(&line), Some((2017, 1)));
    let output = Command::new("bash").args(["-c", &line]).env("HOME", "/home/alice").output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Shows its words and the variables of its parameters.
const SHOW: &str = r#"bash -c 'printf "[%s]" "$@"; env | grep ^CIGRI_PARAM | LC_ALL=C sort | tr "\n" ";"' x"#;

#[test]
fn parameters_are_exported_and_appended_as_words() {
    assert_eq!(
        remote_command(3, "dahu", &TaskIds::consecutive(2000, 100), &cluster("./run -v"), &names(2)),
        "_c(){ export CIGRI_CAMPAIGN_ID=3 CIGRI_CLUSTER=dahu CIGRI_TASK_ID=$1 CIGRI_TASK_INDEX=$(($1-2000)) \
         CIGRI_ATTEMPT=$2 CIGRI_PARAM_alpha=$3 CIGRI_PARAM_n=$4; shift 2; ./run -v \"$@\"; }; _c"
    );
    assert_eq!(run(SHOW, &["0.1", "two  words"]), "[0.1][two  words]CIGRI_PARAM_alpha=0.1;CIGRI_PARAM_n=two  words;");
    let many = run(SHOW, &["1", "2", "3", "4", "5", "6", "7", "8", "9", "ten"]);
    assert!(many.contains("CIGRI_PARAM_i=9;CIGRI_PARAM_j=ten;"), "{many}");
}

#[test]
fn a_command_that_takes_them_by_name_gets_no_words() {
    assert_eq!(run(&SHOW.replace("PARAM", "PARAM_"), &["0.1", "4"]), "[]CIGRI_PARAM_alpha=0.1;CIGRI_PARAM_n=4;");
    assert_eq!(run("echo --n $CIGRI_PARAM_n", &["0.1", "4"]), "--n 4\n");
    assert_eq!(run("(echo a; echo {n})", &["0.1", "4"]), "a\n4\n");
}

#[test]
fn braces_become_references_that_fit_their_place() {
    for (exec_file, expected) in [
        ("printf '[%s]' {alpha} x{n}y", "[a  *][xby]"),
        (r#"printf '[%s]' "{alpha} and {n}c""#, "[a  * and bc]"),
        ("printf '[%s]' '$'{n}", "[$b]"),
        ("A={alpha} bash -c 'echo \"$A\"'", "a  *\n"),
        ("printf '[%s]' $(printf %s {n}) `printf %s {n}`", "[b][b]"),
        ("printf '[%s]' {a,{n}}", "[a][b]"),
        (r#"b=7; echo $(( {n} + 1 )) ${CIGRI_PARAM_n:-{n}}"#, "8 b\n"),
        ("printf '[%s]' {n} {HOME} {1..3}", "[b][/home/alice][1][2][3]"),
        (r"echo \{n} {n}", "{n} b\n"),
        ("awk 'BEGIN {print}' /dev/null; echo {n}", "\nb\n"),
    ] {
        assert_eq!(run(exec_file, &["a  *", "b"]), expected, "{exec_file}");
    }
}

#[test]
fn references_that_cannot_be_filled_in_are_refused() {
    for (exec_file, expected) in [
        ("awk '{n}'", "found `{n}` within single quotes"),
        ("echo $'{n}'", "found `{n}` within single quotes"),
        (
            "echo {alpa}",
            "clusters.dahu.exec_file: expected the name of a parameter between braces, found `{alpa}`; did you mean `{alpha}`?",
        ),
        ("echo \"{zzzzzz}\"", "parameters are: alpha, n"),
        ("echo \"$(cat {n})\"", "write `$CIGRI_PARAM_n` there"),
        ("echo {n} &", "expected a whole command, because no words follow it, found ` &` at its end"),
    ] {
        let said = read(&campaign(exec_file), &plain()).expect_err(exec_file).to_string();
        assert!(said.contains(expected), "{exec_file}: {said}");
    }
}

#[test]
fn without_names_braces_that_no_shell_reads_are_refused() {
    let read = |exec_file: &str| {
        let text = campaign(exec_file).replace(r#""grid": {"alpha": [1], "n": [2]}"#, "");
        read(&text.replace(r#""parameters": {}"#, r#""nb_jobs": 1"#), &plain())
    };
    for exec_file in [
        "echo ${alpha} {a,b} {1..3} \\{alpha} '{print}' \"{x}\"",
        "awk '{print}'",
        "{ echo a; }; echo",
        "exec {fd}<in; cat <&$fd",
        "./run {HOME}/x {CAMPAIGN_ID} \"{OAR_JOB_ID}\"",
    ] {
        assert!(read(exec_file).is_ok(), "{exec_file}: {:?}", read(exec_file));
    }
    for (exec_file, expected) in [
        (
            "echo {alpha}",
            "clusters.dahu.exec_file: expected no `{word}` without `parameters` that have names, found `{alpha}`; if the \
             program is to read the braces, quote them: '{alpha}'",
        ),
        ("run --out=r.{TASK_INDEX}", "found `{TASK_INDEX}`; the job has it as `$CIGRI_TASK_INDEX`"),
        ("run \"r.{TASK_ID}\"", "found `{TASK_ID}`; the job has it as `$CIGRI_TASK_ID`"),
    ] {
        let said = read(exec_file).expect_err(exec_file).to_string();
        assert!(said.contains(expected), "{exec_file}: {said}");
    }
}

#[test]
fn a_line_that_is_shown_prints_what_the_job_prints() {
    let exec_file = r#"printf '%s\n' "a {alpha} b" {n}"#;
    for value in ["plain", "it's \"quoted\"", r"back\slash \", "$HOME `id` $(id)", "*", ""] {
        let values = [value.to_owned(), value.to_owned()];
        let shown = shown_command(&cluster(exec_file), &names(2), &quoted(&values));
        let printed = Command::new("bash").args(["-c", &shown]).output().unwrap().stdout;
        assert_eq!(String::from_utf8(printed).unwrap(), run(exec_file, &[value, value]), "{shown}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn the_job_reads_exactly_the_value(values in prop::collection::vec("[^\r\n\0]{0,12}|[ '\"\\\\$`!*?~#{}()\\[\\];&|<>=\t-]{0,8}", 2)) {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let seen = run(r#"printf '%s\n%s\n' "$CIGRI_PARAM_alpha" {n}"#, &values);
        prop_assert_eq!(seen, format!("{}\n{}\n", values[0], values[1]));
        let seen = run(r"printf '%s\n'", &values);
        prop_assert_eq!(seen, format!("{}\n{}\n", values[0], values[1]));
    }
}

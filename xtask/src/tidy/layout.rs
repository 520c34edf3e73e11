//! The shape of files: each says why it exists, none is long, none has a name that says nothing.

use super::{Source, Violation};

/// Lines of a file that is not test code.
const MOST_LINES: usize = 400;
/// From here on a file is named in a warning.
const MANY_LINES: usize = 350;
const EMPTY_NAMES: [&str; 7] = ["utils", "util", "common", "helpers", "helper", "manager", "managers"];

pub(super) fn check(source: &Source) -> Vec<Violation> {
    if !source.is_rust() {
        return Vec::new();
    }
    let mut violations = Vec::new();
    if !source.text.starts_with("//!") {
        let message = "a file starts with `//!` and says why it exists";
        violations.push(Violation::new(&source.path, 1, message));
    }
    let lines = length(source);
    if lines > MOST_LINES {
        let message = format!("{lines} lines without tests, at most {MOST_LINES}: split by theme");
        violations.push(Violation::new(&source.path, MOST_LINES + 1, message));
    }
    violations.extend(empty_names(source));
    violations
}

/// A warning for a file that comes near the limit.
pub(super) fn nearly_too_long(source: &Source) -> Option<Violation> {
    let lines = length(source);
    let is_near = source.is_rust() && (MANY_LINES + 1..=MOST_LINES).contains(&lines);
    is_near.then(|| Violation::new(&source.path, lines, format!("{lines} lines without tests")))
}

/// Lines that are not unit tests; test files have no limit.
fn length(source: &Source) -> usize {
    if source.is_test() {
        return 0;
    }
    source.text.lines().count() - source.test_lines
}

fn empty_names(source: &Source) -> Vec<Violation> {
    let parts = source.path.iter().filter_map(|part| part.to_str());
    let in_path =
        parts.filter(|part| EMPTY_NAMES.contains(&part.trim_end_matches(".rs"))).map(|part| (1, part.to_owned()));
    let in_code = source.code.lines().enumerate().filter_map(|(index, line)| {
        let (_, after) = line.split_once("mod ")?;
        let name = after.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
        EMPTY_NAMES.contains(&name).then(|| (index + 1, name.to_owned()))
    });
    in_path
        .chain(in_code)
        .map(|(line, name)| {
            let message = format!("`{name}` says nothing: name it after what it holds");
            Violation::new(&source.path, line, message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(&Source::new(path, text)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_without_its_reason_is_caught() {
        assert!(messages("a/src/b.rs", "use c;\n")[0].starts_with("a/src/b.rs:1: a file starts"));
        assert!(messages("a/src/b.rs", "//! Why.\n").is_empty());
        assert!(messages("a/b.md", "# No Rust\n").is_empty());
    }

    #[test]
    fn a_long_file_is_caught_and_its_tests_do_not_count() {
        let code = format!("//! Why.\n{}", "fn a() {}\n".repeat(MOST_LINES));
        assert!(messages("a/src/b.rs", &code)[0].contains("401 lines"));
        let tests = format!("//! Why.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "\n".repeat(500));
        assert!(messages("a/src/b.rs", &tests).is_empty());
        assert!(messages("a/tests/b.rs", &code).is_empty());
    }

    #[test]
    fn a_file_near_the_limit_is_a_warning_only() {
        let source = Source::new("a/src/b.rs", format!("//! Why.\n{}", "fn a() {}\n".repeat(MANY_LINES)));
        assert!(check(&source).is_empty());
        assert!(nearly_too_long(&source).is_some());
    }

    #[test]
    fn names_that_say_nothing_are_caught() {
        for path in ["a/src/utils.rs", "a/src/helpers/b.rs", "a/src/manager.rs"] {
            assert_eq!(messages(path, "//! Why.\n").len(), 1, "{path}");
        }
        let inline = messages("a/src/b.rs", "//! Why.\npub(crate) mod common {}\n");
        assert!(inline[0].starts_with("a/src/b.rs:2: `common`"));
        assert!(messages("a/src/commonality.rs", "//! Why.\n").is_empty());
    }
}

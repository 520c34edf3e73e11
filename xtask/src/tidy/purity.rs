//! Who may touch the world: the core reads no clock, file, socket or chance, time has few sources,
//! and SQL has one home.

use super::source::{find_words, line_of};
use super::{Source, Violation};

/// What must not appear in the core.
const IMPURE: [&str; 19] = [
    "async ",
    ".await",
    "SystemTime",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "rand::",
    "tokio",
    "diesel",
    "tracing",
    "println!",
    "eprintln!",
    "print!",
    "dbg!",
];

const CLOCKS: [&str; 4] = ["Utc::now", "Local::now", "SystemTime::now", "Instant::now"];

/// Files and folders that may read a clock; all others are given the time.
const CLOCK_READERS: [&str; 9] = [
    "cigri-cli/src",
    "cigri-server/src/clock.rs",
    "cigri-sim/src/main.rs",
    "oar-client/src/lane.rs",
    "oar-local/src/cluster.rs",
    "oar-local/src/executor",
    "oar-local/src/lib.rs",
    "oar-local/src/options.rs",
    "xtask/src",
];

/// The modules of the command that may know the server's library.
const EMBEDDING: [&str; 2] = ["cigri-cli/src/attach.rs", "cigri-cli/src/embed.rs"];

const SQL: [&str; 8] = [
    concat!("SEL", "ECT "),
    concat!("INS", "ERT INTO "),
    concat!("DEL", "ETE FROM "),
    concat!("CRE", "ATE TABLE "),
    concat!("ALT", "ER TABLE "),
    concat!("DR", "OP TABLE "),
    concat!("PRA", "GMA "),
    concat!("sql_", "query"),
];

pub(super) fn check(source: &Source) -> Vec<Violation> {
    if !source.is_rust() || source.is_test() {
        return Vec::new();
    }
    let mut violations = impure_core(source);
    violations.extend(stray_clocks(source));
    violations.extend(stray_sql(source));
    violations.extend(command_as_client(source));
    violations
}

fn impure_core(source: &Source) -> Vec<Violation> {
    if !source.is_under("cigri-core/src") {
        return Vec::new();
    }
    let code = spell_out_import_groups(&source.code);
    let message = |word: &str| format!("`{}` in the pure core", word.trim());
    find_all(source, &code, &IMPURE, message)
}

fn stray_clocks(source: &Source) -> Vec<Violation> {
    let may = CLOCK_READERS.iter().any(|place| source.is_under(place));
    if may || source.is_under("cigri-core/src") {
        return Vec::new();
    }
    let message = |word: &str| format!("`{word}` outside the clock modules: take the time as a parameter");
    find_all(source, &source.code, &CLOCKS, message)
}

fn stray_sql(source: &Source) -> Vec<Violation> {
    if source.is_under("cigri-store") {
        return Vec::new();
    }
    let message = |word: &str| format!("SQL (`{}`) outside cigri-store", word.trim());
    find_all(source, &source.without_comments, &SQL, message)
}

/// The command is a client like any other: of the core it knows the language and the rules it can test, and only the modules
/// that embed a server, or attach to one, know servers.
fn command_as_client(source: &Source) -> Vec<Violation> {
    if !source.is_under("cigri-cli/src") {
        return Vec::new();
    }
    let is_beyond = |found: &Violation| {
        let line = source.code.lines().nth(found.line - 1).unwrap_or_default();
        !["cigri_core::language", "cigri_core::admission"].iter().any(|known| line.contains(known))
    };
    let beyond_language = |_: &str| "of the core the command knows the language and admission rules only".to_owned();
    let mut violations = find_all(source, &source.code, &["cigri_core::"], beyond_language);
    violations.retain(is_beyond);
    if !EMBEDDING.iter().any(|place| source.is_under(place)) {
        let message = |word: &str| format!("`{word}` outside the modules that embed a server");
        violations.extend(find_all(source, &source.code, &["cigri_server", "oar_local"], message));
    }
    violations
}

fn find_all(source: &Source, text: &str, words: &[&str], message: impl Fn(&str) -> String) -> Vec<Violation> {
    let found = words.iter().flat_map(|word| {
        let places = find_words(text, word).into_iter();
        places.map(|at| Violation::new(&source.path, line_of(text, at), message(word)))
    });
    found.collect()
}

/// `use std::{fs, io};` as `std::fs`, on the line where the group opens: appended to that line, so
/// that line numbers hold.
fn spell_out_import_groups(code: &str) -> String {
    let mut spelled_out = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("std::{") {
        let group = &rest[at + 6..];
        let body = &group[..group.find(';').unwrap_or(group.len())];
        let names = body.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        spelled_out.push_str(&rest[..at]);
        for name in names.filter(|name| !name.is_empty()) {
            spelled_out.push_str(&format!("std::{name} "));
        }
        rest = group;
    }
    spelled_out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(&Source::new(path, text)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_impure_word_is_caught_in_the_core() {
        for word in IMPURE {
            let found = messages("cigri-core/src/a.rs", &format!("\nfn a() {{ {word} }}"));
            assert_eq!(found.len(), 1, "{word}: {found:?}");
            assert!(found[0].starts_with("cigri-core/src/a.rs:2: "));
        }
    }

    #[test]
    fn an_import_group_hides_nothing() {
        let found = messages("cigri-core/src/a.rs", "use std::{\n    fmt,\n    fs,\n};\n");
        assert_eq!(found, ["cigri-core/src/a.rs:1: `std::fs` in the pure core"]);
        assert!(messages("cigri-core/src/a.rs", "use std::{fmt, str};").is_empty());
    }

    #[test]
    fn comments_texts_and_tests_of_the_core_may_speak_of_impure_things() {
        let text = "// tokio\nconst A: &str = \"std::fs\";\n#[cfg(test)]\nmod t { use std::fs; }";
        assert!(messages("cigri-core/src/a.rs", text).is_empty());
    }

    #[test]
    fn a_clock_is_read_in_clock_modules_only() {
        for clock in CLOCKS {
            let text = format!("fn a() {{ {clock}() }}");
            assert_eq!(messages("cigri-server/src/round.rs", &text).len(), 1);
            assert!(messages("cigri-server/src/clock.rs", &text).is_empty());
            assert!(messages("cigri-server/tests/round.rs", &text).is_empty());
        }
    }

    #[test]
    fn sql_lives_in_the_store() {
        for words in SQL {
            let text = format!("const A: &str = \"{words}\";");
            assert_eq!(messages("cigri-server/src/a.rs", &text).len(), 1, "{words}");
            assert!(messages("cigri-store/src/a.rs", &text).is_empty());
        }
        assert!(messages("cigri-cli/src/a.rs", "const A: &str = \"Select one\";").is_empty());
    }

    #[test]
    fn the_command_embeds_a_server_in_one_place() {
        assert_eq!(messages("cigri-cli/src/show/a.rs", "use cigri_server::A;").len(), 1);
        assert!(messages("cigri-cli/src/embed.rs", "use cigri_server::A;").is_empty());
    }

    #[test]
    fn the_command_knows_the_language_only() {
        assert_eq!(messages("cigri-cli/src/a.rs", "use cigri_core::meter::A;").len(), 1);
        assert!(messages("cigri-cli/src/a.rs", "use cigri_core::language::A;").is_empty());
        assert!(messages("cigri-cli/src/a.rs", "use cigri_core::admission::A;").is_empty());
    }
}

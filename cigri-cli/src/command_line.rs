//! The command to be typed next, as text: every advice that `cigri` gives can be copied to a shell.

use std::path::Path;

/// This very command, without the options that must not be repeated.
pub(crate) fn same_command() -> String {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    words
        .filter(|word| !matches!(word.as_str(), "--new" | "--retry-failed"))
        .map(|word| quoted(&word))
        .collect::<Vec<_>>()
        .join(" ")
}

/// This program at the same place, with other words: `cigri --data-dir D logs JOB`.
pub(crate) fn other_command(words: &str) -> String {
    let program = std::env::args_os().next().unwrap_or_else(|| "cigri".into());
    let place = place_options(std::env::args_os().map(|word| word.to_string_lossy().into_owned()));
    let mut parts = vec![quoted(&Path::new(&program).to_string_lossy())];
    parts.extend(place.iter().map(|word| quoted(word)));
    parts.push(words.to_owned());
    parts.join(" ")
}

/// The options among `words` that say where campaigns live.
fn place_options(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut found = Vec::new();
    let mut value_follows = false;
    for word in words {
        let is_option = matches!(word.as_str(), "--data-dir" | "--server");
        if value_follows || is_option || word.starts_with("--data-dir=") || word.starts_with("--server=") {
            found.push(word);
        }
        value_follows = is_option;
    }
    found
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("a/b-c.json"), "a/b-c.json");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn advice_keeps_the_place() {
        let words = ["cigri", "--data-dir", "/d", "run", "f", "--server=/s"].map(String::from);
        assert_eq!(place_options(words.into_iter()), ["--data-dir", "/d", "--server=/s"]);
    }
}

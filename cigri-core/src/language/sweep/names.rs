//! Names of parameters, and a task's values as the words of its shell.

use std::collections::BTreeMap;

use super::super::problem::{Problem, excerpt};

/// Longest name of a parameter.
const LONGEST: usize = 64;

/// What a name looks like, for messages.
pub(super) const NAME: &str =
    "a name of letters, digits and `_`, at most 64, no digit first, not beginning with `CIGRI` or `OAR`";

/// Names that stand for something else between braces.
const TAKEN: [&str; 4] = ["HOME", "CAMPAIGN_ID", "TASK_ID", "TASK_INDEX"];

/// Whether a parameter may have this name; if not, what a name looks like.
pub(in crate::language) fn check_name(name: &str) -> Result<(), &'static str> {
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let begins_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let is_ours = name.starts_with("CIGRI") || name.starts_with("OAR");
    match () {
        () if TAKEN.contains(&name) => Err("a name that is no macro of the language"),
        () if is_word && begins_well && !is_ours && name.len() <= LONGEST => Ok(()),
        () => Err(NAME),
    }
}

/// The values as words of a shell that reads back exactly them, joined by blanks.
pub fn quoted(values: &[String]) -> String {
    // Only a NUL cannot be quoted, and no value has one.
    let word = |value: &String| shlex::try_quote(value).map(|word| word.into_owned()).unwrap_or_default();
    values.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Checks that a text gives each of the parameters with these names one word; any text will do without names. The path of
/// what it returns is `parameter`: the caller knows the place.
///
/// # Errors
/// Another number of words.
pub(in crate::language) fn check_words(names: &[String], text: &str) -> Result<(), Problem> {
    let words = shlex::split(text).map(|words| words.len());
    if names.is_empty() || words == Some(names.len()) {
        return Ok(());
    }
    let found = match words {
        Some(1) => format!("1 word, `{}`", excerpt(text)),
        Some(words) => format!("{words} words, `{}`", excerpt(text)),
        None => format!("an open quote in `{}`", excerpt(text)),
    };
    let expected = match names {
        [name] => format!("1 word, the value of {name}"),
        _ => format!("{} words, the values of {}", names.len(), names.join(", ")),
    };
    Err(Problem::new("parameter", found, expected).hint("a value with blanks needs quotes"))
}

/// A task's text as it is shown: `alpha=0.1 n=4`. Without names, or if it is not of so many words, as it is.
pub fn labelled(names: &[String], text: &str) -> String {
    match shlex::split(text) {
        Some(values) if !names.is_empty() && values.len() == names.len() => {
            let pairs = names.iter().zip(&values);
            let words: Vec<String> =
                pairs.map(|(name, value)| format!("{name}={}", quoted(std::slice::from_ref(value)))).collect();
            words.join(" ")
        }
        _ => text.to_owned(),
    }
}

/// The values of a task that is shown so, by name; none if the text is not of that form.
pub fn named_values(names: &[String], shown: &str) -> BTreeMap<String, String> {
    let words = shlex::split(shown).filter(|words| words.len() == names.len()).unwrap_or_default();
    let value = |(name, word): (&String, String)| {
        let value = word.strip_prefix(name.as_str())?.strip_prefix('=')?;
        Some((name.clone(), value.to_owned()))
    };
    names.iter().zip(words).filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_again_in_what_is_shown() {
        let names = ["alpha", "text"].map(str::to_owned);
        let values = ["0.1", "it's a = \"b\""].map(str::to_owned);
        let found = named_values(&names, &labelled(&names, &quoted(&values)));
        assert_eq!(found.into_values().collect::<Vec<_>>(), values);
        assert!(named_values(&names, "0.1 x").is_empty());
        assert!(named_values(&names, "alpha=0.1").is_empty());
    }
}

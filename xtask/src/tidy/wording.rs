//! Words that must not be committed: notes to oneself, and places that exist on one machine only.

use super::source::{find_words, line_of};
use super::{Source, Violation};

// Written in two halves, as these rules read this file too.
const NOTES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const PLACES: [&str; 2] = [concat!("../", "shared"), concat!("/wo", "rk/")];

/// How names of package registries' servers and of their mirrors begin.
const REGISTRY_LABELS: [&str; 9] =
    ["index", "static", "registry", "mirror", "mirrors", "pypi", "deb", "proxy", "files"];

pub(super) fn check(source: &Source) -> Vec<Violation> {
    let text = &source.text;
    let mut found = Vec::new();
    for note in NOTES {
        let places = find_words(text, note).into_iter();
        found.extend(places.map(|at| (at, format!("`{note}`: do it, or file an issue"))));
    }
    for place in PLACES {
        let places = find_places(text, place).into_iter();
        found.extend(places.map(|at| (at, format!("`{place}` exists on one machine only"))));
    }
    found.extend(find_registries(text));
    found.sort();
    found.into_iter().map(|(at, message)| Violation::new(&source.path, line_of(text, at), message)).collect()
}

/// Where a path begins with `place`; `/home/alice` before it makes it another path.
fn find_places(text: &str, place: &str) -> Vec<usize> {
    let continues = |c: char| c.is_alphanumeric() || "_-.~}*".contains(c);
    text.match_indices(place)
        .map(|(at, _)| at)
        .filter(|&at| !place.starts_with('/') || !text[..at].ends_with(continues))
        .collect()
}

fn find_registries(text: &str) -> Vec<(usize, String)> {
    let hosts = text.match_indices("://").filter_map(|(at, _)| {
        let after = &text[at + 3..];
        let host = after.split(|c: char| !c.is_alphanumeric() && c != '.' && c != '-').next()?;
        let (label, _) = host.split_once('.')?;
        let message = format!("`{host}` is a registry's server: say its name in words");
        REGISTRY_LABELS.contains(&label).then_some((at, message))
    });
    hosts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        check(&Source::new("docs/a.md", text)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn notes_to_oneself_are_caught_as_words() {
        for note in NOTES {
            let found = messages(&format!("first\nsecond: {note} later\n"));
            assert!(found[0].starts_with("docs/a.md:2: "), "{found:?}");
            assert!(messages(&format!("mktemp a.{note}{note}")).is_empty());
        }
    }

    #[test]
    fn places_of_one_machine_are_caught() {
        for place in PLACES {
            assert_eq!(messages(&format!("see {place}a")).len(), 1);
        }
        assert!(messages(&format!("cd /home/alice{}a", PLACES[1])).is_empty());
    }

    #[test]
    fn servers_of_registries_are_caught() {
        for label in REGISTRY_LABELS {
            assert_eq!(messages(&format!("url = \"sparse+https://{label}.example.org/\"")).len(), 1);
        }
        assert!(messages("http://127.0.0.1:6668/ https://github.com/oar-team/").is_empty());
    }
}

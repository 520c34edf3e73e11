//! The macros of the language: `{HOME}` and `~` for the home directory, `{CAMPAIGN_ID}`, `{OAR_JOB_ID}`.

use super::shell::marks;

/// The one spelling of the home directory that OAR 3's API replaces itself, in commands and in directories.
const HOME: &str = "$HOME";

/// Replaces `{NAME}`, but not within the shell's own `${NAME}`.
pub(crate) fn replace_macro(text: &str, name: &str, value: &str) -> String {
    let pattern = format!("{{{name}}}");
    replace_unless_after(text, &pattern, '$', |_| Some(value))
}

/// A command line with every spelling of the home directory made `$HOME`: `{HOME}`, a `~` where the shell would expand
/// it, and `\$HOME`, which CiGri 3's users had to escape.
pub(super) fn home_in_command(text: &str) -> String {
    let text = replace_macro(text, "HOME", HOME);
    let text = replace_unless_after(&text, "\\$HOME", '\\', |rest| (!continues_name(rest)).then_some(HOME));
    expand_tildes(&text)
}

/// The same for a script of its own shell, which reads `~` itself.
pub(super) fn home_in_script(text: &str) -> String {
    replace_macro(text, "HOME", HOME)
}

/// The same for a directory, where no shell reads quotes: only its beginning matters, and `${HOME}` counts too.
pub(super) fn home_in_directory(text: &str) -> String {
    for spelling in ["{HOME}", "${HOME}", "\\$HOME", "~"] {
        if let Some(rest) = text.strip_prefix(spelling)
            && (rest.is_empty() || rest.starts_with('/'))
        {
            return format!("{HOME}{rest}");
        }
    }
    text.to_owned()
}

fn expand_tildes(text: &str) -> String {
    if !text.contains('~') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for mark in marks(text).0 {
        let rest = &text[mark.at + mark.character.len_utf8()..];
        // `~bob` is somebody else's home: the shell on the cluster knows it, we do not.
        let ends_name = rest.chars().next().is_none_or(|next| "/ \t;|&)<>".contains(next));
        if mark.character == '~' && mark.word_start && ends_name {
            out.push_str(HOME);
        } else {
            out.push(mark.character);
        }
    }
    out
}

/// Whether what follows a variable makes it the beginning of a longer name.
pub(super) fn continues_name(rest: &str) -> bool {
    rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_')
}

/// Replaces each `pattern` that does not follow `guard` by what `value` says of the text after it.
fn replace_unless_after<'a>(text: &str, pattern: &str, guard: char, value: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(pattern) {
        let (before, found) = rest.split_at(at);
        let after = &found[pattern.len()..];
        out.push_str(before);
        match value(after) {
            Some(value) if !out.ends_with(guard) => out.push_str(value),
            _ => out.push_str(pattern),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

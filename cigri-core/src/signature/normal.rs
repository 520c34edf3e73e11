//! A line of an error without what differs from task to task: numbers, times, addresses, names in quotes, names of files.

/// Longest signature, in characters.
pub const MOST_CHARS: usize = 200;

const QUOTES: [char; 4] = ['\'', '"', '`', '\u{2018}'];

/// Replaces what varies by `<n>`, `<time>`, `<hex>`, `<uuid>`, `<url>`, `<text>` (in quotes) and `*` (in a path). What
/// comes out is its own normal form: no digit is left.
pub fn normalise(line: &str) -> String {
    let mut now = once(line);
    loop {
        // Cutting a line may close a quote or end a path: each turn takes away some of their characters.
        let next = once(&now);
        if next == now {
            return now;
        }
        now = next;
    }
}

fn once(line: &str) -> String {
    let words: Vec<String> = unquoted(line).split_whitespace().map(word).collect();
    let cut: String = words.join(" ").chars().take(MOST_CHARS).collect();
    cut.trim_end().to_owned()
}

/// Puts `<text>` where a quotation was, if its first quote begins a word and its last one ends one: an apostrophe does
/// neither. The names of modules and programs are few, and say what is missing.
fn unquoted(line: &str) -> String {
    if line.to_lowercase().contains("no module named") {
        return line.replace(QUOTES, "");
    }
    let characters: Vec<char> = line.chars().collect();
    let (mut out, mut at) = (String::with_capacity(line.len()), 0);
    while let Some(character) = characters.get(at) {
        let begins = at == 0 || characters.get(at - 1).is_some_and(|before| !before.is_alphanumeric());
        match closing(&characters, at).filter(|_| begins && QUOTES.contains(character)) {
            Some(end) => {
                out.push_str("<text>");
                at = end + 1;
            }
            None => {
                out.push(*character);
                at += 1;
            }
        }
    }
    out
}

/// Where the quotation that begins at `at` ends.
fn closing(characters: &[char], at: usize) -> Option<usize> {
    let wanted: &[char] = match characters.get(at)? {
        '\u{2018}' => &['\u{2019}'],
        '`' => &['`', '\''],
        '"' => &['"'],
        _ => &['\''],
    };
    let ends = |end: &usize| {
        let is_last = characters.get(end + 1).is_none_or(|after| !after.is_alphanumeric());
        is_last && characters.get(*end).is_some_and(|character| wanted.contains(character))
    };
    (at + 1..characters.len()).find(ends)
}

/// One word; what stands around it (brackets, commas) stays.
fn word(text: &str) -> String {
    let is_outer = |character: char| "()[]{},;:!?=\"'`".contains(character);
    let begun = text.trim_start_matches(is_outer);
    // A path may begin with a dot; a sentence ends with one.
    let core = begun.trim_end_matches(|character| is_outer(character) || character == '.');
    let (before, rest) = text.split_at(text.len() - begun.len());
    let after = rest.get(core.len()..).unwrap_or_default();
    format!("{before}{}{after}", replaced(core))
}

fn replaced(core: &str) -> String {
    let digits = core.chars().filter(char::is_ascii_digit).count();
    if core.contains("://") {
        return "<url>".to_owned();
    }
    if core.contains('/') && is_path(core) {
        return path(core);
    }
    if digits == 0 {
        return core.to_owned();
    }
    if is_uuid(core) {
        return "<uuid>".to_owned();
    }
    if is_time(core) {
        return "<time>".to_owned();
    }
    if is_hex(core) {
        return "<hex>".to_owned();
    }
    numbers(core)
}

fn is_path(core: &str) -> bool {
    let rooted = core.starts_with(['/', '~']) || core.starts_with("./") || core.starts_with("../");
    rooted || core.matches('/').count() > 1 || core.contains('.') || core.contains(|c: char| c.is_ascii_digit())
}

/// A path keeps its folders without digits and the ending of its last name.
fn path(core: &str) -> String {
    let last = core.matches('/').count();
    let part = |(at, part): (usize, &str)| match part {
        "" | "." | ".." | "~" => part.to_owned(),
        part if at == last => match part.rsplit_once('.') {
            Some((_, ending)) if is_ending(ending) => format!("*.{ending}"),
            _ => "*".to_owned(),
        },
        part if part.contains(|c: char| c.is_ascii_digit()) => "*".to_owned(),
        part => part.to_owned(),
    };
    core.split('/').enumerate().map(part).collect::<Vec<_>>().join("/")
}

fn is_ending(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.chars().all(|character| character.is_ascii_alphabetic())
}

fn is_uuid(core: &str) -> bool {
    let parts: Vec<&str> = core.split('-').collect();
    let is_hex = |part: &&str| part.chars().all(|character| character.is_ascii_hexdigit());
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(is_hex)
}

/// `12:30:05`, `2026-11-21`, `2026-11-21T12:30:05.123+01:00`.
fn is_time(core: &str) -> bool {
    let separators = core.chars().filter(|character| [':', '-'].contains(character)).count();
    let fits = |character: char| character.is_ascii_digit() || ":-+.,TZ".contains(character);
    separators >= 2 && core.starts_with(|first: char| first.is_ascii_digit()) && core.chars().all(fits)
}

/// `0x7f3a`, or eight and more such digits with a letter among them.
fn is_hex(core: &str) -> bool {
    let digits = core.strip_prefix("0x").or_else(|| core.strip_prefix("0X"));
    let is_hex = |text: &str| !text.is_empty() && text.chars().all(|character| character.is_ascii_hexdigit());
    digits.is_some_and(is_hex) || core.len() >= 8 && is_hex(core) && core.contains(|c: char| c.is_ascii_alphabetic())
}

/// Each run of digits, with what belongs to a number between them (`1.5e-10`), is one `<n>`.
fn numbers(core: &str) -> String {
    let mut out = String::with_capacity(core.len());
    let mut rest = core.chars().peekable();
    let mut in_number = false;
    while let Some(character) = rest.next() {
        let goes_on = rest.peek().is_some_and(char::is_ascii_digit);
        match character {
            '0'..='9' if in_number => {}
            '0'..='9' => {
                out.push_str("<n>");
                in_number = true;
            }
            '.' | ',' if in_number && goes_on => {}
            other => {
                out.push(other);
                in_number = false;
            }
        }
    }
    out.replace("<n>e-<n>", "<n>").replace("<n>e+<n>", "<n>").replace("<n>e<n>", "<n>")
}

//! Cuts a `property` into words, refusing every character outside the small language we can vouch for.

use crate::error::Invalid;

/// A word of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// A column or a keyword, in lower case as PostgreSQL folds it.
    Name(String),
    /// A number, perhaps negative.
    Number(String),
    /// The inside of a single-quoted string.
    Text(String),
    /// A comparison sign.
    Sign(&'static str),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
}

const SIGNS: [&str; 7] = ["<>", "!=", "<=", ">=", "=", "<", ">"];

/// All words of a condition, in order.
pub(crate) fn words(property: &str) -> Result<Vec<Word>, Invalid> {
    if property.chars().any(|c| c.is_control() && c != '\t') {
        return Err(problem("control character or newline"));
    }
    if has_bind_variable(property) {
        return Err(problem("a colon before a word, which OAR takes for a variable"));
    }
    let mut words = Vec::new();
    let mut rest = property.trim_start();
    while !rest.is_empty() {
        let (word, length) = next_word(rest)?;
        words.push(word);
        rest = rest[length..].trim_start();
    }
    Ok(words)
}

/// The field that all these problems are about.
pub(crate) fn problem(text: impl Into<String>) -> Invalid {
    Invalid::new("property", text)
}

fn next_word(rest: &str) -> Result<(Word, usize), Invalid> {
    if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        return Ok((Word::Sign(sign), sign.len()));
    }
    let first = rest.chars().next().unwrap_or(' ');
    match first {
        '(' => Ok((Word::Open, 1)),
        ')' => Ok((Word::Close, 1)),
        ',' => Ok((Word::Comma, 1)),
        '\'' => text(rest),
        '0'..='9' | '-' | '+' => number(rest),
        'a'..='z' | 'A'..='Z' | '_' => Ok(name(rest)),
        other => {
            Err(problem(format!("unexpected {other:?}; expected columns, numbers, 'texts', comparisons, AND, OR, NOT")))
        }
    }
}

/// `''` inside a string stands for one quote.
fn text(rest: &str) -> Result<(Word, usize), Invalid> {
    let mut at = 1;
    while let Some(end) = rest[at..].find('\'') {
        at += end + 1;
        if !rest[at..].starts_with('\'') {
            return Ok((Word::Text(rest[1..at - 1].replace("''", "'")), at));
        }
        at += 1;
    }
    Err(problem("a quote ' is not closed"))
}

fn number(rest: &str) -> Result<(Word, usize), Invalid> {
    let length = rest
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_alphanumeric() || *c == '.' || *c == '_' || *at == 0))
        .map_or(rest.len(), |(at, _)| at);
    let text = &rest[..length];
    let digits = text.trim_start_matches(['-', '+']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if all_digits(whole) && all_digits(fraction) {
        Ok((Word::Number(text.to_owned()), length))
    } else {
        Err(problem(format!("{text:?} is not a number")))
    }
}

fn name(rest: &str) -> (Word, usize) {
    let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
    (Word::Name(rest[..length].to_ascii_lowercase()), length)
}

/// OAR hands the text to SQLAlchemy, which reads `:word` as a variable even inside quotes, unless a
/// word character, a colon or a backslash stands before it or another colon after the word.
fn has_bind_variable(property: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    property.char_indices().any(|(at, c)| {
        let before = property[..at].chars().next_back();
        let after = property[at + c.len_utf8()..].chars().next();
        c == ':' && !before.is_some_and(|b| is_word(b) || b == ':' || b == '\\') && after.is_some_and(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart() {
        let found = words("MEM>=-1.5 and host='o''hara'").unwrap();
        assert_eq!(
            found,
            [
                Word::Name("mem".into()),
                Word::Sign(">="),
                Word::Number("-1.5".into()),
                Word::Name("and".into()),
                Word::Name("host".into()),
                Word::Sign("="),
                Word::Text("o'hara".into()),
            ]
        );
    }

    #[test]
    fn what_could_end_the_statement_is_refused() {
        for bad in [
            "a=1;b=2", "a=1--", "a=1/*", "a=\"b\"", "a=$1", "a=1\n", "a=1\0", "a=2x", "a=1.2.3", "a=é", "a=-", "a='b",
            "a='b''",
        ] {
            assert!(words(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_sqlalchemy_takes_for_a_variable_is_refused() {
        assert!(words("host=':b'").is_err());
        assert!(words("host=' :b'").is_err());
        assert!(words("host='a:b'").is_ok());
        assert!(words("host='a: b'").is_ok());
        assert!(words("é=':x'").is_err());
    }
}

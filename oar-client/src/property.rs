//! The part of SQL that a `property` may use: an error in it breaks OAR's API for everybody until it is
//! restarted, so a condition is sent only if every word of it is understood here.

use crate::error::Invalid;
use crate::sql_words::{Word, problem, words};

/// Parentheses deeper than this are no real condition.
const DEEPEST: usize = 50;

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operand {
    Column(String),
    Number(String),
    Text(String),
}

/// How two sides are compared; what the sides may be depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Test {
    /// `= <> != < > <= >= IN BETWEEN`
    Compare,
    /// `LIKE`: texts only.
    Like,
    /// `IS NULL`: anything.
    Null,
}

/// One comparison: the left side against each of the right ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) left: Operand,
    pub(crate) test: Test,
    pub(crate) right: Vec<Operand>,
}

/// The columns that a `property` names, in lower case, each once, in order of appearance. Compare them
/// with [`crate::Client::columns`].
///
/// Understood: `= <> != < > <= >=`, `[NOT] LIKE 'text'`, `[NOT] IN (..)`, `[NOT] BETWEEN .. AND ..`,
/// `IS [NOT] NULL`, joined by `AND`, `OR`, `NOT` and parentheses. All else is refused.
pub fn property_columns(property: &str) -> Result<Vec<String>, Invalid> {
    let mut columns = Vec::new();
    for comparison in comparisons(property)? {
        for side in std::iter::once(comparison.left).chain(comparison.right) {
            if let Operand::Column(name) = side
                && !columns.contains(&name)
            {
                columns.push(name);
            }
        }
    }
    Ok(columns)
}

/// All comparisons of a condition.
pub(crate) fn comparisons(property: &str) -> Result<Vec<Comparison>, Invalid> {
    let mut reader = Reader { words: words(property)?, at: 0, depth: 0, found: Vec::new() };
    reader.condition()?;
    match reader.next() {
        None => Ok(reader.found),
        Some(Word::Close) => Err(problem("a parenthesis ) was never opened")),
        Some(word) => Err(problem(format!("unexpected {} after a complete condition", shown(&word)))),
    }
}

struct Reader {
    words: Vec<Word>,
    at: usize,
    depth: usize,
    found: Vec<Comparison>,
}

impl Reader {
    fn next(&mut self) -> Option<Word> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word
    }

    /// Skips the keyword if it comes next.
    fn skip(&mut self, keyword: &str) -> bool {
        let here = matches!(self.words.get(self.at), Some(Word::Name(name)) if name == keyword);
        self.at += usize::from(here);
        here
    }

    /// Skips the sign or parenthesis if it comes next.
    fn skip_word(&mut self, word: &Word) -> bool {
        let here = self.words.get(self.at) == Some(word);
        self.at += usize::from(here);
        here
    }

    fn condition(&mut self) -> Result<(), Invalid> {
        loop {
            while self.skip("not") {}
            if self.skip_word(&Word::Open) {
                self.group()?;
            } else {
                self.comparison()?;
            }
            if !self.skip("and") && !self.skip("or") {
                return Ok(());
            }
        }
    }

    fn group(&mut self) -> Result<(), Invalid> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(problem("too many nested parentheses"));
        }
        self.condition()?;
        self.depth -= 1;
        self.expect(&Word::Close, "a parenthesis ( is not closed")
    }

    fn comparison(&mut self) -> Result<(), Invalid> {
        let left = self.operand()?;
        let negated = self.skip("not");
        let (test, right) = if self.skip("like") {
            (Test::Like, vec![self.operand()?])
        } else if self.skip("in") {
            (Test::Compare, self.list()?)
        } else if self.skip("between") {
            (Test::Compare, self.bounds()?)
        } else if !negated && self.skip("is") {
            (Test::Null, self.null()?)
        } else {
            (Test::Compare, vec![self.compared(&left, negated)?])
        };
        self.found.push(Comparison { left, test, right });
        Ok(())
    }

    fn compared(&mut self, left: &Operand, negated: bool) -> Result<Operand, Invalid> {
        match self.next() {
            Some(Word::Sign(_)) if !negated => self.operand(),
            word => Err(problem(format!(
                "expected a comparison after {left:?}, found {}",
                word.as_ref().map_or("the end".to_owned(), shown)
            ))),
        }
    }

    fn list(&mut self) -> Result<Vec<Operand>, Invalid> {
        self.expect(&Word::Open, "expected ( after IN")?;
        let mut items = vec![self.operand()?];
        while self.skip_word(&Word::Comma) {
            items.push(self.operand()?);
        }
        self.expect(&Word::Close, "the list after IN is not closed")?;
        Ok(items)
    }

    fn bounds(&mut self) -> Result<Vec<Operand>, Invalid> {
        let low = self.operand()?;
        if !self.skip("and") {
            return Err(problem("expected AND between the bounds of BETWEEN"));
        }
        Ok(vec![low, self.operand()?])
    }

    fn null(&mut self) -> Result<Vec<Operand>, Invalid> {
        self.skip("not");
        if self.skip("null") { Ok(Vec::new()) } else { Err(problem("expected NULL after IS")) }
    }

    fn operand(&mut self) -> Result<Operand, Invalid> {
        match self.next() {
            Some(Word::Name(name)) if !is_keyword(&name) => Ok(Operand::Column(name)),
            Some(Word::Number(digits)) => Ok(Operand::Number(digits)),
            Some(Word::Text(text)) => Ok(Operand::Text(text)),
            Some(word) => Err(problem(format!("expected a column, a number or a 'text', found {}", shown(&word)))),
            None => Err(problem("the condition ends too early")),
        }
    }

    fn expect(&mut self, word: &Word, otherwise: &str) -> Result<(), Invalid> {
        if self.skip_word(word) { Ok(()) } else { Err(problem(otherwise)) }
    }
}

pub(crate) fn is_keyword(name: &str) -> bool {
    ["and", "or", "not", "like", "in", "between", "is", "null"].contains(&name)
}

fn shown(word: &Word) -> String {
    match word {
        Word::Name(text) | Word::Number(text) => text.clone(),
        Word::Text(text) => format!("'{text}'"),
        Word::Sign(sign) => (*sign).to_owned(),
        Word::Open => "(".to_owned(),
        Word::Close => ")".to_owned(),
        Word::Comma => ",".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(property: &str) -> String {
        property_columns(property).unwrap_err().problem
    }

    #[test]
    fn columns_are_found_once_and_in_order() {
        let cases: [(&str, &[&str]); 9] = [
            ("mem > 1000 and host='node1'", &["mem", "host"]),
            ("MEM > 1000 OR mem<3", &["mem"]),
            ("NOT (gpu='NO' OR (cluster IN ('a','b')))", &["gpu", "cluster"]),
            ("host like 'n%' AND host NOT LIKE '%9'", &["host"]),
            ("cpu not in (1, -2)", &["cpu"]),
            ("team is not null and x IS NULL", &["team", "x"]),
            ("mem between 1 and 2 and cpu=3", &["mem", "cpu"]),
            ("core = cpu", &["core", "cpu"]),
            ("'it''s (' = host", &["host"]),
        ];
        for (property, columns) in cases {
            assert_eq!(property_columns(property).unwrap(), columns, "{property}");
        }
    }

    #[test]
    fn a_condition_that_is_not_understood_is_refused() {
        for bad in [
            "",
            "  ",
            "mem",
            "mem >",
            "> 3",
            "mem > 3 and",
            "and mem > 3",
            "(mem > 3",
            "mem > 3)",
            "()",
            "mem > 3 mem < 4",
            "mem > (3)",
            "host in ()",
            "host in ('a',)",
            "host in 'a'",
            "host like",
            "lower(host)='a'",
            "resources.mem = 1",
            "mem is 3",
            "mem between 1 or 2",
            "mem not > 3",
            "mem not is null",
            "a=1 union select 2",
            "syntax error here (",
            "mem = = 1",
            "not",
            "mem > 3, 4",
        ] {
            assert!(property_columns(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_refusal_says_what_is_wrong() {
        assert_eq!(refused("(mem > 3"), "a parenthesis ( is not closed");
        assert_eq!(refused("mem > 3)"), "a parenthesis ) was never opened");
        assert_eq!(refused("host = and"), "expected a column, a number or a 'text', found and");
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("{}a=1{}", "(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(refused(&deep), "too many nested parentheses");
    }
}

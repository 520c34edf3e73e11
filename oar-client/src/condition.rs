//! Evaluates a `property` on resources as SQL would, with its three truth values: whether a condition matches anything can
//! be told before a job is sent.

use std::cmp::Ordering;

use serde_json::Value;

use crate::error::Invalid;
use crate::property::{Operand, comparisons, is_keyword};
use crate::resource::Resource;
use crate::sql_words::{Word, problem, words};

/// A condition on resources, understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Any(Vec<Node>),
    All(Vec<Node>),
    Not(Box<Node>),
    Compare(Operand, &'static str, Operand),
    Like(Operand, Operand),
    IsNull(Operand),
}

impl Condition {
    /// Reads a `property`; see [`crate::property_columns`] for what is understood.
    ///
    /// # Errors
    /// What is not understood.
    pub fn parse(property: &str) -> Result<Condition, Invalid> {
        // Whatever passes this has the shape that the reader below expects, and bounded depth.
        comparisons(property)?;
        let mut reader = Reader { words: words(property)?, at: 0 };
        reader.any().map(Condition).ok_or_else(|| problem("the condition is not understood"))
    }

    /// Whether SQL would choose this resource: the condition is true there, not merely unknown. Texts are compared by their
    /// bytes, where a database may know better.
    pub fn matches(&self, resource: &Resource) -> bool {
        self.0.truth(resource) == Some(true)
    }
}

struct Reader {
    words: Vec<Word>,
    at: usize,
}

impl Reader {
    fn any(&mut self) -> Option<Node> {
        let mut parts = vec![self.all()?];
        while self.skip("or") {
            parts.push(self.all()?);
        }
        Some(Node::Any(parts))
    }

    fn all(&mut self) -> Option<Node> {
        let mut parts = vec![self.one()?];
        while self.skip("and") {
            parts.push(self.one()?);
        }
        Some(Node::All(parts))
    }

    fn one(&mut self) -> Option<Node> {
        let mut negated = false;
        while self.skip("not") {
            negated = !negated;
        }
        let node = if self.words.get(self.at) == Some(&Word::Open) {
            self.at += 1;
            let inner = self.any()?;
            self.at += 1;
            inner
        } else {
            self.comparison()?
        };
        Some(not_if(negated, node))
    }

    fn comparison(&mut self) -> Option<Node> {
        let left = self.operand()?;
        let negated = self.skip("not");
        let node = if self.skip("like") {
            Node::Like(left, self.operand()?)
        } else if self.skip("in") {
            self.at += 1;
            let mut equal = vec![Node::Compare(left.clone(), "=", self.operand()?)];
            while self.next()? == Word::Comma {
                equal.push(Node::Compare(left.clone(), "=", self.operand()?));
            }
            Node::Any(equal)
        } else if self.skip("between") {
            let low = Node::Compare(left.clone(), ">=", self.operand()?);
            self.at += 1;
            Node::All(vec![low, Node::Compare(left, "<=", self.operand()?)])
        } else if self.skip("is") {
            let not_null = self.skip("not");
            self.at += 1;
            return Some(not_if(not_null, Node::IsNull(left)));
        } else {
            let Word::Sign(sign) = self.next()? else { return None };
            Node::Compare(left, sign, self.operand()?)
        };
        Some(not_if(negated, node))
    }

    fn operand(&mut self) -> Option<Operand> {
        match self.next()? {
            Word::Name(name) if !is_keyword(&name) => Some(Operand::Column(name)),
            Word::Number(digits) => Some(Operand::Number(digits)),
            Word::Text(text) => Some(Operand::Text(text)),
            _ => None,
        }
    }

    fn next(&mut self) -> Option<Word> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word
    }

    fn skip(&mut self, keyword: &str) -> bool {
        let here = matches!(self.words.get(self.at), Some(Word::Name(name)) if name == keyword);
        self.at += usize::from(here);
        here
    }
}

fn not_if(negated: bool, node: Node) -> Node {
    if negated { Node::Not(Box::new(node)) } else { node }
}

impl Node {
    /// `None` is SQL's unknown.
    fn truth(&self, resource: &Resource) -> Option<bool> {
        match self {
            Node::Any(parts) => joined(parts, resource, true),
            Node::All(parts) => joined(parts, resource, false),
            Node::Not(node) => node.truth(resource).map(|truth| !truth),
            Node::Compare(left, sign, right) => {
                let order = order(value(left, resource)?, value(right, resource)?)?;
                Some(match *sign {
                    "=" => order == Ordering::Equal,
                    "<" => order == Ordering::Less,
                    ">" => order == Ordering::Greater,
                    "<=" => order != Ordering::Greater,
                    ">=" => order != Ordering::Less,
                    _ => order != Ordering::Equal,
                })
            }
            Node::Like(text, pattern) => match (value(text, resource)?, value(pattern, resource)?) {
                (Scalar::Text(text), Scalar::Text(pattern)) => Some(is_like(&text, &pattern)),
                _ => None,
            },
            Node::IsNull(operand) => Some(value(operand, resource).is_none()),
        }
    }
}

/// `decides` decides alone; otherwise one unknown part leaves all unknown.
fn joined(parts: &[Node], resource: &Resource, decides: bool) -> Option<bool> {
    let mut unknown = false;
    for part in parts {
        match part.truth(resource) {
            Some(truth) if truth == decides => return Some(decides),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(!decides)
}

enum Scalar {
    Number(f64),
    Text(String),
}

/// `None` is NULL.
fn value(operand: &Operand, resource: &Resource) -> Option<Scalar> {
    match operand {
        Operand::Number(digits) => digits.parse().ok().map(Scalar::Number),
        Operand::Text(text) => Some(Scalar::Text(text.clone())),
        // The API shows the column `resource_id` as `id`.
        Operand::Column(name) if name == "resource_id" => Some(Scalar::Number(resource.id as f64)),
        Operand::Column(name) if name == "state" => Some(Scalar::Text(resource.state.clone())),
        Operand::Column(name) => match resource.properties.get(name)? {
            Value::Number(number) => number.as_f64().map(Scalar::Number),
            Value::String(text) => Some(Scalar::Text(text.clone())),
            _ => None,
        },
    }
}

/// A text beside a number is read as one, as PostgreSQL reads a literal.
fn order(left: Scalar, right: Scalar) -> Option<Ordering> {
    let number = |text: String| text.trim().parse::<f64>().ok();
    match (left, right) {
        (Scalar::Text(left), Scalar::Text(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        (Scalar::Number(left), Scalar::Number(right)) => left.partial_cmp(&right),
        (Scalar::Text(left), Scalar::Number(right)) => number(left)?.partial_cmp(&right),
        (Scalar::Number(left), Scalar::Text(right)) => left.partial_cmp(&number(right)?),
    }
}

/// `%` stands for any text, `_` for one character, a backslash takes the next character as it is.
fn is_like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut reachable = vec![false; text.len() + 1];
    reachable[0] = true;
    let mut pattern = pattern.chars();
    while let Some(sign) = pattern.next() {
        let before = reachable.clone();
        let literal = if sign == '\\' { pattern.next() } else { Some(sign).filter(|sign| !"%_".contains(*sign)) };
        reachable[0] = sign == '%' && before[0];
        for at in 0..text.len() {
            reachable[at + 1] = match (sign, literal) {
                ('%', None) => before[at + 1] || reachable[at],
                ('_', None) => before[at],
                (_, literal) => before[at] && literal == Some(text[at]),
            };
        }
    }
    reachable[text.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(text: &str) -> Resource {
        serde_json::from_str(text).unwrap()
    }

    fn matches(property: &str) -> bool {
        let row = r#"{"id": 7, "state": "Alive", "mem": 2048, "host": "node1", "load": 0.5, "team": null}"#;
        Condition::parse(property).unwrap().matches(&resource(row))
    }

    #[test]
    fn conditions_are_evaluated_with_the_usual_precedence() {
        for yes in [
            "mem > 1000 and host = 'node1'",
            "mem = '2048'",
            "host = 'x' and mem = 1 or load < 1",
            "not host = 'x' and mem = 2048",
            "not (host = 'x' or mem = 1)",
            "host like 'n_d%1' and host not like '%2'",
            "host like 'node\\1'",
            "mem in (1, 2048) and mem not in (1, 2)",
            "mem between 2048 and 2048 and not mem between 1 and 2",
            "resource_id = 7 and state = 'Alive'",
            "team is null and host is not null",
        ] {
            assert!(matches(yes), "{yes}");
        }
        for no in [
            "mem > 1000 and host = 'x'",
            "host like 'node'",
            "host = 'x' and (mem = 1 or load < 1)",
            "team is not null",
        ] {
            assert!(!matches(no), "{no}");
        }
    }

    #[test]
    fn what_is_unknown_is_not_true_nor_is_its_negation() {
        for unknown in
            ["team = 'a'", "not team = 'a'", "team <> 'a'", "team like '%'", "team in ('a')", "team not in ('a')"]
        {
            assert!(!matches(unknown), "{unknown}");
        }
        assert!(matches("team = 'a' or mem = 2048"));
        assert!(!matches("team = 'a' and mem = 2048"));
        assert!(matches("not (team = 'a' and mem = 1)"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(Condition::parse("mem >").is_err());
        assert!(Condition::parse("(mem > 1").is_err());
    }
}

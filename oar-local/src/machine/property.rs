//! Reads the SQL constraint of a submission (`mem > 1000 and host='node1'`) far enough to say which resources of
//! the cluster satisfy it: comparisons of a column with a literal, `AND`, `OR`, `NOT` and parentheses.

use std::cmp::Ordering;

/// The constraint cannot be read, or names a column that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PropertyError;

/// A value of a column or a literal.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Number.
    Number(f64),
    /// Text.
    Text(String),
}

/// A constraint.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Property {
    /// Column, operator, literal.
    Compare(String, Operator, Value),
    /// Both.
    And(Box<Property>, Box<Property>),
    /// Either.
    Or(Box<Property>, Box<Property>),
    /// Not.
    Not(Box<Property>),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// `=`
    Equal,
    /// `!=` or `<>`
    Different,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Literal(Value),
    Compare(Operator),
    Open,
    Close,
}

/// Parentheses and negations deeper than this are refused instead of filling the stack.
const MAX_DEPTH: usize = 64;

impl Property {
    /// Reads a constraint.
    ///
    /// # Errors
    /// When it is outside the language above.
    pub(super) fn parse(text: &str) -> Result<Self, PropertyError> {
        let tokens = tokens_of(text)?;
        let mut reader = Reader { tokens: &tokens, place: 0, depth: 0 };
        let property = reader.or()?;
        if reader.place == tokens.len() { Ok(property) } else { Err(PropertyError) }
    }

    /// Whether a resource satisfies it; `column` gives the resource's value of a column.
    ///
    /// # Errors
    /// When it names a column that `column` does not know.
    pub(super) fn matches(&self, column: &impl Fn(&str) -> Option<Value>) -> Result<bool, PropertyError> {
        Ok(match self {
            Self::And(left, right) => left.matches(column)? & right.matches(column)?,
            Self::Or(left, right) => left.matches(column)? | right.matches(column)?,
            Self::Not(inner) => !inner.matches(column)?,
            Self::Compare(name, operator, literal) => {
                let value = column(name).ok_or(PropertyError)?;
                operator.holds(compare(&value, literal))
            }
        })
    }
}

impl Operator {
    fn holds(self, order: Option<Ordering>) -> bool {
        order.is_some_and(|order| match self {
            Self::Equal => order.is_eq(),
            Self::Different => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::More => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        })
    }
}

fn compare(value: &Value, literal: &Value) -> Option<Ordering> {
    match (value, literal) {
        (Value::Number(left), Value::Number(right)) => left.partial_cmp(right),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Text(right)) => left.partial_cmp(&right.parse().ok()?),
        (Value::Text(left), Value::Number(right)) => left.parse::<f64>().ok()?.partial_cmp(right),
    }
}

fn tokens_of(text: &str) -> Result<Vec<Token>, PropertyError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = token(first, rest)?;
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn token(first: char, rest: &str) -> Result<(Token, &str), PropertyError> {
    let split = |end: usize| rest.split_at_checked(end).ok_or(PropertyError);
    match first {
        '(' => Ok((Token::Open, split(1)?.1)),
        ')' => Ok((Token::Close, split(1)?.1)),
        '\'' => {
            let (inside, after) = split(1)?.1.split_once('\'').ok_or(PropertyError)?;
            Ok((Token::Literal(Value::Text(inside.to_owned())), after))
        }
        '=' | '<' | '>' | '!' => {
            let length = if matches!(rest.get(..2), Some("<=" | ">=" | "<>" | "!=")) { 2 } else { 1 };
            let (sign, after) = split(length)?;
            Ok((Token::Compare(operator(sign)?), after))
        }
        c if c.is_ascii_digit() || c == '-' => {
            let is_number = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
            let (number, after) = split(rest.find(|c| !is_number(c)).unwrap_or(rest.len()))?;
            let number = number.parse().map_err(|_| PropertyError)?;
            Ok((Token::Literal(Value::Number(number)), after))
        }
        c if c.is_ascii_alphabetic() || c == '_' || c == '"' => {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '"';
            let (word, after) = split(rest.find(|c| !is_word(c)).unwrap_or(rest.len()))?;
            Ok((Token::Word(word.trim_matches('"').to_ascii_lowercase()), after))
        }
        _ => Err(PropertyError),
    }
}

fn operator(sign: &str) -> Result<Operator, PropertyError> {
    Ok(match sign {
        "=" => Operator::Equal,
        "!=" | "<>" => Operator::Different,
        "<" => Operator::Less,
        "<=" => Operator::AtMost,
        ">" => Operator::More,
        ">=" => Operator::AtLeast,
        _ => return Err(PropertyError),
    })
}

struct Reader<'a> {
    tokens: &'a [Token],
    place: usize,
    depth: usize,
}

impl Reader<'_> {
    fn or(&mut self) -> Result<Property, PropertyError> {
        let mut left = self.and()?;
        while self.eat_word("or") {
            left = Property::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Property, PropertyError> {
        let mut left = self.single()?;
        while self.eat_word("and") {
            left = Property::And(Box::new(left), Box::new(self.single()?));
        }
        Ok(left)
    }

    fn single(&mut self) -> Result<Property, PropertyError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(PropertyError);
        }
        let property = self.nested_or_comparison();
        self.depth -= 1;
        property
    }

    fn nested_or_comparison(&mut self) -> Result<Property, PropertyError> {
        if self.eat_word("not") {
            return Ok(Property::Not(Box::new(self.single()?)));
        }
        match self.next()? {
            Token::Open => {
                let inner = self.or()?;
                if self.next()? == Token::Close { Ok(inner) } else { Err(PropertyError) }
            }
            Token::Word(column) => match (self.next()?, self.next()?) {
                (Token::Compare(operator), Token::Literal(value)) => Ok(Property::Compare(column, operator, value)),
                _ => Err(PropertyError),
            },
            _ => Err(PropertyError),
        }
    }

    fn next(&mut self) -> Result<Token, PropertyError> {
        let token = self.tokens.get(self.place).cloned().ok_or(PropertyError)?;
        self.place += 1;
        Ok(token)
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.place), Some(Token::Word(text)) if text == word);
        self.place += usize::from(found);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(text: &str) -> Result<bool, PropertyError> {
        Property::parse(text)?.matches(&|column| match column {
            "mem" => Some(Value::Number(2048.0)),
            "host" => Some(Value::Text("node1".into())),
            _ => None,
        })
    }

    #[test]
    fn evaluates_comparisons_and_connectives() {
        assert_eq!(matches("mem > 1000 and host='node1'"), Ok(true));
        assert_eq!(matches("mem > 100000"), Ok(false));
        assert_eq!(matches("not (mem <= 2048) OR \"host\" <> 'x'"), Ok(true));
        assert_eq!(matches("mem = '2048'"), Ok(true), "SQL compares a quoted number too");
    }

    #[test]
    fn refuses_unknown_columns_and_bad_syntax() {
        for text in ["nosuch='x'", "mem >", "mem > 'x", "(mem > 1", "mem ; drop", "mem >> 1", "and", "mem > 1 2"] {
            assert_eq!(matches(text), Err(PropertyError), "{text}");
        }
        assert_eq!(matches(&"(".repeat(100_000)), Err(PropertyError));
    }
}

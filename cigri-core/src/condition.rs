//! Conditions on tasks (`alpha < 0.9 && exit == 3`): which tasks of a campaign a user means. Written in CEL, bounded as
//! admission rules are, over the tasks' parameters and how their last attempt ended.

use cel::{Context, Value};

use crate::admission::Expression;
use crate::explain::{Word, words};

/// What a condition may ask beside parameters: the task's index, the exit code of its last attempt (-1 where its program
/// did not end by itself), the failure's class and its node (empty where there is none), and how many attempts there were.
const FACTS: [&str; 5] = ["task", "exit", "class", "node", "attempts"];
/// Words of a task's parameters that have a name of their own: `p1`, `p2`...
const WORDS: usize = 32;

/// A condition that could be read.
pub struct Condition {
    expression: Expression,
    names: Vec<String>,
    /// CEL's own functions; the variables of each task are put on top.
    functions: Context<'static, 'static>,
}

/// Why a condition cannot be used, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// Its text is wrong.
    #[error("the condition `{text}` cannot be read: {reason}")]
    Text {
        /// As written.
        text: String,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// It was not answered for all tasks in the time that there is for it.
    #[error(
        "the condition takes too long: it was answered for {answered} tasks. Make it simpler, or look at fewer tasks with \
         `--tasks`, `--class`, `--cluster` or `--exit`"
    )]
    Long {
        /// For how many it was.
        answered: u64,
    },
    /// It cannot be answered for a task.
    #[error("the condition cannot be answered for task {task} (`{parameters}`): {reason}")]
    Task {
        /// Index of the task.
        task: i64,
        /// Its parameters.
        parameters: String,
        /// What is wrong.
        reason: String,
    },
}

/// A task as a condition sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// Its index.
    pub task: i64,
    /// The text of its parameters.
    pub parameters: &'a str,
    /// Exit code of its last attempt.
    pub exit: Option<i32>,
    /// Class of its failure.
    pub class: Option<&'a str>,
    /// Where it failed.
    pub node: Option<&'a str>,
    /// How many attempts there were.
    pub attempts: i32,
}

impl Condition {
    /// Reads a condition on tasks whose parameters have these names, if any. A parameter goes before a fact of its name.
    pub fn parse(text: &str, names: &[String]) -> Result<Condition, ConditionError> {
        let places: Vec<String> = (1..=WORDS).map(|at| format!("p{at}")).collect();
        let all = names.iter().map(String::as_str).chain(FACTS).chain(places.iter().map(String::as_str));
        let known: Vec<&str> = all.collect();
        let failed = |reason: String| ConditionError::Text { text: text.to_owned(), reason: shortened(reason) };
        let expression = Expression::compile(text, &known).map_err(failed)?;
        if expression.calls("matches") {
            // It would compile its pattern anew for each task.
            let reason = "`matches` is for admins' rules: use `contains`, `startsWith`, `endsWith` or `in`";
            return Err(failed(reason.to_owned()));
        }
        Ok(Condition { expression, names: names.to_vec(), functions: Context::default() })
    }

    /// Whether a task meets it.
    pub fn holds(&self, subject: &Subject<'_>) -> Result<bool, ConditionError> {
        let mut context = self.functions.new_inner_scope();
        for (name, value) in FACTS.iter().zip(facts(subject)) {
            context.add_variable_from_value(*name, value);
        }
        let words = words(subject.parameters);
        for at in 0..WORDS {
            let value = words.get(at).map_or(Value::Null, |word| value(word));
            context.add_variable_from_value(format!("p{}", at + 1), value);
        }
        for (name, word) in self.names.iter().zip(&words) {
            context.add_variable_from_value(name.as_str(), value(word));
        }
        self.expression.holds(&context).map_err(|reason| ConditionError::Task {
            task: subject.task,
            parameters: subject.parameters.chars().take(100).collect(),
            reason,
        })
    }
}

/// In the order of [`FACTS`].
fn facts(subject: &Subject<'_>) -> [Value; 5] {
    [
        Value::Int(subject.task),
        Value::Int(subject.exit.map_or(-1, i64::from)),
        Value::from(subject.class.unwrap_or_default()),
        Value::from(subject.node.unwrap_or_default()),
        Value::Int(i64::from(subject.attempts)),
    ]
}

fn value(word: &str) -> Value {
    match Word::read(word) {
        Word::Whole(number) => Value::Int(number),
        Word::Number(number) => Value::Float(number),
        Word::Text(text) => Value::from(text),
    }
}

/// Without the many places of words, and without the parser's picture of the text behind its place.
fn shortened(reason: String) -> String {
    let places = (3..=WORDS).map(|at| format!(", p{at}")).collect::<String>();
    let reason = reason.replace(&places, "...").replace("ERROR: <input>:", "at ");
    let end = if reason.starts_with("at ") { reason.find(" | ") } else { None };
    reason.get(..end.unwrap_or(reason.len())).unwrap_or_default().replace("Syntax error: ", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(parameters: &str) -> Subject<'_> {
        Subject { task: 7, parameters, exit: Some(3), class: Some("exit"), node: None, attempts: 2 }
    }

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    fn holds(text: &str, parameters: &str) -> Result<bool, String> {
        let condition = Condition::parse(text, &names(&["alpha", "n", "name"])).map_err(|error| error.to_string())?;
        condition.holds(&subject(parameters)).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_are_numbers_and_the_rest_are_texts() {
        for (text, expected) in [
            ("alpha < 0.9", true),
            ("alpha < 1", true),
            ("alpha > 0.5", false),
            ("n >= 4.0 && n <= 4", true),
            ("n in [4, 5]", true),
            ("name == \"x y\"", true),
            ("name in [\"a\", \"x y\"]", true),
            ("p1 < 1 && p2 == 4 && p3 != \"x\"", true),
            ("p4 == null", true),
            ("exit == 3 && class == \"exit\" && node == \"\" && attempts > 1 && task == 7", true),
            ("name.startsWith(\"x\") && !(exit in [1, 2])", true),
        ] {
            assert_eq!(holds(text, "0.5 4 'x y'"), Ok(expected), "{text}");
        }
        assert_eq!(holds("alpha < 0.9", "1 4 x"), Ok(false), "a whole number is as good");
        assert_eq!(holds("alpha == 1.0", "1e0 4 x"), Ok(true));
    }

    #[test]
    fn a_wrong_condition_is_told_with_its_place() {
        let wrong = |text: &str| holds(text, "1 2 3").unwrap_err();
        assert!(wrong("alpha <").contains("read: at 1:8: mismatched input"), "{}", wrong("alpha <"));
        let unknown = wrong("beta < 1");
        assert!(unknown.contains("`beta` is no variable here") && unknown.ends_with("p1, p2..."), "{unknown}");
        assert!(wrong("alpha").contains("task 7 (`1 2 3`)"), "{}", wrong("alpha"));
        assert!(wrong(&"(".repeat(400)).contains("nested"), "{}", wrong(&"(".repeat(400)));
        let pattern = wrong("name.matches(\"a+\")");
        assert!(pattern.contains("use `contains`"), "{pattern}");
        let texts = holds("alpha < 1", "x 2 3").unwrap_err();
        assert!(texts.contains("task 7 (`x 2 3`)"), "{texts}");
    }

    #[test]
    fn what_explains_failures_is_a_condition() {
        let of = |failed: &[&str], others: &[&str]| {
            let all = |texts: &[&str]| texts.iter().cycle().take(100).map(|text| words(text)).collect::<Vec<_>>();
            crate::explain::explain(&names(&["alpha", "n", "name"]), &all(failed), &all(others))
        };
        for found in of(&["0.95 7 x", "1 7 x"], &["0.5 4 y", "0.7 9 'y\"'", "0.2 9 z"]) {
            let condition = found.condition().unwrap();
            assert_eq!(holds(&condition, "0.97 7 x"), Ok(true), "{found:?}");
            assert_eq!(holds(&condition, "0.7 9 y"), Ok(false), "{found:?}");
        }
    }

    #[test]
    fn every_word_is_written_so_that_it_is_read_as_the_same() {
        let words =
            ["+5", "5.", ".5", "-0", "1e5", "1e-7", "1E300", "123456789012345678901234567890", "9223372036854775807"];
        let texts = [
            "nan",
            "inf",
            "1e999",
            "x y",
            "a\"b",
            "a\\nb",
            "\\",
            "it's",
            "`?{}",
            "\u{e9}t\u{e9}",
            "e\u{301}",
            "\u{200b}",
        ];
        for word in words.into_iter().chain(texts) {
            let literal = Word::read(word).literal().unwrap();
            let quoted = shlex::try_quote(word).unwrap();
            assert_eq!(holds(&format!("p1 in [{literal}] && p1 == {literal}"), &quoted), Ok(true), "{word}: {literal}");
        }
        assert_eq!(Word::read("a\tb").literal(), None);
    }
}

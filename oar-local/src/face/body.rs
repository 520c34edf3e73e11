//! Reads the body of `POST /jobs` as pydantic does, with its messages. Unknown keys are ignored, as OAR does.

use serde_json::{Map, Value, json};

use super::answer::{Fault, Problem};
use super::call::read_integer;
use crate::machine::Request;

/// The typed request.
pub(super) fn read_submission(body: &[u8], is_form: bool) -> Result<Request, Problem> {
    if body.is_empty() {
        return Err(Fault::missing(&["body"]).into());
    }
    let not_dict = || Fault::new(&["body"], "value is not a valid dict", "type_error.dict");
    if is_form {
        return Err(not_dict().into());
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| bad_json(body, &error))?;
    let fields = value.as_object().ok_or_else(not_dict)?;
    let mut reader = Reader { fields, faults: Vec::new() };
    let request = reader.read();
    if reader.faults.is_empty() { Ok(request) } else { Err(Problem::Invalid(reader.faults)) }
}

fn bad_json(body: &[u8], error: &serde_json::Error) -> Problem {
    let text = String::from_utf8_lossy(body);
    let before = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let column = error.column().max(1);
    let position = before.map(|line| line.chars().count()).sum::<usize>() + column - 1;
    let reason = "Expecting value";
    let message = format!("{reason}: line {} column {column} (char {position})", error.line());
    let context = json!({
        "msg": reason, "doc": text, "pos": position, "lineno": error.line(), "colno": column,
    });
    Fault::new(&["body"], &message, "value_error.jsondecode").at(position).with_context(context).into()
}

struct Reader<'a> {
    fields: &'a Map<String, Value>,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn read(&mut self) -> Request {
        Request {
            command: self.command(),
            resource: self.list("resource", text_of, "str type expected", "type_error.str"),
            types: self.list("type", text_of, "str type expected", "type_error.str"),
            property: self.text("property"),
            param_file: self.text("param_file"),
            array: self.integer("array"),
            name: self.text("name"),
            project: self.text("project"),
            directory: self.text("directory"),
            stdout: self.text("stdout"),
            stderr: self.text("stderr"),
            queue: self.text("queue"),
            hold: self.boolean("hold"),
            checkpoint: self.integer("checkpoint"),
            signal: self.integer("signal"),
            after: self.list("after", id_of, "value is not a valid integer", "type_error.integer"),
            notify: self.text("notify"),
        }
    }

    fn command(&mut self) -> String {
        match self.fields.get("command") {
            None => self.faults.push(Fault::missing(&["body", "command"])),
            Some(Value::Null) => {
                let message = "none is not an allowed value";
                self.fault("command", message, "type_error.none.not_allowed");
            }
            Some(_) => return self.text("command").unwrap_or_default(),
        }
        String::new()
    }

    fn fault(&mut self, key: &str, message: &str, kind: &'static str) {
        self.faults.push(Fault::new(&["body", key], message, kind));
    }

    fn find(&self, key: &str) -> Option<&Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let text = self.find(key).map(text_of)?;
        if text.is_none() {
            self.fault(key, "str type expected", "type_error.str");
        }
        text
    }

    fn integer(&mut self, key: &str) -> Option<i64> {
        let number = self.find(key).map(integer_of)?;
        if number.is_none() {
            self.fault(key, "value is not a valid integer", "type_error.integer");
        }
        number
    }

    fn boolean(&mut self, key: &str) -> bool {
        let value = self.find(key).map(boolean_of);
        if value == Some(None) {
            self.fault(key, "value could not be parsed to a boolean", "type_error.bool");
        }
        value.flatten().unwrap_or(false)
    }

    fn list<T>(&mut self, key: &str, read: fn(&Value) -> Option<T>, message: &str, kind: &'static str) -> Vec<T> {
        let values = match self.find(key).map(Value::as_array) {
            None => return Vec::new(),
            Some(Some(values)) => values.iter().map(read).collect::<Vec<_>>(),
            Some(None) => {
                self.fault(key, "value is not a valid list", "type_error.list");
                return Vec::new();
            }
        };
        let mut list = Vec::with_capacity(values.len());
        for (index, value) in values.into_iter().enumerate() {
            match value {
                Some(value) => list.push(value),
                None => self.faults.push(Fault::new(&["body", key], message, kind).at(index)),
            }
        }
        list
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn integer_of(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => read_integer(text),
        #[expect(clippy::cast_possible_truncation, reason = "pydantic truncates floats too")]
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)),
        Value::Bool(value) => Some(i64::from(*value)),
        _ => None,
    }
}

/// A negative id becomes 0, which no job has.
fn id_of(value: &Value) -> Option<u64> {
    integer_of(value).map(|id| u64::try_from(id).unwrap_or(0))
}

fn boolean_of(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::Number(number) => match number.as_i64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "0" | "off" | "f" | "false" | "n" | "no" => Some(false),
            "1" | "on" | "t" | "true" | "y" | "yes" => Some(true),
            _ => None,
        },
        _ => None,
    }
}

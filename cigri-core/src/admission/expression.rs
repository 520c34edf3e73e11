//! Expressions of the Common Expression Language (CEL), bounded: they read values, call no code of the server's, and end.

use std::collections::HashMap;
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr};
use cel::objects::Key;
use cel::{Context, ExecutionError, IdedExpr, Program, Value as Cel};
use serde_json::{Map, Number, Value};

use super::nesting::is_shallow;
use crate::language::parse_walltime;

/// Longest expression, in bytes.
const LONGEST: usize = 2000;
/// What rules may call beside CEL's own functions.
const OWN: [&str; 2] = ["walltime_s", "listed"];

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Expression(Program);

impl Expression {
    /// Compiles a text that may use these variables.
    pub(crate) fn compile(text: &str, variables: &[&str]) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("an expression may have {LONGEST} bytes"));
        }
        if !is_shallow(text) {
            return Err("it is nested too deep: split it into several rules".to_owned());
        }
        let program = Program::compile(text).map_err(|errors| one_line(&errors.to_string()))?;
        if loops(program.expression()) > 1 {
            return Err("a macro like `exists` or `map` inside another: its cost is not bounded".to_owned());
        }
        let unknown = unknown_names(&program, variables);
        if unknown.is_empty() { Ok(Self(program)) } else { Err(unknown.join("; ")) }
    }

    /// Whether it calls a function of this name.
    pub(crate) fn calls(&self, function: &str) -> bool {
        self.0.references().has_function(function)
    }

    /// Its value as JSON.
    pub(super) fn value(&self, context: &Context<'_, '_>) -> Result<Value, String> {
        let value = self.0.execute(context).map_err(|error| one_line(&error.to_string()))?;
        to_json(&value)
            .ok_or_else(|| "its value is neither a text, a number, true, false, null, a list nor a map".into())
    }

    /// Whether it is true.
    pub(crate) fn holds(&self, context: &Context<'_, '_>) -> Result<bool, String> {
        match self.value(context)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(format!("it is {other}, neither true nor false")),
        }
    }
}

/// A context with CiGri's own functions, and no variables yet.
pub(super) fn functions() -> Result<Context<'static, 'static>, String> {
    let mut context = Context::default();
    let [walltime, member] = OWN;
    context.add_function(walltime, walltime_s).map_err(|error| error.to_string())?;
    context.add_function(member, listed).map_err(|error| error.to_string())?;
    Ok(context)
}

/// `walltime_s("1:30:00")`: seconds of a walltime.
fn walltime_s(text: Arc<String>) -> Result<i64, ExecutionError> {
    let seconds = parse_walltime(&text).and_then(|seconds| i64::try_from(seconds).ok());
    seconds.ok_or_else(|| ExecutionError::function_error("walltime_s", format!("`{text}` is no walltime")))
}

/// `listed(lists.students, user, cluster.name)`: whether a list, or the list of that cluster in a table, has the user.
fn listed(list: Cel, user: Arc<String>, cluster: Arc<String>) -> Result<bool, ExecutionError> {
    let has = |list: &[Cel]| list.iter().any(|item| matches!(item, Cel::String(text) if *text == user));
    match list {
        Cel::List(list) => Ok(has(&list)),
        Cel::Map(table) => Ok(matches!(table.map.get(&Key::String(cluster)), Some(Cel::List(list)) if has(list))),
        _ => Err(ExecutionError::function_error("listed", "its first argument is neither a list nor a table of lists")),
    }
}

/// JSON as a value of an expression. Whole numbers are CEL's `int` wherever they fit.
pub(super) fn from_json(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Cel::Int(number),
            None => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cel::from(text.as_str()),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(from_json).collect())),
        Value::Object(fields) => {
            Cel::from(fields.iter().map(|(key, value)| (key.clone(), from_json(value))).collect::<HashMap<_, _>>())
        }
    }
}

fn to_json(value: &Cel) -> Option<Value> {
    Some(match value {
        Cel::Null => Value::Null,
        Cel::Bool(value) => Value::Bool(*value),
        Cel::Int(number) => Value::from(*number),
        Cel::UInt(number) => Value::from(*number),
        Cel::Float(number) => Value::Number(Number::from_f64(*number)?),
        Cel::String(text) => Value::from(text.as_str()),
        Cel::List(items) => Value::Array(items.iter().map(to_json).collect::<Option<_>>()?),
        Cel::Map(map) => {
            let entry = |(key, value): (&Key, &Cel)| match key {
                Key::String(key) => Some((key.to_string(), to_json(value)?)),
                _ => None,
            };
            Value::Object(map.map.iter().map(entry).collect::<Option<Map<_, _>>>()?)
        }
        _ => return None,
    })
}

fn unknown_names(program: &Program, variables: &[&str]) -> Vec<String> {
    let references = program.references();
    let mut bound = Vec::new();
    bound_names(program.expression(), &mut bound);
    let is_known = |name: &str| variables.contains(&name) || bound.contains(&name) || name.starts_with('@');
    let mut unknown: Vec<String> = references
        .variables()
        .into_iter()
        .filter(|name| !is_known(name))
        .map(|name| format!("`{name}` is no variable here; there are {}", variables.join(", ")))
        .collect();
    unknown.sort();
    unknown
}

/// How many loops are inside each other at most.
fn loops(expression: &IdedExpr) -> usize {
    let own = usize::from(matches!(expression.expr, Expr::Comprehension(_)));
    own + children(expression).into_iter().map(loops).max().unwrap_or(0)
}

fn bound_names<'a>(expression: &'a IdedExpr, names: &mut Vec<&'a str>) {
    if let Expr::Comprehension(looped) = &expression.expr {
        names.extend([looped.iter_var.as_str(), looped.accu_var.as_str()]);
        names.extend(looped.iter_var2.as_deref());
    }
    for child in children(expression) {
        bound_names(child, names);
    }
}

fn children(expression: &IdedExpr) -> Vec<&IdedExpr> {
    match &expression.expr {
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(looped) => {
            vec![&looped.iter_range, &looped.accu_init, &looped.loop_cond, &looped.loop_step, &looped.result]
        }
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(|entry| sides(&entry.expr)).collect(),
        Expr::Struct(object) => object.entries.iter().flat_map(|entry| sides(&entry.expr)).collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
    }
}

fn sides(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

/// Messages of the library point into the text on lines of their own.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

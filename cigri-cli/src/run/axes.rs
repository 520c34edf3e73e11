//! Parameters given on the command line: `-p alpha=0.1,0.2 -p n=1:10:3` is a grid, in place of the file's own.

use serde_json::{Number, Value};

/// One `-p`: the name of a parameter, and its values as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Axis {
    name: String,
    values: String,
}

/// Reads `NAME=A,B,C` or `NAME=FROM:TO:STEP`; three numbers between colons are a range, all else is a list.
pub(crate) fn parse_axis(text: &str) -> Result<Axis, String> {
    let (name, values) = text.split_once('=').ok_or("expected NAME=VALUES, as in alpha=0.1,0.2 or n=1:10:3")?;
    let is_number = |word: &&str| serde_json::from_str::<Number>(word).is_ok();
    let parts: Vec<&str> = values.split(':').filter(is_number).collect();
    let values = match parts[..] {
        // The digits stay as they are.
        [from, to, step] if values.split(':').count() == 3 => {
            format!(r#"{{"from": {from}, "to": {to}, "step": {step}}}"#)
        }
        _ => Value::from(values.split(',').collect::<Vec<_>>()).to_string(),
    };
    Ok(Axis { name: name.to_owned(), values })
}

/// The field `parameters` that they stand for, as JSON; `None` without any.
pub(super) fn grid(axes: &[Axis]) -> Option<String> {
    let member = |axis: &Axis| format!("{}: {}", Value::from(axis.name.as_str()), axis.values);
    let members: Vec<String> = axes.iter().map(member).collect();
    (!axes.is_empty()).then(|| format!(r#"{{"grid": {{{}}}}}"#, members.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_make_a_grid() {
        let axes = ["a=0.10,x y", "n=1:10:3", "t=12:30:00,\"", "e="].map(|text| parse_axis(text).unwrap());
        let expected = r#"{"grid": {"a": ["0.10","x y"], "n": {"from": 1, "to": 10, "step": 3}, "t": ["12:30:00","\""], "e": [""]}}"#;
        assert_eq!(grid(&axes).unwrap(), expected);
        assert_eq!(grid(&[]), None);
        assert!(parse_axis("alpha").unwrap_err().contains("NAME=VALUES"));
    }
}

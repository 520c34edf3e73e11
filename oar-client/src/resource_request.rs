//! The syntax of one resource request, `[{property}]/level=n/level=n+...,walltime=h:m:s`: OAR answers 500
//! to mistakes in it, which looks like a failed server and leaves the caller in doubt.

use crate::error::Invalid;
use crate::property::property_columns;

/// The columns named in the `{..}` of a resource request, after a check of its whole syntax.
pub fn resource_columns(entry: &str) -> Result<Vec<String>, Invalid> {
    columns(entry).map_err(|problem| Invalid::new("resource", problem))
}

/// The conditions in the `{..}` of a resource request.
pub(crate) fn conditions(entry: &str) -> Result<Vec<&str>, String> {
    let parts = split_outside(entry, ',')?;
    let (groups, walltime) = match parts.as_slice() {
        [only] if only.trim_start().starts_with("walltime") => (None, Some(*only)),
        [groups] => (Some(*groups), None),
        [groups, walltime] => (Some(*groups), Some(*walltime)),
        _ => return Err("more than one comma".to_owned()),
    };
    if let Some(walltime) = walltime {
        check_walltime(walltime)?;
    }
    let mut conditions = Vec::new();
    for group in groups.map_or(Ok(Vec::new()), |text| split_outside(text, '+'))? {
        conditions.extend(check_group(group)?);
    }
    Ok(conditions)
}

fn columns(entry: &str) -> Result<Vec<String>, String> {
    let mut columns = Vec::new();
    for condition in conditions(entry)? {
        columns.extend(property_columns(condition).map_err(|invalid| invalid.problem)?);
    }
    columns.sort_unstable();
    columns.dedup();
    Ok(columns)
}

/// Splits at a separator that stands outside `{..}` and quotes.
fn split_outside(text: &str, separator: char) -> Result<Vec<&str>, String> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut braces, mut quoted) = (0_u32, false);
    for (at, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            _ if quoted => {}
            '{' => braces += 1,
            '}' => braces = braces.checked_sub(1).ok_or("a } was never opened")?,
            _ if c == separator && braces == 0 => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    if quoted || braces > 0 {
        return Err("a { or a quote is not closed".to_owned());
    }
    parts.push(&text[start..]);
    Ok(parts)
}

fn check_group(group: &str) -> Result<Option<&str>, String> {
    let group = group.trim();
    let (condition, levels) = match group.strip_prefix('{') {
        None => (None, group),
        Some(inner) => {
            let end = inner.rfind('}').ok_or("a { is not closed")?;
            (Some(&inner[..end]), &inner[end + 1..])
        }
    };
    for level in levels.strip_prefix('/').unwrap_or(levels).split('/') {
        check_level(level)?;
    }
    Ok(condition)
}

fn check_level(level: &str) -> Result<(), String> {
    let (name, count) =
        level.split_once('=').ok_or_else(|| format!("{level:?} has no `=`; expected a form like /core=2"))?;
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !named {
        return Err(format!("{name:?} is no name of a resource"));
    }
    let digits = count.bytes().all(|b| b.is_ascii_digit());
    if digits && count.parse::<i32>().is_ok_and(|n| n > 0) {
        Ok(())
    } else {
        Err(format!("{count:?} is not a whole number above 0"))
    }
}

/// OAR would take 0 as its default of two hours and -1 as minus one hour.
fn check_walltime(text: &str) -> Result<(), String> {
    let form = || format!("{text:?} is not `walltime=h[:m[:s]]`");
    let (name, value) = text.split_once('=').ok_or_else(form)?;
    let fields: Vec<&str> = value.trim().split(':').collect();
    let numbers = fields.iter().all(|f| (1..=6).contains(&f.len()) && f.bytes().all(|b| b.is_ascii_digit()));
    if name.trim() != "walltime" || fields.len() > 3 || !numbers {
        return Err(form());
    }
    if fields.iter().all(|f| f.bytes().all(|b| b == b'0')) {
        return Err("walltime 0, which OAR takes as its default".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_oar_understands_are_accepted() {
        for good in [
            "/resource_id=1",
            "/resource_id=1,walltime=00:05:00",
            "core=2",
            "/nodes=2/core=1,walltime=1:0:0",
            "nodes=2/core=1,walltime=1",
            "/resource_id=1, walltime = 0:5:0",
            "walltime=0:5:0",
        ] {
            assert_eq!(resource_columns(good), Ok(vec![]), "{good}");
        }
    }

    #[test]
    fn the_columns_in_braces_are_found() {
        let entry = "{mem>1 and host in ('a+b','c}')}/resource_id=1+{mem>2}/core=1,walltime=0:1:0";
        assert_eq!(resource_columns(entry).unwrap(), ["host", "mem"]);
    }

    #[test]
    fn requests_that_make_oar_answer_500_are_refused() {
        for bad in [
            "",
            "/",
            "/resource_id",
            "garbage garbage",
            "/resource_id=x",
            "/resource_id=0",
            "/resource_id=-1",
            "/core=1,walltime=zz",
            "/core=1,walltime=-1",
            "/core=1,walltime=0",
            "/core=1,walltime=0:5:0:0",
            "/core=1,walltime=",
            "/core=1,2",
            "/core=1,core=2,walltime=1",
            "{mem>1/core=1",
            "mem>1}/core=1",
            "{}/core=1",
            "{mem>}/core=1",
            "/core=1/",
            "/core=1+",
            "/core=99999999999",
            "{host='a}/core=1",
            "/co re=1",
            "/core=1\0",
        ] {
            assert!(resource_columns(bad).is_err(), "{bad:?}");
        }
    }
}

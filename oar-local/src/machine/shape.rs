//! Reads OAR's resource strings (`/nodes=1/core=4,walltime=1:0:0`) for a cluster that is one node.

use super::admission::Refusal;

/// Default walltime of OAR's stock admission rule, seconds.
const DEFAULT_WALLTIME: i64 = 2 * 3600;
/// The hierarchy labels of this cluster, from the widest to the narrowest.
const LABELS: [&str; 4] = ["network_address", "cpu", "core", "resource_id"];
/// Columns that the stock admission rules forbid as resource names.
const FORBIDDEN: [&str; 6] = ["type", "state", "next_state", "finaud_decision", "next_finaud_decision", "state_num"];

/// What one job asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    /// Cores.
    pub(super) cores: u32,
    /// Seconds; may be negative, as OAR accepts it.
    pub(super) walltime: i64,
    /// The hierarchy as OAR shows it.
    pub(super) text: String,
}

/// Reads one resource string against a node of `cores` cores. `lenient` clamps what is too much and ignores
/// resources that the node does not have.
pub(super) fn parse_shape(text: &str, cores: u32, lenient: bool) -> Result<Shape, Refusal> {
    let mut shape = Shape { cores: 1, walltime: DEFAULT_WALLTIME, text: "/resource_id=1".to_owned() };
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        if let Some(walltime) = walltime_value(part) {
            shape.walltime = parse_walltime(walltime).ok_or(Refusal::Crash)?;
        } else {
            (shape.cores, shape.text) = parse_hierarchy(part, cores, lenient)?;
        }
    }
    Ok(shape)
}

fn walltime_value(part: &str) -> Option<&str> {
    let (key, value) = part.split_once('=')?;
    (key.trim() == "walltime").then(|| value.trim())
}

/// `h`, `h:m`, `h:m:s`, in seconds; more fields are ignored and 0 is the default, as in OAR.
fn parse_walltime(text: &str) -> Option<i64> {
    let mut total: i64 = 0;
    for (field, unit) in text.split(':').zip([3600, 60, 1]) {
        let value: i64 = field.trim().parse().ok()?;
        total = total.checked_add(value.checked_mul(unit)?)?;
    }
    Some(if total == 0 { DEFAULT_WALLTIME } else { total })
}

fn parse_hierarchy(part: &str, total: u32, lenient: bool) -> Result<(u32, String), Refusal> {
    // The optional `{sql}` selector in front is checked with the job's property, not here.
    let levels = part.rsplit_once('}').map_or(part, |(_, levels)| levels);
    let mut count: u64 = 1;
    let mut narrowest = None;
    let mut shown = String::new();
    for level in levels.split('/').filter(|level| !level.trim().is_empty()) {
        let (name, value) = level.split_once('=').ok_or(Refusal::Crash)?;
        let Some(label) = label_of(name.trim(), lenient)? else { continue };
        let wanted = parse_count(value.trim(), capacity(label, total), lenient)?;
        count = count.saturating_mul(wanted);
        narrowest = Some(label);
        shown.push_str(&format!("/{label}={wanted}"));
    }
    let Some(narrowest) = narrowest else {
        return if lenient { Ok((1, "/resource_id=1".to_owned())) } else { Err(Refusal::Crash) };
    };
    // A whole node (or its one cpu) is all its cores.
    let per_unit = if capacity(narrowest, total) == 1 { u64::from(total) } else { 1 };
    let cores = fit(count.saturating_mul(per_unit), u64::from(total), lenient)?;
    Ok((u32::try_from(cores).unwrap_or(total), shown))
}

fn label_of(name: &str, lenient: bool) -> Result<Option<&'static str>, Refusal> {
    let name = if matches!(name, "nodes" | "host") { "network_address" } else { name };
    if let Some(label) = LABELS.iter().find(|label| **label == name) {
        return Ok(Some(label));
    }
    if lenient {
        return Ok(None);
    }
    if FORBIDDEN.contains(&name) {
        return Err(Refusal::Rule(format!("[ADMISSION RULE] {name} as resource type is not allowed .")));
    }
    Err(Refusal::Resources(format!(
        "Bad resources name: {name} is not a valid resources name.Valid resource names are: {}",
        LABELS.join(", ")
    )))
}

fn capacity(label: &str, total: u32) -> u32 {
    if matches!(label, "network_address" | "cpu") { 1 } else { total }
}

fn parse_count(value: &str, capacity: u32, lenient: bool) -> Result<u64, Refusal> {
    if matches!(value, "ALL" | "BEST") {
        return Ok(u64::from(capacity));
    }
    let wanted: u64 = value.parse().map_err(|_| Refusal::Crash)?;
    fit(wanted, u64::from(capacity), lenient)
}

fn fit(wanted: u64, capacity: u64, lenient: bool) -> Result<u64, Refusal> {
    if (1..=capacity).contains(&wanted) {
        Ok(wanted)
    } else if lenient {
        Ok(wanted.clamp(1, capacity.max(1)))
    } else {
        Err(Refusal::Resources("There are not enough resources for your request".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cores(text: &str) -> u32 {
        parse_shape(text, 8, false).unwrap().cores
    }

    fn walltime(text: &str) -> i64 {
        parse_shape(text, 8, false).unwrap().walltime
    }

    #[test]
    fn counts_cores_down_the_hierarchy() {
        assert_eq!(cores(""), 1);
        assert_eq!(cores("core=2,walltime=0:10:0"), 2);
        assert_eq!(cores("/nodes=1/core=4"), 4);
        assert_eq!(cores("/nodes=1"), 8, "a whole node is all its cores");
        assert_eq!(cores("/network_address=1/cpu=1"), 8);
        assert_eq!(cores("/resource_id=1"), 1);
        assert_eq!(cores("/core=ALL"), 8);
    }

    #[test]
    fn reads_walltimes_as_oar_does() {
        assert_eq!(walltime("/core=1"), 7200);
        assert_eq!(walltime("walltime=3"), 10_800);
        assert_eq!(walltime("/core=1,walltime=0:10"), 600);
        assert_eq!(walltime("/resource_id=1, walltime = 0:5:0"), 300);
        assert_eq!(walltime("walltime=0:5:0:9"), 300, "a fourth field is ignored");
        assert_eq!(walltime("walltime=0"), 7200, "zero is the default");
        assert_eq!(walltime("walltime=-1"), -3600);
    }

    #[test]
    fn refuses_what_oar_refuses() {
        let refused = |text| parse_shape(text, 8, false).unwrap_err();
        assert_eq!(refused("/resource_id"), Refusal::Crash);
        assert_eq!(refused("/resource_id=x"), Refusal::Crash);
        assert_eq!(refused("walltime=zz"), Refusal::Crash);
        assert_eq!(refused("garbage garbage"), Refusal::Crash);
        let not_enough = Refusal::Resources("There are not enough resources for your request".into());
        for text in ["/core=9", "/core=0", "/nodes=2", "/nodes=1/core=9"] {
            assert_eq!(refused(text), not_enough, "{text}");
        }
        assert!(matches!(refused("/gpu=1"), Refusal::Resources(text) if text.contains("gpu is not a valid")));
        assert!(matches!(refused("/state=1"), Refusal::Rule(_)));
    }

    #[test]
    fn lenient_clamps_and_ignores() {
        let lenient = |text| parse_shape(text, 8, true).unwrap().cores;
        assert_eq!(lenient("/nodes=4/core=16"), 8);
        assert_eq!(lenient("/gpu=1"), 1);
        assert_eq!(lenient("/switch=1/nodes=1/core=3"), 3);
        assert_eq!(lenient("/core=0"), 1);
    }
}

//! The table of codes in docs/EVENTS.md, written from the one that the program goes by.

use super::{Closer, Code, Scope};

const BEGIN: &str = "<!-- codes -->\n";
const END: &str = "<!-- end of codes -->\n";

/// The manual with the table of codes as it is now.
///
/// # Errors
/// When the manual has no place for it.
pub fn with_code_table(manual: &str) -> Result<String, String> {
    let missing = |mark: &str| format!("docs/EVENTS.md has no line `{}`", mark.trim_end());
    let (before, rest) = manual.split_once(BEGIN).ok_or_else(|| missing(BEGIN))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| missing(END))?;
    Ok(format!("{before}{BEGIN}{}{END}{after}", table()))
}

/// All codes, in Markdown.
fn table() -> String {
    let anywhere = Scope { campaign: None, cluster: None, user: None };
    let row = |code: &Code| {
        let (class, severity) = (code.class().as_str(), code.severity().as_str());
        let rises = code.rises().map(|(at, to)| format!(", {} from {at} times on", to.as_str())).unwrap_or_default();
        let closer = match code.closer() {
            Closer::Owner => "owner, admins",
            Closer::Admin => "admins",
            Closer::Nobody => "nobody",
        };
        let (ending, advice) = (code.ending(&anywhere), code.advice(&anywhere));
        let advice = advice.replace('|', "\\|");
        let ending = ending.replace('|', "\\|");
        format!("| {} | {class} | {severity}{rises} | {ending} | {closer} | {advice} |\n", code.as_str())
    };
    let head = "| code | class | severity | closes | by hand | what to do |\n|---|---|---|---|---|---|\n";
    head.to_owned() + &Code::ALL.iter().map(row).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_every_code_as_it_is() {
        let manual = include_str!("../../../docs/EVENTS.md");
        let now = with_code_table(manual).unwrap();
        assert!(now == manual, "docs/EVENTS.md is stale: `cargo run -p xtask -- language` writes it anew");
        assert!(Code::ALL.iter().all(|code| manual.contains(&format!("| {} |", code.as_str()))));
    }
}

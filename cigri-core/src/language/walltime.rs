//! Walltimes as OAR writes them: `h`, `h:m` or `h:m:s`.

/// A walltime must stay under a year: more is a slip, and OAR adds it to dates.
const YEAR_S: u64 = 365 * 24 * 3600;

/// The longest walltime, seconds.
pub(super) const LONGEST_S: u64 = YEAR_S - 1;

/// What a walltime looks like, for messages.
pub(super) const EXPECTED: &str = "a duration `h`, `h:m` or `h:m:s`, above 0 and below a year";

/// Seconds of a walltime; `None` where OAR would misread it (blanks, signs, zero, four fields).
/// Minutes and seconds may pass 59, as OAR lets them.
pub fn parse_walltime(text: &str) -> Option<u64> {
    let fields = text
        .split(':')
        .map(|field| {
            let digits = !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| field.parse::<u64>().ok()).flatten()
        })
        .collect::<Option<Vec<_>>>()?;
    let (hours, minutes, seconds) = match fields[..] {
        [hours] => (hours, 0, 0),
        [hours, minutes] => (hours, minutes, 0),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return None,
    };
    let total = hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(seconds)?;
    (1..YEAR_S).contains(&total).then_some(total)
}

/// `hh:mm:ss`, with as many digits of hours as needed.
pub(super) fn format_walltime(seconds: u64) -> String {
    let (hours, rest) = (seconds / 3600, seconds % 3600);
    format!("{hours:02}:{:02}:{:02}", rest / 60, rest % 60)
}

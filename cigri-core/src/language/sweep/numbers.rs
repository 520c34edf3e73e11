//! Numbers of a sweep: exact decimals where they can be, else binary ones, shown in digits that hide their drift.

use rust_decimal::Decimal;

/// Most digits of an exact number.
pub(super) const DIGITS: u32 = 28;

/// Reads a number of JSON exactly; `None` if it has too many digits.
pub(super) fn decimal(digits: &str) -> Option<Decimal> {
    let read = match digits.contains(['e', 'E']) {
        true => Decimal::from_scientific(digits),
        false => Decimal::from_str_exact(digits),
    };
    read.ok().map(|number| number.normalize())
}

/// Reads a number of JSON in binary; `None` if it is too large.
pub(super) fn real(digits: &str) -> Option<f64> {
    digits.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Whether all multiples of `step` up to `largest` have an exact sum with numbers of that size.
pub(super) fn is_exact(largest: Decimal, scale: u32) -> bool {
    let whole = largest.abs().trunc().mantissa().checked_ilog10().map_or(0, |power| power + 1);
    whole + scale <= DIGITS
}

/// The value at `part` (0 to 1) of the way from one number above 0 to another, at equal ratios.
pub(super) fn log_between(from: f64, to: f64, part: f64) -> f64 {
    // Of powers of ten, so that decades come out even, and a quotient cannot overflow.
    let (low, high) = (from.log10(), to.log10());
    10_f64.powf(low + (high - low) * part)
}

/// Digits of what is computed in binary, and of what comes from powers, whose error grows with the exponent.
pub(super) const BINARY: usize = 15;
pub(super) const POWER: usize = 12;

/// A number in at most so many significant digits: `0.3`, `1e-6`, `12`.
pub(super) fn short(number: f64, digits: usize) -> String {
    let rounded: f64 = format!("{number:.0$e}", digits.saturating_sub(1)).parse().unwrap_or(number);
    let text = format!("{rounded:?}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

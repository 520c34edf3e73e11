//! What a sensor says: the number in what it printed, and for how long that number is good.

/// A load of more than this is no load.
const MOST: f64 = 1e9;

/// A number that a sensor told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The load.
    pub value: f64,
    /// When it was read, epoch milliseconds.
    pub at: i64,
}

impl Reading {
    /// Whether it is good at `now` (epoch milliseconds), with `ttl_s` seconds to live. One from far ahead is as bad as
    /// an old one: the clock was put back since, and it would stay fresh for ever.
    pub fn is_fresh(&self, now: i64, ttl_s: u64) -> bool {
        now.abs_diff(self.at) <= ttl_s.saturating_mul(1000)
    }
}

/// The load that a sensor printed: its first word.
///
/// # Errors
/// What was found instead of a number from 0 to below 1e9, in words.
pub fn parse(text: &str) -> Result<f64, String> {
    let Some(word) = text.split_whitespace().next() else {
        return Err("it printed nothing, a number is expected".to_owned());
    };
    let shown: String = word.chars().take(40).collect();
    match word.parse::<f64>() {
        Ok(value) if (0.0..MOST).contains(&value) => Ok(value),
        Ok(_) => Err(format!("it printed {shown}, a load from 0 to {MOST:e} is expected")),
        Err(_) => Err(format!("it printed {shown:?}, a number is expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_the_load() {
        assert_eq!(parse("0.52 0.40 0.35 2/713 9182\n"), Ok(0.52), "as /proc/loadavg has it");
        assert_eq!(parse("  7\n"), Ok(7.0));
        assert_eq!(parse("0"), Ok(0.0));
    }

    #[test]
    fn lies_are_refused_with_what_was_found() {
        assert_eq!(parse(" \n"), Err("it printed nothing, a number is expected".to_owned()));
        assert_eq!(parse("<html>"), Err("it printed \"<html>\", a number is expected".to_owned()));
        for lie in ["NaN", "-1", "inf", "-inf", "1e9", "1e300"] {
            let error = parse(lie).err().unwrap_or_default();
            assert!(error.contains(lie) && error.contains("expected"), "{lie}: {error}");
        }
        assert!(parse(&"x".repeat(1000)).err().unwrap_or_default().len() < 100);
    }

    #[test]
    fn a_reading_lives_for_its_time_whatever_the_clock_does() {
        let reading = Reading { value: 1.0, at: 1_000_000 };
        assert!(reading.is_fresh(1_090_000, 90) && reading.is_fresh(999_000, 90));
        assert!(!reading.is_fresh(1_090_001, 90), "old");
        assert!(!reading.is_fresh(0, 90), "the clock was put back");
        assert!(!reading.is_fresh(i64::MIN, 90) && !reading.is_fresh(i64::MAX, 90));
    }
}

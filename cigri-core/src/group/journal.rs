//! The journal of a group: what its runner told of each task. Only whole lines with their own checksum count, so that a
//! torn write, or a file that is cut off, never invents an end.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Instead of a wait status, which has 16 bits: the task had its walltime, and the runner ended it.
pub const OVERRAN: i32 = 1 << 16;

/// What the runner told of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It began, at this time (epoch milliseconds on its node).
    Began {
        /// Epoch milliseconds.
        at_ms: i64,
    },
    /// It ended. That is final.
    Ended {
        /// Epoch milliseconds.
        began_ms: i64,
        /// Epoch milliseconds.
        ended_ms: i64,
        /// Raw wait status: 256 times the exit code. [`OVERRAN`] if the runner ended it.
        status: i32,
        /// The end of its standard error, of a failure.
        tail: String,
    },
}

/// Reads a journal: what was told, by task id.
pub fn read(bytes: &[u8]) -> BTreeMap<u64, Told> {
    let mut tasks = BTreeMap::new();
    for (task, told) in bytes.split(|byte| *byte == b'\n').filter_map(line) {
        match told {
            Told::Began { .. } => {
                tasks.entry(task).or_insert(told);
            }
            Told::Ended { .. } => {
                tasks.insert(task, told);
            }
        }
    }
    tasks
}

/// Whether each of so many tasks is told to have ended: nothing can follow. What is missing may be on its way.
pub fn is_settled(told: &BTreeMap<u64, Told>, tasks: usize) -> bool {
    told.len() >= tasks && told.values().all(|told| matches!(told, Told::Ended { .. }))
}

fn line(bytes: &[u8]) -> Option<(u64, Told)> {
    let line = std::str::from_utf8(bytes).ok()?;
    let (text, sum) = line.rsplit_once(" #")?;
    if sum != checksum(text) {
        return None;
    }
    let words: Vec<&str> = text.split(' ').collect();
    match words.as_slice() {
        ["1", "S", task, at] => Some((number(task)?, Told::Began { at_ms: number(at)? })),
        ["1", "E", task, began, ended, status, tail] => {
            let (began_ms, ended_ms, status) = (number(began)?, number(ended)?, number(status)?);
            Some((number(task)?, Told::Ended { began_ms, ended_ms, status, tail: decoded(tail) }))
        }
        _ => None,
    }
}

/// Eight digits over a line's text: any single changed character changes them.
pub fn checksum(text: &str) -> String {
    let sum = text.bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    format!("{sum:08x}")
}

fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn decoded(tail: &str) -> String {
    let bytes = STANDARD.decode(tail).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}

/// Base64, as the runner and its installation use it.
pub(super) fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn summed(text: &str) -> String {
        format!("\n{text} #{}\n", checksum(text))
    }

    fn ended(began_ms: i64, ended_ms: i64, status: i32, tail: &str) -> Told {
        Told::Ended { began_ms, ended_ms, status, tail: tail.to_owned() }
    }

    /// Two tasks that ended, one of which failed, and one that runs.
    fn sample() -> String {
        let failed = format!("1 E 8 20 30 256 {}", encoded(b"no such file\n"));
        ["1 S 7 10", "1 E 7 10 20 0 -", "1 S 8 20", &failed, "1 S 9 30"].map(summed).concat()
    }

    #[test]
    fn whole_lines_count() {
        let told = read(sample().as_bytes());
        let expected =
            [(7, ended(10, 20, 0, "")), (8, ended(20, 30, 256, "no such file")), (9, Told::Began { at_ms: 30 })];
        assert_eq!(told, BTreeMap::from(expected));
        assert!(!is_settled(&told, 3));
    }

    #[test]
    fn a_journal_is_settled_when_every_task_of_the_group_has_ended() {
        let two = ["1 S 7 10", "1 E 7 10 20 0 -", "1 E 8 20 30 0 -"].map(summed).concat();
        assert!(is_settled(&read(two.as_bytes()), 2));
        assert!(!is_settled(&read(two.as_bytes()), 3), "the third may have ended as well");
        assert!(!is_settled(&read(b""), 1));
    }

    #[test]
    fn the_sum_is_the_runners_own() {
        assert_eq!(read(b"\n1 E 1 1795274723850 1795274723871 0 - #ec6a6b13\n").len(), 1);
        assert_eq!(read(b"\n1 E 1 1795274723850 1795274723871 0 - #ec6a6b14\n").len(), 0);
    }

    #[test]
    fn a_torn_line_spoils_nothing_but_itself() {
        let torn = format!("\n1 E 7 10 2{}", summed("1 S 8 20"));
        assert_eq!(read(torn.as_bytes()), BTreeMap::from([(8, Told::Began { at_ms: 20 })]));
    }

    #[test]
    fn a_journal_cut_off_anywhere_tells_only_what_is_true() {
        let (sample, whole) = (sample(), read(sample().as_bytes()));
        for length in 0..sample.len() {
            for (task, told) in read(&sample.as_bytes()[..length]) {
                let is_true = told == whole[&task] || matches!(told, Told::Began { .. });
                assert!(is_true, "cut at {length}: {task} {told:?}");
            }
        }
    }

    #[test]
    fn a_flipped_bit_invents_no_end() {
        let (sample, whole) = (sample(), read(sample().as_bytes()));
        for bit in 0..sample.len() * 8 {
            let mut bytes = sample.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let ends = read(&bytes).into_iter().filter(|(_, told)| matches!(told, Told::Ended { .. }));
            for (task, told) in ends {
                assert_eq!(Some(&told), whole.get(&task), "bit {bit}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&bytes);
        }

        #[test]
        fn any_change_of_one_line_invents_no_end(at in 0..60usize, with in prop::collection::vec(any::<u8>(), 0..6)) {
            let sample = summed("1 S 7 10") + &summed("1 E 7 10 20 0 -");
            let mut bytes = sample.clone().into_bytes();
            let at = at.min(bytes.len());
            let end = (at + with.len()).min(bytes.len());
            bytes.splice(at..end, with);
            if let Some(told @ Told::Ended { .. }) = read(&bytes).get(&7) {
                prop_assert_eq!(told, &ended(10, 20, 0, ""));
            }
        }
    }
}

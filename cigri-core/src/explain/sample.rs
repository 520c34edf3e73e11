//! Which tasks are looked at, where there are too many to look at all.

/// Up to `most` of the indices below `count`, in order, the same for the same seed; all of them if they are few.
pub fn sample(count: u64, most: usize, seed: u64) -> Vec<u64> {
    if count <= most as u64 {
        return (0..count).collect();
    }
    let mut state = seed;
    // Any number of them may meet: what is missing then is little.
    let mut chosen: Vec<u64> =
        (0..most).map(|_| ((u128::from(next(&mut state)) * u128::from(count)) >> 64) as u64).collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

/// `SplitMix64`.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_all_and_many_are_spread() {
        assert_eq!(sample(3, 5, 1), [0, 1, 2]);
        assert_eq!(sample(0, 5, 1), [0u64; 0]);
        let chosen = sample(10_000_000, 10_000, 7);
        assert!(chosen.len() > 9_900 && chosen.iter().all(|index| *index < 10_000_000));
        let low = chosen.iter().filter(|index| **index < 5_000_000).count();
        assert!((4_700..5_300).contains(&low), "{low}");
        assert_eq!(chosen, sample(10_000_000, 10_000, 7));
        assert_ne!(chosen, sample(10_000_000, 10_000, 8));
    }
}

//! The generator behind all chance of the chaos layer: small, and the same on every machine and in every version.

/// A splitmix64 generator.
#[derive(Debug, Clone)]
pub(super) struct Dice {
    state: u64,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to just below 1.
    pub(super) fn fraction(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap_or(0)) / 4_294_967_296.0
    }

    /// A number between two, both included; the first when they are in the wrong order.
    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        match most.checked_sub(least).and_then(|width| width.checked_add(1)) {
            Some(width) => least + self.next() % width,
            None => least,
        }
    }

    pub(super) fn coin(&mut self) -> bool {
        self.next() >> 63 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn gives_the_published_sequence() {
        let mut dice = Dice::new(1_234_567);
        assert_eq!([dice.next(), dice.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn stays_within_bounds() {
        let mut dice = Dice::new(7);
        assert!((0..1000).all(|_| (3..=5).contains(&dice.between(3, 5)) && dice.fraction() < 1.0));
        assert_eq!(dice.between(9, 9), 9);
        assert_eq!(dice.between(9, 2), 9);
    }
}

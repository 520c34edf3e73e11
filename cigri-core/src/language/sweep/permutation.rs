//! A seeded permutation of the first N numbers, each image computed on its own: a Feistel network over the next power
//! of four, walked along until it leads back below N. Its rounds take their words from ChaCha8.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// Rounds of the network; four make it a pseudorandom permutation where the round function is one.
const ROUNDS: u64 = 6;

/// Random words by place: each (stream, position) has one that does not depend on what was asked before.
pub(super) fn word(seed: u32, stream: u64, position: u64) -> u64 {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&seed.to_le_bytes());
    let mut generator = ChaCha8Rng::from_seed(key);
    generator.set_stream(stream);
    generator.set_word_pos(u128::from(position) * 2);
    generator.next_u64()
}

/// The image of `index` (below `count`) under the permutation of this seed and stream.
pub(super) fn image(seed: u32, stream: u64, count: u64, index: u64) -> u64 {
    let bits = (u64::BITS - count.saturating_sub(1).leading_zeros()).div_ceil(2).max(1);
    let mut number = index;
    loop {
        number = cross(seed, stream, bits, number);
        if number < count {
            return number;
        }
    }
}

fn cross(seed: u32, stream: u64, bits: u32, number: u64) -> u64 {
    let mask = (1_u64 << bits) - 1;
    let (mut left, mut right) = (number >> bits, number & mask);
    for round in 0..ROUNDS {
        let mixed = word(seed, stream, (round << bits) | right) & mask;
        (left, right) = (right, left ^ mixed);
    }
    (left << bits) | right
}

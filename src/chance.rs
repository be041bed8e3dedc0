//! Chance that a seed decides: the same numbers on every machine, whatever the order of asking.

/// What SplitMix64 adds at each step: 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's output function (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014; constants from Vigna's public-domain splitmix64.c). Every input bit moves every output bit.
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// FNV-1a, 64 bits (draft-eastlake-fnv): a hash that stays the same across platforms and releases.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Evenly spread over 0 ≤ x < 1, and decided by a key: neighbouring keys give unrelated numbers.
pub fn unit_of_key(key: u64) -> f64 {
    unit(mix(key.wrapping_add(STEP)))
}

/// Evenly spread over 0 ≤ x < 1, from the upper 53 bits.
pub fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Which of a path's chances is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lot {
    /// The wait before the first byte.
    Delay,
    /// Whether this attempt, counted from 1, fails.
    Failure {
        /// Which attempt.
        attempt: u32,
    },
}

/// A number evenly spread over 0 ≤ x < 1 that depends on the seed, the path and the lot, and on nothing else.
pub fn draw(seed: u64, path: &str, lot: Lot) -> f64 {
    let stream = match lot {
        Lot::Delay => 0,
        Lot::Failure { attempt } => 1 + u64::from(attempt),
    };
    unit(mix(
        mix(mix(seed.wrapping_add(STEP)) ^ fnv1a(path.as_bytes())).wrapping_add(stream.wrapping_mul(STEP))
    ))
}

/// SplitMix64 as a sequence.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The sequence of body `index` under a seed; different indices give unrelated sequences.
    pub fn new(seed: u64, index: usize) -> Rng {
        Rng(mix(mix(seed.wrapping_add(STEP)) ^ (index as u64).wrapping_mul(STEP)))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// Evenly spread over `from` ≤ x < `to`.
    pub fn between(&mut self, from: f32, to: f32) -> f32 {
        from + (to - from) * unit(self.bits()) as f32
    }

    /// True with the probability `share`.
    pub fn chance(&mut self, share: f64) -> bool {
        unit(self.bits()) < share
    }

    /// One of 0, 1, … `count` − 1; 0 when there is nothing to choose from.
    pub fn below(&mut self, count: usize) -> usize {
        (unit(self.bits()) * count as f64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_splitmix64s() {
        // The first outputs of the reference implementation from the state 1234567.
        let mut rng = Rng(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| rng.bits()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn each_part_of_a_draw_matters() {
        let all = [
            draw(1, "/a", Lot::Delay),
            draw(2, "/a", Lot::Delay),
            draw(1, "/b", Lot::Delay),
            draw(1, "/a", Lot::Failure { attempt: 1 }),
            draw(1, "/a", Lot::Failure { attempt: 2 }),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!((0.0..1.0).contains(one));
            assert!(all[i + 1..].iter().all(|other| other != one), "{all:?}");
        }
    }
}

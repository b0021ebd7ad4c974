//! Counted randomness: the n-th draw is a hash of (key, n), so any draw can be made again alone.
//!
//! | file | its one idea |
//! |---|---|
//! | `lib.rs` | [`Rng`]: a key and a count; whoever wants a stream of its own keys it by what it is for |

/// A counter-based generator. Its output depends on nothing but the key and the number of draws, on any machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    key: u64,
    counter: u64,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of splitmix64 (Steele, Lea and Flood, 2014).
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// A stream for a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        // Hashed, so that the streams of neighbouring seeds do not overlap shifted by one draw.
        Self { key: mix(seed ^ 0x5ce9_e5a1_d00d_feed), counter: 0 }
    }

    /// A stream for a tuple such as (seed, step, candidate, position); order and length matter.
    #[must_use]
    pub fn keyed(parts: &[u64]) -> Self {
        let key = parts.iter().fold(mix(parts.len() as u64 ^ GOLDEN), |key, &part| {
            mix(key.wrapping_mul(GOLDEN) ^ mix(part.wrapping_add(GOLDEN)))
        });
        Self { key, counter: 0 }
    }

    /// 64 uniform bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        mix(self.key.wrapping_add(self.counter.wrapping_mul(GOLDEN)))
    }

    /// Uniform in [0, 1), with 24 bits.
    pub fn unit(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// Uniform in `0..bound`; 0 where `bound` is 0.
    pub const fn below(&mut self, bound: usize) -> usize {
        // A multiply instead of a modulo; its bias is bound / 2^64.
        ((self.next_u64() as u128 * bound as u128) >> 64) as usize
    }

    /// True with a probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// One of the items; none where there are none.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        items.get(self.below(items.len())).copied()
    }

    /// A standard normal value (Box–Muller).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.unit()).cos()
    }

    /// Puts the items in a random order (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }
}

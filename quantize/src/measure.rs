//! What storing a tensor cost: relative RMS error over the whole and over the worst block.

use showo::bundle::{
    block::{BLOCK, Q_MAX, WorstBlock},
    manifest::TensorError,
};

/// Sums over a part of a tensor; parts are measured apart, on both cores, and joined.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    error: f64,
    power: f64,
    worst: Option<WorstBlock>,
    /// Blocks that are not all zeros, and those of them in which a value is further off than half a step of the 127 that
    /// int8 has: their scale, or they themselves, are below what half precision resolves.
    blocks: usize,
    coarse: usize,
}

/// The share of coarse blocks from which on a tensor is not worth storing so.
const LOST: f64 = 0.5;

/// The share of coarse blocks from which on somebody should know.
const DOUBTFUL: f64 = 0.05;

/// An error that is this many times the usual one, and above this, is far above the rest. Blocks of int8 with sound
/// scales cost half a percent where values are spread evenly, and at most √32/254 = 2.2 % where one is much larger than the
/// others.
const FAR: (f64, f64) = (3.0, 0.01);

impl Cost {
    /// Compares whole rows of `inputs` values with what they became; `first_row` is the first one's place in the
    /// tensor.
    pub fn of(source: &[f32], stored: &[f32], inputs: usize, first_row: usize) -> Self {
        let mut cost = Self::default();
        let rows = source.chunks(inputs.max(1)).zip(stored.chunks(inputs.max(1)));
        for (row, (source, stored)) in rows.enumerate() {
            for (block, (source, stored)) in source.chunks(BLOCK).zip(stored.chunks(BLOCK)).enumerate() {
                let (mut error, mut power, mut largest, mut furthest) = (0f64, 0f64, 0f64, 0f64);
                for (&a, &b) in source.iter().zip(stored) {
                    let (a, off) = (f64::from(a), f64::from(a) - f64::from(b));
                    error += off.powi(2);
                    power += a.powi(2);
                    largest = largest.max(a.abs());
                    furthest = furthest.max(off.abs());
                }
                let relative_rms = relative(error, power);
                let worst = WorstBlock { row: first_row + row, block, relative_rms };
                // A quarter more than half a step: a scale is rounded, too.
                let coarse = usize::from(furthest > 1.25 * largest / (2.0 * f64::from(Q_MAX)));
                cost = cost.join(Self { error, power, worst: Some(worst), blocks: usize::from(largest > 0.0), coarse });
            }
        }
        cost
    }

    /// The cost of two parts; of equally bad blocks the first one counts, so that the order of joining does not.
    pub fn join(self, other: Self) -> Self {
        let rank = |worst: &WorstBlock| (worst.relative_rms, std::cmp::Reverse((worst.row, worst.block)));
        let worst = match (self.worst, other.worst) {
            (Some(a), Some(b)) => Some(if rank(&b) > rank(&a) { b } else { a }),
            (a, b) => a.or(b),
        };
        Self {
            error: self.error + other.error,
            power: self.power + other.power,
            worst,
            blocks: self.blocks + other.blocks,
            coarse: self.coarse + other.coarse,
        }
    }

    /// Whether most of the tensor is lost, because its values are too small for what it was stored in.
    pub fn is_lost(&self) -> bool {
        self.coarse_share() >= LOST
    }

    /// Whether a part of the tensor is lost that somebody should know of.
    pub fn is_doubtful(&self) -> bool {
        self.coarse_share() >= DOUBTFUL
    }

    /// Whether the error is far above that of most tensors.
    pub fn is_far_above(&self, usual: f64) -> bool {
        let (times, least) = FAR;
        self.relative_rms() > (times * usual).max(least)
    }

    /// The part of the blocks whose values are too small for what they were stored in.
    pub fn coarse_share(&self) -> f64 {
        self.coarse as f64 / self.blocks.max(1) as f64
    }

    /// `‖stored − source‖₂ / ‖source‖₂`.
    pub fn relative_rms(&self) -> f64 {
        relative(self.error, self.power)
    }

    /// The worst block, and where it is.
    pub fn worst(&self) -> Option<WorstBlock> {
        self.worst
    }

    /// As the manifest records it.
    pub fn figures(&self) -> TensorError {
        TensorError {
            relative_rms: self.relative_rms() as f32,
            worst_block: self.worst.map_or(0.0, |worst| worst.relative_rms as f32),
        }
    }
}

/// A block of zeros that stays zeros costs nothing; one that does not costs everything.
fn relative(error: f64, power: f64) -> f64 {
    match (error > 0.0, power > 0.0) {
        (false, _) => 0.0,
        (true, true) => (error / power).sqrt(),
        (true, false) => 1.0,
    }
}

/// The error of most: the median, 0 of none.
pub fn usual(errors: impl Iterator<Item = f64>) -> f64 {
    let mut errors: Vec<f64> = errors.collect();
    errors.sort_by(f64::total_cmp);
    errors.get(errors.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use showo::bundle::block::{dequantize, quantize};

    use super::*;

    /// What int8 costs values of this size, spread evenly.
    fn cost_at(size: f32) -> Cost {
        let values: Vec<f32> = (0..64 * 64).map(|at| size * ((at * 37 % 201) as f32 / 100.0 - 1.0)).collect();
        Cost::of(&values, &dequantize(&quantize(&values, 64, 64).unwrap()), 64, 0)
    }

    #[test]
    fn values_below_what_a_scale_resolves_are_lost_and_no_others() {
        for size in [1e5, 1.0, 1e-2, 1e-4] {
            assert!(cost_at(size).relative_rms() < 0.01 && !cost_at(size).is_doubtful(), "{size}");
        }
        for size in [1e-6, 1e-7, 1e-9] {
            assert!(cost_at(size).is_lost(), "{size}: {}", cost_at(size).relative_rms());
        }
        let mixed = cost_at(1.0).join(cost_at(1.0)).join(cost_at(1.0)).join(cost_at(1e-7));
        assert!(mixed.is_doubtful() && !mixed.is_lost());
        assert!((mixed.coarse_share() - 0.25).abs() < 0.01);
        assert!(!Cost::of(&[0.0; 64], &[0.0; 64], 64, 0).is_doubtful());
    }

    #[test]
    fn one_that_is_far_above_the_rest_is_found() {
        let even = cost_at(1.0);
        // One value in each block is much larger than the others.
        let values: Vec<f32> = (0..4096).map(|at| if at % 32 == 0 { 20.0 } else { 0.07 }).collect();
        let outliers = Cost::of(&values, &dequantize(&quantize(&values, 64, 64).unwrap()), 64, 0);
        let usual = usual([even, even, outliers].iter().map(Cost::relative_rms));
        assert!(outliers.is_far_above(usual) && !even.is_far_above(usual), "{}", outliers.relative_rms());
        assert!(!outliers.is_doubtful(), "the scale is sound");
    }
}

//! What storing a tensor cost: relative RMS error over the whole and over the worst block.

use showo::bundle::{
    block::{BLOCK, WorstBlock},
    manifest::TensorError,
};

/// Sums over a part of a tensor; parts are measured apart, on both cores, and joined.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    error: f64,
    power: f64,
    worst: Option<WorstBlock>,
}

impl Cost {
    /// Compares whole rows of `inputs` values with what they became; `first_row` is the first one's place in the
    /// tensor.
    pub fn of(source: &[f32], stored: &[f32], inputs: usize, first_row: usize) -> Self {
        let mut cost = Self::default();
        let rows = source.chunks(inputs.max(1)).zip(stored.chunks(inputs.max(1)));
        for (row, (source, stored)) in rows.enumerate() {
            for (block, (source, stored)) in source.chunks(BLOCK).zip(stored.chunks(BLOCK)).enumerate() {
                let (mut error, mut power) = (0f64, 0f64);
                for (&a, &b) in source.iter().zip(stored) {
                    error += (f64::from(a) - f64::from(b)).powi(2);
                    power += f64::from(a).powi(2);
                }
                let relative_rms = relative(error, power);
                let worst = WorstBlock { row: first_row + row, block, relative_rms };
                cost = cost.join(Self { error, power, worst: Some(worst) });
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
        Self { error: self.error + other.error, power: self.power + other.power, worst }
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

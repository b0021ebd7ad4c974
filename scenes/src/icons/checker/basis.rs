//! A few directions in which templates differ most: products with thousands of templates are taken in these, and only
//! the best templates are compared cell by cell.

use super::product::{PANEL, Panels};

/// How many rounds of subspace iteration: enough for directions that explain much, which is all that matters.
const ROUNDS: usize = 8;

/// `rank` orthonormal directions of `depth` numbers that hold most of what samples (`[_, depth]`) hold, the strongest
/// first.
pub(super) fn principal(samples: &[f32], depth: usize, rank: usize) -> Vec<f32> {
    let rank = rank.min(depth);
    let gram = gram(samples, depth);
    // Any start will do that is not blind to a direction; this one is the same everywhere.
    let mut rng = rng::Rng::new(0x0062_6173_6973);
    let mut basis: Vec<f32> = (0..rank * depth).map(|_| rng.unit() - 0.5).collect();
    let mut columns = Panels::new(depth, depth);
    for (column, values) in gram.chunks_exact(depth).enumerate() {
        columns.set(column, values.iter().copied(), 0.0);
    }
    for _ in 0..ROUNDS {
        let mut next = vec![0.0; rank * depth];
        columns.product(&basis, |row, first, results: &[f32; PANEL]| {
            let end = (first + PANEL).min(depth);
            next[row * depth + first..row * depth + end].copy_from_slice(&results[..end - first]);
        });
        orthonormalise(&mut next, depth);
        basis = next;
    }
    basis
}

/// Products of every two features over all samples.
fn gram(samples: &[f32], depth: usize) -> Vec<f32> {
    let mut gram = vec![0.0f32; depth * depth];
    for sample in samples.chunks_exact(depth) {
        for (value, row) in sample.iter().zip(gram.chunks_exact_mut(depth)) {
            if *value != 0.0 {
                row.iter_mut().zip(sample).for_each(|(total, other)| *total += value * other);
            }
        }
    }
    gram
}

/// Gram and Schmidt, twice for rounding's sake. A row that vanishes stays zero.
fn orthonormalise(rows: &mut [f32], depth: usize) {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    for at in 0..rows.len() / depth {
        let (before, rest) = rows.split_at_mut(at * depth);
        let row = &mut rest[..depth];
        let scale = dot(row, row).sqrt().max(1e-20);
        row.iter_mut().for_each(|value| *value /= scale);
        for _ in 0..2 {
            for other in before.chunks_exact(depth) {
                let along = dot(other, row);
                row.iter_mut().zip(other).for_each(|(value, other)| *value -= along * other);
            }
        }
        let length = dot(row, row).sqrt();
        let scale = if length > 1e-6 { 1.0 / length } else { 0.0 };
        row.iter_mut().for_each(|value| *value *= scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_directions_of_samples() {
        // Samples in a plane of five dimensions.
        let (a, b) = ([1.0f32, 2.0, 0.0, -1.0, 0.5], [0.0f32, 1.0, 1.0, 0.0, -2.0]);
        let mut rng = rng::Rng::new(3);
        let samples: Vec<f32> = (0..40)
            .flat_map(|_| {
                let (s, t) = (rng.normal(), rng.normal());
                std::array::from_fn::<f32, 5, _>(|i| s * a[i] + t * b[i])
            })
            .collect();
        let basis = principal(&samples, 5, 2);
        for sample in samples.chunks_exact(5) {
            let along: Vec<f32> =
                basis.chunks_exact(5).map(|row| row.iter().zip(sample).map(|(a, b)| a * b).sum()).collect();
            for (at, value) in sample.iter().enumerate() {
                let again = along[0] * basis[at] + along[1] * basis[5 + at];
                assert!((again - value).abs() < 1e-3, "{again} for {value}");
            }
        }
    }
}

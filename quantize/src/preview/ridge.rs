//! Ridge regression by its normal equations: examples are added up as they come, none is kept.
//!
//! `w = (XᵀX/n + λI)⁻¹ XᵀY/n`, λ on all features but the constant one (Hoerl and Kennard, 1970), by Cholesky's decomposition in f64.

use burn::tensor::{Tensor, TensorData};

/// Sums over all rows so far.
pub struct Normal {
    /// Features, the constant 1 at the end included.
    features: usize,
    outputs: usize,
    rows: usize,
    /// `XᵀX`, `[features, features]`.
    gram: Vec<f64>,
    /// `XᵀY`, `[features, outputs]`.
    cross: Vec<f64>,
}

/// A linear function of features.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// `[outputs, features]`.
    pub weight: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

impl Normal {
    /// No rows yet, of so many features without the constant one.
    pub fn new(features: usize, outputs: usize) -> Self {
        let features = features + 1;
        Self { features, outputs, rows: 0, gram: vec![0.0; features * features], cross: vec![0.0; features * outputs] }
    }

    /// Rows that were added.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds rows: `x [rows, features]` is to give `y [rows, outputs]`. The products of these rows alone are taken in f32.
    ///
    /// # Panics
    /// The widths are not those of the sums.
    pub fn add(&mut self, x: Tensor<2>, y: Vec<f32>) {
        let [rows, width] = x.dims();
        assert_eq!((width + 1, y.len()), (self.features, rows * self.outputs), "ridge: rows of other widths");
        let device = x.device();
        let y = Tensor::<2>::from_data(TensorData::new(y, [rows, self.outputs]), &device);
        let x = Tensor::cat(vec![x, Tensor::ones([rows, 1], &device)], 1);
        let across = x.clone().transpose();
        for (sums, product) in [(&mut self.gram, across.clone().matmul(x)), (&mut self.cross, across.matmul(y))] {
            let product = product.into_data();
            sums.iter_mut().zip(product.iter::<f32>()).for_each(|(sum, value)| *sum += f64::from(value));
        }
        self.rows += rows;
    }

    /// The mean of every output.
    pub fn mean(&self) -> Vec<f32> {
        let ones = &self.cross[(self.features - 1) * self.outputs..];
        ones.iter().map(|sum| (sum / self.rows.max(1) as f64) as f32).collect()
    }

    /// The function with the least squared error and λ times its squared weights; nothing where a sum is not finite or λ too small
    /// for features that depend on each other.
    pub fn solve(&self, lambda: f64) -> Option<Linear> {
        let (features, outputs, rows) = (self.features, self.outputs, self.rows as f64);
        let mut lower: Vec<f64> = self.gram.iter().map(|sum| sum / rows).collect();
        lower.iter_mut().step_by(features + 1).take(features - 1).for_each(|diagonal| *diagonal += lambda);
        decompose(&mut lower, features)?;
        let mut solution: Vec<f64> = self.cross.iter().map(|sum| sum / rows).collect();
        substitute(&lower, &mut solution, features, outputs);
        if !solution.iter().all(|value| value.is_finite()) {
            return None;
        }
        let of = |output: usize| (0..features).map(move |feature| feature * outputs + output);
        let (weights, constant) = solution.split_at((features - 1) * outputs);
        Some(Linear {
            weight: (0..outputs)
                .flat_map(|output| of(output).take(features - 1))
                .map(|at| weights[at] as f32)
                .collect(),
            bias: constant.iter().map(|value| *value as f32).collect(),
        })
    }
}

/// A symmetric matrix to its lower factor, in place; what stands above the diagonal is left. Nothing where it is not positive.
fn decompose(matrix: &mut [f64], size: usize) -> Option<()> {
    for row in 0..size {
        let (above, from) = matrix.split_at_mut(row * size);
        let own = &mut from[..size];
        for column in 0..row {
            let other = &above[column * size..][..=column];
            own[column] = (own[column] - dot(&own[..column], &other[..column])) / other[column];
        }
        let rest = own[row] - dot(&own[..row], &own[..row]);
        // Of a feature that follows from those before, rounding alone is left.
        if !(rest > own[row] * 1e-13 && rest.is_finite()) {
            return None;
        }
        own[row] = rest.sqrt();
    }
    Some(())
}

/// Several sums at once: a single one would wait for every addition.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (wide_a, rest_a) = a.as_chunks::<8>();
    let (wide_b, rest_b) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in wide_a.iter().zip(wide_b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f64>() + rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum::<f64>()
}

/// Solves `L Lᵀ x = b` for every column of `b [size, columns]`, in place.
fn substitute(lower: &[f64], b: &mut [f64], size: usize, columns: usize) {
    for row in 0..size {
        let (above, own) = b.split_at_mut(row * columns);
        let own = &mut own[..columns];
        for (known, factor) in above.chunks(columns).zip(&lower[row * size..]) {
            own.iter_mut().zip(known).for_each(|(own, known)| *own -= factor * known);
        }
        own.iter_mut().for_each(|own| *own /= lower[row * size + row]);
    }
    for row in (0..size).rev() {
        let (own, below) = b[row * columns..].split_at_mut(columns);
        for (at, known) in below.chunks(columns).enumerate() {
            let factor = lower[(row + 1 + at) * size + row];
            own.iter_mut().zip(known).for_each(|(own, known)| *own -= factor * known);
        }
        own.iter_mut().for_each(|own| *own /= lower[row * size + row]);
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use rng::Rng;

    use super::*;

    fn rows(values: &[f32], width: usize) -> Tensor<2> {
        let shape = [values.len() / width, width];
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
    }

    #[test]
    fn a_linear_function_is_found_again() {
        let (features, outputs, count) = (19, 3, 200);
        let mut rng = Rng::new(7);
        let wanted: Vec<f32> = (0..outputs * features).map(|_| rng.normal()).collect();
        let bias = [0.5, -2.0, 0.0];
        let mut sums = Normal::new(features, outputs);
        // In two parts, as they come.
        for part in [0..80, 80..count] {
            let x: Vec<f32> = part.clone().flat_map(|_| 0..features).map(|_| rng.normal()).collect();
            let of = |x: &[f32], output: usize| {
                let weights = &wanted[output * features..][..features];
                x.iter().zip(weights).map(|(x, w)| x * w).sum::<f32>() + bias[output]
            };
            let y = x.chunks(features).flat_map(|x| (0..outputs).map(move |output| of(x, output))).collect();
            sums.add(rows(&x, features), y);
        }
        assert_eq!(sums.rows(), count);
        let found = sums.solve(1e-9).unwrap();
        let near = |found: &[f32], wanted: &[f32]| found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(near(&found.weight, &wanted) && near(&found.bias, &bias), "{found:?}");
    }

    /// By hand: x = −1, 1 and y = 1, 3. The mean of x² is 1 and that of xy is 1, so w = 1 / (1 + λ); the constant stays.
    #[test]
    fn lambda_draws_weights_to_zero_and_leaves_the_constant() {
        let mut sums = Normal::new(1, 1);
        sums.add(rows(&[-1.0, 1.0], 1), vec![1.0, 3.0]);
        assert_eq!(sums.mean(), [2.0]);
        assert_eq!(sums.solve(1.0), Some(Linear { weight: vec![0.5], bias: vec![2.0] }));
        assert_eq!(sums.solve(3.0), Some(Linear { weight: vec![0.25], bias: vec![2.0] }));
    }

    #[test]
    fn what_cannot_be_solved_is_said() {
        let mut twice = Normal::new(2, 1);
        twice.add(rows(&[1.0, 1.0, 2.0, 2.0, -1.0, -1.0], 2), vec![1.0, 2.0, 3.0]);
        assert_eq!(twice.solve(0.0), None, "two features that are one");
        assert!(twice.solve(1e-3).is_some());
        let mut broken = Normal::new(1, 1);
        broken.add(rows(&[1.0, 2.0], 1), vec![f32::NAN, 1.0]);
        assert_eq!(broken.solve(1.0), None);
    }
}

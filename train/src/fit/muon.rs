//! Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) with its orthogonalization in bfloat16, as its authors run it:
//! burn's is in f32, where the products are a tenth of a training step on the processor.

use burn::optim::momentum::{Momentum, MomentumConfig};
use burn::optim::{LearningRate, MuonState, Optimizer};
use burn::tensor::{Device, Tensor, TensorData};
use showo::ops::gradient::bf16::{Operand, product};

/// The quintic's coefficients, burn's and Jordan's.
const QUINTIC: [f32; 3] = [3.4445, -4.775, 2.0315];
/// Newton–Schulz iterations.
const ITERATIONS: usize = 5;
/// The least norm that is divided by.
const EPSILON: f32 = 1e-7;

/// The optimizer of matrices on a processor with [`available`](showo::ops::gradient::bf16::available) instructions, otherwise as burn's
/// with its defaults and `AdjustLrFn::MatchRmsAdamW`.
#[derive(Clone)]
pub struct Muon(Momentum);

impl Muon {
    /// With Nesterov's momentum of 0.95.
    #[must_use]
    pub fn new() -> Self {
        Self(Momentum::new(&MomentumConfig { momentum: 0.95, dampening: 0.0, nesterov: true }))
    }
}

impl Optimizer for Muon {
    type State<const D: usize> = MuonState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        tensor: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<MuonState<D>>,
    ) -> (Tensor<D>, Option<MuonState<D>>) {
        let shape = tensor.shape();
        let (rows, columns) = (shape[0], shape.num_elements() / shape[0]);
        let (gradient, momentum) = self.0.transform(gradient, state.map(|state| state.momentum));
        let device = gradient.device();
        let values: Vec<f32> = gradient.into_data().iter::<f32>().collect();
        let update = orthogonalized(values, [rows, columns]);
        let update = Tensor::<D>::from_data(TensorData::new(update, shape), &device);
        // As large, by its mean square, as AdamW's (Liu et al., arXiv 2502.16982).
        let scale = 0.2 * (rows.max(columns) as f64).sqrt();
        (tensor - update * (rate * scale), Some(MuonState::new(momentum)))
    }

    fn to_device<const D: usize>(state: MuonState<D>, device: &Device) -> MuonState<D> {
        MuonState::new(state.momentum.to_device(device))
    }
}

/// The orthogonal matrix nearest to `x`, `[rows, columns]`, with singular values between about 0.7 and 1.2.
fn orthogonalized(mut x: Vec<f32>, [rows, columns]: [usize; 2]) -> Vec<f32> {
    let norm = x.iter().map(|x| x * x).sum::<f32>().sqrt().max(EPSILON);
    x.iter_mut().for_each(|x| *x /= norm);
    // X is the matrix with its short side first: a tall one is read and written as its transpose.
    let tall = rows > columns;
    let (m, n) = (rows.min(columns), rows.max(columns));
    let [a, b, c] = QUINTIC;
    for _ in 0..ITERATIONS {
        let operand = if tall { Operand::Outer(&x) } else { Operand::Inner(&x) };
        let gram = product(operand, operand, &[], [m, n, m]);
        // Symmetric, so that either dimension may be the inner one.
        let mut polynomial = product(Operand::Inner(&gram), Operand::Inner(&gram), &[], [m, m, m]);
        polynomial.iter_mut().zip(&gram).for_each(|(square, gram)| *square = b * gram + c * *square);
        let moved = if tall {
            product(Operand::Inner(&x), Operand::Inner(&polynomial), &[], [n, m, m])
        } else {
            product(Operand::Inner(&polynomial), Operand::Outer(&x), &[], [m, m, n])
        };
        x.iter_mut().zip(moved).for_each(|(x, moved)| *x = a * *x + moved);
    }
    x
}

#[cfg(test)]
mod tests {
    use burn::optim::{AdjustLrFn, MuonConfig};
    use burn::tensor::Distribution;
    use showo::ops::gradient::bf16::available;

    use super::*;

    /// Against burn's own, over three steps, for every form of matrix.
    #[test]
    fn it_steps_where_burn_s_muon_does() {
        if !available() {
            eprintln!("not tested: this processor has no AVX-512 BF16");
            return;
        }
        let device = Device::flex();
        device.seed(3);
        let random = |shape| Tensor::<2>::random(shape, Distribution::Normal(0.0, 1.0), &device);
        let burn = MuonConfig::new().with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW).build();
        for shape in [[24, 24], [16, 70], [70, 16]] {
            let start = random(shape);
            let (mut theirs, mut ours) = ((start.clone(), None), (start.clone(), None));
            for _ in 0..3 {
                let gradient = random(shape);
                theirs = burn.step(0.1, theirs.0, gradient.clone(), theirs.1);
                ours = Muon::new().step(0.1, ours.0, gradient, ours.1);
            }
            let norm = |x: Tensor<2>| x.powi_scalar(2).sum().sqrt().into_scalar::<f32>();
            let (off, way) = (norm(ours.0 - theirs.0.clone()), norm(theirs.0 - start));
            assert!(off < 0.02 * way, "{shape:?}: {off} off after {way}");
        }
    }

    #[test]
    fn nothing_is_orthogonalized_to_nothing() {
        if available() {
            assert_eq!(orthogonalized(vec![0.0; 12], [3, 4]), [0.0; 12]);
        }
    }
}

//! Preference alignment: the loss of direct preference optimization (Rafailov et al., arXiv 2305.18290) over masked image
//! tokens.
//!
//! `L = −log σ(β·[(s_θ(x⁺) − s_θ(x⁻)) − (s_ref(x⁺) − s_ref(x⁻))])`, s = summed log-probability of the masked image tokens.

use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::{DType, Int, Tensor};

/// The label of a token that does not count.
pub const IGNORED: i64 = -100;

/// Summed log-probabilities of the preferred and the rejected picture of each pair, each `[pairs]` in f64 where the
/// device has it: they are hundreds, and the loss is made of their differences.
#[derive(Debug, Clone)]
pub struct Sums {
    /// s(x⁺).
    pub chosen: Tensor<1>,
    /// s(x⁻).
    pub rejected: Tensor<1>,
}

impl Sums {
    /// By how much the preferred picture is more likely, `[pairs]`.
    fn margin(self) -> Tensor<1> {
        self.chosen - self.rejected
    }
}

/// s: `logits` `[pairs, tokens, vocabulary]` and `labels` `[pairs, tokens]` → `[pairs]`, as [`Sums`] says. Labels that
/// are [`IGNORED`] do not count.
///
/// # Panics
/// A label outside the vocabulary that is not [`IGNORED`]; shapes that do not fit together.
#[must_use]
pub fn summed_log_probability(logits: Tensor<3>, labels: Tensor<2, Int>) -> Tensor<1> {
    let [pairs, tokens, _] = logits.dims();
    let ignored = labels.clone().equal_scalar(IGNORED);
    // Any id will do where the result is thrown away.
    let labels = labels.mask_fill(ignored.clone(), 0).reshape([pairs, tokens, 1]);
    let log_p = log_softmax(logits, 2).gather(2, labels).reshape([pairs, tokens]);
    // Shading languages have no f64.
    let fine = if log_p.device().supports_dtype(DType::F64) { DType::F64 } else { DType::F32 };
    log_p.cast(fine).mask_fill(ignored, 0.0).sum_dim(1).reshape([pairs])
}

/// The loss of each pair, `[pairs]` in f32, against a reference model; `beta` is β.
#[must_use]
pub fn loss(policy: Sums, reference: Sums, beta: f64) -> Tensor<1> {
    -log_sigmoid((policy.margin() - reference.margin()) * beta).cast(DType::F32)
}

/// The loss of each pair, `[pairs]` in f32, without a reference model and with β = 1: `−log σ(s_θ(x⁺) − s_θ(x⁻))`.
#[must_use]
pub fn reference_free_loss(policy: Sums) -> Tensor<1> {
    -log_sigmoid(policy.margin()).cast(DType::F32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn row(values: [f32; 2], device: &Device) -> Tensor<1> {
        Tensor::from_data(TensorData::new(values.to_vec(), [2]), device)
    }

    #[test]
    fn a_hopeless_pair_costs_its_margin_and_a_certain_one_nothing() {
        let device = Device::flex();
        let policy = Sums { chosen: row([-900.0, 0.0], &device), rejected: row([0.0, -900.0], &device) };
        let loss: Vec<f32> = reference_free_loss(policy).into_data().iter::<f32>().collect();
        assert!((loss[0] - 900.0).abs() < 1e-3 && loss[1].abs() < 1e-6, "{loss:?}");
    }

    #[test]
    fn only_what_counts_has_a_gradient() {
        let device = Device::flex().autodiff();
        let logits = Tensor::<3>::zeros([1, 2, 4], &device).require_grad();
        let labels = Tensor::<2, Int>::from_data(TensorData::new(vec![2i32, IGNORED as i32], [1, 2]), &device);
        let chosen = summed_log_probability(logits.clone(), labels);
        assert_eq!(chosen.dtype(), DType::F64);
        let rejected = chosen.zeros_like();
        let grads = reference_free_loss(Sums { chosen, rejected }).sum().backward();
        let gradient = logits.grad(&grads).map(|gradient| gradient.into_data().iter::<f32>().collect::<Vec<_>>());
        let gradient = gradient.unwrap_or_default();
        assert!(gradient[2] < 0.0, "more of the label lowers the loss: {gradient:?}");
        assert_eq!(gradient[4..], [0.0; 4]);
    }
}

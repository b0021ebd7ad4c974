//! The loss of drawing, with its gradient. It has no kernel of its own: only training wants it.

use burn::backend::Dispatch;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

use super::Differentiable;
use crate::ops::cpu::math::{exp, largest, log_sum_exp, sum_of};

/// −ln p(label) of every row, `logits` `[rows, codes]` and `labels` `[rows]` → `[rows]`.
///
/// # Panics
/// A label that is no code.
#[must_use]
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    #[cfg(feature = "libtorch")]
    if super::on_torch(&logits) {
        return super::torch::cross_entropy(logits, labels);
    }
    let of = if super::on_processor(&logits) { own } else { composed };
    of(logits, labels)
}

/// The function as tensors see it, on burn's CPU backend.
pub fn own(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let (logits, labels) = (logits.into_dispatch(), labels.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Differentiable>::cross_entropy_op(logits, labels))
}

/// The same from burn's own operations: for graphics cards, and for the test of ours.
pub fn composed(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let rows = labels.dims()[0];
    log_softmax(logits, 1).gather(1, labels.reshape([rows, 1])).reshape([rows]).neg()
}

/// −ln p(label) of every row of `logits` `[rows, codes]`.
#[must_use]
pub fn forward(logits: &[f32], labels: &[usize]) -> Vec<f32> {
    let codes = logits.len() / labels.len().max(1);
    logits.chunks_exact(codes).zip(labels).map(|(logits, &label)| log_sum_exp(logits) - logits[label]).collect()
}

/// d`logits` of [`forward`].
#[must_use]
pub fn backward(logits: &[f32], labels: &[usize], dy: &[f32]) -> Vec<f32> {
    let codes = logits.len() / labels.len().max(1);
    let mut dx = logits.to_vec();
    for ((dx, &label), dy) in dx.chunks_exact_mut(codes).zip(labels).zip(dy) {
        let most = largest(dx);
        let total = sum_of(dx, dx, |x, _| exp(x - most));
        let factor = dy / total;
        dx.iter_mut().for_each(|x| *x = exp(*x - most) * factor);
        dx[label] -= dy;
    }
    dx
}

//! Operations with a gradient of their own, for training on the processor.
//!
//! burn composes attention or a layer normalization of elementwise operations, each of which reads and writes all of
//! its memory, and their gradients of as many again. Ours are one pass each. A graphics card trains with burn's; a test
//! holds both to the same numbers.

mod autodiff;
pub mod bf16;
mod composed;
mod flex;
mod own;
#[cfg(test)]
mod tests;
#[cfg(feature = "libtorch")]
#[allow(deprecated)] // burn's own word on its backend; nothing else of it drives a card with what this needs
pub(crate) mod torch;
#[cfg(feature = "libtorch")]
pub use torch::is_torch;

use std::cell::Cell;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, backend_extension};
use burn::tensor::{Device, Int, Tensor, module};

use super::{Activation, Attention, Qkv};

/// What a backend computes, with gradients where it records them.
#[backend_extension(Flex, Autodiff)]
pub trait Differentiable: Backend {
    /// [`activate`].
    fn activate_op(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self>;

    /// [`normalize`].
    fn normalize_op(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self>;

    /// [`attend`], as [`Ops::attention_op`](super::Ops::attention_op).
    fn attend_op(
        q: FloatTensor<Self>,
        past_k: FloatTensor<Self>,
        past_v: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: Attention,
    ) -> FloatTensor<Self>;

    /// [`project`], in bfloat16.
    fn project_op(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        biased: bool,
    ) -> FloatTensor<Self>;

    /// [`turn`].
    fn turn_op(x: FloatTensor<Self>, table: FloatTensor<Self>, heads: usize, back: bool) -> FloatTensor<Self>;

    /// [`cross_entropy`].
    fn cross_entropy_op(logits: FloatTensor<Self>, labels: IntTensor<Self>) -> FloatTensor<Self>;
}

/// The gradients of [`Differentiable`], given that of the result.
pub(crate) trait Gradients: Differentiable {
    /// d`x`.
    fn activate_grad(x: FloatTensor<Self>, dy: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self>;

    /// d`x`, d`weight`, d`bias`.
    fn normalize_grad(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        epsilon: f32,
    ) -> [FloatTensor<Self>; 3];

    /// [`attend`] of `[q, past_k, past_v, k, v]`, and each query's shares of all keys, `[batch, heads, rows, past + columns]`.
    fn attend_with_shares(
        inputs: [FloatTensor<Self>; 5],
        bias: FloatTensor<Self>,
        spec: Attention,
    ) -> [FloatTensor<Self>; 2];

    /// The gradients of `[q, past_k, past_v, k, v]`, from these and the shares; those of an absent past are of no shape.
    fn attend_grad(
        inputs: [FloatTensor<Self>; 5],
        shares: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        spec: Attention,
    ) -> [FloatTensor<Self>; 5];

    /// d`x` `[rows, inputs]` of a product with `weight`.
    fn project_grad_x(weight: FloatTensor<Self>, dy: FloatTensor<Self>) -> FloatTensor<Self>;

    /// d`weight` `[out, inputs]` of a product with `x`.
    fn project_grad_weight(x: FloatTensor<Self>, dy: FloatTensor<Self>) -> FloatTensor<Self>;

    /// d`bias` `[out]`.
    fn project_grad_bias(dy: FloatTensor<Self>) -> FloatTensor<Self>;

    /// d`logits`.
    fn cross_entropy_grad(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        dy: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

thread_local! {
    static IN_BF16: Cell<bool> = const { Cell::new(false) };
}

/// `of()`, whose [`project`]s and [`attend`]s on the processor, and their gradients, multiply in bfloat16 and add in f32 if `wanted` and if
/// the processor can ([`bf16::available`]). Weights, their gradients and all else stay f32. On a LibTorch device every layer
/// computes in bfloat16, and what layers hand each other is in it, too.
pub fn in_bf16<R>(wanted: bool, of: impl FnOnce() -> R) -> R {
    let before = IN_BF16.replace(wanted);
    let result = of();
    IN_BF16.set(before);
    result
}

/// Whether products on a device are of bfloat16 numbers within [`in_bf16`].
#[must_use]
pub fn multiplies_in_bf16(device: &Device) -> bool {
    #[cfg(feature = "libtorch")]
    if torch::is_torch(device) {
        return true;
    }
    device.clone().inner() == Device::flex() && bf16::available()
}

/// Whether the processor multiplies in bfloat16 here.
fn on_processor_in_bf16() -> bool {
    IN_BF16.get() && bf16::available()
}

/// Whether a tensor is on the processor.
fn on_processor<const D: usize>(x: &Tensor<D>) -> bool {
    x.device().inner() == Device::flex()
}

/// Whether PyTorch computes with a tensor.
#[cfg(feature = "libtorch")]
pub(crate) fn on_torch<const D: usize>(x: &Tensor<D>) -> bool {
    torch::is_torch(&x.device())
}

/// The activation of every value.
#[must_use]
pub fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    #[cfg(feature = "libtorch")]
    if on_torch(&x) && activation != Activation::None {
        return torch::activate(x, activation);
    }
    match activation {
        Activation::None => x,
        _ if on_processor(&x) => own::activate(x, activation),
        _ => composed::activate(x, activation),
    }
}

/// Layer normalization over the last dimension, which `weight` and `bias` have.
#[must_use]
pub fn normalize<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<D> {
    #[cfg(feature = "libtorch")]
    if on_torch(&x) {
        return torch::normalize(x, weight, bias, epsilon);
    }
    let of = if on_processor(&x) { own::normalize } else { composed::normalize };
    of(x, weight, bias, epsilon)
}

/// As [`attention()`](super::attention()), its products in bfloat16 within [`in_bf16`]; the bias has no gradient.
///
/// # Panics
/// As there.
#[must_use]
pub fn attend(qkv: Qkv) -> Tensor<3> {
    #[cfg(feature = "libtorch")]
    if on_torch(&qkv.q) {
        return torch::attend(qkv);
    }
    let of = if on_processor(&qkv.q) { own::attend } else { composed::attend };
    of(qkv)
}

/// `x · weightᵀ + bias`: `x` `[rows, inputs]`, `weight` `[out, inputs]`; in bfloat16 within [`in_bf16`].
#[must_use]
pub fn project(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    #[cfg(feature = "libtorch")]
    if on_torch(&x) {
        return torch::project(x, weight, bias);
    }
    match (on_processor(&x), on_processor_in_bf16()) {
        (true, true) => own::project(x, weight, bias),
        (true, false) => module::linear(x, weight.transpose(), bias),
        (false, _) => composed::project(x, weight, bias),
    }
}

/// Rotary embedding of `x` `[batch, tokens, heads·head]` by a `table` `[tokens, rotary]` of cosines, then sines.
#[must_use]
pub fn turn(x: Tensor<3>, table: Tensor<2>, heads: usize) -> Tensor<3> {
    #[cfg(feature = "libtorch")]
    if on_torch(&x) {
        return torch::turn(x, table, heads);
    }
    let of = if on_processor(&x) { own::turn } else { composed::turn };
    of(x, table, heads)
}

/// −ln p(label) of every row, `logits` `[rows, codes]` and `labels` `[rows]` → `[rows]`.
///
/// # Panics
/// A label that is no code.
#[must_use]
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    #[cfg(feature = "libtorch")]
    if on_torch(&logits) {
        return torch::cross_entropy(logits, labels);
    }
    let of = if on_processor(&logits) { own::cross_entropy } else { composed::cross_entropy };
    of(logits, labels)
}

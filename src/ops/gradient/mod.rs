//! Operations with a gradient of their own, for training on the processor.
//!
//! burn composes attention or a layer normalization of elementwise operations, each of which reads and writes all of
//! its memory, and their gradients of as many again. Ours are one pass each. A graphics card trains with burn's; a test
//! holds both to the same numbers. Each operation's own part is its `gradient.rs`; here is what they share.
//!
//! | file | its one idea |
//! |---|---|
//! | `mod.rs` | what a backend computes, with gradients ([`Differentiable`]), and where products are in bfloat16 |
//! | `flex.rs` | burn's CPU backend: its tensors handed to the loops |
//! | `autodiff.rs` | burn's graph: what each operation keeps, and how it goes back |
//! | [`bf16`] | products of numbers rounded to bfloat16 |
//! | `parts.rs` | rows in parts, for graphics cards |
//! | `cross_entropy.rs` | the loss of drawing |
//! | `torch/` (feature `libtorch`) | the same functions from PyTorch's kernels |
//! | `tests.rs` | ours against burn's: the same values and gradients |

mod autodiff;
pub mod bf16;
mod cross_entropy;
mod flex;
pub(super) mod parts;
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
use burn::tensor::{Device, Tensor};

pub use super::activation::gradient::activate;
pub use super::attention::gradient::attend;
pub use super::linear::gradient::project;
pub use super::norm::gradient::normalize;
pub use super::rotate::gradient::turn;
use super::{Activation, Attention};
pub use cross_entropy::cross_entropy;

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

    /// [`cross_entropy()`].
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
pub(super) fn on_processor_in_bf16() -> bool {
    IN_BF16.get() && bf16::available()
}

/// Whether a tensor is on the processor.
pub(super) fn on_processor<const D: usize>(x: &Tensor<D>) -> bool {
    x.device().inner() == Device::flex()
}

/// Whether PyTorch computes with a tensor.
#[cfg(feature = "libtorch")]
pub(crate) fn on_torch<const D: usize>(x: &Tensor<D>) -> bool {
    torch::is_torch(&x.device())
}

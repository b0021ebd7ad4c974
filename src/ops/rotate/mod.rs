//! Rotary position embedding, with the normalization of each head before it where a network has one.
//!
//! | file | its one idea |
//! |---|---|
//! | `mod.rs` | the contract: [`Rotate`] and [`rotate()`] |
//! | `cpu.rs` | the loops |
//! | `gpu.rs`, `gpu.wgsl` | the kernel and its sizes |
//! | `gradient.rs` | with a gradient, for training |

pub(super) mod cpu;
#[cfg(any(test, feature = "webgpu", target_arch = "wasm32"))]
pub(super) mod gpu;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod gradient;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use super::{Ops, or_else};

/// Sizes of one rotation.
#[derive(Debug, Clone, Copy)]
pub struct Rotate {
    /// Tokens of a sequence.
    pub(crate) tokens: usize,
    /// Heads.
    pub(crate) heads: usize,
    /// Channels of a head.
    pub(crate) head: usize,
    /// Channels of a head that turn, the first ones.
    pub(crate) rotary: usize,
    /// ε of the layer normalization of each head; `None` without one.
    pub(crate) epsilon: Option<f32>,
}

/// Turns the first channels of each head of `x` `[batch, tokens, heads·head]`: channel i with channel i + rotary/2, by
/// the angles of `table` `[tokens, rotary]` (cosines, then sines).
///
/// With `normalize` (weight and bias `[head]`, ε), each head is layer-normalized first.
///
/// # Panics
/// When the shapes do not fit together.
#[must_use]
pub fn rotate(
    x: Tensor<3>,
    table: Tensor<2>,
    heads: usize,
    normalize: Option<(Tensor<1>, Tensor<1>, f64)>,
) -> Tensor<3> {
    let [_, tokens, width] = x.dims();
    let [lines, rotary] = table.dims();
    let head = width / heads;
    assert!(lines == tokens && rotary <= head && rotary.is_multiple_of(2), "rotate: a table [{lines}, {rotary}]");
    let epsilon = normalize.as_ref().map(|(_, _, epsilon)| *epsilon as f32);
    let spec = Rotate { tokens, heads, head, rotary, epsilon };
    let (weight, bias) = normalize.map(|(weight, bias, _)| (weight, bias)).unzip();
    let x = x.into_dispatch();
    let (weight, bias) = (or_else(weight, &x), or_else(bias, &x));
    Tensor::from_dispatch(Dispatch::rotate_op(x, table.into_dispatch(), weight, bias, spec))
}

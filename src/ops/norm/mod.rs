//! Layer and group normalization: both take the mean and variance of runs of neighbouring values.
//!
//! | file | its one idea |
//! |---|---|
//! | `mod.rs` | the contract: [`Norm`] and [`norm()`] |
//! | `cpu.rs` | the loops |
//! | `gpu.rs`, `gpu.wgsl` | the kernel and its sizes |
//! | `gradient.rs` | layer normalization with a gradient, for training |

pub(super) mod cpu;
#[cfg(any(test, feature = "webgpu", target_arch = "wasm32"))]
pub(super) mod gpu;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod gradient;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use super::{Activation, Ops};

/// What is normalized together, and what scales it.
#[derive(Debug, Clone, Copy)]
pub struct Norm {
    /// Neighbouring values that share mean and variance.
    pub(crate) length: usize,
    /// Neighbouring values that share a channel.
    pub(crate) inner: usize,
    /// Channels.
    pub(crate) channels: usize,
    /// Added to the variance.
    pub(crate) epsilon: f32,
    /// What follows.
    pub(crate) activation: Activation,
}

impl Norm {
    /// Over the last dimension, of `width`.
    #[must_use]
    pub fn layer(width: usize, epsilon: f64) -> Self {
        Self { length: width, inner: 1, channels: width, epsilon: epsilon as f32, activation: Activation::None }
    }

    /// Over groups of channels of `[batch, channels, height, width]` with `pixels` = height · width.
    #[must_use]
    pub fn group(channels: usize, groups: usize, pixels: usize, epsilon: f64, activation: Activation) -> Self {
        Self { length: channels / groups * pixels, inner: pixels, channels, epsilon: epsilon as f32, activation }
    }
}

/// `activation((x − mean) / √(variance + ε) · weight + bias)`; `weight` and `bias` are `[channels]`.
///
/// # Panics
/// When `x` is not a whole number of runs.
#[must_use]
pub fn norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, spec: Norm) -> Tensor<D> {
    let count: usize = x.dims().iter().product();
    assert!(count.is_multiple_of(spec.length), "norm: {count} values in runs of {}", spec.length);
    assert_eq!((weight.dims(), bias.dims()), ([spec.channels], [spec.channels]), "norm: weight and bias");
    if count == 0 {
        return x;
    }
    let (weight, bias) = (weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(Dispatch::norm_op(x.into_dispatch(), weight, bias, spec))
}

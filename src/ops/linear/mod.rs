//! `y = x · wᵀ` and what usually follows it, in one kernel; row look-up.
//!
//! Each backend decodes int8 blocks where it multiplies: the CPU into a panel that stays in the first-level cache, the
//! GPU into registers. Nowhere does a whole weight exist in floating point.
//!
//! | file | its one idea |
//! |---|---|
//! | `mod.rs` | the contract: [`Weight`], [`After`], [`linear()`] and [`gather`] |
//! | `cpu.rs` | the loops of all three |
//! | `gpu.rs`, `gpu.wgsl`, `gather.wgsl` | the kernels and their sizes |
//! | `unpack.wgsl` | four int8 of a word |
//! | `gradient.rs` | with a gradient, for training |

pub(super) mod cpu;
#[cfg(any(test, feature = "webgpu", target_arch = "wasm32"))]
pub(super) mod gpu;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod gradient;

use burn::backend::Dispatch;
use burn::tensor::{DType, Int, IntDType, Tensor};

use super::q8::{Q8Part, Q8Tensor};
use super::{Activation, Ops, or_else};

/// A weight `[out, inputs]`.
#[derive(Debug, Clone)]
pub enum Weight<'a> {
    /// int8 blocks.
    Q8(&'a Q8Tensor),
    /// f32.
    Float(Tensor<2>),
}

impl Weight<'_> {
    /// `[out, inputs]`.
    #[must_use]
    pub fn dims(&self) -> [usize; 2] {
        match self {
            Self::Q8(weight) => [weight.out(), weight.inputs()],
            Self::Float(weight) => weight.dims(),
        }
    }
}

/// What follows the product: `activation(x·wᵀ + bias) + residual`.
#[derive(Debug, Clone, Default)]
pub struct After {
    /// `[out]`.
    pub bias: Option<Tensor<1>>,
    /// Applied to product and bias.
    pub activation: Activation,
    /// Laid out as the result.
    pub residual: Option<Tensor<2>>,
    /// With `Some(pixels)`, rows are the pixels of pictures and the result is laid out `[pictures, out, pixels]`.
    pub plane: Option<usize>,
}

/// [`After`] and the sizes, without the tensors: what a kernel has to know.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Width of a row of `x`.
    pub(crate) inputs: usize,
    /// Rows of the weight.
    pub(crate) out: usize,
    /// Whether there is a bias.
    pub(crate) bias: bool,
    /// Whether something is added at the end.
    pub(crate) residual: bool,
    /// Between the two.
    pub(crate) activation: Activation,
    /// As [`After::plane`].
    pub(crate) plane: Option<usize>,
}

/// Which rows of a weight [`gather`] looks for, and where.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// Width of a row.
    pub(crate) inputs: usize,
    /// Rows of the whole weight.
    pub(crate) out: usize,
    /// First row of the part that is looked into.
    pub(crate) start: usize,
}

/// `activation(x · wᵀ + bias) + residual`: `x` is `[rows, inputs]` in f32, `w` `[out, inputs]`; the result is
/// `[rows, out]` in f32, or `[rows / pixels, out, pixels]` as [`After::plane`] says (returned as `[rows, out]`).
///
/// Runs where `x` and `w` are. Inference only: no gradient flows through it.
///
/// # Panics
/// When the widths differ, when `x` is not f32, when `x` and `w` are on different devices, or when `x` is on an
/// autodiff device (take `x.inner()` or the model's `valid()`).
#[must_use]
pub fn linear(x: Tensor<2>, w: Weight<'_>, after: After) -> Tensor<2> {
    let [rows, width] = x.dims();
    let [out, inputs] = w.dims();
    assert_eq!(width, inputs, "linear: x is [{rows}, {width}], the weight [{out}, {inputs}]");
    assert_eq!(x.dtype(), DType::F32, "linear: x must be f32");
    assert!(!x.device().is_autodiff(), "linear has no gradient: call it on the tensor without autodiff");
    if let Some(bias) = &after.bias {
        assert_eq!(bias.dims(), [out], "linear: the bias");
    }
    if let Some(residual) = &after.residual {
        assert_eq!(residual.dims(), [rows, out], "linear: the residual");
    }
    if let Some(pixels) = after.plane {
        assert!(pixels > 0 && rows.is_multiple_of(pixels), "linear: {rows} rows are no pictures of {pixels} pixels");
    }
    if rows == 0 {
        return Tensor::zeros([0, out], &x.device());
    }
    match w {
        Weight::Q8(w) => match w.parts() {
            [part] => q8(x, part, inputs, after),
            parts => in_parts(x, parts, inputs, after),
        },
        Weight::Float(w) => {
            let spec = spec(out, inputs, &after);
            let x = x.into_dispatch();
            let (bias, residual) = (or_else(after.bias, &x), or_else(after.residual, &x));
            Tensor::from_dispatch(Dispatch::linear_f32_op(x, w.into_dispatch(), bias, residual, spec))
        }
    }
}

fn spec(out: usize, inputs: usize, after: &After) -> Spec {
    Spec {
        inputs,
        out,
        bias: after.bias.is_some(),
        residual: after.residual.is_some(),
        activation: after.activation,
        plane: after.plane,
    }
}

/// [`linear`] with the rows of one part.
fn q8(x: Tensor<2>, part: &Q8Part, inputs: usize, after: After) -> Tensor<2> {
    let spec = spec(part.rows(), inputs, &after);
    let x = x.into_dispatch();
    let (bias, residual) = (or_else(after.bias, &x), or_else(after.residual, &x));
    let (packed, scale) = (part.packed.clone().into_dispatch(), part.scale.clone().into_dispatch());
    Tensor::from_dispatch(Dispatch::linear_q8_op(x, packed, scale, bias, residual, spec))
}

/// [`linear`] with a weight in several parts: each gives some columns of the result.
fn in_parts(x: Tensor<2>, parts: &[Q8Part], inputs: usize, after: After) -> Tensor<2> {
    let rows = x.dims()[0];
    let out = parts.iter().map(Q8Part::rows).sum::<usize>();
    // With and without `plane` the result is `[pictures, out, pixels]`; without, every row is a picture of one pixel.
    let pixels = after.plane.unwrap_or(1);
    let columns = |tensor: &Tensor<2>, part: &Q8Part| {
        let pictures = tensor.clone().reshape([rows / pixels, out, pixels]);
        pictures.narrow(1, part.start, part.rows()).reshape([rows, part.rows()])
    };
    let results = parts.iter().map(|part| {
        let after = After {
            bias: after.bias.as_ref().map(|bias| bias.clone().narrow(0, part.start, part.rows())),
            residual: after.residual.as_ref().map(|residual| columns(residual, part)),
            ..after
        };
        q8(x.clone(), part, inputs, after).reshape([rows / pixels, part.rows(), pixels])
    });
    Tensor::cat(results.collect(), 1).reshape([rows, out])
}

/// The rows `ids` (`[n]`) of `w` in f32: `[n, inputs]`.
#[must_use]
pub fn gather(ids: Tensor<1, Int>, w: &Q8Tensor) -> Tensor<2> {
    let (out, inputs) = (w.out(), w.inputs());
    let shape = [ids.dims()[0], inputs];
    if shape[0] == 0 {
        return Tensor::zeros(shape, &w.device());
    }
    let ids = ids.cast(IntDType::I32).into_dispatch();
    // Each part writes the rows that it has; together they have all.
    w.parts().iter().fold(Tensor::empty(shape, &w.device()), |into, part| {
        let spec = Rows { inputs, out, start: part.start };
        let (packed, scale) = (part.packed.clone().into_dispatch(), part.scale.clone().into_dispatch());
        Tensor::from_dispatch(Dispatch::gather_q8_op(into.into_dispatch(), ids.clone(), packed, scale, spec))
    })
}

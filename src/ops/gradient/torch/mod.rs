//! The same functions from PyTorch's own kernels, for an NVIDIA card: one to four launches each, forwards and back.
//!
//! Within [`in_bf16`](super::in_bf16) layers hand each other bfloat16 numbers and keep those for the way back; sums, means
//! and a softmax's inside are f32 in PyTorch's kernels, and parameters and their gradients are f32 here.
//!
//! | file | its one idea |
//! |---|---|
//! | `mod.rs` | each operation as tensors see it |
//! | `kernels.rs` | each operation and its way back in PyTorch's terms |
//! | `autodiff.rs` | how they enter burn's graph |
//! | `tests.rs` | the same values and gradients as burn's own |

mod autodiff;
mod kernels;
#[cfg(test)]
mod tests;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
use burn::tensor::{Device, FloatDType, Int, Tensor};

use super::super::{Activation, Qkv, Windows, or_else};
use super::IN_BF16;

/// An operation of up to three differentiable tensors and a constant one.
#[derive(Debug, Clone, Copy)]
pub struct Op {
    what: What,
    /// Whether numbers are rounded to bfloat16.
    half: bool,
}

/// Which operation, of which tensors.
#[derive(Debug, Clone, Copy)]
enum What {
    /// Of `x`.
    Activate(Activation),
    /// Layer normalization of `x`, `weight`, `bias`.
    Normalize { epsilon: f64 },
    /// Group normalization of `x`, `weight`, `bias`, then the activation.
    NormalizeGroups { groups: usize, epsilon: f64, activation: Activation },
    /// Of `x`, `weight` and a `bias` if there is one.
    Project { biased: bool },
    /// Of `x`, `weight` and a `bias` if there is one.
    Convolve { windows: Windows, biased: bool },
    /// Of `q`, `k`, `v`, and as constant the bias if there is one.
    Attend { heads: usize, biased: bool },
    /// Of `x`, and as constant the table of angles.
    Turn { heads: usize },
    /// Of logits, and as constant the labels.
    CrossEntropy,
}

impl Op {
    fn new(what: What) -> Self {
        Self { what, half: IN_BF16.get() }
    }

    /// How many of the three tensors are not stand-ins.
    fn arity(&self) -> usize {
        match self.what {
            What::Activate(_) | What::Turn { .. } | What::CrossEntropy => 1,
            What::Project { biased } | What::Convolve { biased, .. } => 2 + usize::from(biased),
            What::Normalize { .. } | What::NormalizeGroups { .. } | What::Attend { .. } => 3,
        }
    }
}

/// What PyTorch computes, with gradients where they are recorded.
#[backend_extension(LibTorch, Autodiff)]
pub(crate) trait Torch: Backend {
    /// An operation of `a`, `b`, `c` and a constant; what it does not take is some other tensor and is not read.
    fn torch_op(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        constant: FloatTensor<Self>,
        op: Op,
    ) -> FloatTensor<Self>;
}

/// Whether tensors there are PyTorch's.
#[must_use]
pub fn is_torch(device: &Device) -> bool {
    let device = device.clone().inner();
    device == Device::libtorch() || device == Device::libtorch_cuda(0)
}

fn run<const A: usize, const B: usize, const C: usize, const D: usize>(
    a: Tensor<A>,
    b: Option<Tensor<B>>,
    c: Option<Tensor<C>>,
    constant: Option<FloatTensor<burn::backend::Dispatch>>,
    what: What,
) -> Tensor<D> {
    let a = a.into_dispatch();
    let (b, c) = (or_else(b, &a), or_else(c, &a));
    let constant = constant.unwrap_or_else(|| a.clone());
    Tensor::from_dispatch(<burn::backend::Dispatch as Torch>::torch_op(a, b, c, constant, Op::new(what)))
}

/// No tensor.
const NONE: Option<Tensor<1>> = None;

/// In the numbers that layers hand each other.
pub(crate) fn narrowed<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if IN_BF16.get() { x.cast(FloatDType::BF16) } else { x }
}

pub(crate) fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    run(x, NONE, NONE, None, What::Activate(activation))
}

pub(crate) fn normalize<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<D> {
    run(x, Some(weight), Some(bias), None, What::Normalize { epsilon })
}

pub(crate) fn normalize_groups(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    groups: usize,
    epsilon: f64,
    activation: Activation,
) -> Tensor<4> {
    run(x, Some(weight), Some(bias), None, What::NormalizeGroups { groups, epsilon, activation })
}

pub(crate) fn project(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let biased = bias.is_some();
    run(x, Some(weight), bias, None, What::Project { biased })
}

pub(crate) fn convolve(x: Tensor<4>, weight: Tensor<4>, windows: Windows, bias: Option<Tensor<1>>) -> Tensor<4> {
    let biased = bias.is_some();
    run(x, Some(weight), bias, None, What::Convolve { windows, biased })
}

pub(crate) fn attend(Qkv { q, past, mut k, mut v, bias, heads }: Qkv) -> Tensor<3> {
    if let Some((past_k, past_v)) = past {
        k = Tensor::cat(vec![past_k, k], 1);
        v = Tensor::cat(vec![past_v, v], 1);
    }
    let biased = bias.is_some();
    run(q, Some(k), Some(v), bias.map(Tensor::into_dispatch), What::Attend { heads, biased })
}

pub(crate) fn turn(x: Tensor<3>, table: Tensor<2>, heads: usize) -> Tensor<3> {
    run(x, NONE, NONE, Some(table.into_dispatch()), What::Turn { heads })
}

pub(crate) fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    // An operation takes numbers of one kind, and f32 holds every code exactly.
    run(logits, NONE, NONE, Some(labels.float().into_dispatch()), What::CrossEntropy)
}

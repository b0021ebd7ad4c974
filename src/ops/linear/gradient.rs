//! The product with its gradient.

use burn::backend::Dispatch;
use burn::tensor::{Tensor, module};

use crate::ops::gradient::parts::{parts, spread};
use crate::ops::gradient::{self, Differentiable};
use crate::ops::or_else;

/// `x · weightᵀ + bias`: `x` `[rows, inputs]`, `weight` `[out, inputs]`; in bfloat16 within [`in_bf16`](gradient::in_bf16).
#[must_use]
pub fn project(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    #[cfg(feature = "libtorch")]
    if gradient::on_torch(&x) {
        return gradient::torch::project(x, weight, bias);
    }
    match (gradient::on_processor(&x), gradient::on_processor_in_bf16()) {
        (true, true) => own(x, weight, bias),
        (true, false) => module::linear(x, weight.transpose(), bias),
        (false, _) => composed(x, weight, bias),
    }
}

/// The function as tensors see it, on burn's CPU backend.
pub fn own(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    let (biased, bias) = (bias.is_some(), or_else(bias, &x));
    Tensor::from_dispatch(<Dispatch as Differentiable>::project_op(x, weight, bias, biased))
}

/// The same from burn's own operations: for graphics cards, and for the test of ours.
pub fn composed(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let ([rows, inputs], out) = (x.dims(), weight.dims()[0]);
    let parts = parts(rows);
    let y = x.reshape([parts, rows / parts, inputs]).matmul(weight.transpose().unsqueeze::<3>());
    let y = match bias {
        Some(bias) => y + spread(bias, parts),
        None => y,
    };
    y.reshape([rows, out])
}

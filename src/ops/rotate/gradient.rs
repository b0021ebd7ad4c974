//! The rotation with its gradient, which is the rotation back.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::ops::gradient::{self, Differentiable};

/// Rotary embedding of `x` `[batch, tokens, heads·head]` by a `table` `[tokens, rotary]` of cosines, then sines.
#[must_use]
pub fn turn(x: Tensor<3>, table: Tensor<2>, heads: usize) -> Tensor<3> {
    #[cfg(feature = "libtorch")]
    if gradient::on_torch(&x) {
        return gradient::torch::turn(x, table, heads);
    }
    let of = if gradient::on_processor(&x) { own } else { composed };
    of(x, table, heads)
}

/// The function as tensors see it, on burn's CPU backend.
pub fn own(x: Tensor<3>, table: Tensor<2>, heads: usize) -> Tensor<3> {
    let (x, table) = (x.into_dispatch(), table.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Differentiable>::turn_op(x, table, heads, false))
}

/// The same from burn's own operations: for graphics cards, and for the test of ours.
pub fn composed(x: Tensor<3>, table: Tensor<2>, heads: usize) -> Tensor<3> {
    let [batch, tokens, width] = x.dims();
    let (head, rotary) = (width / heads, table.dims()[1]);
    let half = rotary / 2;
    let x = x.reshape([batch, tokens, heads, head]);
    let angles = |from: usize| table.clone().narrow(1, from, half).reshape([1, tokens, 1, half]);
    let (cos, sin) = (angles(0), angles(half));
    let (left, right) = (x.clone().narrow(3, 0, half), x.clone().narrow(3, half, half));
    let mut parts = vec![left.clone() * cos.clone() - right.clone() * sin.clone(), right * cos + left * sin];
    if rotary < head {
        parts.push(x.narrow(3, rotary, head - rotary));
    }
    Tensor::cat(parts, 3).reshape([batch, tokens, width])
}

//! The same functions from burn's own operations: for graphics cards, and for the test of ours.

use burn::tensor::activation::{log_softmax, sigmoid, silu, softmax};
use burn::tensor::{Int, Tensor};

use super::super::{Activation, Qkv};

pub fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    const TWO_ROOT_TWO_OVER_PI: f64 = 1.595_769_121_605_731;
    match activation {
        Activation::None => x,
        Activation::GeluNew => {
            let cubic = (x.clone() * x.clone() * 0.044_715 + 1.0) * x.clone() * TWO_ROOT_TWO_OVER_PI;
            x * sigmoid(cubic)
        }
        Activation::QuickGelu => x.clone() * sigmoid(x * 1.702),
        Activation::Swish => silu(x),
    }
}

pub fn normalize<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<D> {
    let (shape, width) = (x.dims(), weight.dims()[0]);
    let rows = shape.iter().product::<usize>() / width;
    let parts = parts(rows);
    let x = x.reshape([parts, rows / parts, width]);
    let centred = x.clone() - x.mean_dim(2);
    let variance = (centred.clone() * centred.clone()).mean_dim(2);
    let normal = centred / (variance + epsilon).sqrt();
    (normal * spread(weight, parts) + spread(bias, parts)).reshape(shape)
}

pub fn project(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let ([rows, inputs], out) = (x.dims(), weight.dims()[0]);
    let parts = parts(rows);
    let y = x.reshape([parts, rows / parts, inputs]).matmul(weight.transpose().unsqueeze::<3>());
    let y = match bias {
        Some(bias) => y + spread(bias, parts),
        None => y,
    };
    y.reshape([rows, out])
}

/// How many parts rows are cut into. A parameter's gradient is a sum over all rows, and burn's kernels give each of its
/// numbers to one thread: with the sums of parts first, and then that of these, a card has enough threads to be busy.
fn parts(rows: usize) -> usize {
    (1..=64).rev().find(|parts| rows.is_multiple_of(*parts)).unwrap_or(1)
}

/// `[width]` as `[parts, 1, width]`.
fn spread(x: Tensor<1>, parts: usize) -> Tensor<3> {
    let width = x.dims()[0];
    x.reshape([1, 1, width]).expand([parts, 1, width])
}

pub fn attend(Qkv { q, past, mut k, mut v, bias, heads }: Qkv) -> Tensor<3> {
    if let Some((past_k, past_v)) = past {
        k = Tensor::cat(vec![past_k, k], 1);
        v = Tensor::cat(vec![past_v, v], 1);
    }
    let [batch, rows, width] = q.dims();
    let head = width / heads;
    let split = |x: Tensor<3>| {
        let tokens = x.dims()[1];
        x.reshape([batch, tokens, heads, head]).swap_dims(1, 2)
    };
    let scores = split(q).matmul(split(k).swap_dims(2, 3)) * (head as f64).powf(-0.5);
    let scores = match bias {
        Some(bias) => scores + bias,
        None => scores,
    };
    softmax(scores, 3).matmul(split(v)).swap_dims(1, 2).reshape([batch, rows, width])
}

pub fn turn(x: Tensor<3>, table: Tensor<2>, heads: usize) -> Tensor<3> {
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

pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let rows = labels.dims()[0];
    log_softmax(logits, 1).gather(1, labels.reshape([rows, 1])).reshape([rows]).neg()
}

//! What [`ops`](crate::ops) computes, from burn's own operations: with gradients, for training.

use burn::tensor::Tensor;
use burn::tensor::activation::{sigmoid, silu, softmax};
use burn::tensor::module::{conv2d, layer_norm, linear};
use burn::tensor::ops::ConvOptions;

use crate::ops::{Activation, Windows};

/// As [`Activation`] says.
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

/// `activation(x · wᵀ + bias) + residual`, each row as [`crate::ops::linear()`].
pub fn project(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
    residual: Option<Tensor<2>>,
) -> Tensor<2> {
    let y = activate(linear(x, weight.transpose(), bias), activation);
    match residual {
        Some(residual) => residual + y,
        None => y,
    }
}

/// As [`crate::ops::conv2d()`], with the weight `[out, in, kernel, kernel]`.
pub fn convolve(
    x: Tensor<4>,
    weight: Tensor<4>,
    windows: Windows,
    bias: Option<Tensor<1>>,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    let x = enlarge(x, windows.enlarge);
    let [top, _, left, _] = windows.padding;
    let y = conv2d(x, weight, bias, ConvOptions::new(windows.stride, [top, left], [1, 1], 1));
    match residual {
        Some(residual) => residual + y,
        None => y,
    }
}

/// Nearest-neighbour enlargement of height and width.
fn enlarge(x: Tensor<4>, times: usize) -> Tensor<4> {
    if times == 1 {
        return x;
    }
    let [batch, channels, height, width] = x.dims();
    let wide = x.reshape([batch * channels * height, width, 1]).repeat_dim(2, times);
    let tall = wide.reshape([batch * channels, height, 1, times * width]).repeat_dim(2, times);
    tall.reshape([batch, channels, times * height, times * width])
}

/// As [`crate::ops::attention()`].
pub fn attend(
    q: Tensor<3>,
    past: Option<(Tensor<3>, Tensor<3>)>,
    mut k: Tensor<3>,
    mut v: Tensor<3>,
    bias: Option<Tensor<4>>,
    heads: usize,
) -> Tensor<3> {
    let [batch, rows, width] = q.dims();
    if let Some((past_k, past_v)) = past {
        k = Tensor::cat(vec![past_k, k], 1);
        v = Tensor::cat(vec![past_v, v], 1);
    }
    let head = width / heads;
    let split = |x: Tensor<3>| {
        let tokens = x.dims()[1];
        x.reshape([batch, tokens, heads, head]).swap_dims(1, 2)
    };
    let scores = (split(q) * (head as f64).powf(-0.5)).matmul(split(k).swap_dims(2, 3));
    let scores = match bias {
        Some(bias) => scores + bias,
        None => scores,
    };
    softmax(scores, 3).matmul(split(v)).swap_dims(1, 2).reshape([batch, rows, width])
}

/// Layer normalization over the last dimension.
pub fn normalize_rows<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<D> {
    layer_norm(x, weight, Some(bias), epsilon)
}

/// Group normalization of `[batch, channels, height, width]`, then the activation.
pub fn normalize_groups(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    groups: usize,
    epsilon: f64,
    activation: Activation,
) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let grouped = x.reshape([batch, groups, channels / groups * height * width]);
    let centred = grouped.clone() - grouped.mean_dim(2);
    let variance = (centred.clone() * centred.clone()).mean_dim(2);
    let normal = centred / (variance + epsilon).sqrt();
    let scaled = normal.reshape([batch, channels, height, width]) * weight.reshape([1, channels, 1, 1])
        + bias.reshape([1, channels, 1, 1]);
    activate(scaled, activation)
}

/// As [`crate::ops::rotate()`].
pub fn rotate(
    x: Tensor<3>,
    table: Tensor<2>,
    heads: usize,
    normalize: Option<(Tensor<1>, Tensor<1>, f64)>,
) -> Tensor<3> {
    let [batch, tokens, width] = x.dims();
    let (head, rotary) = (width / heads, table.dims()[1]);
    let half = rotary / 2;
    let x = x.reshape([batch, tokens, heads, head]);
    let x = match normalize {
        Some((weight, bias, epsilon)) => normalize_rows(x, weight, bias, epsilon),
        None => x,
    };
    let angles = |from: usize| table.clone().narrow(1, from, half).reshape([1, tokens, 1, half]);
    let (cos, sin) = (angles(0), angles(half));
    let (left, right) = (x.clone().narrow(3, 0, half), x.clone().narrow(3, half, half));
    let mut parts = vec![left.clone() * cos.clone() - right.clone() * sin.clone(), right * cos + left * sin];
    if rotary < head {
        parts.push(x.narrow(3, rotary, head - rotary));
    }
    Tensor::cat(parts, 3).reshape([batch, tokens, width])
}

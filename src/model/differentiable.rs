//! What [`ops`](crate::ops) computes, with gradients, for training: on the processor from [`gradient`], on a graphics card
//! from burn's own operations.

use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

use crate::ops::{Activation, Windows, gradient};

/// `activation(x · wᵀ + bias) + residual`, each row as [`crate::ops::linear()`].
pub fn project(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
    residual: Option<Tensor<2>>,
) -> Tensor<2> {
    let y = gradient::activate(gradient::project(x, weight, bias), activation);
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
    #[cfg(feature = "libtorch")]
    if gradient::on_torch(&x) {
        let y = gradient::torch::convolve(x, weight, windows, bias);
        return match residual {
            Some(residual) => residual + y,
            None => y,
        };
    }
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

/// Group normalization of `[batch, channels, height, width]`, then the activation.
pub fn normalize_groups(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    groups: usize,
    epsilon: f64,
    activation: Activation,
) -> Tensor<4> {
    #[cfg(feature = "libtorch")]
    if gradient::on_torch(&x) {
        return gradient::torch::normalize_groups(x, weight, bias, groups, epsilon, activation);
    }
    let [batch, channels, height, width] = x.dims();
    let grouped = x.reshape([batch, groups, channels / groups * height * width]);
    let centred = grouped.clone() - grouped.mean_dim(2);
    let variance = (centred.clone() * centred.clone()).mean_dim(2);
    let normal = centred / (variance + epsilon).sqrt();
    let scaled = normal.reshape([batch, channels, height, width]) * weight.reshape([1, channels, 1, 1])
        + bias.reshape([1, channels, 1, 1]);
    gradient::activate(scaled, activation)
}

/// As [`crate::ops::rotate()`].
pub fn rotate(
    x: Tensor<3>,
    table: Tensor<2>,
    heads: usize,
    normalize: Option<(Tensor<1>, Tensor<1>, f64)>,
) -> Tensor<3> {
    let [batch, tokens, width] = x.dims();
    let x = match normalize {
        Some((weight, bias, epsilon)) => {
            let each = x.reshape([batch, tokens, heads, width / heads]);
            gradient::normalize(each, weight, bias, epsilon).reshape([batch, tokens, width])
        }
        None => x,
    };
    gradient::turn(x, table, heads)
}

//! Layer normalization with its gradient.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::ops::cpu::math::{moments, sum_of};
use crate::ops::gradient::parts::{parts, spread};
use crate::ops::gradient::{self, Differentiable};

/// Layer normalization over the last dimension, which `weight` and `bias` have.
#[must_use]
pub fn normalize<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<D> {
    #[cfg(feature = "libtorch")]
    if gradient::on_torch(&x) {
        return gradient::torch::normalize(x, weight, bias, epsilon);
    }
    let of = if gradient::on_processor(&x) { own } else { composed };
    of(x, weight, bias, epsilon)
}

/// The function as tensors see it, on burn's CPU backend.
pub fn own<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<D> {
    let [x, weight, bias] = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    Tensor::from_dispatch(<Dispatch as Differentiable>::normalize_op(x, weight, bias, epsilon as f32))
}

/// The same from burn's own operations: for graphics cards, and for the test of ours.
pub fn composed<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<D> {
    let (shape, width) = (x.dims(), weight.dims()[0]);
    let rows = shape.iter().product::<usize>() / width;
    let parts = parts(rows);
    let x = x.reshape([parts, rows / parts, width]);
    let centred = x.clone() - x.mean_dim(2);
    let variance = (centred.clone() * centred.clone()).mean_dim(2);
    let normal = centred / (variance + epsilon).sqrt();
    (normal * spread(weight, parts) + spread(bias, parts)).reshape(shape)
}

/// d`x`, d`weight` and d`bias` of layer normalization over rows as long as `weight`.
#[must_use]
pub fn backward(x: &[f32], weight: &[f32], dy: &[f32], epsilon: f32) -> [Vec<f32>; 3] {
    let width = weight.len();
    let mut dx = vec![0f32; x.len()];
    let (mut dw, mut db) = (vec![0f32; width], vec![0f32; width]);
    // The normalized row, and the gradient that reaches it.
    let (mut normal, mut g) = (vec![0f32; width], vec![0f32; width]);
    for ((x, dy), dx) in x.chunks_exact(width).zip(dy.chunks_exact(width)).zip(dx.chunks_exact_mut(width)) {
        let (mean, scale) = moments(x, epsilon);
        for i in 0..width {
            normal[i] = (x[i] - mean) * scale;
            g[i] = dy[i] * weight[i];
            dw[i] += dy[i] * normal[i];
            db[i] += dy[i];
        }
        let along = sum_of(&g, &normal, |g, n| g * n) / width as f32;
        let mean = sum_of(&g, &g, |g, _| g) / width as f32;
        for i in 0..width {
            dx[i] = scale * (g[i] - mean - normal[i] * along);
        }
    }
    [dx, dw, db]
}

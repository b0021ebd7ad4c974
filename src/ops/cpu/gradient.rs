//! Gradients, and the forward functions that belong to them: one pass over memory where burn's own operations make ten.
//!
//! The training loop gives each core a worker with its own part of the batch, so nothing here uses more than one thread.

mod attention;
mod product;

pub use attention::{attend, attend_gradient};

use super::math::{exp, exponentials, largest, log_sum_exp, moments, sigmoid, sum_of};
use crate::ops::{Activation, Attention};

/// `activation(x)`.
#[must_use]
pub fn activated(x: &[f32], activation: Activation) -> Vec<f32> {
    let mut y = Vec::with_capacity(x.len());
    // A piece at a time, which is still in the first cache when it is looked at again.
    for x in x.chunks(2048) {
        let done = y.len();
        y.extend_from_slice(x);
        activation.apply(&mut y[done..]);
    }
    y
}

/// d`x` of `activation(x)`.
#[must_use]
pub fn activation(x: &[f32], dy: &[f32], activation: Activation) -> Vec<f32> {
    // x·σ(z): σ + x·σ·(1 − σ)·z′.
    let slope = |x: f32, z: f32, dz: f32| {
        let s = sigmoid(z);
        s + x * s * (1.0 - s) * dz
    };
    let each = |of: &dyn Fn(&f32, &f32) -> f32| -> Vec<f32> { x.iter().zip(dy).map(|(x, dy)| of(x, dy)).collect() };
    match activation {
        Activation::None => dy.to_vec(),
        Activation::GeluNew => {
            const A: f32 = 0.044_715;
            const TWICE_ROOT: f32 = 1.595_769_2;
            let dx = |(&x, dy): (&f32, &f32)| {
                let square = x * x;
                let z = TWICE_ROOT * x * (1.0 + A * square);
                dy * slope(x, z, TWICE_ROOT * (1.0 + 3.0 * A * square))
            };
            x.iter().zip(dy).map(dx).collect()
        }
        Activation::QuickGelu => each(&|x, dy| dy * slope(*x, 1.702 * x, 1.702)),
        Activation::Swish => each(&|x, dy| dy * slope(*x, *x, 1.0)),
    }
}

/// d`x`, d`weight` and d`bias` of layer normalization over rows as long as `weight`.
#[must_use]
pub fn norm(x: &[f32], weight: &[f32], dy: &[f32], epsilon: f32) -> [Vec<f32>; 3] {
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

/// `softmax(x/√head + bias)` over all keys, `x` `[heads, rows, past + columns]` of one sequence.
fn softmax_in_place(x: &mut [f32], bias: &[f32], sequence: usize, spec: &Attention) {
    let (scale, all) = ((spec.head as f32).powf(-0.5), spec.past + spec.columns);
    for (index, x) in x.chunks_exact_mut(all).enumerate() {
        match spec.bias {
            Some([by_sequence, by_row]) => {
                let bias = &bias[sequence * by_sequence + index % spec.rows * by_row..][..all];
                x.iter_mut().zip(bias).for_each(|(x, bias)| *x = *x * scale + bias);
            }
            None => x.iter_mut().for_each(|x| *x *= scale),
        }
        let factor = 1.0 / exponentials(x);
        x.iter_mut().for_each(|x| *x *= factor);
    }
}

/// d`x` of [`softmax_in_place`] from d`y`, given its result `y`.
fn softmax_gradient_in_place(y: &[f32], dy: &mut [f32], spec: &Attention) {
    let (scale, all) = ((spec.head as f32).powf(-0.5), spec.past + spec.columns);
    for (y, dx) in y.chunks_exact(all).zip(dy.chunks_exact_mut(all)) {
        let along = sum_of(y, dx, |y, dy| y * dy);
        dx.iter_mut().zip(y).for_each(|(dx, y)| *dx = scale * y * (*dx - along));
    }
}

/// −ln p(label) of every row of `logits` `[rows, codes]`.
#[must_use]
pub fn cross_entropy(logits: &[f32], labels: &[usize]) -> Vec<f32> {
    let codes = logits.len() / labels.len().max(1);
    logits.chunks_exact(codes).zip(labels).map(|(logits, &label)| log_sum_exp(logits) - logits[label]).collect()
}

/// d`logits` of [`cross_entropy`].
#[must_use]
pub fn cross_entropy_gradient(logits: &[f32], labels: &[usize], dy: &[f32]) -> Vec<f32> {
    let codes = logits.len() / labels.len().max(1);
    let mut dx = logits.to_vec();
    for ((dx, &label), dy) in dx.chunks_exact_mut(codes).zip(labels).zip(dy) {
        let most = largest(dx);
        let total = sum_of(dx, dx, |x, _| exp(x - most));
        let factor = dy / total;
        dx.iter_mut().for_each(|x| *x = exp(*x - most) * factor);
        dx[label] -= dy;
    }
    dx
}

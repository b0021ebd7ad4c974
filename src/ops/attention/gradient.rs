//! Attention with its gradient: each head multiplied where it lies among the others, nothing copied out and back.

use burn::backend::Dispatch;
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use super::cpu::Keys;
use super::product::{Into, Matrix, columns_from, product};
use super::{Attention, Qkv};
use crate::ops::cpu::math::{exponentials, sum_of};
use crate::ops::gradient::{self, Differentiable};

/// As [`attention()`](super::attention()), its products in bfloat16 within [`in_bf16`](gradient::in_bf16); the bias has no gradient.
///
/// # Panics
/// As there.
#[must_use]
pub fn attend(qkv: Qkv) -> Tensor<3> {
    #[cfg(feature = "libtorch")]
    if gradient::on_torch(&qkv.q) {
        return gradient::torch::attend(qkv);
    }
    let of = if gradient::on_processor(&qkv.q) { own } else { composed };
    of(qkv)
}

/// The function as tensors see it, on burn's CPU backend.
pub fn own(qkv: Qkv) -> Tensor<3> {
    let ([q, past_k, past_v, k, v], bias, spec) = qkv.operands();
    let spec = Attention { bf16: gradient::on_processor_in_bf16(), ..spec };
    Tensor::from_dispatch(<Dispatch as Differentiable>::attend_op(q, past_k, past_v, k, v, bias, spec))
}

/// The same from burn's own operations: for graphics cards, and for the test of ours.
pub fn composed(Qkv { q, past, mut k, mut v, bias, heads }: Qkv) -> Tensor<3> {
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

/// What a group of keys gets back: the gradients of its `k` and of its `v`.
pub type KeysGradient = (Vec<f32>, Vec<f32>);

/// As [`crate::ops::attention()`] over groups of keys, such as past and new ones: the result, as `q`, and each query's
/// shares of all keys, `[batch, heads, rows, past + columns]`.
#[must_use]
pub fn forward(q: &[f32], keys: &[Keys], bias: &[f32], spec: &Attention) -> [Vec<f32>; 2] {
    let Attention { batch, rows, heads, head, .. } = *spec;
    let (width, all) = (heads * head, spec.past + spec.columns);
    let times = |a: Matrix, b: Matrix, to: Into, sizes| product(a, b, to, sizes, spec.bf16);
    let mut y = vec![0f32; q.len()];
    let mut shares = vec![0f32; batch * heads * rows * all];
    let sequences = y.chunks_exact_mut(rows * width).zip(shares.chunks_exact_mut(heads * rows * all));
    for (sequence, (y, shares)) in sequences.enumerate() {
        let q = &q[sequence * rows * width..][..rows * width];
        for (at, shares) in shares.chunks_exact_mut(rows * all).enumerate() {
            for (keys, first) in groups(keys) {
                let k = columns_from(&keys.k[sequence * keys.tokens * width..], at * head, width);
                let to = Into { values: &mut shares[first..], row: all, add: false };
                times(columns_from(q, at * head, width), k.transposed(), to, [rows, head, keys.tokens]);
            }
        }
        softmax_in_place(shares, bias, sequence, spec);
        for (at, shares) in shares.chunks_exact(rows * all).enumerate() {
            for (keys, first) in groups(keys) {
                let v = columns_from(&keys.v[sequence * keys.tokens * width..], at * head, width);
                let to = Into { values: &mut y[at * head..], row: width, add: true };
                times(columns_from(shares, first, all), v, to, [rows, keys.tokens, head]);
            }
        }
    }
    [y, shares]
}

/// d`q`, and the gradients of each group of keys, of [`forward`], from its shares.
#[must_use]
pub fn backward(
    q: &[f32],
    keys: &[Keys],
    shares: &[f32],
    dy: &[f32],
    spec: &Attention,
) -> (Vec<f32>, Vec<KeysGradient>) {
    let Attention { batch, rows, heads, head, .. } = *spec;
    let (width, all) = (heads * head, spec.past + spec.columns);
    let times = |a: Matrix, b: Matrix, to: Into, sizes| product(a, b, to, sizes, spec.bf16);
    let mut dq = vec![0f32; q.len()];
    let empty = |keys: &Keys| (vec![0f32; batch * keys.tokens * width], vec![0f32; batch * keys.tokens * width]);
    let mut given: Vec<KeysGradient> = keys.iter().map(empty).collect();
    let mut scores = vec![0f32; rows * all];
    for (index, shares) in shares.chunks_exact(rows * all).enumerate() {
        let (sequence, channel) = (index / heads, index % heads * head);
        let [q, dy] = [q, dy].map(|x| columns_from(&x[sequence * rows * width..], channel, width));
        for ((keys, first), (_, dv)) in groups(keys).zip(&mut given) {
            let from = sequence * keys.tokens * width;
            let to = Into { values: &mut dv[from + channel..], row: width, add: false };
            times(columns_from(shares, first, all).transposed(), dy, to, [keys.tokens, rows, head]);
            let to = Into { values: &mut scores[first..], row: all, add: false };
            times(dy, columns_from(&keys.v[from..], channel, width).transposed(), to, [rows, head, keys.tokens]);
        }
        softmax_gradient_in_place(shares, &mut scores, spec);
        for ((keys, first), (dk, _)) in groups(keys).zip(&mut given) {
            let from = sequence * keys.tokens * width;
            let scores = columns_from(&scores, first, all);
            let to = Into { values: &mut dq[sequence * rows * width + channel..], row: width, add: true };
            times(scores, columns_from(&keys.k[from..], channel, width), to, [rows, keys.tokens, head]);
            let to = Into { values: &mut dk[from + channel..], row: width, add: false };
            times(scores.transposed(), q, to, [keys.tokens, rows, head]);
        }
    }
    (dq, given)
}

/// The groups of keys, and the column of the shares where each begins.
fn groups<'a, 'b>(keys: &'a [Keys<'b>]) -> impl Iterator<Item = (&'a Keys<'b>, usize)> {
    keys.iter().scan(0, |next, keys| {
        let first = *next;
        *next += keys.tokens;
        Some((keys, first))
    })
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

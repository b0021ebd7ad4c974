//! Attention and its gradient, each head multiplied where it lies among the others: nothing is copied out and back.

use super::super::Keys;
use super::product::{Into, Matrix, columns_from, product};
use super::{softmax_gradient_in_place, softmax_in_place};
use crate::ops::Attention;

/// What a group of keys gets back: the gradients of its `k` and of its `v`.
pub type KeysGradient = (Vec<f32>, Vec<f32>);

/// As [`crate::ops::attention()`] over groups of keys, such as past and new ones: the result, as `q`, and each query's
/// shares of all keys, `[batch, heads, rows, past + columns]`.
#[must_use]
pub fn attend(q: &[f32], keys: &[Keys], bias: &[f32], spec: &Attention) -> [Vec<f32>; 2] {
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

/// d`q`, and the gradients of each group of keys, of [`attend`], from its shares.
#[must_use]
pub fn attend_gradient(
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

//! Scaled dot-product attention.

use super::Attention;
use crate::ops::cpu::math::exponentials;
use crate::ops::cpu::{each_chunk, threads_for};

/// Keys and values, each `[batch, tokens, heads·head]`.
pub struct Keys<'a> {
    /// Keys, `[heads, tokens, head]`.
    pub k: &'a [f32],
    /// Values, laid out as the keys.
    pub v: &'a [f32],
    /// How many there are.
    pub tokens: usize,
}

/// Rows that a thread takes at once.
const ROWS: usize = 16;

/// As [`crate::ops::attention()`]; `past` comes before `new`.
pub fn attention(q: &[f32], past: &Keys, new: &Keys, bias: &[f32], spec: &Attention) -> Vec<f32> {
    let Attention { batch, rows, heads, head, .. } = *spec;
    let (width, columns) = (heads * head, spec.past + spec.columns);
    let scale = (head as f32).powf(-0.5);
    let turned = turn(past, new, batch, width, columns);
    let mut y = vec![0f32; batch * rows * width];
    let threads = threads_for(2 * y.len() * columns);
    // A chunk is a block of rows of one sequence; the last block of each is shorter, so sequences go one by one.
    for (sequence, y) in y.chunks_exact_mut(rows * width).enumerate() {
        let turned = &turned[sequence * width * columns..][..width * columns];
        each_chunk(threads, y, ROWS * width, |block, y| {
            let mut scores = vec![0f32; columns];
            for (index, y) in y.chunks_exact_mut(width).enumerate() {
                let row = block * ROWS + index;
                let q = &q[(sequence * rows + row) * width..][..width];
                for (h, y) in y.chunks_exact_mut(head).enumerate() {
                    let from = h * head;
                    match spec.bias {
                        Some([by_sequence, by_row]) => {
                            scores.copy_from_slice(&bias[sequence * by_sequence + row * by_row..][..columns]);
                        }
                        None => scores.fill(0.0),
                    }
                    for (channel, &q) in q[from..from + head].iter().enumerate() {
                        let keys = &turned[(from + channel) * columns..][..columns];
                        let q = q * scale;
                        scores.iter_mut().zip(keys).for_each(|(s, k)| *s += q * k);
                    }
                    let sum = exponentials(&mut scores);
                    for (keys, first) in [(past, 0), (new, past.tokens)] {
                        let values = keys.v[sequence * keys.tokens * width..].chunks_exact(width);
                        for (&p, v) in scores[first..first + keys.tokens].iter().zip(values) {
                            y.iter_mut().zip(&v[from..from + head]).for_each(|(y, v)| *y += p * v);
                        }
                    }
                    y.iter_mut().for_each(|y| *y /= sum);
                }
            }
        });
    }
    y
}

/// All keys, channel by channel: `[batch, heads·head, past + new]`, so that a row of scores is one run in memory.
fn turn(past: &Keys, new: &Keys, batch: usize, width: usize, columns: usize) -> Vec<f32> {
    let mut turned = vec![0f32; batch * width * columns];
    for (sequence, turned) in turned.chunks_exact_mut(width * columns).enumerate() {
        for (keys, first) in [(past, 0), (new, past.tokens)] {
            let k = &keys.k[sequence * keys.tokens * width..][..keys.tokens * width];
            for (token, k) in k.chunks_exact(width).enumerate() {
                for (channel, &k) in k.iter().enumerate() {
                    turned[channel * columns + first + token] = k;
                }
            }
        }
    }
    turned
}

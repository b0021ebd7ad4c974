//! Rotary position embedding.

use super::Rotate;
use crate::ops::cpu::math::moments;
use crate::ops::cpu::{each_chunk, threads_for};

/// As [`crate::ops::rotate()`].
pub fn rotate(x: &[f32], table: &[f32], weight: &[f32], bias: &[f32], spec: &Rotate) -> Vec<f32> {
    let Rotate { tokens, heads, head, rotary, epsilon } = *spec;
    let half = rotary / 2;
    let mut y = x.to_vec();
    each_chunk(threads_for(4 * y.len()), &mut y, heads * head, |row, y| {
        let (cos, sin) = table[row % tokens * rotary..][..rotary].split_at(half);
        for y in y.chunks_exact_mut(head) {
            if let Some(epsilon) = epsilon {
                let (mean, scale) = moments(y, epsilon);
                for ((y, w), b) in y.iter_mut().zip(weight).zip(bias) {
                    *y = (*y - mean) * scale * w + b;
                }
            }
            let (left, right) = y[..rotary].split_at_mut(half);
            for (((left, right), cos), sin) in left.iter_mut().zip(right).zip(cos).zip(sin) {
                (*left, *right) = (*left * cos - *right * sin, *right * cos + *left * sin);
            }
        }
    });
    y
}

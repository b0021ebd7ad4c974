//! Layer and group normalization.

use super::Norm;
use crate::ops::cpu::math::moments;
use crate::ops::cpu::{each_chunk, threads_for};

/// As [`crate::ops::norm()`].
pub fn norm(x: &[f32], weight: &[f32], bias: &[f32], spec: &Norm) -> Vec<f32> {
    let Norm { length, inner, channels, epsilon, activation } = *spec;
    let mut y = x.to_vec();
    each_chunk(threads_for(y.len() * (3 + activation.cost())), &mut y, length, |run, y| {
        let (mean, scale) = moments(y, epsilon);
        if inner == 1 {
            // Layer normalization: a run is a row of all channels.
            y.iter_mut().zip(weight).zip(bias).for_each(|((y, w), b)| *y = (*y - mean) * (scale * w) + b);
            return activation.apply(y);
        }
        // A run begins at a channel's first value: groups hold whole channels, rows all of them.
        let first = run * length / inner;
        for (index, part) in y.chunks_exact_mut(inner).enumerate() {
            let channel = (first + index) % channels;
            let (a, b) = (scale * weight[channel], bias[channel]);
            part.iter_mut().for_each(|y| *y = (*y - mean) * a + b);
        }
        activation.apply(y);
    });
    y
}

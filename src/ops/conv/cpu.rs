//! Windows of a picture.

use super::Unroll;
use crate::ops::cpu::{each_chunk, threads_for};

/// The windows that `unroll` names of the picture `x`, one a row: `[count, channels · kh · kw]`.
pub fn unroll(x: &[f32], unroll: &Unroll) -> Vec<f32> {
    let Unroll { picture: [_, channels, height, width], output: [out_h, out_w], windows, start, count } = *unroll;
    let [kh, kw] = windows.kernel;
    let [top, _, left, _] = windows.padding;
    let enlarge = windows.enlarge;
    let (tall, wide) = (height * enlarge, width * enlarge);
    let inputs = channels * kh * kw;
    let mut rows = vec![0f32; count * inputs];
    each_chunk(threads_for(count * inputs), &mut rows, inputs * out_w, |chunk, rows| {
        for (at, row) in rows.chunks_exact_mut(inputs).enumerate() {
            let window = start + chunk * out_w + at;
            let (batch, y, x0) = (window / (out_h * out_w), window / out_w % out_h, window % out_w);
            // Of the kernel's columns, those inside the picture.
            let x0 = x0 * windows.stride[1];
            let (from, to) = (left.saturating_sub(x0), kw.min((wide + left).saturating_sub(x0)));
            if from >= to {
                continue;
            }
            for (channel, part) in row.chunks_exact_mut(kh * kw).enumerate() {
                for (ky, line) in part.chunks_exact_mut(kw).enumerate() {
                    let Some(y) = (y * windows.stride[0] + ky).checked_sub(top).filter(|&y| y < tall) else {
                        continue;
                    };
                    let source = ((batch * channels + channel) * height + y / enlarge) * width;
                    let first = x0 + from - left;
                    if enlarge == 1 {
                        line[from..to].copy_from_slice(&x[source + first..][..to - from]);
                        continue;
                    }
                    for (offset, to) in line[from..to].iter_mut().enumerate() {
                        *to = x[source + (first + offset) / enlarge];
                    }
                }
            }
        }
    });
    rows
}

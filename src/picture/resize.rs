//! Bytes to another size as Pillow does it, and the middle of what results.
//!
//! Bicubic with a = −0.5, the kernel widened where it shrinks (support 2·max(scale, 1)), weights in 22-bit fixed point, rows
//! first along their length, then columns, rounded to bytes after each: `Resample.c` of Pillow 10, `torchvision`'s `Resize`
//! and `CenterCrop`.

/// Width and height in pixels.
pub type Size = [usize; 2];

/// Bits behind the point of a weight: 32 − 8 for the byte − 2 for sums beyond it.
const PRECISION: u32 = 22;

/// The pixels that one new pixel is made of: the first, and each one's weight.
struct Window {
    first: usize,
    weights: Vec<i32>,
}

/// The kernel at `x`, a = −0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn windows(from: usize, to: usize) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    let wide = scale.max(1.0);
    let support = 2.0 * wide;
    (0..to)
        .map(|at| {
            let centre = (at as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let exact: Vec<f64> = (first..end).map(|x| cubic((x as f64 - centre + 0.5) / wide)).collect();
            let sum: f64 = exact.iter().sum();
            let fixed = |weight: f64| {
                let weight = if sum == 0.0 { weight } else { weight / sum } * f64::from(1u32 << PRECISION);
                // To the nearest, halves away from zero.
                if weight < 0.0 { (weight - 0.5) as i32 } else { (weight + 0.5) as i32 }
            };
            Window { first, weights: exact.into_iter().map(fixed).collect() }
        })
        .collect()
}

/// The weights of one axis, `[to, from]`: what [`resized`] multiplies bytes with, as real numbers. Each is a 22-bit fraction and so
/// exact in f32.
#[must_use]
pub fn weights(from: usize, to: usize) -> Vec<f32> {
    let mut matrix = vec![0.0; to * from];
    for (Window { first, weights }, row) in windows(from, to).into_iter().zip(matrix.chunks_mut(from.max(1))) {
        for (weight, slot) in weights.into_iter().zip(row.iter_mut().skip(first)) {
            *slot = weight as f32 / (1u32 << PRECISION) as f32;
        }
    }
    matrix
}

/// Bytes `[height, width, channels]` of one size to another.
///
/// # Panics
/// As many bytes as the size says are not there.
#[must_use]
pub fn resized(bytes: &[u8], channels: usize, [width, height]: Size, [to_width, to_height]: Size) -> Vec<u8> {
    assert_eq!(bytes.len(), width * height * channels, "resized: bytes of a picture");
    let along = |bytes: &[u8], windows: &[Window], base: &dyn Fn(usize) -> usize, step: usize, out: &mut Vec<u8>| {
        for Window { first, weights } in windows {
            for channel in 0..channels {
                let start = base(channel) + first * step;
                let sum = weights.iter().enumerate().fold(1i32 << (PRECISION - 1), |sum, (at, weight)| {
                    sum.wrapping_add(weight.wrapping_mul(i32::from(bytes[start + at * step])))
                });
                out.push((sum >> PRECISION).clamp(0, 255) as u8);
            }
        }
    };
    let mut wide = Vec::with_capacity(height * to_width * channels);
    if to_width == width {
        wide.extend_from_slice(bytes);
    } else {
        let windows = windows(width, to_width);
        for row in 0..height {
            along(bytes, &windows, &|channel| row * width * channels + channel, channels, &mut wide);
        }
    }
    if to_height == height {
        return wide;
    }
    let mut out = Vec::with_capacity(to_height * to_width * channels);
    for window in windows(height, to_height) {
        let window = [window];
        for column in 0..to_width {
            along(&wide, &window, &|channel| column * channels + channel, to_width * channels, &mut out);
        }
    }
    out
}

/// The size at which the shorter side is `side`, the longer rounded down.
#[must_use]
pub fn shorter_side([width, height]: Size, side: usize) -> Size {
    if width <= height { [side, side * height / width.max(1)] } else { [side * width / height.max(1), side] }
}

/// The first pixel of the middle `side` of `length` pixels, half of an odd rest rounded to the even number as Python does.
#[must_use]
pub fn middle(length: usize, side: usize) -> usize {
    let rest = length.saturating_sub(side);
    let half = rest / 2;
    if rest % 2 == 1 && half % 2 == 1 { half + 1 } else { half }
}

/// A square of bytes `[side, side, channels]` out of a picture, its first pixel at `[left, top]`.
#[must_use]
pub fn cropped(bytes: &[u8], channels: usize, width: usize, [left, top]: [usize; 2], side: usize) -> Vec<u8> {
    let row = |row: usize| &bytes[((top + row) * width + left) * channels..][..side * channels];
    (0..side).flat_map(row).copied().collect()
}

/// The middle of a picture whose shorter side becomes `side`: bytes `[side, side, channels]`.
#[must_use]
pub fn fitted(bytes: &[u8], channels: usize, size: Size, side: usize) -> Vec<u8> {
    let to @ [width, height] = shorter_side(size, side);
    let bytes = resized(bytes, channels, size, to);
    cropped(&bytes, channels, width, [middle(width, side), middle(height, side)], side)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_to_the_even_number() {
        // Python: round(0.5), round(1.5), round(2.5), round(3.5) are 0, 2, 2, 4.
        assert_eq!([1, 3, 5, 7].map(|rest| middle(10 + rest, 10)), [0, 2, 2, 4]);
        assert_eq!([0, 2, 4].map(|rest| middle(10 + rest, 10)), [0, 1, 2]);
    }

    #[test]
    fn one_colour_stays_that_colour_at_any_size() {
        for to in [[3, 5], [16, 16], [40, 7]] {
            assert!(resized(&[200; 9 * 11 * 3], 3, [9, 11], to).iter().all(|&byte| byte == 200), "{to:?}");
        }
    }

    #[test]
    fn the_shorter_side_is_met_and_the_longer_rounded_down() {
        assert_eq!(shorter_side([150, 100], 96), [144, 96]);
        assert_eq!(shorter_side([60, 100], 32), [32, 53]);
        assert_eq!(shorter_side([7, 7], 32), [32, 32]);
    }

    /// Twice as wide by hand: the kernel at ±1/4, ±3/4, ±5/4 and ±7/4 of a pixel.
    #[test]
    fn enlarging_weighs_four_pixels() {
        let row = [0, 0, 0, 255, 0, 0, 0, 0];
        let out = resized(&row, 1, [8, 1], [16, 1]);
        let near = |at: usize, weight: f64| (f64::from(out[at]) - 255.0 * weight.max(0.0)).abs() <= 0.5;
        assert!(near(6, 0.867_187_5) && near(7, 0.867_187_5), "{out:?}");
        assert!(near(5, 0.226_562_5) && near(8, 0.226_562_5) && near(4, -0.070_312_5), "{out:?}");
    }
}

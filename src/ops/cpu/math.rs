//! Exponentials and sums that the compiler turns into vector instructions.
//!
//! `f32::exp` is a call for each number, and a plain sum has one fixed order: both keep a loop scalar.

/// Sums kept side by side: two AVX registers, or four of wasm's.
const LANES: usize = 16;

/// eˣ within 2 units in the last place from −87 to 88; smaller `x` give the value at −87, which is 1.6e-38.
///
/// eˣ = 2ⁿ·eʳ with n the nearest integer to x/ln 2; eʳ by the polynomial of Cephes' `expf`.
#[inline(always)]
#[must_use]
pub fn exp(x: f32) -> f32 {
    /// Added, it rounds to an integer, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let shifted = multiply_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = multiply_add(n, -LN_2_LOW, multiply_add(n, -LN_2_HIGH, x));
    let mut p = 1.987_569_1e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = multiply_add(p, r, coefficient);
    }
    let e = multiply_add(p, r * r, r) + 1.0;
    e * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// 1 / (1 + e⁻ˣ).
#[inline(always)]
#[must_use]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// One instruction where there is one. Where there is none, `mul_add` would be a call into a software routine.
#[inline(always)]
pub fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) { a.mul_add(b, c) } else { a * b + c }
}

/// The sum of `of(a, b)` over two rows of one length.
#[inline(always)]
pub fn sum_of(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> f32) -> f32 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += of(a[lane], b[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(&a, &b)| of(a, b)).sum();
    sums.iter().sum::<f32>() + rest
}

/// The sum of a row.
#[inline(always)]
#[must_use]
pub fn sum(x: &[f32]) -> f32 {
    sum_of(x, x, |x, _| x)
}

/// The largest of a row, −∞ of an empty one; NaN is passed over.
#[inline(always)]
#[must_use]
pub fn largest(x: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (lanes, rest) = x.as_chunks::<LANES>();
    let mut most = [f32::NEG_INFINITY; LANES];
    for x in lanes {
        for lane in 0..LANES {
            most[lane] = larger(most[lane], x[lane]);
        }
    }
    most.iter().chain(rest).copied().fold(f32::NEG_INFINITY, larger)
}

/// Turns scores into exponentials relative to the largest; gives their sum.
#[inline(always)]
pub fn exponentials(scores: &mut [f32]) -> f32 {
    let largest = largest(scores);
    scores.iter_mut().for_each(|s| *s = exp(*s - largest));
    sum(scores)
}

/// `ln Σ exp(x)`.
#[inline(always)]
#[must_use]
pub fn log_sum_exp(x: &[f32]) -> f32 {
    let largest = largest(x);
    largest + sum_of(x, x, |x, _| exp(x - largest)).ln()
}

/// Mean and 1 / √(variance + ε) of a row.
#[inline(always)]
#[must_use]
pub fn moments(x: &[f32], epsilon: f32) -> (f32, f32) {
    let count = x.len() as f32;
    let mean = sum(x) / count;
    let variance = sum_of(x, x, |x, _| (x - mean) * (x - mean)) / count;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right_to_the_last_places() {
        let mut worst = 0f64;
        for step in 0..2_000_000 {
            let x = -87.0 + 175.0 * step as f32 / 2_000_000.0;
            let wanted = f64::from(x).exp();
            worst = worst.max(((f64::from(exp(x)) - wanted) / wanted).abs());
        }
        assert!(worst < 2.4e-7, "{worst}");
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 1e-37 && exp(-1e9) < 1e-37 && exp(1e9).is_finite());
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn rows_of_any_length_are_summed_whole() {
        for count in [0, 1, 15, 16, 17, 40, 81] {
            let x: Vec<f32> = (0..count).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
            assert_eq!(sum(&x), x.iter().sum::<f32>());
            assert_eq!(largest(&x), x.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        }
        assert_eq!(largest(&[f32::NAN, 1.0, -2.0]), 1.0);
    }

    #[test]
    fn moments_are_those_of_the_row() {
        let x = [1.0, 2.0, 4.0, 5.0];
        let (mean, scale) = moments(&x, 0.5);
        assert_eq!((mean, scale), (3.0, 1.0 / 3f32.sqrt()));
    }
}

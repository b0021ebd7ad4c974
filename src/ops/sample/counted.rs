//! Gumbel noise as a function of (key, code), in 32-bit integers and a few products, so that every device makes the same.
//!
//! A key is that of one position of one candidate. Whoever draws one code of thousands needs the noise of hardly any of them
//! exactly: [`at_most`] is quick, and the largest sum is far above most codes' bounds.

/// The noise of `code` under `key`: −ln(−ln u), with u uniform in (0, 1) from [`bits`].
///
/// t = 1 − u is what is counted, in steps of 2⁻³²: the largest noise comes from the smallest t, and 1 − t would round it away.
#[must_use]
pub fn gumbel(key: [u32; 2], code: u32) -> f32 {
    let bits = bits(key, code);
    let waiting = if bits < 1 << 31 {
        // −ln(1 − t) = 2 artanh(t / (2 − t)).
        let t = (bits as f32 + 0.5) * STEP;
        let s = t / (2.0 - t);
        let z = s * s;
        let tail = 0.142_857_14 + z * (0.111_111_11 + z * (0.090_909_09 + z * 0.076_923_08));
        2.0 * s * (1.0 + z * (0.333_333_33 + z * (0.2 + z * tail)))
    } else {
        -logarithm((!bits as f32 + 0.5) * STEP)
    };
    -logarithm(waiting)
}

/// 2⁻³².
const STEP: f32 = 2.328_306_4e-10;

/// 32 uniform bits: a finalizer by Wellons (lowbias32), once for either half of the key.
#[inline(always)]
#[must_use]
pub const fn bits(key: [u32; 2], code: u32) -> u32 {
    scramble(scramble(code ^ key[0]) ^ key[1])
}

#[inline(always)]
const fn scramble(x: u32) -> u32 {
    let x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    let x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// A number that the noise of these bits does not exceed, at most 0.1 above −ln t.
///
/// −ln(−ln(1 − t)) ≤ −ln t, and a float's bits are a line under its logarithm.
#[inline(always)]
#[must_use]
pub fn at_most(bits: u32) -> f32 {
    const LN_2: f32 = std::f32::consts::LN_2;
    // Cut off, not rounded, and signed, which every processor converts at once: t from below.
    let t = (bits >> 8) as i32 as f32 * (1.0 / (1 << 24) as f32);
    let line = t.to_bits() as i32 as f32 * (1.0 / (1 << 23) as f32) - 127.0;
    1e-4 - line * LN_2
}

/// ln x of a positive normal number, within 2 units in the last place or 1e-7.
#[inline(always)]
fn logarithm(x: f32) -> f32 {
    // As in fdlibm: x = m · 2ᵉ with m from √½ to √2.
    let bits = x.to_bits().wrapping_add(0x004a_fb0d);
    let exponent = ((bits >> 23) as i32 - 127) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff) + 0x3f35_04f3);
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let tail = 0.142_857_14 + z * 0.111_111_11;
    exponent * std::f32::consts::LN_2 + 2.0 * s * (1.0 + z * (0.333_333_33 + z * (0.2 + z * tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `gumbel`, in f64.
    fn exactly(bits: u32) -> f64 {
        let t = (f64::from(bits) + 0.5) / 2f64.powi(32);
        -(-(-t).ln_1p()).ln()
    }

    /// A key under which code 0 has these bits: the finalizer run backwards.
    fn key_of(bits: u32) -> [u32; 2] {
        let back = |x: u32| {
            let x = (x ^ (x >> 16)).wrapping_mul(0x4302_1123);
            let x = (x ^ (x >> 15) ^ (x >> 30)).wrapping_mul(0x1d69_e2a5);
            x ^ (x >> 16)
        };
        [0, back(bits) ^ scramble(0)]
    }

    #[test]
    fn noise_is_what_its_bits_say_and_under_its_bound() {
        let middle = [1, 7, 255, 256, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 31) + 1];
        let ends = [0, u32::MAX, u32::MAX - 1];
        let many = (0..200_000u32).map(|count| count.wrapping_mul(0x9e37_79b9));
        for wanted in ends.into_iter().chain(middle).chain(many) {
            let key = key_of(wanted);
            assert_eq!(bits(key, 0), wanted);
            let (found, exact) = (gumbel(key, 0), exactly(wanted));
            assert!((f64::from(found) - exact).abs() <= 2e-6 * exact.abs().max(1.0), "{wanted}: {found}, not {exact}");
            assert!(f64::from(at_most(wanted)) >= f64::from(found), "{wanted}: {} under {found}", at_most(wanted));
        }
    }

    /// Kolmogorov and Smirnov's distance of many draws from the distribution, over codes and over keys: both axes are random.
    #[test]
    fn noise_is_distributed_as_gumbel_along_codes_and_along_keys() {
        const COUNT: u32 = 100_000;
        let of_codes: Vec<f32> = (0..COUNT).map(|code| gumbel([3, 5], code)).collect();
        let of_first: Vec<f32> = (0..COUNT).map(|count| gumbel([count, 5], 17)).collect();
        let of_second: Vec<f32> = (0..COUNT).map(|count| gumbel([3, count], 17)).collect();
        for mut noise in [of_codes.clone(), of_first, of_second.clone()] {
            noise.sort_by(f32::total_cmp);
            let distance = noise.iter().zip(0..COUNT).map(|(&x, rank)| {
                let below = (-(-f64::from(x)).exp()).exp();
                (below - (f64::from(rank) + 0.5) / f64::from(COUNT)).abs()
            });
            // Exceeded by chance in one case of 5 million: √(ln(2 / 2e-7) / 2n).
            assert!(distance.fold(0.0, f64::max) < 0.009);
        }
        let mean = |noise: &[f32]| noise.iter().map(|&x| f64::from(x)).sum::<f64>() / noise.len() as f64;
        let (a, b) = (mean(&of_codes), mean(&of_second));
        let product = of_codes.iter().zip(&of_second).map(|(&x, &y)| (f64::from(x) - a) * (f64::from(y) - b));
        // Uncorrelated: the deviation of this mean is π²/6 / √n = 0.0052.
        assert!((product.sum::<f64>() / f64::from(COUNT)).abs() < 0.026);
    }
}

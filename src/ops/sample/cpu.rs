//! Gumbel-argmax.

use super::counted;
use crate::ops::cpu::math::log_sum_exp;

/// As [`crate::ops::sample()`] with noise that lies there: codes of all candidates, then log-probabilities.
pub fn sample_given(logits: &[f32], noise: &[f32], tokens: &[i32]) -> Vec<f32> {
    let codes = logits.len() / tokens.len();
    let candidates = noise.len() / logits.len();
    sample(logits, tokens, candidates, |at, logits, normalizer| {
        argmax(logits, &noise[at * codes..][..codes], normalizer)
    })
}

/// As [`crate::ops::sample()`] with counted noise; `keys` holds two numbers for each position of each candidate.
pub fn sample_counted(logits: &[f32], keys: &[i32], tokens: &[i32]) -> Vec<f32> {
    let (keys, _) = keys.as_chunks::<2>();
    sample(logits, tokens, keys.len() / tokens.len(), |at, logits, normalizer| {
        argmax_counted(logits, keys[at].map(i32::cast_unsigned), normalizer)
    })
}

fn sample(logits: &[f32], tokens: &[i32], candidates: usize, argmax: impl Fn(usize, &[f32], f32) -> usize) -> Vec<f32> {
    let positions = tokens.len();
    let codes = logits.len() / positions;
    let normalizers: Vec<f32> = logits.chunks_exact(codes).map(log_sum_exp).collect();
    let mut y = vec![0f32; 2 * candidates * positions];
    let (drawn, log_p) = y.split_at_mut(candidates * positions);
    for (at, (drawn, log_p)) in drawn.iter_mut().zip(log_p).enumerate() {
        let position = at % positions;
        let logits = &logits[position * codes..][..codes];
        let code = match usize::try_from(tokens[position]) {
            Ok(known) => known,
            Err(_) => argmax(at, logits, normalizers[position]),
        };
        *drawn = code as f32;
        *log_p = logits.get(code).map_or(f32::NAN, |logit| logit - normalizers[position]);
    }
    y
}

/// The best code so far, and its sum.
#[derive(Clone, Copy)]
struct Best {
    sum: f32,
    code: usize,
}

impl Best {
    const NONE: Self = Self { sum: f32::NEG_INFINITY, code: 0 };

    /// The first of equal sums stays.
    #[inline(always)]
    fn or(self, code: usize, sum: f32) -> Self {
        if sum > self.sum { Self { sum, code } } else { self }
    }
}

/// The first code whose log-probability and noise have the largest sum.
fn argmax(logits: &[f32], noise: &[f32], normalizer: f32) -> usize {
    // As log-probability plus noise, in this order of rounding, which is the reference's.
    let sums = logits.iter().zip(noise).map(|(logit, noise)| (logit - normalizer) + noise);
    sums.enumerate().fold(Best::NONE, |best, (code, sum)| best.or(code, sum)).code
}

/// Codes whose bounds are taken side by side.
const LANES: usize = 16;

/// As [`argmax`], the noise made only of codes whose bound exceeds what is found already.
fn argmax_counted(logits: &[f32], key: [u32; 2], normalizer: f32) -> usize {
    let exactly =
        |best: Best, code: usize| best.or(code, (logits[code] - normalizer) + counted::gumbel(key, code as u32));
    let (parts, rest) = logits.as_chunks::<LANES>();
    let mut best = Best::NONE;
    for (part, logits) in parts.iter().enumerate() {
        let first = part * LANES;
        let mut bounds = [0f32; LANES];
        for lane in 0..LANES {
            bounds[lane] = (logits[lane] - normalizer) + counted::at_most(counted::bits(key, (first + lane) as u32));
        }
        if bounds.iter().fold(f32::NEG_INFINITY, |most, &bound| most.max(bound)) > best.sum {
            for (lane, &bound) in bounds.iter().enumerate() {
                if bound > best.sum {
                    best = exactly(best, first + lane);
                }
            }
        }
    }
    (parts.len() * LANES..).take(rest.len()).fold(best, exactly).code
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is passed over for its bound would not have won.
    #[test]
    fn counted_noise_draws_what_the_same_noise_in_full_draws() {
        let (positions, codes, candidates) = (7, 1_003, 3);
        for sharpness in [0.0, 1.0, 9.0] {
            let logits: Vec<f32> =
                crate::check::noise::noise(positions * codes, 4).iter().map(|x| x * sharpness).collect();
            let keys: Vec<i32> =
                (0..2 * candidates * positions as i32).map(|count| count.wrapping_mul(0x2545_f491)).collect();
            let noise: Vec<f32> = keys
                .as_chunks::<2>()
                .0
                .iter()
                .flat_map(|key| (0..codes as u32).map(|code| counted::gumbel(key.map(i32::cast_unsigned), code)))
                .collect();
            let mut tokens = vec![-1; positions];
            tokens[2] = 5;
            assert_eq!(sample_counted(&logits, &keys, &tokens), sample_given(&logits, &noise, &tokens), "{sharpness}");
        }
    }
}

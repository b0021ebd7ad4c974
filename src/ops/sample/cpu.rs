//! Gumbel-argmax.

use crate::ops::cpu::math::log_sum_exp;

/// As [`crate::ops::sample()`]: codes of all candidates, then log-probabilities.
pub fn sample(logits: &[f32], noise: &[f32], tokens: &[i32]) -> Vec<f32> {
    let positions = tokens.len();
    let codes = logits.len() / positions;
    let candidates = noise.len() / logits.len();
    let normalizers: Vec<f32> = logits.chunks_exact(codes).map(log_sum_exp).collect();
    let mut y = vec![0f32; 2 * candidates * positions];
    let (drawn, log_p) = y.split_at_mut(candidates * positions);
    for (at, (drawn, log_p)) in drawn.iter_mut().zip(log_p).enumerate() {
        let position = at % positions;
        let logits = &logits[position * codes..][..codes];
        let code = match usize::try_from(tokens[position]) {
            Ok(known) => known,
            Err(_) => argmax(logits, &noise[at * codes..][..codes], normalizers[position]),
        };
        *drawn = code as f32;
        *log_p = logits.get(code).map_or(f32::NAN, |logit| logit - normalizers[position]);
    }
    y
}

/// The first code whose log-probability and noise have the largest sum.
fn argmax(logits: &[f32], noise: &[f32], normalizer: f32) -> usize {
    let mut best = (f32::NEG_INFINITY, 0);
    for (code, (logit, noise)) in logits.iter().zip(noise).enumerate() {
        // As log-probability plus noise, in this order of rounding, which is the reference's.
        let sum = (logit - normalizer) + noise;
        if sum > best.0 {
            best = (sum, code);
        }
    }
    best.1
}

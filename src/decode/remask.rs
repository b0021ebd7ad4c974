//! Which positions are masked again after a draw.

use super::noise::gumbel;

/// `ln(f32::MAX)`: the confidence of a position that was known before the step, as in the reference.
const CERTAIN: f32 = 88.722_84;

/// The positions to mask again: those whose [confidence](confidences()) lies below the [cut](cut()).
///
/// All slices have one entry a position.
#[must_use]
pub fn remask(log_p: &[f32], known: &[bool], u: &[f32], temperature: f32, mask_len: usize) -> Vec<bool> {
    let confidence = confidences(log_p, known, u, temperature);
    let cut = cut(&confidence, mask_len);
    confidence.iter().map(|&value| value < cut).collect()
}

/// The confidence below which positions are masked again: the sorted value at index `mask_len`.
#[must_use]
pub fn cut(confidence: &[f32], mask_len: usize) -> f32 {
    let mut sorted = confidence.to_vec();
    sorted.sort_by(f32::total_cmp);
    sorted.get(mask_len).copied().unwrap_or(f32::INFINITY)
}

/// `ln p(sampled) + temperature·gumbel(u)` of each position.
#[must_use]
pub fn confidences(log_p: &[f32], known: &[bool], u: &[f32], temperature: f32) -> Vec<f32> {
    log_p
        .iter()
        .zip(known)
        .zip(u)
        .map(|((&log_p, &known), &u)| {
            // The reference clamps probabilities at 1e-20 before the logarithm.
            let certain = if known { CERTAIN } else { log_p.max(-46.051_7) };
            certain + temperature * gumbel(u)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_confident_are_masked_again() {
        let log_p = [-0.1, -3.0, -0.2, -2.0];
        let known = [false, false, true, false];
        let u = [0.5; 4];
        assert_eq!(remask(&log_p, &known, &u, 0.0, 2), [false, true, false, true]);
        assert_eq!(remask(&log_p, &known, &u, 0.0, 1), [false, true, false, false]);
    }
}

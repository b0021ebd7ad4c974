//! The mask schedule and the temperature, step by step.

/// How many of `total` positions stay masked after step `step` (from 0) of `steps`, given `unknown` masked before it.
///
/// `max(1, min(unknown − 1, ⌊total·cos(π/2·(step+1)/steps)⌋))`, in f32 as the reference computes it: at least one
/// position is decided in every step, and at least one is left while any step is left. The last step's result is its
/// whole draw, so what is "masked" after it does not matter.
#[must_use]
pub fn mask_len(total: usize, unknown: usize, step: usize, steps: usize) -> usize {
    let ratio = (step + 1) as f32 / steps as f32;
    let kept = (total as f32 * (ratio * std::f32::consts::PI * 0.5).cos()).floor();
    let kept = if kept > 0.0 { kept as usize } else { 0 };
    kept.min(unknown.saturating_sub(1)).max(1)
}

/// The temperature of step `step`: `start` multiplied by `1 − (t+1)/T` at every step so far, cumulatively.
#[must_use]
pub fn temperature(start: f32, step: usize, steps: usize) -> f32 {
    (0..=step).fold(f64::from(start), |t, earlier| t * (1.0 - (earlier + 1) as f64 / steps as f64)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_decides_at_least_one() {
        for (total, steps) in [(64, 18), (16, 6), (256, 18), (5, 18)] {
            let mut unknown = total;
            for step in 0..steps - 1 {
                let left = mask_len(total, unknown, step, steps);
                assert!(left >= 1 && (left < unknown || unknown == 1), "{total} {steps} {step}");
                unknown = left;
            }
        }
    }

    #[test]
    fn half_way_follows_the_cosine() {
        // cos(π/4) = 0.7071
        assert_eq!(mask_len(64, 64, 8, 18), 45);
        assert_eq!(temperature(1.0, 0, 4), 0.75);
        assert_eq!(temperature(1.0, 1, 4), 0.375);
        assert_eq!(temperature(1.0, 3, 4), 0.0);
    }
}

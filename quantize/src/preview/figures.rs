//! How near previews come to what they stand for, and what they cost.

use showo::config::ShowoConfig;

/// Squared differences of pixels, added up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Near {
    squares: f64,
    count: u64,
}

impl Near {
    /// Adds pixels, values about −1…1, and what they stand for; what is beyond black and white is cut off, as on a screen.
    pub fn add(&mut self, shown: impl Iterator<Item = f32>, wanted: &[f32]) {
        for (shown, wanted) in shown.zip(wanted) {
            self.squares += f64::from(shown.clamp(-1.0, 1.0) - wanted).powi(2);
            self.count += 1;
        }
    }

    /// The peak signal-to-noise ratio in dB: `10 · log₁₀(2² / mean squared difference)`, as values span 2.
    pub fn db(self) -> f64 {
        10.0 * (4.0 * self.count as f64 / self.squares.max(1e-12)).log10()
    }
}

/// Floating-point operations of one guided step, at least: the products of the layers and of the head's codes over the picture's
/// tokens, with the prompt and without. The prompt's own and attention are left out.
pub fn guided_step(showo: &ShowoConfig) -> u64 {
    let ShowoConfig { hidden_size: d, intermediate_size: inner, num_hidden_layers: layers, .. } = *showo;
    let weights = layers * (4 * d * d + 2 * d * inner) + d * showo.codebook_size;
    2 * 2 * (showo.num_vq_tokens * weights) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::public;

    #[test]
    fn decibels() {
        let mut near = Near::default();
        near.add([0.5, -3.0, 0.0].into_iter(), &[0.3, -1.0, 0.0]);
        near.add([0.0].into_iter(), &[0.0]);
        // 0.2² over four values; −3 is shown as −1.
        assert!((near.db() - 10.0 * (4.0f64 / 0.01).log10()).abs() < 1e-5, "{}", near.db());
    }

    /// 1.2 billion weights of layers, 256 tokens, two rows, two operations.
    #[test]
    fn a_guided_step_of_the_public_model() {
        let flops = guided_step(&public::phi_1_5(50_295, 8_192, 256)) as f64;
        assert!((1.2e12..1.3e12).contains(&flops), "{flops}");
    }
}

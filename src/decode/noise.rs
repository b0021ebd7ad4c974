//! Counted random numbers: every value is a function of (seed, step, candidate, position, code).
//!
//! Any step can so be drawn again alone, and a trace resumes anywhere, on any device.

use rng::Rng;

/// Which stream a number comes from; each is independent of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Which code is drawn.
    Sample,
    /// Which positions are masked again.
    Mask,
}

/// Where in a drawing a draw happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The drawing's seed.
    pub seed: u64,
    /// 0 for the drawing, r for round r of reflection.
    pub pass: u64,
    /// The step, from 0.
    pub step: u64,
    /// The candidate of the step, or the whole path, from 0: path 0 is what a drawing without a verifier would be.
    pub candidate: u64,
}

/// `−ln(−ln u)`, with `u` kept inside (0, 1).
#[must_use]
pub fn gumbel(u: f32) -> f32 {
    let u = u.clamp(1e-20, 1.0 - f32::EPSILON / 2.0);
    -(-u.ln()).ln()
}

/// `count` uniform numbers in [0, 1) for `position`.
pub fn uniforms(place: Place, stream: Stream, position: usize, count: usize) -> impl Iterator<Item = f32> {
    let stream = match stream {
        Stream::Sample => 1,
        Stream::Mask => 2,
    };
    let mut rng = Rng::keyed(&[place.seed, place.pass, place.step, place.candidate, stream, position as u64]);
    (0..count).map(move |_| rng.unit())
}

/// Gumbel noise for all codes at all positions of one candidate, `[positions, codes]` row by row.
#[must_use]
pub fn sample_noise(place: Place, positions: usize, codes: usize) -> Vec<f32> {
    let mut noise = Vec::with_capacity(positions * codes);
    for position in 0..positions {
        noise.extend(uniforms(place, Stream::Sample, position, codes).map(gumbel));
    }
    noise
}

/// One uniform number a position, for re-masking.
#[must_use]
pub fn mask_uniforms(place: Place, positions: usize) -> Vec<f32> {
    (0..positions).flat_map(|position| uniforms(place, Stream::Mask, position, 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gumbel_is_finite_at_the_ends() {
        for u in [0.0, 1.0, 0.5, f32::MIN_POSITIVE] {
            assert!(gumbel(u).is_finite(), "{u}");
        }
    }

    #[test]
    fn numbers_depend_on_place_only() {
        let place = Place { seed: 7, pass: 0, step: 3, candidate: 1 };
        assert_eq!(sample_noise(place, 4, 5), sample_noise(place, 4, 5));
        let other = Place { candidate: 2, ..place };
        assert_ne!(sample_noise(place, 4, 5), sample_noise(other, 4, 5));
        // A longer row begins with the shorter one: positions do not shift each other.
        assert_eq!(sample_noise(place, 1, 5), sample_noise(place, 4, 5)[..5]);
    }
}

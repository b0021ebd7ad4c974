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

/// `−ln(−ln u)`, with `u` kept inside (0, 1), as the reference makes it.
#[must_use]
pub fn gumbel(u: f32) -> f32 {
    let u = u.clamp(1e-20, 1.0 - f32::EPSILON / 2.0);
    -(-u.ln()).ln()
}

impl Place {
    /// The random numbers of a position.
    fn stream(self, stream: Stream, position: usize) -> Rng {
        let stream = match stream {
            Stream::Sample => 1,
            Stream::Mask => 2,
        };
        Rng::keyed(&[self.seed, self.pass, self.step, self.candidate, stream, position as u64])
    }
}

/// For every position of one candidate the key of its codes' noise, which the device makes ([`crate::ops::sample::counted`]).
pub fn sample_keys(place: Place, positions: usize) -> impl Iterator<Item = [u32; 2]> {
    (0..positions).map(move |position| {
        let key = place.stream(Stream::Sample, position).next_u64();
        [(key >> 32) as u32, key as u32]
    })
}

/// One uniform number in [0, 1) a position, for re-masking.
#[must_use]
pub fn mask_uniforms(place: Place, positions: usize) -> Vec<f32> {
    (0..positions).map(|position| place.stream(Stream::Mask, position).unit()).collect()
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
        let keys = |place, positions| sample_keys(place, positions).collect::<Vec<_>>();
        assert_eq!(keys(place, 4), keys(place, 4));
        let other = Place { candidate: 2, ..place };
        assert!(keys(place, 4).iter().zip(keys(other, 4)).all(|(one, other)| *one != other));
        // More positions begin with fewer: they do not shift each other.
        assert_eq!(keys(place, 1), keys(place, 4)[..1]);
        assert_eq!(mask_uniforms(place, 1), mask_uniforms(place, 4)[..1]);
    }
}

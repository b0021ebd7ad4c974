//! A picture of the world.

use serde::{Deserialize, Serialize};

use super::scene::SIDE;

/// A 128×128 picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// `[SIDE, SIDE, 3]`, row by row from the top, 8-bit sRGB.
    pub rgb: Vec<u8>,
}

/// What is taken for pixels that are missing.
const GREY: u8 = 128;

impl Picture {
    /// All grey.
    #[must_use]
    pub fn empty() -> Self {
        Self { rgb: vec![GREY; SIDE * SIDE * 3] }
    }

    /// The pixel at a column and row; grey where the picture does not reach.
    #[must_use]
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y * SIDE + x) * 3;
        match self.rgb.get(at..at + 3) {
            Some(&[r, g, b]) if x < SIDE => [r, g, b],
            _ => [GREY; 3],
        }
    }

    /// As a network sees it: `[3, SIDE, SIDE]`, values in −1…1.
    #[must_use]
    pub fn to_signed(&self) -> Vec<f32> {
        let mut planes = vec![f32::from(GREY) / 127.5 - 1.0; 3 * SIDE * SIDE];
        for (i, pixel) in self.rgb.chunks_exact(3).take(SIDE * SIDE).enumerate() {
            for (channel, &value) in pixel.iter().enumerate() {
                planes[channel * SIDE * SIDE + i] = f32::from(value) / 127.5 - 1.0;
            }
        }
        planes
    }

    /// From what a network draws: `[3, SIDE, SIDE]`, values in −1…1, clamped. Values that are missing or not numbers
    /// become grey.
    #[must_use]
    pub fn from_signed(planes: &[f32]) -> Self {
        let mut picture = Self::empty();
        for (i, pixel) in picture.rgb.chunks_exact_mut(3).enumerate() {
            for (channel, value) in pixel.iter_mut().enumerate() {
                if let Some(&signed) = planes.get(channel * SIDE * SIDE + i)
                    && !signed.is_nan()
                {
                    *value = ((signed + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8;
                }
            }
        }
        picture
    }
}

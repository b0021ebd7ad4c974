//! What the ten colours look like: from shade over the colour itself to light.

use super::class::Colour;
use super::oklab;

/// A colour with room for shade and light, in OKLCH.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ramp {
    /// Lightness of the colour itself.
    pub(crate) lightness: f32,
    /// Its chroma.
    pub(crate) chroma: f32,
    /// Its hue in degrees.
    pub(crate) hue: f32,
    /// How much darker its shade is.
    pub(crate) down: f32,
    /// How much lighter its light is.
    pub(crate) up: f32,
}

const fn ramp(lightness: f32, chroma: f32, hue: f32, down: f32, up: f32) -> Ramp {
    Ramp { lightness, chroma, hue, down, up }
}

/// No lighter than this, so that white things have some shading.
const LIGHTEST: f32 = 0.985;

impl Ramp {
    /// The ramp of a colour.
    pub(crate) const fn of(colour: Colour) -> Self {
        match colour {
            Colour::Red => ramp(0.58, 0.215, 27.0, 0.16, 0.14),
            Colour::Orange => ramp(0.73, 0.175, 56.0, 0.14, 0.11),
            Colour::Yellow => ramp(0.885, 0.175, 98.0, 0.16, 0.07),
            Colour::Green => ramp(0.64, 0.175, 145.0, 0.16, 0.16),
            Colour::Blue => ramp(0.56, 0.19, 259.0, 0.16, 0.17),
            Colour::Purple => ramp(0.50, 0.20, 304.0, 0.14, 0.16),
            Colour::Pink => ramp(0.79, 0.135, 354.0, 0.14, 0.10),
            Colour::Brown => ramp(0.44, 0.085, 52.0, 0.13, 0.13),
            Colour::Black => ramp(0.25, 0.006, 270.0, 0.13, 0.24),
            Colour::White => ramp(0.955, 0.006, 95.0, 0.14, 0.045),
        }
    }

    /// sRGB in 0…1 so much lighter (or darker) than the colour itself. Shade and light are less colourful.
    pub(crate) fn at(self, offset: f32) -> [f32; 3] {
        let lowest = self.lightness - self.down * 1.5;
        let highest = (self.lightness + self.up * 1.6).min(LIGHTEST);
        let lightness = (self.lightness + offset).clamp(lowest, highest);
        let offset = lightness - self.lightness;
        let faded =
            if offset > 0.0 { 0.55 * (offset / self.up).min(1.2) } else { 0.25 * (-offset / self.down).min(1.2) };
        oklab::shown(lightness, self.chroma * (1.0 - faded), self.hue)
    }

    /// The three tones of a drawing of ours: main, dark and light, sRGB in 0…1.
    pub(crate) fn tones(self) -> [[f32; 3]; 3] {
        [
            oklab::shown(self.lightness, self.chroma, self.hue),
            oklab::shown(self.lightness - self.down, self.chroma * 0.8, self.hue),
            oklab::shown((self.lightness + self.up).min(LIGHTEST), self.chroma * 0.6, self.hue),
        ]
    }
}

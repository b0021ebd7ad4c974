//! Scenes to pixels.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::outline::coverage;
use crate::palette::{GROUND, rgb};
use crate::world::{SLOT, Scene, Shape, Size};

/// Side of a picture in pixels.
pub const SIDE: usize = 64;

/// A 64×64 picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// `[SIDE, SIDE, 3]`, row by row from the top, 8-bit sRGB.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// An empty ground.
    #[must_use]
    pub fn empty() -> Self {
        Self { rgb: GROUND.repeat(SIDE * SIDE) }
    }

    /// The pixel at a column and row; ground where the picture does not reach.
    #[must_use]
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y * SIDE + x) * 3;
        match self.rgb.get(at..at + 3) {
            Some(&[r, g, b]) if x < SIDE => [r, g, b],
            _ => GROUND,
        }
    }

    /// As a network sees it: `[3, SIDE, SIDE]`, values in −1…1.
    #[must_use]
    pub fn to_signed(&self) -> Vec<f32> {
        let mut planes = Vec::with_capacity(3 * SIDE * SIDE);
        for (channel, ground) in GROUND.into_iter().enumerate() {
            let values = (0..SIDE * SIDE).map(|i| self.rgb.get(i * 3 + channel).copied().unwrap_or(ground));
            planes.extend(values.map(|value| f32::from(value) / 127.5 - 1.0));
        }
        planes
    }

    /// From what a network draws: `[3, SIDE, SIDE]`, values in −1…1, clamped. Values that are missing or not numbers
    /// become ground.
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

/// Coverage of one slot by a shape in a size, `[SLOT, SLOT]`; made once.
fn mask(shape: Shape, size: Size) -> &'static [f32] {
    static MASKS: OnceLock<Vec<Vec<f32>>> = OnceLock::new();
    let masks = MASKS.get_or_init(|| {
        let centre = SLOT as f32 / 2.0;
        Shape::ALL
            .into_iter()
            .flat_map(|shape| Size::ALL.map(|size| coverage(shape, size.radius_px(), SLOT, (centre, centre), 8)))
            .collect()
    });
    &masks[shape as usize * Size::ALL.len() + size as usize]
}

/// Draws a scene. Objects outside the lattice are not drawn.
#[must_use]
pub fn render(scene: &Scene) -> Picture {
    let mut picture = Picture::empty();
    for object in &scene.objects {
        let (left, top) = (usize::from(object.col) * SLOT, usize::from(object.row) * SLOT);
        if left >= SIDE || top >= SIDE {
            continue;
        }
        let fill = rgb(object.colour);
        for (i, &covered) in mask(object.shape, object.size).iter().enumerate() {
            let at = ((top + i / SLOT) * SIDE + left + i % SLOT) * 3;
            for (value, &full) in picture.rgb[at..at + 3].iter_mut().zip(&fill) {
                let under = f32::from(*value);
                *value = (under + covered * (f32::from(full) - under)).round() as u8;
            }
        }
    }
    picture
}

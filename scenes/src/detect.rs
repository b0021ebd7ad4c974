//! What a picture shows, from its pixels alone.

use serde::{Deserialize, Serialize};

use crate::fit::best_fit;
use crate::render::Picture;
use crate::segment::blobs;
use crate::world::{Colour, Shape, Size};

/// The least overlap at which a blob counts as a shape.
const RECOGNISED: f32 = 0.85;

/// Something seen in a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Its shape; none where it is not enough like any.
    pub shape: Option<Shape>,
    /// Its colour; none where it is not enough like any.
    pub colour: Option<Colour>,
    /// The nearer of the two sizes; none where the shape is.
    pub size: Option<Size>,
    /// Centre from the left, in pixels.
    pub centre_x_px: f32,
    /// Centre from the top, in pixels.
    pub centre_y_px: f32,
    /// Overlap with the nearest template, 0…1, also where it is too low to count.
    pub confidence: f32,
}

impl Detection {
    /// In words, for example `red circle` or `unknown green shape`.
    #[must_use]
    pub fn describe(&self) -> String {
        match (self.colour, self.shape) {
            (Some(colour), Some(shape)) => format!("{colour} {shape}"),
            (Some(colour), None) => format!("unknown {colour} shape"),
            (None, Some(shape)) => format!("{shape} of no known colour"),
            (None, None) => "unknown shape of no known colour".to_owned(),
        }
    }
}

/// Sees a picture: everything that stands out from the ground and is larger than a speck, anywhere, in reading order
/// of its first pixel (faint things last). Knows the ground, the palette and the outlines, and nothing of the lattice.
#[must_use]
pub fn detect(picture: &Picture) -> Vec<Detection> {
    blobs(picture)
        .iter()
        .map(|blob| {
            let fit = best_fit(blob);
            let seen = fit.filter(|fit| !blob.faint && fit.overlap >= RECOGNISED);
            let [left, top, right, bottom] = blob.bounds.map(|edge| edge as f32);
            let middle = ((left + right + 1.0) / 2.0, (top + bottom + 1.0) / 2.0);
            let (centre_x_px, centre_y_px) = seen.map_or(middle, |fit| fit.centre);
            Detection {
                shape: seen.map(|fit| fit.shape),
                colour: blob.colour,
                size: seen.map(|fit| fit.size),
                centre_x_px,
                centre_y_px,
                confidence: fit.map_or(0.0, |fit| fit.overlap),
            }
        })
        .collect()
}

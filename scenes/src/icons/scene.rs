//! A scene: a ground and the things that stand on it.

use serde::{Deserialize, Serialize};

use super::class::Colour;

/// Side of a picture in pixels.
pub const SIDE: usize = 128;

/// Things are placed on a lattice of so many pixels, the side of a token.
pub const LATTICE_PX: usize = 8;

/// A thing in a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Placed {
    /// Which of the atlas's glyphs; it knows the class.
    pub glyph: u16,
    /// The colour that it is tinted with; `None` leaves it its own.
    pub colour: Option<Colour>,
    /// The longer side of what is drawn, in pixels: the side of its square box.
    pub size_px: u8,
    /// Left edge of the box, in pixels.
    pub x: i16,
    /// Top edge of the box, in pixels.
    pub y: i16,
    /// Whether left and right change places.
    pub mirrored: bool,
}

/// A picture's plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scene {
    /// Which of the fixed grounds.
    pub ground: u8,
    /// Whether things cast a soft contact shadow.
    pub shadow: bool,
    /// In the order of the spec that it was made for.
    pub things: Vec<Placed>,
}

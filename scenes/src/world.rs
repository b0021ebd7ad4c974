//! What a picture can hold: shapes, colours, sizes and slots.

use serde::{Deserialize, Serialize};

use crate::words::worded;

/// Slots along each side of the lattice.
pub const LATTICE: u8 = 4;
/// Side of a slot in pixels: 2×2 of the model's 8×8-pixel tokens.
pub const SLOT: usize = 16;

/// An outline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Shape {
    Circle,
    Square,
    Triangle,
    Star,
    Heart,
    Moon,
    Ring,
    Cross,
}
worded!(Shape, "shape", {
    Circle => "circle", Square => "square", Triangle => "triangle", Star => "star",
    Heart => "heart", Moon => "moon", Ring => "ring", Cross => "cross",
});

impl Shape {
    /// The word for several of it.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Shape::Circle => "circles",
            Shape::Square => "squares",
            Shape::Triangle => "triangles",
            Shape::Star => "stars",
            Shape::Heart => "hearts",
            Shape::Moon => "moons",
            Shape::Ring => "rings",
            Shape::Cross => "crosses",
        }
    }
}

/// A fill. [`crate::rgb`] says what it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Colour {
    Red,
    Orange,
    Yellow,
    Green,
    Cyan,
    Blue,
    Purple,
    Pink,
}
worded!(Colour, "colour", {
    Red => "red", Orange => "orange", Yellow => "yellow", Green => "green",
    Cyan => "cyan", Blue => "blue", Purple => "purple", Pink => "pink",
});

/// How large an object is drawn. Prompts never name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// A box of 12 pixels.
    Small,
    /// A box of 15 pixels.
    Large,
}
worded!(Size, "size", { Small => "small", Large => "large" });

impl Size {
    /// Half the side of the box it is drawn in, in pixels.
    #[must_use]
    pub const fn radius_px(self) -> f32 {
        match self {
            Size::Small => 6.0,
            Size::Large => 7.5,
        }
    }
}

/// One object, centred in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Object {
    /// Its outline.
    pub shape: Shape,
    /// Its fill.
    pub colour: Colour,
    /// How large it is drawn.
    pub size: Size,
    /// Slot from the left, `0..LATTICE`.
    pub col: u8,
    /// Slot from the top, `0..LATTICE`.
    pub row: u8,
}

impl Object {
    /// Centre in pixels, x to the right and y down from the picture's upper left corner.
    #[must_use]
    pub fn centre_px(&self) -> (f32, f32) {
        (slot_centre_px(self.col), slot_centre_px(self.row))
    }
}

/// Centre of a column from the left, or of a row from the top, in pixels.
pub(crate) fn slot_centre_px(slot: u8) -> f32 {
    (f32::from(slot) + 0.5) * SLOT as f32
}

/// What a picture holds. Objects in different slots never touch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Scene {
    /// In the order they are drawn, later ones on top.
    pub objects: Vec<Object>,
}

//! The colours as pixels.

use crate::world::Colour;

/// The ground every picture is drawn on.
pub const GROUND: [u8; 3] = [0x12, 0x14, 0x1c];

/// What a colour looks like, 8-bit sRGB. Chosen so that no two point in nearly the same direction from the ground:
/// half-covered edge pixels and faded fills then still tell which one they belong to.
#[must_use]
pub const fn rgb(colour: Colour) -> [u8; 3] {
    match colour {
        Colour::Red => [230, 48, 54],
        Colour::Orange => [255, 142, 30],
        Colour::Yellow => [255, 224, 62],
        Colour::Green => [62, 194, 84],
        Colour::Cyan => [66, 216, 232],
        Colour::Blue => [58, 104, 246],
        Colour::Purple => [158, 78, 232],
        Colour::Pink => [255, 138, 196],
    }
}

/// A colour relative to the ground, in 0…1 units.
pub(crate) fn above_ground(pixel: [u8; 3]) -> [f32; 3] {
    std::array::from_fn(|c| (f32::from(pixel[c]) - f32::from(GROUND[c])) / 255.0)
}

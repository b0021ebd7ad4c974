//! How wide the world is: a narrow one is learnt first and widened one thing at a time.

use serde::{Deserialize, Serialize};

use super::ground::{GROUNDS, SKY, dots, flat, room};
use super::scene::LATTICE_PX;

/// What scenes may be made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variety {
    /// The first so many drawings of each class; at least one is used.
    pub glyphs_per_class: usize,
    /// Numbers of the grounds, below [`GROUNDS`].
    pub grounds: Vec<u8>,
    /// Sizes in pixels of a thing alone in its picture.
    pub sizes_one: Vec<u8>,
    /// Sizes of each of two things.
    pub sizes_two: Vec<u8>,
    /// Sizes of three and four things; they share one.
    pub sizes_many: Vec<u8>,
    /// How likely a thing is mirrored, 0…1.
    pub mirrored: f32,
    /// Whether things cast a soft contact shadow.
    pub shadow: bool,
    /// Boxes begin at multiples of so many pixels.
    pub lattice_px: usize,
    /// How likely a thing whose colour is not asked for is tinted all the same, 0…1.
    #[serde(default)]
    pub tinted: f32,
}

impl Variety {
    /// The world to begin with: three drawings a class, calm grounds, one size for each number of things.
    #[must_use]
    pub fn narrow() -> Self {
        Self {
            glyphs_per_class: 3,
            grounds: vec![flat(2), flat(5), flat(3), flat(8), room(1), room(4), dots(6), SKY],
            sizes_one: vec![64],
            sizes_two: vec![48],
            sizes_many: vec![40],
            mirrored: 0.0,
            shadow: false,
            lattice_px: LATTICE_PX,
            tinted: 0.0,
        }
    }

    /// Everything that the atlas has.
    #[must_use]
    pub fn full() -> Self {
        Self {
            glyphs_per_class: usize::MAX,
            grounds: (0..GROUNDS as u8).collect(),
            sizes_one: vec![64, 72, 80],
            sizes_two: vec![48, 56],
            sizes_many: vec![40, 48],
            mirrored: 0.5,
            shadow: true,
            lattice_px: LATTICE_PX,
            tinted: 0.0,
        }
    }

    /// Every size that it uses, each once, in order.
    #[must_use]
    pub fn sizes(&self) -> Vec<u8> {
        let mut sizes = [self.sizes_one.as_slice(), &self.sizes_two, &self.sizes_many].concat();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }
}

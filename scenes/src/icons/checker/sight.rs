//! What the checker sees.

use serde::{Deserialize, Serialize};

use super::thresholds::{FAINTEST, LEAST_DOUBT, MOST_LEFT, SURE_EDGES, SURE_FIT, SURE_WORST};
use crate::icons::class::{Class, Colour};
use crate::icons::scene::{Placed, Scene};
use crate::icons::{Atlas, Extent, extent};

/// A thing that the checker sees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// What it is, or is most like.
    pub class: Class,
    /// Which of the atlas's glyphs it is most like.
    pub glyph: u16,
    /// The colour that it is seen in: the tint, or the glyph's own where it has one of the ten.
    pub colour: Option<Colour>,
    /// Whether that colour is a tint, not the glyph's own.
    pub tinted: bool,
    /// Whether left and right have changed places.
    pub mirrored: bool,
    /// Left edge of its square box, in pixels.
    pub x: i16,
    /// Top edge, in pixels.
    pub y: i16,
    /// Side of the box, in pixels.
    pub size_px: u8,
    /// The tight box around what of it can be seen, in pixels; relations go by it.
    pub extent: Extent,
    /// The share of its energy that is explained: 1 for a perfect picture, 0 and less for nothing like it.
    pub score: f32,
    /// The same in its worst part.
    pub worst: f32,
    /// The share of its edges that is explained: steps in luma between neighbours.
    pub edges: f32,
    /// How much it stands out: the energy explained (squared differences, over cells of 8 × 8 pixels) times the square
    /// of the share. A thing has 1 to 20, a faint one 0.2.
    pub gain: f32,
}

impl Seen {
    /// Whether it surely is what it is most like.
    #[must_use]
    pub fn is_sure(&self) -> bool {
        self.margin() >= 0.0 && self.gain >= FAINTEST
    }

    /// How far it is from being doubtful: above 0 it is sure.
    #[must_use]
    pub fn margin(&self) -> f32 {
        (self.score - SURE_FIT).min(self.worst - SURE_WORST).min(self.edges - SURE_EDGES)
    }

    /// Whether it is something at all, not a shadow or a stain.
    #[must_use]
    pub fn is_something(&self) -> bool {
        self.is_sure() || self.gain > LEAST_DOUBT
    }

    /// Centre of what can be seen, in pixels: column and row.
    #[must_use]
    pub fn centre(&self) -> (f32, f32) {
        let [left, top, right, bottom] = self.extent;
        ((left + right) / 2.0, (top + bottom) / 2.0)
    }
}

/// All that the checker sees in a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// Which of the fixed grounds.
    pub ground: u8,
    /// What stands on it, most striking first; unsure ones too.
    pub things: Vec<Seen>,
    /// The most energy in any 32 × 32 pixels that nothing explains.
    pub left: f32,
}

impl Sighting {
    /// The truth about a rendered scene: what a perfect look at it would see. Things whose glyph the atlas lacks are
    /// left out, as the renderer leaves them out.
    #[must_use]
    pub fn of_scene(scene: &Scene, atlas: &Atlas) -> Self {
        let seen = |thing: &Placed| {
            let glyph = atlas.glyphs().get(usize::from(thing.glyph))?;
            Some(Seen {
                class: glyph.class,
                glyph: thing.glyph,
                colour: thing.colour.or(glyph.own_colour),
                tinted: thing.colour.is_some(),
                mirrored: thing.mirrored,
                x: thing.x,
                y: thing.y,
                size_px: thing.size_px,
                extent: extent(thing, atlas),
                score: 1.0,
                worst: 1.0,
                edges: 1.0,
                gain: 1.0,
            })
        };
        Self { ground: scene.ground, things: scene.things.iter().filter_map(seen).collect(), left: 0.0 }
    }

    /// Whether a part of the picture is left that is no ground and no thing.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.left > MOST_LEFT
    }

    /// The things that are surely what they are most like.
    pub fn sure(&self) -> impl Iterator<Item = &Seen> {
        self.things.iter().filter(|thing| thing.is_sure())
    }
}

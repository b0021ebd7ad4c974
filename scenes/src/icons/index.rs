//! The atlas's index as it is written: JSON.

use serde::Deserialize;

use super::glyph::Attribution;
use super::tint::TintRule;

/// The layout that this reader knows.
pub(super) const FORMAT: u32 = 1;

/// The whole index.
#[derive(Deserialize)]
pub(super) struct Index {
    pub(super) format: u32,
    pub(super) cell_px: usize,
    pub(super) columns: usize,
    pub(super) cells: usize,
    pub(super) png_sha256: String,
    pub(super) sets: Vec<Attribution>,
    pub(super) glyphs: Vec<Line>,
}

/// One glyph.
#[derive(Deserialize)]
pub(super) struct Line {
    pub(super) class: String,
    pub(super) set: String,
    pub(super) id: String,
    pub(super) own_colour: Option<String>,
    pub(super) licence: Option<String>,
    pub(super) cell: usize,
    pub(super) tones: Option<ToneLine>,
    #[serde(default)]
    pub(super) tint: TintRule,
}

/// The tones of one of our drawings, `#RRGGBB`.
#[derive(Deserialize)]
pub(super) struct ToneLine {
    pub(super) cell: usize,
    pub(super) main: String,
    pub(super) dark: String,
    pub(super) light: String,
    pub(super) ink: Option<String>,
}

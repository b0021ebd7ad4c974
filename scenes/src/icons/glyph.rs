//! What is known of a glyph: a drawing of one kind of thing.

use serde::{Deserialize, Serialize};

use super::class::{Class, Colour};
use super::tint::TintRule;

/// How a drawing is drawn; things of one picture share a style where they can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Style {
    Noto,
    Fluent,
    Twemoji,
    NotoV1,
    EmojiTwo,
    FirefoxOs,
    /// Drawn for this project.
    Own,
    /// A glyph of one colour, drawn in two tones.
    Duotone,
}

impl Style {
    /// The styles in which most kinds of things are drawn.
    pub const COMMON: [Self; 5] = [Self::Noto, Self::Fluent, Self::Twemoji, Self::NotoV1, Self::EmojiTwo];

    pub(super) fn of_set(set: &str) -> Self {
        match set {
            "noto" => Self::Noto,
            "fluent-emoji-flat" => Self::Fluent,
            "twemoji" => Self::Twemoji,
            "noto-v1" => Self::NotoV1,
            "emojione" => Self::EmojiTwo,
            "fxemoji" => Self::FirefoxOs,
            "own" => Self::Own,
            _ => Self::Duotone,
        }
    }
}

/// A drawing of the atlas.
#[derive(Debug, Clone)]
pub struct Glyph {
    /// What it shows.
    pub class: Class,
    /// The set it is from; `own` for drawings of this project.
    pub set: String,
    /// Its name in the set.
    pub id: String,
    /// The colour that it has untinted, where that is one of the ten.
    pub own_colour: Option<Colour>,
    /// How it is drawn.
    pub style: Style,
    /// Its licence, SPDX.
    pub licence: String,
    /// Which cell of the atlas it fills.
    pub(super) cell: usize,
    /// What to replace when it is tinted; without it the body is found by its colours.
    pub(super) tones: Option<Tones>,
    /// How the body is found.
    pub(super) rule: TintRule,
}

impl Glyph {
    /// Whether it may be mirrored: what is written on it would be wrong then.
    #[must_use]
    pub fn mirrors(&self) -> bool {
        !["stop sign", "clock", "book"].contains(&self.class.name())
    }
}

/// The tones of a drawing that tinting replaces, 8-bit sRGB, and the cell that says how much of each a pixel has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tones {
    /// The cell with the shares of main, dark, light and ink.
    pub(super) cell: usize,
    /// Main, dark and light.
    pub(super) replaced: [[u8; 3]; 3],
    /// What is written on the thing.
    pub(super) ink: Option<[u8; 3]>,
}

/// Whom a set of glyphs is owed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// The set's short name, as [`Glyph::set`] has it.
    pub set: String,
    /// Its title.
    pub name: String,
    /// Who made it.
    pub author: String,
    /// Where it is from.
    pub url: String,
    /// The version of the npm package `@iconify-json/SET`.
    pub version: String,
}

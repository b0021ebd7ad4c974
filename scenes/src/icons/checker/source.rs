//! What the checker takes from the world: looks of glyphs and grounds.

use super::Options;
use super::templates::Look;
use super::view::View;
use crate::icons::class::Colour;
use crate::icons::{Atlas, GROUNDS, ground, ground_name};

/// Every glyph asked for, in its own colours and tinted with each of the ten.
pub(super) fn looks(atlas: &Atlas, options: &Options) -> Vec<Look> {
    let all: Vec<u16> = (0..atlas.glyphs().len() as u16).collect();
    let mut looks = Vec::new();
    for &number in options.glyphs.as_ref().unwrap_or(&all) {
        let Some(glyph) = atlas.glyphs().get(usize::from(number)) else { continue };
        for tint in std::iter::once(None).chain(Colour::ALL.into_iter().map(Some)) {
            let master = atlas.tinted_master(number, tint);
            let pixels = master.pixels.iter().map(|pixel| pixel.map(|value| f32::from(value) / 255.0));
            let mirrors = options.mirrored && glyph.mirrors();
            looks.push(Look::new((glyph.class, number), (tint, glyph.own_colour), mirrors, (master.side, pixels)));
        }
    }
    looks
}

/// Every ground, with its name in words.
pub(super) fn grounds() -> Vec<(String, View)> {
    (0..GROUNDS as u8)
        .map(|number| {
            let pixels = ground(number).iter().map(|pixel| pixel.map(|value| f32::from(value) / 255.0));
            (ground_name(number).to_owned(), View::of_pixels(pixels))
        })
        .collect()
}

//! Scenes to pixels.

use super::atlas::Atlas;
use super::ground::ground;
use super::picture::Picture;
use super::scene::{Placed, SIDE, Scene};
use super::shadow;

/// Draws a scene. What lies outside the picture, and glyphs that the atlas has not, are not drawn.
#[must_use]
pub fn render(scene: &Scene, atlas: &Atlas) -> Picture {
    let mut rgb = ground(scene.ground).as_flattened().to_vec();
    if scene.shadow {
        shadow::cast(&mut rgb, scene, atlas);
    }
    for thing in &scene.things {
        draw(&mut rgb, thing, atlas);
    }
    Picture { rgb }
}

/// Puts a thing over what is there, in whole numbers so that every machine rounds alike.
fn draw(rgb: &mut [u8], thing: &Placed, atlas: &Atlas) {
    // Mirrored while it is drawn, so that mirrored sprites need not be kept.
    let sprite = atlas.sprite(thing.glyph, thing.colour, thing.size_px, false);
    let side = sprite.side as i32;
    for (row, &(first, end)) in (0i32..).zip(&sprite.spans) {
        let y = i32::from(thing.y) + row;
        if !(0..SIDE as i32).contains(&y) {
            continue;
        }
        for column in i32::from(first)..i32::from(end) {
            let x = i32::from(thing.x) + if thing.mirrored { side - 1 - column } else { column };
            if !(0..SIDE as i32).contains(&x) {
                continue;
            }
            let over = sprite.pixels[(row * side + column) as usize];
            let at = (y as usize * SIDE + x as usize) * 3;
            let through = 255 - u32::from(over[3]);
            for (value, &colour) in rgb[at..at + 3].iter_mut().zip(&over) {
                let seen = u32::from(*value) * through;
                *value = (u32::from(colour) + (seen + 127) / 255).min(255) as u8;
            }
        }
    }
}

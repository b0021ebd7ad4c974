//! A soft shadow where things touch what they stand on, and a faint one around them.

use super::atlas::Atlas;
use super::layout::{extent, flies};
use super::oklab::shown;
use super::scene::{SIDE, Scene};

/// How dark the shadow under a thing is, 0…1, and how soft, in pixels.
const CONTACT: (f32, f32) = (0.22, 1.2);
/// How dark the shadow around a thing is, and how soft.
const AROUND: (f32, f32) = (0.14, 1.4);
/// Half the height of the shadow under a thing, in pixels.
const HALF_HEIGHT: f32 = 4.2;
/// How much of a thing's half width its shadow reaches.
const REACH: f32 = 0.95;

/// Darkens `rgb` (`[SIDE, SIDE, 3]`) where the things of a scene cast shadows.
pub(super) fn cast(rgb: &mut [u8], scene: &Scene, atlas: &Atlas) {
    let mut contact = vec![0.0f32; SIDE * SIDE];
    let mut around = vec![0.0f32; SIDE * SIDE];
    for thing in &scene.things {
        let sprite = atlas.sprite(thing.glyph, thing.colour, thing.size_px, false);
        for (i, pixel) in sprite.pixels.iter().enumerate().filter(|(_, pixel)| pixel[3] > 0) {
            let column = if thing.mirrored { sprite.side - 1 - i % sprite.side } else { i % sprite.side };
            let x = i32::from(thing.x) + column as i32;
            let y = i32::from(thing.y) + (i / sprite.side) as i32 + 1;
            if (0..SIDE as i32).contains(&x) && (0..SIDE as i32).contains(&y) {
                let value = &mut around[y as usize * SIDE + x as usize];
                *value = value.max(f32::from(pixel[3]) / 255.0);
            }
        }
        let in_air = atlas.glyphs().get(usize::from(thing.glyph)).is_none_or(|glyph| flies(glyph.class));
        if !in_air && sprite.content().is_some() {
            let [first, _, end, bottom] = extent(thing, atlas);
            let (middle, foot) = ((first + end - 1.0) / 2.0, bottom - 1.0);
            let half = ((end - first) / 2.0 * REACH).max(1.0);
            let rows =
                (foot - 2.0 * HALF_HEIGHT).max(0.0) as usize..((foot + 2.0 * HALF_HEIGHT).max(0.0) as usize).min(SIDE);
            for y in rows {
                let down = (y as f32 - foot) / HALF_HEIGHT;
                for (x, value) in contact[y * SIDE..(y + 1) * SIDE].iter_mut().enumerate() {
                    let across = (x as f32 - middle) / half;
                    *value = value.max((1.3 - across * across - down * down).clamp(0.0, 1.0));
                }
            }
        }
    }
    let shade = shown(0.30, 0.03, 280.0).map(|value| value * 255.0);
    for (mut dark, (strength, soft)) in [(contact, CONTACT), (around, AROUND)] {
        blur(&mut dark, soft);
        for (pixel, dark) in rgb.chunks_exact_mut(3).zip(&dark).filter(|(_, dark)| **dark > 0.0) {
            for (value, shade) in pixel.iter_mut().zip(shade) {
                let under = f32::from(*value);
                *value = (under + (shade - under) * dark * strength).round() as u8;
            }
        }
    }
}

/// Gaussian blur, `[SIDE, SIDE]`; beyond the edge there is no shadow.
fn blur(values: &mut [f32], sigma: f32) {
    let radius = (3.0 * sigma) as usize + 1;
    let raw: Vec<f32> = (0..=2 * radius)
        .map(|i| {
            let away = i as f32 - radius as f32;
            libm::expf(-away * away / (2.0 * sigma * sigma))
        })
        .collect();
    let sum: f32 = raw.iter().sum();
    let kernel: Vec<f32> = raw.iter().map(|weight| weight / sum).collect();
    let mut padded = vec![0.0; SIDE + 2 * radius];
    for row in values.chunks_exact_mut(SIDE) {
        padded[radius..radius + SIDE].copy_from_slice(row);
        row.fill(0.0);
        for (i, weight) in kernel.iter().enumerate() {
            for (value, seen) in row.iter_mut().zip(&padded[i..]) {
                *value += weight * seen;
            }
        }
    }
    let across = values.to_vec();
    for (y, row) in values.chunks_exact_mut(SIDE).enumerate() {
        row.fill(0.0);
        for (i, weight) in kernel.iter().enumerate() {
            let Some(from) = (y + i).checked_sub(radius).filter(|from| *from < SIDE) else { continue };
            for (value, seen) in row.iter_mut().zip(&across[from * SIDE..(from + 1) * SIDE]) {
                *value += weight * seen;
            }
        }
    }
}

//! Glyphs of one colour in two tones: the glyph over its own silhouette, holes filled, with a thin dark rim.

use anyhow::Result;

use crate::cell::{self, Cell, FINE, Stand};
use crate::draw;
use crate::tones::{Tones, rgb};

/// The rim's width in fine pixels.
const RIM: usize = 2;

/// What is more opaque belongs to the silhouette (0…255).
const SOLID: f32 = 100.0;

/// The tones of a main colour: its rim darker, its plate far lighter.
///
/// # Errors
/// When the colour is not `#RRGGBB`.
pub fn tones(main: &str) -> Result<Tones> {
    let channels = rgb(main)?;
    let hex = |value: &dyn Fn(f32) -> f32| {
        let [r, g, b] = channels.map(|channel| value(channel).round().clamp(0.0, 255.0) as u8);
        format!("#{r:02X}{g:02X}{b:02X}")
    };
    Ok(Tones {
        main: main.to_owned(),
        dark: hex(&|channel| channel * 0.6),
        light: hex(&|channel| channel * 0.35 + 0.62 * 255.0),
        ink: None,
    })
}

/// Draws it: the picture, straight alpha, and the shares of main, dark and light.
///
/// # Errors
/// When it cannot be drawn.
pub fn draw(svg: &str, tones: &Tones, stand: Stand) -> Result<(Cell, Cell)> {
    let tree = draw::parse(svg)?;
    let glyph = draw::fine(&tree, draw::extent(&tree)?, RIM as f32, stand)?;
    let inside = silhouette(&glyph);
    let rim = widened(&inside);
    let shares: Vec<[f32; 4]> = glyph
        .iter()
        .enumerate()
        .map(|(i, pixel)| match (inside[i], rim[i]) {
            (true, _) => [pixel[3], 0.0, 255.0 - pixel[3], 0.0],
            (false, true) => [0.0, 255.0, 0.0, 0.0],
            (false, false) => [0.0; 4],
        })
        .collect();
    let shares = cell::average(&shares);
    let [main, dark, light] = [rgb(&tones.main)?, rgb(&tones.dark)?, rgb(&tones.light)?];
    let picture: Vec<[f32; 4]> = shares
        .iter()
        .map(|&[m, d, l, _]| {
            let channel = |c: usize| (m * main[c] + d * dark[c] + l * light[c]) / 255.0;
            [channel(0), channel(1), channel(2), m + d + l]
        })
        .collect();
    Ok((cell::straight(&picture), cell::rounded(&shares)))
}

/// Everything that cannot be reached from the border without crossing the glyph.
fn silhouette(glyph: &[[f32; 4]]) -> Vec<bool> {
    let mut outside = vec![false; FINE * FINE];
    let border = (0..FINE).flat_map(|i| [i, (FINE - 1) * FINE + i, i * FINE, i * FINE + FINE - 1]);
    let mut open: Vec<usize> = border.collect();
    while let Some(at) = open.pop() {
        if outside[at] || glyph[at][3] > SOLID {
            continue;
        }
        outside[at] = true;
        let (x, y) = (at % FINE, at / FINE);
        open.extend((x > 0).then(|| at - 1));
        open.extend((x + 1 < FINE).then(|| at + 1));
        open.extend((y > 0).then(|| at - FINE));
        open.extend((y + 1 < FINE).then(|| at + FINE));
    }
    outside.iter().map(|outside| !outside).collect()
}

/// Everything at most [`RIM`] pixels away, across or along.
fn widened(mask: &[bool]) -> Vec<bool> {
    let near = |at: usize| at.saturating_sub(RIM)..=(at + RIM).min(FINE - 1);
    (0..FINE * FINE).map(|i| near(i / FINE).any(|y| near(i % FINE).any(|x| mask[y * FINE + x]))).collect()
}

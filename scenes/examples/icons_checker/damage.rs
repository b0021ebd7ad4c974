//! What may happen to a picture: a tokenizer's softness, small moves, things half erased or half another thing.

use rng::Rng;
use scenes::icons::{Picture, SIDE, Scene};

/// Side of the blocks over which chroma is averaged.
const BLOCK: usize = 8;

/// Standard deviation of the blur of luma, in pixels.
const BLUR_PX: f32 = 0.7;

/// Standard deviation of the noise on each channel, white being 1.
const NOISE: f32 = 0.03;

/// Softens a picture as a poor decoder would: chroma averaged over 8 × 8 pixels, luma blurred, 3 % noise.
#[must_use]
pub fn degrade(picture: &Picture, rng: &mut Rng) -> Picture {
    let mut planes = [const { Vec::new() }; 3].map(|_: Vec<f32>| Vec::with_capacity(SIDE * SIDE));
    for pixel in picture.rgb.chunks_exact(3) {
        let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(|value| f32::from(value) / 255.0);
        planes[0].push(0.299 * r + 0.587 * g + 0.114 * b);
        planes[1].push(-0.168_736 * r - 0.331_264 * g + 0.5 * b);
        planes[2].push(0.5 * r - 0.418_688 * g - 0.081_312 * b);
    }
    let [y, cb, cr] = planes;
    let (y, cb, cr) = (blur(&y), coarse(&cb), coarse(&cr));
    let rgb = (0..SIDE * SIDE)
        .flat_map(|at| {
            let (y, cb, cr) = (y[at], cb[at], cr[at]);
            [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb]
        })
        .map(|value| ((value + NOISE * rng.normal()).clamp(0.0, 1.0) * 255.0).round() as u8)
        .collect();
    Picture { rgb }
}

/// A blur downwards and across.
fn blur(plane: &[f32]) -> Vec<f32> {
    let weights: Vec<f32> = (-3i32..=3).map(|at| (-(at * at) as f32 / (2.0 * BLUR_PX * BLUR_PX)).exp()).collect();
    let whole: f32 = weights.iter().sum();
    let along = |plane: &[f32], step: usize, across: usize| -> Vec<f32> {
        (0..plane.len())
            .map(|at| {
                let place = (at / step % across) as isize;
                let near = |off: isize| {
                    let other = (place + off).clamp(0, across as isize - 1);
                    plane[(at as isize + (other - place) * step as isize) as usize]
                };
                weights.iter().zip(-3isize..).map(|(weight, off)| weight * near(off)).sum::<f32>() / whole
            })
            .collect()
    };
    along(&along(plane, 1, SIDE), SIDE, SIDE)
}

/// Means of blocks, drawn out again with straight lines between their centres.
fn coarse(plane: &[f32]) -> Vec<f32> {
    let blocks = SIDE / BLOCK;
    let mut means = vec![0.0; blocks * blocks];
    for (at, value) in plane.iter().enumerate() {
        means[at / SIDE / BLOCK * blocks + at % SIDE / BLOCK] += value / (BLOCK * BLOCK) as f32;
    }
    let place = |at: usize| {
        let at = ((at as f32 + 0.5) / BLOCK as f32 - 0.5).clamp(0.0, (blocks - 1) as f32);
        let first = (at as usize).min(blocks - 2);
        (first, at - first as f32)
    };
    (0..SIDE * SIDE)
        .map(|at| {
            let ((y, down), (x, right)) = (place(at / SIDE), place(at % SIDE));
            let row = |y: usize| means[y * blocks + x] * (1.0 - right) + means[y * blocks + x + 1] * right;
            row(y) * (1.0 - down) + row(y + 1) * down
        })
        .collect()
}

/// Moves every thing by up to a pixel and scales it by up to 5 %, inside the picture.
#[must_use]
pub fn moved(scene: &Scene, rng: &mut Rng) -> Scene {
    let mut scene = scene.clone();
    for thing in &mut scene.things {
        let size = (f32::from(thing.size_px) * (0.95 + 0.1 * rng.unit())).round();
        thing.size_px = size as u8;
        let most = SIDE as i16 - size as i16;
        thing.x = (thing.x + rng.below(3) as i16 - 1).clamp(0, most);
        thing.y = (thing.y + rng.below(3) as i16 - 1).clamp(0, most);
    }
    scene
}

/// A picture of which a share of a thing is another picture's: of the pixels in which `whole` and `without` the thing
/// differ, that share is taken from `other`, from one of the four sides.
#[must_use]
pub fn partly(whole: &Picture, without: &Picture, other: &Picture, share: f32, rng: &mut Rng) -> Picture {
    let side = rng.below(4);
    let along = |at: usize| match side {
        0 => at % SIDE,
        1 => SIDE - 1 - at % SIDE,
        2 => at / SIDE,
        _ => SIDE - 1 - at / SIDE,
    };
    let differs = |at: &usize| {
        let here = at * 3..at * 3 + 3;
        whole.rgb[here.clone()].iter().zip(&without.rgb[here]).any(|(a, b)| a.abs_diff(*b) > 24)
    };
    let mut places: Vec<usize> = (0..SIDE * SIDE).filter(differs).map(along).collect();
    places.sort_unstable();
    let cut = places.get((places.len() as f32 * share) as usize).copied().unwrap_or(SIDE);
    let rgb = (0..SIDE * SIDE)
        .flat_map(|at| {
            let from = if along(at) < cut { other } else { whole };
            [from.rgb[at * 3], from.rgb[at * 3 + 1], from.rgb[at * 3 + 2]]
        })
        .collect();
    Picture { rgb }
}

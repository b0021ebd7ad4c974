//! Pixels to blobs: what stands out from the ground, taken apart where it touches.
//!
//! An edge pixel is a mixture of ground and fill, so it lies on the line from the ground to the fill's colour. Along
//! that line lies how much of the pixel is covered (its *alpha*); the line itself tells the colour.

use crate::palette::{above_ground, rgb};
use crate::render::{Picture, SIDE};
use crate::world::Colour;

/// Alpha from which a pixel belongs to an object. Two dark pixels between neighbours stay below it after a 3×3 blur.
const SOLID: f32 = 0.45;
/// Alpha from which a pixel is seen at all. The noise of a decoder stays below.
const VISIBLE: f32 = 0.25;
/// Distance from the ground, in 0…1 units, below which a pixel is ground.
const DARK: f32 = 0.04;
/// Blobs below this many pixels are specks.
const SPECK: usize = 12;
/// A faint blob must be larger than a speck before it counts: a blurred edge is faint too.
const FAINT_SPECK: usize = 20;
/// How far a blob reaches into the half-covered pixels around it.
const FRINGE: usize = 2;

/// One thing that stands out.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    /// Alpha at every pixel of the picture that belongs to it, 0 elsewhere; `[SIDE, SIDE]`.
    pub alpha: Vec<f32>,
    /// Columns and rows of its solid pixels, inclusive: left, top, right, bottom.
    pub bounds: [usize; 4],
    /// Nearest palette colour; none where it is too far from all.
    pub colour: Option<Colour>,
    /// Whether it is too dim to be an object.
    pub faint: bool,
}

/// Most likely colour and alpha of a pixel, given as its difference from the ground.
fn unmix(difference: [f32; 3], fills: &[[f32; 3]; 8]) -> (usize, f32) {
    let dot = |a: &[f32; 3], b: &[f32; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    // Most pixels are ground.
    if dot(&difference, &difference) < DARK * DARK {
        return (0, 0.0);
    }
    let mut best = (0, 0.0, f32::INFINITY);
    for (i, fill) in fills.iter().enumerate() {
        let alpha = (dot(&difference, fill) / dot(fill, fill)).clamp(0.0, 1.0);
        let rest: [f32; 3] = std::array::from_fn(|c| difference[c] - alpha * fill[c]);
        let residual = dot(&rest, &rest);
        if residual < best.2 {
            best = (i, alpha, residual);
        }
    }
    (best.0, best.1)
}

/// Pixels beside a pixel: 4 neighbours, inside the picture.
fn beside(at: usize) -> impl Iterator<Item = usize> {
    let (x, y) = (at % SIDE, at / SIDE);
    [
        (x > 0).then(|| at - 1),
        (x + 1 < SIDE).then(|| at + 1),
        (y > 0).then(|| at - SIDE),
        (y + 1 < SIDE).then(|| at + SIDE),
    ]
    .into_iter()
    .flatten()
}

/// Connected sets of pixels, where `joined(a, b)` says whether two neighbours belong together.
fn components(member: &[bool], joined: impl Fn(usize, usize) -> bool) -> Vec<Vec<usize>> {
    let mut seen = vec![false; member.len()];
    let mut found = Vec::new();
    for start in 0..member.len() {
        if !member[start] || seen[start] {
            continue;
        }
        seen[start] = true;
        let mut pixels = vec![start];
        let mut next = 0;
        while next < pixels.len() {
            let at = pixels[next];
            next += 1;
            for other in beside(at) {
                if member[other] && !seen[other] && joined(at, other) {
                    seen[other] = true;
                    pixels.push(other);
                }
            }
        }
        found.push(pixels);
    }
    found
}

/// Takes a picture apart. Blobs come in reading order of their first pixel.
pub(crate) fn blobs(picture: &Picture) -> Vec<Blob> {
    let fills = Colour::ALL.map(|colour| above_ground(rgb(colour)));
    let differences: Vec<[f32; 3]> =
        (0..SIDE * SIDE).map(|at| above_ground(picture.pixel(at % SIDE, at / SIDE))).collect();
    let (label, alpha): (Vec<usize>, Vec<f32>) = differences.iter().map(|&d| unmix(d, &fills)).unzip();
    let solid: Vec<bool> = alpha.iter().map(|&a| a >= SOLID).collect();
    let visible: Vec<bool> = alpha.iter().map(|&a| a >= VISIBLE).collect();

    // Cores: solid pixels that touch and agree on a colour. What is too small to be an object is either part of one
    // it touches (a few odd pixels inside it) or, if all parts of a blob are small, the blob as a whole is one core.
    let mut cores: Vec<Vec<usize>> = Vec::new();
    for blob in components(&solid, |_, _| true) {
        let mut inside = vec![false; SIDE * SIDE];
        for &at in &blob {
            inside[at] = true;
        }
        let large: Vec<Vec<usize>> =
            components(&inside, |a, b| label[a] == label[b]).into_iter().filter(|part| part.len() >= SPECK).collect();
        if !large.is_empty() {
            cores.extend(large);
        } else if blob.len() >= SPECK {
            cores.push(blob);
        }
    }

    let owner = grow(&cores, &solid, &visible);
    let mut found: Vec<Blob> =
        (0..cores.len()).map(|core| describe(core, &owner, &alpha, &differences, &fills, SOLID, false)).collect();

    // What can be seen, belongs to nothing and is not small, is something that should not be there.
    let stray: Vec<bool> = (0..SIDE * SIDE).map(|at| visible[at] && owner[at].is_none()).collect();
    for pixels in components(&stray, |_, _| true).into_iter().filter(|pixels| pixels.len() >= FAINT_SPECK) {
        let mut owner = vec![None; SIDE * SIDE];
        for &at in &pixels {
            owner[at] = Some(0);
        }
        found.push(describe(0, &owner, &alpha, &differences, &fills, VISIBLE, true));
    }
    found
}

/// Gives every solid pixel that touches a core, through however many others, and every visible pixel near one, to
/// the nearest core.
fn grow(cores: &[Vec<usize>], solid: &[bool], visible: &[bool]) -> Vec<Option<usize>> {
    let mut owner = vec![None; solid.len()];
    let mut frontier: Vec<usize> = Vec::new();
    for (core, pixels) in cores.iter().enumerate() {
        for &at in pixels {
            owner[at] = Some(core);
            frontier.push(at);
        }
    }
    let mut spread = |member: &dyn Fn(usize) -> bool, frontier: &[usize]| -> Vec<usize> {
        let mut next = Vec::new();
        for &at in frontier {
            for other in beside(at) {
                if owner[other].is_none() && member(other) {
                    owner[other] = owner[at];
                    next.push(other);
                }
            }
        }
        next
    };
    let mut edge = frontier.clone();
    while !edge.is_empty() {
        edge = spread(&|at| solid[at], &edge);
        frontier.extend(&edge);
    }
    for _ in 0..FRINGE {
        frontier = spread(&|at| visible[at], &frontier);
    }
    // One more ring, whatever its alpha: the outermost coverage of an edge is small but not nothing.
    let owned: Vec<usize> = (0..owner.len()).filter(|&at| owner[at].is_some()).collect();
    for at in owned {
        for other in beside(at) {
            if owner[other].is_none() {
                owner[other] = owner[at];
            }
        }
    }
    owner
}

fn describe(
    index: usize,
    owner: &[Option<usize>],
    alpha: &[f32],
    differences: &[[f32; 3]],
    fills: &[[f32; 3]; 8],
    solid: f32,
    faint: bool,
) -> Blob {
    let mut bounds = [SIDE, SIDE, 0, 0];
    let mut mean = [0.0f32; 3];
    let own: Vec<usize> = (0..owner.len()).filter(|&at| owner[at] == Some(index)).collect();
    // The colour is that of the most covered pixels: at least nine tenths of the peak.
    let peak = own.iter().map(|&at| alpha[at]).fold(0.0, f32::max);
    let mut filled = 0.0;
    for &at in &own {
        if alpha[at] >= solid {
            let (x, y) = (at % SIDE, at / SIDE);
            bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x), bounds[3].max(y)];
        }
        if alpha[at] >= 0.9 * peak {
            filled += 1.0;
            for (sum, value) in mean.iter_mut().zip(differences[at]) {
                *sum += value;
            }
        }
    }
    let mean = mean.map(|sum| sum / f32::max(filled, 1.0));
    let mut own_alpha = vec![0.0; owner.len()];
    let scale = 1.0 / peak.max(SOLID);
    for &at in &own {
        // Shapes are compared at full strength; a little dimness is not a matter of shape.
        own_alpha[at] = (alpha[at] * scale).min(1.0);
    }
    Blob { alpha: own_alpha, bounds, colour: name(mean, fills), faint }
}

/// The palette colour nearest in direction from the ground; none beyond a third of a radian.
fn name(difference: [f32; 3], fills: &[[f32; 3]; 8]) -> Option<Colour> {
    let length = |v: &[f32; 3]| (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
    let cosine = |fill: &[f32; 3]| {
        let dot = difference[0] * fill[0] + difference[1] * fill[1] + difference[2] * fill[2];
        dot / (length(&difference) * length(fill)).max(f32::EPSILON)
    };
    let (colour, near) = Colour::ALL
        .into_iter()
        .map(|colour| (colour, cosine(&fills[colour as usize])))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    (near >= 0.945).then_some(colour)
}

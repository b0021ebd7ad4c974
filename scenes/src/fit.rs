//! Which shape a blob is: overlap with templates of every shape in several sizes, moved by half pixels.

use std::sync::OnceLock;

use crate::outline::coverage;
use crate::render::SIDE;
use crate::segment::Blob;
use crate::world::{Shape, Size};

/// Side of a template's window in pixels: the largest shape, its blurred edge and half a pixel.
const WINDOW: usize = 20;
/// Half the box of the templates, from a little under the smallest size to a little over the largest.
const RADII: [f32; 5] = [5.5, 6.0, 6.75, 7.5, 8.0];
/// How far the box's centre may lie from the middle of the blob's bounds, in half pixels.
const SEARCH: i32 = 3;

/// A coarse overlap this much below the best still gets a fine search.
const CONTENDER: f32 = 0.10;

struct Template {
    shape: Shape,
    radius: f32,
    /// As drawn.
    sharp: Phases,
    /// As a decoder that is not quite in focus draws it: after one more blur.
    soft: Phases,
}

/// Coverage `[WINDOW, WINDOW]` for phases (0, 0), (½, 0), (0, ½), (½, ½) of the centre.
type Phases = [Vec<f32>; 4];

/// The best overlap.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fit {
    pub shape: Shape,
    pub size: Size,
    /// Overlap, 0…1: intersection over union of the coverages.
    pub overlap: f32,
    /// Centre of the shape's box in pixels.
    pub centre: (f32, f32),
}

/// A 3×3 binomial blur, so that a picture that is a little soft and one that is sharp both look like the template.
fn smooth(mask: &[f32], side: usize) -> Vec<f32> {
    let pass = |from: &[f32], step: usize, place: &dyn Fn(usize) -> usize| -> Vec<f32> {
        (0..from.len())
            .map(|at| {
                let before = if place(at) > 0 { from[at - step] } else { 0.0 };
                let after = if place(at) + 1 < side { from[at + step] } else { 0.0 };
                0.25 * before + 0.5 * from[at] + 0.25 * after
            })
            .collect()
    };
    let across = pass(mask, 1, &|at| at % side);
    pass(&across, side, &|at| at / side)
}

fn templates() -> &'static [Template] {
    static TEMPLATES: OnceLock<Vec<Template>> = OnceLock::new();
    TEMPLATES.get_or_init(|| {
        let middle = (WINDOW / 2) as f32;
        let mut all = Vec::with_capacity(Shape::ALL.len() * RADII.len());
        for shape in Shape::ALL {
            for radius in RADII {
                let sharp = [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5)]
                    .map(|(px, py)| smooth(&coverage(shape, radius, WINDOW, (middle + px, middle + py), 4), WINDOW));
                let soft = sharp.each_ref().map(|mask| smooth(mask, WINDOW));
                all.push(Template { shape, radius, sharp, soft });
            }
        }
        all
    })
}

/// The window of a picture-sized mask whose upper left pixel is (`left`, `top`); 0 outside the picture.
fn window(mask: &[f32], left: i32, top: i32) -> Vec<f32> {
    let side = SIDE as i32;
    let mut cut = Vec::with_capacity(WINDOW * WINDOW);
    for y in top..top + WINDOW as i32 {
        for x in left..left + WINDOW as i32 {
            let within = (0..side).contains(&x) && (0..side).contains(&y);
            cut.push(if within { mask[(y * side + x) as usize] } else { 0.0 });
        }
    }
    cut
}

/// Mass of the intersection of two masks, and of the second. Nearly all of a detection's time goes here; sums in
/// eight lanes can be kept in one vector register, a single sum cannot.
fn intersect(a: &[f32], b: &[f32]) -> (f32, f32) {
    const LANES: usize = 8;
    const { assert!((WINDOW * WINDOW).is_multiple_of(LANES)) };
    let (mut shared, mut mass) = ([0.0f32; LANES], [0.0f32; LANES]);
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            // Not `f32::min`, whose care for NaN costs two more instructions; masks hold none.
            shared[lane] += if a[lane] < b[lane] { a[lane] } else { b[lane] };
            mass[lane] += b[lane];
        }
    }
    (shared.iter().sum(), mass.iter().sum())
}

/// A blob, ready to be compared: the windows of it that were asked for, and its mass.
struct Candidate {
    soft: Vec<f32>,
    mass: f32,
    windows: Vec<((i32, i32), Vec<f32>)>,
}

impl Candidate {
    /// Intersection over union with a template whose centre lies at (`cx`, `cy`), in half pixels.
    fn overlap(&mut self, phases: &Phases, (cx, cy): (i32, i32)) -> f32 {
        let origin = (cx.div_euclid(2) - WINDOW as i32 / 2, cy.div_euclid(2) - WINDOW as i32 / 2);
        let phase = &phases[(cx.rem_euclid(2) + 2 * cy.rem_euclid(2)) as usize];
        let known = self.windows.iter().position(|(at, _)| *at == origin).unwrap_or_else(|| {
            self.windows.push((origin, window(&self.soft, origin.0, origin.1)));
            self.windows.len() - 1
        });
        let (shared, mass) = intersect(&self.windows[known].1, phase);
        shared / (self.mass + mass - shared).max(f32::EPSILON)
    }
}

/// Finds the shape, size and place that overlap a blob best; none where the blob is much larger than any shape.
pub(crate) fn best_fit(blob: &Blob) -> Option<Fit> {
    let [left, top, right, bottom] = blob.bounds;
    if right < left || bottom < top || right - left >= WINDOW || bottom - top >= WINDOW {
        return None;
    }
    let soft = smooth(&blob.alpha, SIDE);
    let mass = soft.iter().sum();
    let mut candidate = Candidate { soft, mass, windows: Vec::new() };
    // Twice the middle of the bounds in pixels, so in half pixels.
    let (middle_x, middle_y) = ((left + right + 1) as i32, (top + bottom + 1) as i32);

    // Coarse: every template in every size, a pixel apart.
    let coarse: Vec<(f32, &Template)> = templates()
        .iter()
        .map(|template| {
            let around = [-2, 0, 2].into_iter().flat_map(|dy| [-2, 0, 2].map(|dx| (middle_x + dx, middle_y + dy)));
            (around.map(|at| candidate.overlap(&template.sharp, at)).fold(0.0, f32::max), template)
        })
        .collect();
    let ahead = coarse.iter().map(|(overlap, _)| *overlap).fold(0.0, f32::max);

    // Fine: what is not far behind, half a pixel apart, in and out of focus.
    let mut best: Option<Fit> = None;
    for (_, template) in coarse.into_iter().filter(|(overlap, _)| *overlap >= ahead - CONTENDER) {
        for (dx, dy) in (-SEARCH..=SEARCH).flat_map(|dy| (-SEARCH..=SEARCH).map(move |dx| (dx, dy))) {
            let at = (middle_x + dx, middle_y + dy);
            let overlap = candidate.overlap(&template.sharp, at).max(candidate.overlap(&template.soft, at));
            if best.is_none_or(|fit| overlap > fit.overlap) {
                let between = (Size::Small.radius_px() + Size::Large.radius_px()) / 2.0;
                let size = if template.radius < between { Size::Small } else { Size::Large };
                best =
                    Some(Fit { shape: template.shape, size, overlap, centre: (at.0 as f32 / 2.0, at.1 as f32 / 2.0) });
            }
        }
    }
    best
}

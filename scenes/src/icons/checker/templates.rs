//! What every glyph in every colour looks like: a small master to be stamped at any place and size, and its cells at
//! the sizes of layouts.

use super::basis::principal;
use super::product::{PANEL, Panels};
use super::stamp::{MASTER, Taps};
use super::thresholds::RANK;
use super::view::{CELL_PX, luma_chroma};
use crate::icons::class::{Class, Colour};

/// What a template has in a cell: luma, chroma, chroma (premultiplied), coverage.
pub(super) const PARTS: usize = 4;

/// Bands of rows in which the ground is taken for one colour in the first, quick comparison.
pub(super) const BANDS: usize = 3;

/// The luma that the quick comparison counts from: that of grounds, so that what is left of a template is its contrast.
/// Counted from black, a white thing on a light ground would be the small difference of two large numbers.
pub(super) const USUAL_LUMA: f32 = 0.85;

/// Coverage beside luma in the quick comparison: a window's features are D and −D·G / [`COVER_WEIGHT`], and grounds are
/// about so far from [`USUAL_LUMA`].
pub(super) const COVER_WEIGHT: f32 = 0.15;

/// Levels of stored luma and coverage.
const LEVELS: f32 = 255.0;

/// Levels of stored chroma, which weighted lies in −0.8 to 0.8.
const CHROMA_LEVELS: f32 = 127.0 / 0.8;

/// A glyph in one colour.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub class: Class,
    pub glyph: u16,
    /// The colour that it is tinted with.
    pub tint: Option<Colour>,
    /// What it is seen as: the tint, or the glyph's own colour.
    pub colour: Option<Colour>,
    /// Whether it may stand mirrored.
    pub mirrors: bool,
    /// Of its square box what is more than half covered, as shares of the side: left, top, right, bottom.
    pub extent: [f32; 4],
    /// Luma and coverage of [`MASTER`]² samples, premultiplied.
    tones: [Box<[u8]>; 2],
    /// The two chroma planes.
    chroma: [Box<[i8]>; 2],
}

impl Look {
    /// From `[side, side]` premultiplied RGBA in 0 to 1.
    pub fn new(
        (class, glyph): (Class, u16),
        (tint, own): (Option<Colour>, Option<Colour>),
        mirrors: bool,
        (side, rgba): (usize, impl Iterator<Item = [f32; 4]>),
    ) -> Self {
        let mut planes = [const { Vec::new() }; PARTS].map(|_: Vec<f32>| Vec::with_capacity(side * side));
        for [r, g, b, a] in rgba.take(side * side) {
            let [y, cb, cr] = luma_chroma([r, g, b]);
            for (plane, value) in planes.iter_mut().zip([y, cb, cr, a]) {
                plane.push(value);
            }
        }
        let taps = Taps::new(side, MASTER, 0.0, 1.0, MASTER as f32);
        let [y, cb, cr, a] = planes.map(|plane| {
            let mut small = vec![0.0; MASTER * MASTER];
            taps.shrink(&plane, &taps, false, &mut small);
            small
        });
        let tone = |plane: &[f32]| plane.iter().map(|value| (value * LEVELS).round() as u8).collect();
        let chroma = |plane: &[f32]| plane.iter().map(|value| (value * CHROMA_LEVELS).round() as i8).collect();
        Self {
            class,
            glyph,
            tint,
            colour: tint.or(own),
            mirrors,
            extent: extent(&a),
            tones: [tone(&y), tone(&a)],
            chroma: [chroma(&cb), chroma(&cr)],
        }
    }

    /// Luma, chroma, chroma, coverage: each `[MASTER, MASTER]`, premultiplied.
    pub fn master(&self) -> [Vec<f32>; PARTS] {
        let tone = |plane: &[u8]| plane.iter().map(|level| f32::from(*level) / LEVELS).collect();
        let chroma = |plane: &[i8]| plane.iter().map(|level| f32::from(*level) / CHROMA_LEVELS).collect();
        [tone(&self.tones[0]), chroma(&self.chroma[0]), chroma(&self.chroma[1]), tone(&self.tones[1])]
    }
}

/// The tight box of a coverage plane, as shares of its side; all of it where nothing is covered.
fn extent(cover: &[f32]) -> [f32; 4] {
    let solid = (0..cover.len()).filter(|at| cover[*at] > 0.5).map(|at| (at % MASTER, at / MASTER));
    let tight = solid.fold(None, |found: Option<[usize; 4]>, (x, y)| {
        let [left, top, right, bottom] = found.unwrap_or([x, y, x + 1, y + 1]);
        Some([left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)])
    });
    tight.unwrap_or([0, 0, MASTER, MASTER]).map(|edge| edge as f32 / MASTER as f32)
}

/// All looks as they appear at one size.
#[derive(Debug, Clone)]
pub(super) struct AtSize {
    /// Side in cells.
    pub cells: usize,
    /// `[looks, cells, cells, PARTS]`.
    parts: Vec<f32>,
    /// The directions of the quick comparison, a column each, of `[cells, cells, PARTS]`.
    pub basis: Panels,
    /// A column for each look: its shares of the directions, then what each band needs.
    pub quick: Panels,
}

impl AtSize {
    /// Of every look.
    fn new(looks: &[Look], cells: usize) -> Self {
        let taps = Taps::new(MASTER, cells, 0.0, 1.0, cells as f32);
        let depth = cells * cells * PARTS;
        let mut parts = Vec::with_capacity(looks.len() * depth);
        let mut planes = [const { Vec::new() }; PARTS].map(|_: Vec<f32>| vec![0.0; cells * cells]);
        for look in looks {
            for (plane, master) in planes.iter_mut().zip(look.master()) {
                taps.shrink(&master, &taps, false, plane);
            }
            parts.extend((0..cells * cells).flat_map(|at| [0, 1, 2, 3].map(|part: usize| planes[part][at])));
        }

        // Contrast, and coverage scaled to what it is worth.
        let weighted: Vec<f32> = parts
            .as_chunks()
            .0
            .iter()
            .flat_map(|[y, cb, cr, cover]: &[f32; PARTS]| [y - cover * USUAL_LUMA, *cb, *cr, cover * COVER_WEIGHT])
            .collect();
        // A third of the looks tells the directions as well as all. Faint ones count as much as striking ones, since
        // they are to be told from each other, too.
        let some: Vec<f32> = weighted
            .chunks_exact(depth)
            .step_by(3)
            .flat_map(|parts| {
                let length = parts.iter().map(|part| part * part).sum::<f32>().sqrt().max(1e-6);
                parts.iter().map(move |part| part / length)
            })
            .collect();
        let directions = principal(&some, depth, RANK);
        let rank = directions.len() / depth;
        let mut basis = Panels::new(rank, depth);
        for (column, direction) in directions.chunks_exact(depth).enumerate() {
            basis.set(column, direction.iter().copied(), 0.0);
        }

        let mut quick = Panels::new(looks.len(), rank + BANDS * PARTS);
        let mut shares = vec![0.0; looks.len() * rank];
        basis.product(&weighted, |look, first, results: &[f32; PANEL]| {
            let end = (first + PANEL).min(rank);
            shares[look * rank + first..look * rank + end].copy_from_slice(&results[..end - first]);
        });
        for (look, (parts, shares)) in weighted.chunks_exact(depth).zip(shares.chunks_exact(rank.max(1))).enumerate() {
            let mut bands = [[0.0; PARTS]; BANDS];
            let mut energy = 0.0;
            for (at, &[y, cb, cr, cover]) in parts.as_chunks().0.iter().enumerate() {
                let cover = cover / COVER_WEIGHT;
                let band = &mut bands[band_of(at / cells, cells)];
                for (total, value) in band.iter_mut().zip([y, cb, cr, cover]) {
                    *total += cover * value;
                }
                energy += y * y + cb * cb + cr * cr;
            }
            quick.set(look, shares.iter().copied().chain(bands.into_iter().flatten()), energy);
        }
        Self { cells, parts, basis, quick }
    }

    /// A look's cells, row by row, not mirrored.
    pub fn parts(&self, look: usize) -> impl ExactSizeIterator<Item = &[f32; PARTS]> {
        let depth = self.cells * self.cells * PARTS;
        self.parts[look * depth..(look + 1) * depth].as_chunks().0.iter()
    }
}

/// Which band a row of cells belongs to.
pub(super) const fn band_of(row: usize, cells: usize) -> usize {
    row * BANDS / cells
}

/// Everything that the checker can recognise.
#[derive(Debug, Clone)]
pub(super) struct Templates {
    pub looks: Vec<Look>,
    pub sizes: Vec<AtSize>,
}

impl Templates {
    /// Of looks, at sizes in pixels, multiples of a cell's.
    pub fn new(looks: Vec<Look>, sizes: &[usize]) -> Self {
        let sizes = sizes.iter().map(|size| AtSize::new(&looks, size / CELL_PX)).collect();
        Self { looks, sizes }
    }

    /// Bytes they occupy.
    pub fn bytes(&self) -> usize {
        let at = |at: &AtSize| at.parts.len() * size_of::<f32>() + at.basis.bytes() + at.quick.bytes();
        self.looks.len() * PARTS * MASTER * MASTER + self.sizes.iter().map(at).sum::<usize>()
    }
}

//! A template at a place and size: what it puts over the ground, at half resolution.

use super::view::{CELL, CELL_PX, HALF, luma_chroma};

/// Side of a template's master: half of the atlas's usual cell.
pub(super) const MASTER: usize = 48;

/// Where a thing is, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    pub x: i32,
    pub y: i32,
    pub size: i32,
}

impl Spot {
    /// The rows or columns of cells that it touches, one axis: first and one past the last.
    fn cells(from: i32, size: i32) -> (usize, usize) {
        let last = (HALF / CELL) as i32;
        let cell = CELL_PX as i32;
        (
            from.div_euclid(cell).clamp(0, last) as usize,
            (from + size + cell - 1).div_euclid(cell).clamp(0, last) as usize,
        )
    }

    /// Rows of cells.
    pub fn rows(self) -> (usize, usize) {
        Self::cells(self.y, self.size)
    }

    /// Columns of cells.
    pub fn columns(self) -> (usize, usize) {
        Self::cells(self.x, self.size)
    }
}

/// The most samples of a master that one output sample averages: 96 to 9 and a bit at either end.
const MOST_TAPS: usize = 12;

/// Which samples of a master one output sample averages.
#[derive(Clone, Copy)]
struct Tap {
    first: usize,
    count: usize,
    weights: [f32; MOST_TAPS],
}

/// For each sample of an output row, which samples of a master it averages.
pub(super) struct Taps {
    side: usize,
    taps: Vec<Tap>,
}

impl Taps {
    /// `count` samples of `step` pixels beginning at `start`, seen from a master of `side` samples that fills `size`
    /// pixels from 0. Weights are shares of the sample, so a sample that the master half covers has half its value.
    pub fn new(side: usize, count: usize, start: f32, step: f32, size: f32) -> Self {
        let scale = side as f32 / size;
        let taps = (0..count)
            .map(|at| {
                let from = ((start + at as f32 * step) * scale).clamp(0.0, side as f32);
                let to = ((start + (at + 1) as f32 * step) * scale).clamp(0.0, side as f32);
                let first = (from as usize).min(side);
                let count = (to.ceil() as usize).clamp(first, side.min(first + MOST_TAPS)) - first;
                let mut weights = [0.0; MOST_TAPS];
                for (pixel, weight) in (first..).zip(&mut weights[..count]) {
                    *weight = (to.min((pixel + 1) as f32) - from.max(pixel as f32)).max(0.0) / (step * scale);
                }
                Tap { first, count, weights }
            })
            .collect();
        Self { side, taps }
    }

    /// Averages a plane (`[side, side]`) by these taps downwards and `across`: `[rows, columns]` of `out`.
    pub fn shrink(&self, plane: &[f32], across: &Self, mirrored: bool, out: &mut [f32]) {
        let mut line = vec![0.0f32; self.side];
        for (tap, row) in self.taps.iter().zip(out.chunks_exact_mut(across.taps.len().max(1))) {
            line.fill(0.0);
            for (weight, source) in
                tap.weights[..tap.count].iter().zip(plane[tap.first * self.side..].chunks_exact(self.side))
            {
                for (total, value) in line.iter_mut().zip(source) {
                    *total += weight * value;
                }
            }
            if mirrored {
                line.reverse();
            }
            for (tap, slot) in across.taps.iter().zip(row) {
                *slot =
                    tap.weights[..tap.count].iter().zip(&line[tap.first..]).map(|(weight, value)| weight * value).sum();
            }
        }
    }
}

/// What a template puts over the ground, premultiplied, on whole cells.
#[derive(Debug, Clone)]
pub(super) struct Stamp {
    /// First row, half-resolution; a multiple of [`CELL`].
    pub top: usize,
    /// First column.
    pub left: usize,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Luma, the two chroma planes, coverage: each `[rows, columns]`.
    pub planes: [Vec<f32>; 4],
}

impl Stamp {
    /// Of a master (luma, chroma, chroma, coverage; each `[MASTER, MASTER]`) at a spot.
    pub fn of(master: &[Vec<f32>; 4], mirrored: bool, spot: Spot) -> Self {
        Self::within(master, mirrored, spot, spot.rows(), spot.columns())
    }

    /// The same with a shadow under it: what of the master is more than half covered (shares of its side: left, top,
    /// right, bottom) stands on its lower edge, unless it flies.
    pub fn shaded(master: &[Vec<f32>; 4], mirrored: bool, spot: Spot, extent: [f32; 4], flies: bool) -> Self {
        let wider = |from: i32| Spot::cells(from - SHADOW_PX, spot.size + 2 * SHADOW_PX);
        let mut stamp = Self::within(master, mirrored, spot, wider(spot.y), wider(spot.x));
        let around = stamp.around();
        let contact = if flies { None } else { Some(stamp.contact(mirrored, spot, extent)) };
        let shade = luma_chroma(SHADE);
        for at in 0..stamp.rows * stamp.columns {
            let open = 1.0 - stamp.planes[3][at];
            let strengths = [CONTACT * contact.as_ref().map_or(0.0, |contact| contact[at]), AROUND * around[at]];
            // One after the other, as the renderer lays them.
            let dark = 1.0 - (1.0 - strengths[0]) * (1.0 - strengths[1]);
            for (plane, shade) in stamp.planes.iter_mut().zip(shade) {
                plane[at] += open * dark * shade;
            }
            stamp.planes[3][at] += open * dark;
        }
        stamp
    }

    fn within(
        master: &[Vec<f32>; 4],
        mirrored: bool,
        spot: Spot,
        (row, row_end): (usize, usize),
        (column, column_end): (usize, usize),
    ) -> Self {
        let (rows, columns) = ((row_end - row) * CELL, (column_end - column) * CELL);
        let start = |cell: usize, from: i32| (cell * CELL_PX) as f32 - from as f32;
        let down = Taps::new(MASTER, rows, start(row, spot.y), 2.0, spot.size as f32);
        let across = Taps::new(MASTER, columns, start(column, spot.x), 2.0, spot.size as f32);
        let planes = [0, 1, 2, 3].map(|plane: usize| {
            let mut out = vec![0.0; rows * columns];
            down.shrink(&master[plane], &across, mirrored, &mut out);
            out
        });
        Self { top: row * CELL, left: column * CELL, rows, columns, planes }
    }

    /// The faint shadow all around: coverage half a sample further down, blurred.
    fn around(&self) -> Vec<f32> {
        let cover = &self.planes[3];
        let lower: Vec<f32> = (0..cover.len())
            .map(|at| (cover[at] + at.checked_sub(self.columns).map_or(0.0, |above| cover[above])) / 2.0)
            .collect();
        blurred(&lower, self.columns, [0.21, 0.58, 0.21])
    }

    /// The shadow under a thing: a flat ellipse around the middle of its lower edge.
    fn contact(&self, mirrored: bool, spot: Spot, [left, _, right, bottom]: [f32; 4]) -> Vec<f32> {
        let (left, right) = if mirrored { (1.0 - right, 1.0 - left) } else { (left, right) };
        let size = spot.size as f32;
        let middle = spot.x as f32 + (left + right) / 2.0 * size - 0.5;
        let foot = spot.y as f32 + bottom * size - 1.0;
        let half = ((right - left) * size / 2.0 * REACH).max(1.0);
        let dark: Vec<f32> = (0..self.rows * self.columns)
            .map(|at| {
                // Between the two pixels that a sample holds.
                let x = (2 * (self.left + at % self.columns)) as f32 + 0.5;
                let y = (2 * (self.top + at / self.columns)) as f32 + 0.5;
                let (across, down) = ((x - middle) / half, (y - foot) / HALF_HEIGHT_PX);
                (1.3 - across * across - down * down).clamp(0.0, 1.0)
            })
            .collect();
        blurred(&dark, self.columns, [0.17, 0.66, 0.17])
    }
}

/// The renderer's shadow ([`crate::icons::render()`]): how dark it is under a thing and around it, its colour in sRGB,
/// half its height, and how much of a thing's half width it reaches.
const CONTACT: f32 = 0.22;
const AROUND: f32 = 0.14;
const SHADE: [f32; 3] = [0.167, 0.174, 0.239];
const HALF_HEIGHT_PX: f32 = 4.2;
const REACH: f32 = 0.95;

/// How far outside of a thing's box a shadow is looked for.
const SHADOW_PX: i32 = 6;

/// A blur by three weights, across and down; nothing lies outside.
fn blurred(values: &[f32], columns: usize, weights: [f32; 3]) -> Vec<f32> {
    let along = |values: &[f32], step: usize, first: &dyn Fn(usize) -> bool, last: &dyn Fn(usize) -> bool| {
        (0..values.len())
            .map(|at| {
                let before = if first(at) { 0.0 } else { values[at - step] };
                let after = if last(at) { 0.0 } else { values[at + step] };
                weights[0] * before + weights[1] * values[at] + weights[2] * after
            })
            .collect::<Vec<f32>>()
    };
    let across = along(values, 1, &|at| at % columns == 0, &|at| (at + 1) % columns == 0);
    along(&across, columns, &|at| at < columns, &|at| at + columns >= values.len())
}

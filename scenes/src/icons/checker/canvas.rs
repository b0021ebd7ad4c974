//! The picture as explained so far: a ground with the things found stamped onto it.

use super::stamp::Stamp;
use super::thresholds::LEAST_STEP;
use super::view::{CELL, CELLS, HALF, View};

/// The explanation, beside the picture that it is to explain.
#[derive(Debug, Clone)]
pub(super) struct Canvas<'a> {
    /// The picture.
    picture: &'a View,
    /// Its cells.
    pub seen: &'a [[f32; 3]],
    /// The explanation.
    view: View,
    /// Its cells.
    pub cells: Vec<[f32; 3]>,
}

/// How well a stamp explains a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fit {
    /// The energy that it takes away, times the cube of `share`: of two explanations the purer one is better, even if
    /// the other one, of two things as one, explains somewhat more.
    pub gain: f32,
    /// The share of the energy that it takes away; negative where it adds.
    pub share: f32,
}

/// One cell under a stamp.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cell {
    /// Energy without the stamp.
    pub before: f32,
    /// Energy with it.
    pub after: f32,
    /// The stamp's own energy: how much it changes the explanation.
    pub stamp: f32,
}

impl<'a> Canvas<'a> {
    /// A bare ground.
    pub fn new(picture: &'a View, seen: &'a [[f32; 3]], ground: &View) -> Self {
        Self { picture, seen, view: ground.clone(), cells: ground.cells() }
    }

    /// What a stamp would change, cell by cell, row by row.
    pub fn compare(&self, stamp: &Stamp, mut each: impl FnMut(usize, usize, Cell)) {
        for y in (0..stamp.rows).step_by(CELL) {
            for x in (0..stamp.columns).step_by(CELL) {
                each((stamp.top + y) / CELL, (stamp.left + x) / CELL, self.compare_cell(stamp, y, x));
            }
        }
    }

    /// Luma is compared sample by sample, chroma as the mean of the cell.
    fn compare_cell(&self, stamp: &Stamp, y: usize, x: usize) -> Cell {
        let mut cell = Cell::default();
        let mut chroma = [0.0f32; 2];
        for line in 0..CELL {
            let from = (y + line) * stamp.columns + x;
            let to = (stamp.top + y + line) * HALF + stamp.left + x;
            let over =
                |plane: usize| (&stamp.planes[plane][from..from + CELL], &self.view.planes[plane][to..to + CELL]);
            let covers = &stamp.planes[3][from..from + CELL];
            let (luma, ground) = over(0);
            let seen = &self.picture.planes[0][to..to + CELL];
            for at in 0..CELL {
                let change = luma[at] - covers[at] * ground[at];
                let open = seen[at] - ground[at];
                cell.before += open * open;
                cell.after += (open - change) * (open - change);
                cell.stamp += change * change;
            }
            for (plane, total) in chroma.iter_mut().enumerate() {
                let (tone, ground) = over(plane + 1);
                *total += (0..CELL).map(|at| tone[at] - covers[at] * ground[at]).sum::<f32>();
            }
        }
        let samples = (CELL * CELL) as f32;
        cell.before /= samples;
        cell.after /= samples;
        cell.stamp /= samples;
        let here = (stamp.top + y) / CELL * CELLS + (stamp.left + x) / CELL;
        for (plane, change) in chroma.into_iter().enumerate() {
            let change = change / samples;
            let open = self.seen[here][plane + 1] - self.cells[here][plane + 1];
            cell.before += open * open;
            cell.after += (open - change) * (open - change);
            cell.stamp += change * change;
        }
        cell
    }

    /// How well a stamp's edges fit: of the steps in luma between neighbours that a stamp or the picture makes beyond those of
    /// the explanation, the share that the stamp explains. A patch of the right colour and about the right place has none of
    /// its own, however much of the energy it explains.
    pub fn edges(&self, stamp: &Stamp) -> f32 {
        let seen = &self.picture.planes[0];
        let ground = &self.view.planes[0];
        let at = |y: usize, x: usize| (stamp.top + y) * HALF + stamp.left + x;
        let over = |y: usize, x: usize| {
            let from = y * stamp.columns + x;
            stamp.planes[0][from] + (1.0 - stamp.planes[3][from]) * ground[at(y, x)]
        };
        let (mut left, mut seen_beyond, mut own) = (0.0f32, 0.0f32, 0.0f32);
        let mut step = |(y, x): (usize, usize), (v, u): (usize, usize)| {
            let (picture, before) = (seen[at(v, u)] - seen[at(y, x)], ground[at(v, u)] - ground[at(y, x)]);
            let after = over(v, u) - over(y, x);
            let (open, mine) = (picture - before, after - before);
            if open.abs().max(mine.abs()) > LEAST_STEP {
                left += (open - mine) * (open - mine);
                seen_beyond += open * open;
                own += mine * mine;
            }
        };
        for y in 0..stamp.rows {
            for x in 0..stamp.columns {
                if x + 1 < stamp.columns {
                    step((y, x), (y, x + 1));
                }
                if y + 1 < stamp.rows {
                    step((y, x), (y + 1, x));
                }
            }
        }
        1.0 - left / own.max(seen_beyond).max(1e-6)
    }

    /// How well a stamp fits. The share is that of the cells which the stamp changes, and a stamp that changes more
    /// than is there to be explained has little of it.
    pub fn fit(&self, stamp: &Stamp) -> Fit {
        let mut gain = 0.0;
        let mut own = Cell::default();
        self.compare(stamp, |_, _, cell| {
            gain += cell.before - cell.after;
            if cell.stamp > 1e-4 {
                own.before += cell.before;
                own.after += cell.after;
                own.stamp += cell.stamp;
            }
        });
        let share = 1.0 - own.after / own.before.max(own.stamp).max(1e-6);
        Fit { gain: gain * share.max(0.0) * share.max(0.0) * share.max(0.0), share }
    }

    /// Puts a stamp onto the explanation.
    pub fn put(&mut self, stamp: &Stamp) {
        for y in 0..stamp.rows {
            for x in 0..stamp.columns {
                let (from, to) = (y * stamp.columns + x, (stamp.top + y) * HALF + stamp.left + x);
                for (plane, view) in self.view.planes.iter_mut().enumerate() {
                    view[to] = stamp.planes[plane][from] + (1.0 - stamp.planes[3][from]) * view[to];
                }
            }
        }
        self.cells = self.view.cells();
    }

    /// Energy of each cell that is not explained, luma and chroma as means of the cell.
    pub fn open(&self) -> Vec<f32> {
        let squares =
            |(seen, cell): (&[f32; 3], &[f32; 3])| seen.iter().zip(cell).map(|(a, b)| (a - b) * (a - b)).sum();
        self.seen.iter().zip(&self.cells).map(squares).collect()
    }
}

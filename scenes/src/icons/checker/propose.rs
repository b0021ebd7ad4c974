//! Which template might stand where: every look at every place of the lattice, first by one matrix product in the
//! directions in which templates differ most, then the best ones cell by cell.
//!
//! A template with premultiplied cells P and coverage A over an explanation G changes it by P − A G. With D what is not
//! explained yet, it explains 2 D·(P − A G) − |P − A G|² of the energy. The first part is a product of the window's
//! (D, −D·G) with the template's (P, A); in the second the quick comparison takes G for one colour in a band of rows.

use super::canvas::Canvas;
use super::product::PANEL;
use super::stamp::Spot;
use super::templates::{AtSize, BANDS, COVER_WEIGHT, PARTS, Templates, USUAL_LUMA, band_of};
use super::thresholds::{COMPARED, KEPT, LEAST_WINDOW, MOST_COVERED, PEAK};
use super::view::{CELL_PX, CELLS};

/// A template that may stand somewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Proposal {
    /// How promising: the energy explained, times its share of the window's energy squared.
    pub score: f32,
    pub look: usize,
    pub mirrored: bool,
    pub spot: Spot,
    /// Which of the sizes, and the window's row and column in cells.
    pub window: [usize; 3],
}

impl Proposal {
    /// Centre in pixels, doubled to stay whole.
    fn centre(&self) -> (i32, i32) {
        (2 * self.spot.x + self.spot.size, 2 * self.spot.y + self.spot.size)
    }

    /// Whether two proposals may be the same thing.
    pub fn is_near(&self, other: &Self) -> bool {
        let ((x, y), (other_x, other_y)) = (self.centre(), other.centre());
        let near = 4 * CELL_PX as i32;
        (x - other_x).abs() <= near && (y - other_y).abs() <= near
    }
}

/// The best templates of a window: energy explained, look, mirrored.
type Best = Vec<(f32, u32, bool)>;

/// Remembers windows between rounds: explaining a thing changes only those that it touches.
pub(super) struct Proposer<'a> {
    templates: &'a Templates,
    known: Vec<Vec<Option<Best>>>,
    refused: Vec<Vec<bool>>,
}

/// Windows of a size along one side.
const fn places(at: &AtSize) -> usize {
    CELLS - at.cells + 1
}

impl<'a> Proposer<'a> {
    /// Nothing known yet.
    pub fn new(templates: &'a Templates) -> Self {
        let each = |at: &AtSize| places(at) * places(at);
        Self {
            templates,
            known: templates.sizes.iter().map(|at| vec![None; each(at)]).collect(),
            refused: templates.sizes.iter().map(|at| vec![false; each(at)]).collect(),
        }
    }

    /// A window is not to be proposed again.
    pub fn refuse(&mut self, [size, y, x]: [usize; 3]) {
        self.refused[size][y * places(&self.templates.sizes[size]) + x] = true;
    }

    /// Cells (rows and columns, each first and one past the last) have another explanation now.
    pub fn forget(&mut self, (top, bottom): (usize, usize), (left, right): (usize, usize)) {
        for (at, known) in self.templates.sizes.iter().zip(&mut self.known) {
            for (window, best) in known.iter_mut().enumerate() {
                let (y, x) = (window / places(at), window % places(at));
                if y < bottom && y + at.cells > top && x < right && x + at.cells > left {
                    *best = None;
                }
            }
        }
    }

    /// What may stand in the picture, most promising first, without what `covered` (the share of each cell that things
    /// already found cover) makes unlikely.
    pub fn propose(&mut self, canvas: &Canvas<'_>, covered: &[f32]) -> Vec<Proposal> {
        let scene = Cells::new(canvas);
        let open = canvas.open();
        let mut proposals = Vec::new();
        for (size, at) in self.templates.sizes.iter().enumerate() {
            let energy = window_sums(&open, at.cells);
            let windows: Vec<usize> =
                peaks(&energy, places(at)).into_iter().filter(|window| !self.refused[size][*window]).collect();
            let unknown: Vec<usize> =
                windows.iter().copied().filter(|window| self.known[size][*window].is_none()).collect();
            for (window, best) in unknown.iter().zip(best_of(at, &scene, &unknown, self.templates)) {
                self.known[size][*window] = Some(best);
            }
            for window in windows {
                let (y, x) = (window / places(at), window % places(at));
                let spot = Spot { x: (x * CELL_PX) as i32, y: (y * CELL_PX) as i32, size: (at.cells * CELL_PX) as i32 };
                for &(explained, look, mirrored) in self.known[size][window].iter().flatten() {
                    let share = (explained / energy[window]).max(0.0);
                    let (score, look) = (explained * share * share, look as usize);
                    proposals.push(Proposal { score, look, mirrored, spot, window: [size, y, x] });
                }
            }
        }
        proposals.sort_by(|a, b| b.score.total_cmp(&a.score));
        proposals.truncate(400);
        proposals.retain(|proposal| self.share_covered(proposal, covered) <= MOST_COVERED);
        proposals
    }

    /// How much of a proposal's template lies on things already found.
    fn share_covered(&self, proposal: &Proposal, covered: &[f32]) -> f32 {
        let [size, top, left] = proposal.window;
        let at = &self.templates.sizes[size];
        let (mut both, mut own) = (0.0, 1e-6);
        for (from, part) in at.parts(proposal.look).enumerate() {
            let (y, x) = (from / at.cells, from % at.cells);
            let x = if proposal.mirrored { at.cells - 1 - x } else { x };
            own += part[3];
            both += part[3] * covered[(top + y) * CELLS + left + x];
        }
        both / own
    }
}

/// The picture's cells, as templates are compared with them.
struct Cells {
    /// What is not explained.
    open: Vec<[f32; 3]>,
    /// The explanation, its luma counted from [`USUAL_LUMA`].
    ground: Vec<[f32; 3]>,
    /// Features of the quick comparison.
    features: Vec<[f32; PARTS]>,
}

fn dot(a: &[f32; 3], b: &[f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

impl Cells {
    fn new(canvas: &Canvas<'_>) -> Self {
        let open: Vec<[f32; 3]> = canvas
            .seen
            .iter()
            .zip(&canvas.cells)
            .map(|(seen, cell)| [seen[0] - cell[0], seen[1] - cell[1], seen[2] - cell[2]])
            .collect();
        let ground: Vec<[f32; 3]> = canvas.cells.iter().map(|[y, cb, cr]| [y - USUAL_LUMA, *cb, *cr]).collect();
        let features = open.iter().zip(&ground).map(|(d, g)| [d[0], d[1], d[2], -dot(d, g) / COVER_WEIGHT]).collect();
        Self { open, ground, features }
    }

    /// The features of windows, plain and mirrored by turns: templates mirrored in a window are templates in the
    /// mirrored window, which halves the matrix.
    fn rows(&self, at: &AtSize, windows: &[usize]) -> Vec<f32> {
        let mut rows = Vec::with_capacity(windows.len() * 2 * at.cells * at.cells * PARTS);
        for window in windows {
            let (top, left) = (window / places(at), window % places(at));
            for mirrored in [false, true] {
                for y in top..top + at.cells {
                    let line = &self.features[y * CELLS + left..][..at.cells];
                    if mirrored {
                        rows.extend(line.iter().rev().flatten());
                    } else {
                        rows.extend(line.iter().flatten());
                    }
                }
            }
        }
        rows
    }

    /// What a window's bands contribute: twice the mean explanation, less the mean of its square.
    fn bands(&self, at: &AtSize, window: usize) -> [[f32; PARTS]; BANDS] {
        let (top, left) = (window / places(at), window % places(at));
        let mut bands = [[0.0; PARTS]; BANDS];
        let mut counts = [0.0f32; BANDS];
        for y in 0..at.cells {
            let band = band_of(y, at.cells);
            for ground in &self.ground[(top + y) * CELLS + left..][..at.cells] {
                let parts = [2.0 * ground[0], 2.0 * ground[1], 2.0 * ground[2], -dot(ground, ground)];
                bands[band].iter_mut().zip(parts).for_each(|(total, part)| *total += part);
                counts[band] += 1.0;
            }
        }
        for (band, count) in bands.iter_mut().zip(counts) {
            band.iter_mut().for_each(|total| *total /= count.max(1.0));
        }
        bands
    }

    /// How much energy a template explains in a window, cell by cell.
    fn explained(&self, at: &AtSize, window: usize, look: usize, mirrored: bool) -> f32 {
        let (top, left) = (window / places(at), window % places(at));
        let mut explained = 0.0;
        for (from, [y, cb, cr, cover]) in at.parts(look).enumerate() {
            let (row, column) = (from / at.cells, from % at.cells);
            let column = if mirrored { at.cells - 1 - column } else { column };
            let cell = (top + row) * CELLS + left + column;
            let (open, ground) = (&self.open[cell], &self.ground[cell]);
            let change = [y - cover * (ground[0] + USUAL_LUMA), cb - cover * ground[1], cr - cover * ground[2]];
            explained += 2.0 * dot(open, &change) - dot(&change, &change);
        }
        explained
    }
}

/// Sums of square windows of a side at every place.
pub(super) fn window_sums(cells: &[f32], side: usize) -> Vec<f32> {
    let places = CELLS - side + 1;
    let sum = |y: usize, x: usize| (y..y + side).flat_map(|y| &cells[y * CELLS + x..][..side]).sum();
    (0..places * places).map(|at| sum(at / places, at % places)).collect()
}

/// Windows with energy that is not much more in a window nearby.
fn peaks(energy: &[f32], places: usize) -> Vec<usize> {
    let around = |at: usize| at.saturating_sub(2)..(at + 3).min(places);
    let is_peak = |window: usize| {
        let (y, x) = (window / places, window % places);
        let most = around(y).flat_map(|y| around(x).map(move |x| energy[y * places + x])).fold(0.0, f32::max);
        energy[window] > LEAST_WINDOW && energy[window] >= PEAK * most
    };
    (0..energy.len()).filter(|window| is_peak(*window)).collect()
}

/// The best templates of each window, plain and mirrored.
fn best_of(at: &AtSize, scene: &Cells, windows: &[usize], templates: &Templates) -> Vec<Best> {
    let rank = at.basis.columns();
    let depth = rank + BANDS * PARTS;
    let mut rows = vec![0.0; windows.len() * 2 * depth];
    at.basis.product(&scene.rows(at, windows), |row, first, results: &[f32; PANEL]| {
        let end = (first + PANEL).min(rank);
        for (value, result) in rows[row * depth + first..row * depth + end].iter_mut().zip(results) {
            *value = 2.0 * result;
        }
    });
    for (row, values) in rows.chunks_exact_mut(depth).enumerate() {
        let bands = scene.bands(at, windows[row / 2]);
        values[rank..].iter_mut().zip(bands.iter().flatten()).for_each(|(value, band)| *value = *band);
    }

    let mut best: Vec<Best> = vec![Vec::with_capacity(COMPARED + 1); windows.len()];
    let mut least = vec![LEAST_WINDOW / 4.0; windows.len()];
    at.quick.product(&rows, |row, column, results: &[f32; PANEL]| {
        let (window, mirrored) = (row / 2, row % 2 == 1);
        if results.iter().all(|value| *value <= least[window]) {
            return;
        }
        for (look, &explained) in (column..).zip(results) {
            if explained > least[window] && (!mirrored || templates.looks[look].mirrors) {
                let best = &mut best[window];
                let place = best.partition_point(|known| known.0 >= explained);
                best.insert(place, (explained, look as u32, mirrored));
                if best.len() > COMPARED {
                    best.truncate(COMPARED);
                    least[window] = best[COMPARED - 1].0;
                }
            }
        }
    });
    for (best, window) in best.iter_mut().zip(windows) {
        for (explained, look, mirrored) in best.iter_mut() {
            *explained = scene.explained(at, *window, *look as usize, *mirrored);
        }
        best.sort_by(|a, b| b.0.total_cmp(&a.0));
        best.truncate(KEPT);
        best.retain(|known| known.0 > LEAST_WINDOW / 2.0);
    }
    best
}

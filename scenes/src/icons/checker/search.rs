//! Looking at a picture: propose, look closely, explain away, repeat; then look at each thing again with all others
//! explained.

use super::canvas::{Canvas, Fit};
use super::propose::{Proposal, Proposer, window_sums};
use super::stamp::{Spot, Stamp};
use super::templates::{Look, Templates};
use super::thresholds::{
    GROUND_DIFFERS, GROUPS, LEAST_GAIN, LEFT_CELLS, LOOKED_AT, MOST_THINGS, PART_SHARE, REFINED, STEPPED,
};
use super::view::{CELL, CELL_PX, CELLS, HALF, View};
use crate::icons::layout::flies;
use crate::icons::scene::SIDE;

/// A thing found, by its look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub look: usize,
    pub mirrored: bool,
    /// Whether it casts a shadow.
    pub shaded: bool,
    pub spot: Spot,
    /// See [`Fit`]; with every other thing explained.
    pub gain: f32,
    /// The share of its energy that is explained.
    pub share: f32,
    /// The same in its worst part.
    pub worst: f32,
    /// The share of its edges that is explained.
    pub edges: f32,
}

/// What was found in a picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    pub ground: usize,
    /// In the order of their gain when they were found.
    pub things: Vec<Found>,
    /// The most energy left in a window of [`LEFT_CELLS`] cells.
    pub left: f32,
}

/// The ground that is most like the picture where no thing is: a cell that differs much differs no more than that.
fn ground_of(view: &View, seen: &[[f32; 3]], grounds: &[(View, Vec<[f32; 3]>)]) -> usize {
    let far = |(ground, cells): &(View, Vec<[f32; 3]>)| {
        let chroma = |(a, b): (&[f32; 3], &[f32; 3])| (1..3).map(|c| (a[c] - b[c]) * (a[c] - b[c])).sum();
        let mut far: Vec<f32> = seen.iter().zip(cells).map(chroma).collect();
        for (at, (a, b)) in view.planes[0].iter().zip(&ground.planes[0]).enumerate() {
            far[at / HALF / CELL * CELLS + at % HALF / CELL] += (a - b) * (a - b) / (CELL * CELL) as f32;
        }
        far.into_iter().map(|far| far.min(GROUND_DIFFERS)).sum::<f32>()
    };
    let far = grounds.iter().map(far).enumerate();
    far.min_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(ground, _)| ground)
}

/// A look to be stamped.
struct Model<'a> {
    look: &'a Look,
    master: [Vec<f32>; 4],
    mirrored: bool,
    /// Whether its shadow belongs to it.
    shaded: bool,
}

impl<'a> Model<'a> {
    fn new(look: &'a Look, mirrored: bool, shaded: bool) -> Self {
        Self { look, master: look.master(), mirrored, shaded }
    }

    fn of(found: &Found, templates: &'a Templates) -> Self {
        Self::new(&templates.looks[found.look], found.mirrored, found.shaded)
    }

    fn stamp(&self, spot: Spot) -> Stamp {
        if self.shaded {
            Stamp::shaded(&self.master, self.mirrored, spot, self.look.extent, flies(self.look.class))
        } else {
            Stamp::of(&self.master, self.mirrored, spot)
        }
    }
}

/// Looks at a picture.
pub(super) fn search(view: &View, templates: &Templates, grounds: &[(View, Vec<[f32; 3]>)]) -> Finding {
    let seen = view.cells();
    let ground = ground_of(view, &seen, grounds);
    let bare = Canvas::new(view, &seen, &grounds[ground].0);
    let mut canvas = bare.clone();
    let mut covered = Covered::new();
    let mut proposer = Proposer::new(templates);
    let mut things: Vec<Found> = Vec::new();
    for _ in 0..2 * MOST_THINGS {
        if things.len() == MOST_THINGS {
            break;
        }
        let proposals = proposer.propose(&canvas, &covered.cells());
        let groups = groups(&proposals);
        if groups.is_empty() {
            break;
        }
        let chosen = groups.iter().filter_map(|group| choose(&canvas, templates, group));
        match chosen.max_by(|a, b| a.gain.total_cmp(&b.gain)) {
            Some(thing) if thing.gain >= LEAST_GAIN => {
                let mut model = Model::of(&thing, templates);
                let stamp = model.stamp(thing.spot);
                canvas.put(&stamp);
                let cells = |from: usize, count: usize| (from / CELL, (from + count) / CELL);
                proposer.forget(cells(stamp.top, stamp.rows), cells(stamp.left, stamp.columns));
                model.shaded = false;
                covered.add(&model.stamp(thing.spot));
                things.push(thing);
            }
            _ => groups.iter().flatten().for_each(|proposal| proposer.refuse(proposal.window)),
        }
    }
    let things = look_again(&bare, templates, &things);
    let mut canvas = bare;
    for thing in &things {
        canvas.put(&Model::of(thing, templates).stamp(thing.spot));
    }
    let left = window_sums(&canvas.open(), LEFT_CELLS).into_iter().fold(0.0, f32::max);
    Finding { ground, things, left }
}

/// Proposals that may be the same thing: those near the most promising one, and those near the most promising of the
/// others, because a large thing over two small ones is promising, too.
fn groups(proposals: &[Proposal]) -> Vec<Vec<Proposal>> {
    let mut groups: Vec<Vec<Proposal>> = Vec::new();
    let mut rest: Vec<Proposal> = proposals.to_vec();
    while let (Some(first), true) = (rest.first().copied(), groups.len() < GROUPS) {
        let (near, others): (Vec<Proposal>, Vec<Proposal>) = rest.into_iter().partition(|other| other.is_near(&first));
        groups.push(near.into_iter().take(LOOKED_AT).collect());
        rest = others;
    }
    groups
}

/// The best of proposals for one thing.
fn choose(canvas: &Canvas<'_>, templates: &Templates, near: &[Proposal]) -> Option<Found> {
    let fits: Vec<(Fit, &Proposal, Model<'_>)> = near
        .iter()
        .map(|proposal| {
            let model = Model::new(&templates.looks[proposal.look], proposal.mirrored, false);
            (canvas.fit(&model.stamp(proposal.spot)), proposal, model)
        })
        .collect();
    // One step for many, more for few.
    let mut refined: Vec<(Fit, Spot, usize)> =
        fits.iter().zip(0..).map(|((fit, proposal, _), index)| (*fit, proposal.spot, index)).collect();
    for (count, rounds) in [(STEPPED, 1), (REFINED, 5)] {
        refined.sort_by(|a, b| b.0.gain.total_cmp(&a.0.gain));
        refined.truncate(count);
        for (fit, spot, index) in &mut refined {
            let (_, proposal, model) = &fits[*index];
            (*fit, *spot) = refine(canvas, model, proposal.spot, (*fit, *spot), rounds);
        }
    }
    let (fit, spot, index) = refined.into_iter().max_by(|a, b| a.0.gain.total_cmp(&b.0.gain))?;
    let proposal = fits[index].1;
    let mut found = Found {
        look: proposal.look,
        mirrored: proposal.mirrored,
        shaded: true,
        spot,
        gain: fit.gain,
        share: fit.share,
        worst: fit.share,
        edges: 0.0,
    };
    let model = Model::of(&found, templates);
    let (shaded, moved) = refine(canvas, &model, spot, (canvas.fit(&model.stamp(spot)), spot), 5);
    found.shaded = shaded.gain > fit.gain;
    if found.shaded {
        (found.gain, found.share, found.spot) = (shaded.gain, shaded.share, moved);
    }
    Some(found)
}

/// Moves and scales a template in small steps while that makes it fit better, half a cell from `start` at most.
fn refine(canvas: &Canvas<'_>, model: &Model<'_>, start: Spot, now: (Fit, Spot), rounds: usize) -> (Fit, Spot) {
    // Size, row and column. Things stand on their lower edge, so they grow upwards, too.
    const STEPS: [(i32, i32, i32); 14] = [
        (0, 1, 0),
        (0, -1, 0),
        (0, 0, 1),
        (0, 0, -1),
        (2, -1, -1),
        (-2, 1, 1),
        (1, 0, 0),
        (-1, 1, 1),
        (1, -1, -1),
        (-1, 0, 0),
        (0, 2, 0),
        (0, -2, 0),
        (0, 0, 2),
        (0, 0, -2),
    ];
    let far = CELL_PX as i32 / 2;
    let allowed = |spot: &Spot| {
        let inside = |from: i32| from >= 0 && from + spot.size <= SIDE as i32;
        let near = (spot.x - start.x).abs() <= far && (spot.y - start.y).abs() <= far;
        spot.size >= 28 && inside(spot.x) && inside(spot.y) && near
    };
    let (mut best, mut spot) = now;
    for _ in 0..rounds {
        let tries = STEPS
            .iter()
            .map(|(size, y, x)| Spot { x: spot.x + x, y: spot.y + y, size: spot.size + size })
            .filter(allowed)
            .map(|spot| (canvas.fit(&model.stamp(spot)), spot));
        match tries.max_by(|a, b| a.0.gain.total_cmp(&b.0.gain)) {
            Some((fit, better)) if fit.gain > best.gain * 1.002 => (best, spot) = (fit, better),
            _ => break,
        }
    }
    (best, spot)
}

/// Fits each thing once more with all others explained, and asks how well.
fn look_again(bare: &Canvas<'_>, templates: &Templates, things: &[Found]) -> Vec<Found> {
    let mut things = things.to_vec();
    for index in 0..things.len() {
        let mut others = bare.clone();
        for (_, other) in things.iter().enumerate().filter(|(other, _)| *other != index) {
            others.put(&Model::of(other, templates).stamp(other.spot));
        }
        let thing = &mut things[index];
        let model = Model::of(thing, templates);
        let now = (others.fit(&model.stamp(thing.spot)), thing.spot);
        let (fit, spot) = refine(&others, &model, thing.spot, now, 5);
        (thing.spot, thing.gain) = (spot, fit.gain);
        let stamp = model.stamp(spot);
        (thing.share, thing.worst) = shares(&others, &stamp);
        thing.edges = others.edges(&stamp);
    }
    things
}

/// How much of a thing's energy is explained where it is, and how much in its worst part.
fn shares(canvas: &Canvas<'_>, stamp: &Stamp) -> (f32, f32) {
    let (rows, columns) = (stamp.rows / CELL, stamp.columns / CELL);
    let mut cells = Vec::with_capacity(rows * columns);
    canvas.compare(stamp, |_, _, cell| cells.push(cell));
    let whole = cells.iter().map(|cell| cell.stamp).sum::<f32>();
    let (mut before, mut after) = (0.0, 0.0);
    for cell in cells.iter().filter(|cell| cell.stamp > 1e-4 * whole) {
        before += cell.before;
        after += cell.after;
    }
    let side = (rows.min(columns) / 2).max(2);
    let mut worst = f32::INFINITY;
    for top in 0..=rows.saturating_sub(side) {
        for left in 0..=columns.saturating_sub(side) {
            let (mut before, mut after, mut own) = (0.0, 0.0, 0.0);
            for cell in
                (top..(top + side).min(rows)).flat_map(|y| &cells[y * columns..][left..(left + side).min(columns)])
            {
                before += cell.before;
                after += cell.after;
                own += cell.stamp;
            }
            if own >= PART_SHARE * whole {
                worst = worst.min(1.0 - after / own.max(before).max(1e-6));
            }
        }
    }
    let share = 1.0 - after / before.max(1e-6);
    (share, worst.min(share))
}

/// Where things found cover the picture, at half resolution.
struct Covered(Vec<f32>);

impl Covered {
    fn new() -> Self {
        Self(vec![0.0; HALF * HALF])
    }

    /// A thing more, with a rim: its blurred edge is no new thing.
    fn add(&mut self, stamp: &Stamp) {
        for y in 0..stamp.rows {
            for x in 0..stamp.columns {
                if stamp.planes[3][y * stamp.columns + x] > 0.3 {
                    let around = |at: usize| at.saturating_sub(1)..(at + 2).min(HALF);
                    for row in around(stamp.top + y) {
                        for column in around(stamp.left + x) {
                            self.0[row * HALF + column] = 1.0;
                        }
                    }
                }
            }
        }
    }

    /// Shares of the cells.
    fn cells(&self) -> Vec<f32> {
        let mut cells = vec![0.0; CELLS * CELLS];
        for (at, value) in self.0.iter().enumerate() {
            cells[at / HALF / CELL * CELLS + at % HALF / CELL] += value / (CELL * CELL) as f32;
        }
        cells
    }
}

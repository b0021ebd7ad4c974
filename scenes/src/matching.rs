//! Which thing stands for which wanted object: shared by the ground truth (things of a scene graph) and the checker
//! (things seen in pixels), so that both mean the same by "satisfies".

use crate::spec::{ObjectSpec, Spec};
use crate::world::{Colour, Scene, Shape};

/// Something that is there. Unknown attributes match nothing that names them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thing {
    pub shape: Option<Shape>,
    pub colour: Option<Colour>,
    pub x: f32,
    pub y: f32,
}

impl Thing {
    fn fits(&self, wanted: &ObjectSpec) -> bool {
        self.shape == Some(wanted.shape) && (wanted.colour.is_none() || wanted.colour == self.colour)
    }
}

/// The outcome of [`assign`].
#[derive(Debug, Clone)]
pub(crate) struct Assignment {
    /// For every single object wanted (counts spelled out): which kind it is of and which thing stands for it.
    pub wanted: Vec<(usize, Option<usize>)>,
    /// Whether the relation holds; none where there is no relation or one of its two objects is missing.
    pub relation: Option<bool>,
    relation_wanted: bool,
}

impl Assignment {
    pub fn matched(&self) -> usize {
        self.wanted.iter().filter(|(_, thing)| thing.is_some()).count()
    }

    /// Everything wanted is there, nothing else is, and the relation, if any, holds.
    pub fn satisfies(&self, things: usize) -> bool {
        self.matched() == self.wanted.len()
            && self.wanted.len() == things
            && self.relation.is_some() == self.relation_wanted
            && self.relation != Some(false)
    }
}

/// Matches as many wanted objects as possible, each to a thing of its own; among those matchings of two related
/// objects one in which the relation holds, if there is any.
pub(crate) fn assign(spec: &Spec, things: &[Thing]) -> Assignment {
    let relation_wanted = spec.relation.is_some();
    if let (Some(relation), [a, b]) = (spec.relation, spec.objects.as_slice())
        && (a.count, b.count) == (1, 1)
    {
        let fitting =
            |wanted: &ObjectSpec| -> Vec<usize> { (0..things.len()).filter(|&i| things[i].fits(wanted)).collect() };
        let (firsts, seconds) = (fitting(a), fitting(b));
        let mut pair = None;
        for (&i, &j) in firsts.iter().flat_map(|i| seconds.iter().map(move |j| (i, j))).filter(|(i, j)| i != j) {
            let holds = relation.holds((things[i].x, things[i].y), (things[j].x, things[j].y));
            if holds || pair.is_none() {
                pair = Some((i, j, holds));
            }
            if holds {
                break;
            }
        }
        if let Some((i, j, holds)) = pair {
            return Assignment { wanted: vec![(0, Some(i)), (1, Some(j))], relation: Some(holds), relation_wanted };
        }
    }

    let kinds: Vec<usize> = spec
        .objects
        .iter()
        .enumerate()
        .flat_map(|(kind, object)| std::iter::repeat_n(kind, usize::from(object.count)))
        .collect();
    let mut taken_by: Vec<Option<usize>> = vec![None; things.len()];
    for wanted in 0..kinds.len() {
        let mut tried = vec![false; things.len()];
        augment(wanted, &kinds, spec, things, &mut taken_by, &mut tried);
    }
    let mut wanted: Vec<(usize, Option<usize>)> = kinds.iter().map(|&kind| (kind, None)).collect();
    for (thing, taker) in taken_by.iter().enumerate() {
        if let Some(taker) = taker {
            wanted[*taker].1 = Some(thing);
        }
    }
    Assignment { wanted, relation: None, relation_wanted }
}

/// One augmenting path of a maximum bipartite matching (Kuhn's algorithm).
fn augment(
    wanted: usize,
    kinds: &[usize],
    spec: &Spec,
    things: &[Thing],
    taken_by: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for thing in 0..things.len() {
        if tried[thing] || !things[thing].fits(&spec.objects[kinds[wanted]]) {
            continue;
        }
        tried[thing] = true;
        let free = match taken_by[thing] {
            None => true,
            Some(taker) => augment(taker, kinds, spec, things, taken_by, tried),
        };
        if free {
            taken_by[thing] = Some(wanted);
            return true;
        }
    }
    false
}

impl Scene {
    /// The ground truth: whether this scene holds exactly the objects the spec names, no more and no fewer, each
    /// standing for one of them, and whether their relation holds.
    #[must_use]
    pub fn satisfies(&self, spec: &Spec) -> bool {
        let things: Vec<Thing> = self
            .objects
            .iter()
            .map(|object| {
                let (x, y) = object.centre_px();
                Thing { shape: Some(object.shape), colour: Some(object.colour), x, y }
            })
            .collect();
        assign(spec, &things).satisfies(things.len())
    }
}

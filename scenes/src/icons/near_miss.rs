//! Specs that are wrong by one fact: what a checker must refuse and a verifier must notice.

use super::class::{Class, Colour};
use super::sample::takes_colour;
use super::spec::{MAX_THINGS, Relation, Spec, Wanted};
use rng::Rng;

/// What a near miss differs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// Another class for things of one kind.
    Class,
    /// Another colour where one is named.
    Colour,
    /// One more or one fewer of a kind.
    Count,
    /// One of the kinds left out.
    Missing,
    /// Another relation.
    Relation,
    /// Two kinds change colours.
    SwappedColours,
}

impl Change {
    /// Every change.
    pub const ALL: [Self; 6] =
        [Self::Class, Self::Colour, Self::Count, Self::Missing, Self::Relation, Self::SwappedColours];
}

impl Spec {
    /// Whether two specs ask for the same: the order of kinds does not matter, and "a left of b" is "b right of a".
    #[must_use]
    pub fn means_same(&self, other: &Self) -> bool {
        meaning(self) == meaning(other)
    }
}

fn meaning(spec: &Spec) -> Spec {
    match spec.relation {
        Some(Relation::RightOf | Relation::Below) if spec.wanted.len() == 2 => turned_round(spec),
        Some(_) => spec.clone(),
        None => {
            let mut wanted: Vec<Wanted> = Vec::new();
            for group in &spec.wanted {
                match wanted.iter_mut().find(|kind| (kind.class, kind.colour) == (group.class, group.colour)) {
                    Some(kind) => kind.count = kind.count.saturating_add(group.count),
                    None => wanted.push(*group),
                }
            }
            wanted.sort_unstable_by_key(|kind| (kind.class, kind.colour));
            Spec { wanted, relation: None }
        }
    }
}

/// The same said from the other side: "a dog left of a bench" as "a bench right of a dog", and a list backwards.
pub(super) fn turned_round(spec: &Spec) -> Spec {
    let relation = spec.relation.map(opposite);
    Spec { wanted: spec.wanted.iter().rev().copied().collect(), relation }
}

const fn opposite(relation: Relation) -> Relation {
    match relation {
        Relation::LeftOf => Relation::RightOf,
        Relation::RightOf => Relation::LeftOf,
        Relation::Above => Relation::Below,
        Relation::Below => Relation::Above,
    }
}

/// A spec that differs in one fact and never means the same. One fact of every kind that the spec has is as likely as
/// another. A near miss of what training may show is itself such, so that no wrong example tells of what is held out.
#[must_use]
pub fn near_miss(spec: &Spec, rng: &mut Rng) -> Spec {
    let mut changes = Change::ALL;
    rng.shuffle(&mut changes);
    let missed = changes.into_iter().find_map(|change| near_miss_by(spec, change, rng));
    // Only a spec of nothing has nothing to change.
    missed.unwrap_or_else(|| Spec {
        wanted: Class::all().take(1).map(|class| Wanted::one(class, None)).collect(),
        relation: None,
    })
}

/// A near miss by one kind of change, uniform among all there are; none where the spec has no such fact.
#[must_use]
pub fn near_miss_by(spec: &Spec, change: Change, rng: &mut Rng) -> Option<Spec> {
    let mut missed = changed(spec, change);
    let trained = spec.is_trained();
    missed.retain(|miss| miss.is_sayable() && !miss.means_same(spec) && (!trained || miss.is_trained()));
    let at = rng.below(missed.len());
    (at < missed.len()).then(|| missed.swap_remove(at))
}

/// Every spec that such a change can give, and some that are none.
fn changed(spec: &Spec, change: Change) -> Vec<Spec> {
    let kinds = 0..spec.wanted.len();
    let with = |at: usize, wanted: Wanted| {
        let mut spec = spec.clone();
        spec.wanted[at] = wanted;
        spec
    };
    match change {
        Change::Class => kinds
            .flat_map(|at| {
                let was = spec.wanted[at];
                let others = Class::all().filter(move |class| was.colour.is_none() || takes_colour(*class));
                others
                    .filter(|class| spec.wanted.iter().all(|wanted| wanted.class != *class))
                    .map(move |class| with(at, Wanted { class, ..was }))
            })
            .collect(),
        Change::Colour => kinds
            .filter(|at| spec.wanted[*at].colour.is_some())
            .flat_map(|at| {
                let was = spec.wanted[at];
                Colour::ALL.into_iter().map(move |colour| with(at, Wanted { colour: Some(colour), ..was }))
            })
            .collect(),
        Change::Count if spec.relation.is_none() => kinds
            .flat_map(|at| {
                let was = spec.wanted[at];
                [was.count.saturating_sub(1), was.count.saturating_add(1)]
                    .into_iter()
                    .filter(|count| (1..=MAX_THINGS).contains(count))
                    .map(move |count| with(at, Wanted { count, ..was }))
            })
            .collect(),
        Change::Missing if spec.wanted.len() > 1 => kinds
            .map(|left_out| {
                let mut wanted = spec.wanted.clone();
                wanted.remove(left_out);
                Spec { wanted, relation: None }
            })
            .collect(),
        Change::Relation if spec.relation.is_some() => {
            Relation::ALL.map(|relation| Spec { relation: Some(relation), ..spec.clone() }).to_vec()
        }
        Change::SwappedColours => kinds
            .clone()
            .flat_map(|a| kinds.clone().map(move |b| (a, b)))
            .filter(|(a, b)| a < b && spec.wanted[*a].colour.is_some() && spec.wanted[*b].colour.is_some())
            .map(|(a, b)| {
                let mut spec = spec.clone();
                (spec.wanted[a].colour, spec.wanted[b].colour) = (spec.wanted[b].colour, spec.wanted[a].colour);
                spec
            })
            .collect(),
        Change::Count | Change::Missing | Change::Relation => Vec::new(),
    }
}

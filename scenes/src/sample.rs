//! Drawing specs and scenes, deterministically.

use crate::spec::{Category, MAX_OBJECTS, ObjectSpec, Relation, Spec};
use crate::split::{HELD_OUT, Split, held_out};
use crate::world::{Colour, LATTICE, Object, Scene, Shape, Size, slot_centre_px};
use rng::Rng;

/// Draws from a table that is never empty.
fn one_of<T: Copy, const N: usize>(rng: &mut Rng, all: &[T; N]) -> T {
    all[rng.below(N)]
}

fn other_shape(rng: &mut Rng, than: Shape) -> Shape {
    loop {
        let shape = one_of(rng, &Shape::ALL);
        if shape != than {
            return shape;
        }
    }
}

/// Uniform over the pairs training may show.
fn trained_pair(rng: &mut Rng) -> (Shape, Colour) {
    loop {
        let pair = (one_of(rng, &Shape::ALL), one_of(rng, &Colour::ALL));
        if !held_out(pair.0, pair.1) {
            return pair;
        }
    }
}

/// A colour training may show on a shape.
fn trained_colour(rng: &mut Rng, shape: Shape) -> Colour {
    loop {
        let colour = one_of(rng, &Colour::ALL);
        if !held_out(shape, colour) {
            return colour;
        }
    }
}

fn coloured((shape, colour): (Shape, Colour)) -> ObjectSpec {
    ObjectSpec::one(shape, Some(colour))
}

/// A prompt of a category, in the category's pure form (as GenEval asks it): only `Colours` and `ColourAttribution`
/// name colours, so only they differ between the splits. Two objects always differ in shape, or, where both are
/// coloured, in colour.
#[must_use]
pub fn sample_spec(category: Category, split: Split, rng: &mut Rng) -> Spec {
    let shape = one_of(rng, &Shape::ALL);
    match category {
        Category::SingleObject => Spec::of(ObjectSpec::one(shape, None)),
        Category::TwoObjects => {
            Spec::pair(ObjectSpec::one(shape, None), ObjectSpec::one(other_shape(rng, shape), None), None)
        }
        Category::Counting => {
            let count = one_of(rng, &[2, 3, MAX_OBJECTS]);
            Spec::of(ObjectSpec { count, shape, colour: None })
        }
        Category::Position => Spec::pair(
            ObjectSpec::one(shape, None),
            ObjectSpec::one(other_shape(rng, shape), None),
            Some(one_of(rng, &Relation::ALL)),
        ),
        Category::Colours => Spec::of(coloured(match split {
            Split::Train => trained_pair(rng),
            Split::Compositional => one_of(rng, &HELD_OUT),
        })),
        Category::ColourAttribution => loop {
            let (mut first, mut second) = match split {
                Split::Train => (trained_pair(rng), trained_pair(rng)),
                Split::Compositional => (one_of(rng, &HELD_OUT), (one_of(rng, &Shape::ALL), one_of(rng, &Colour::ALL))),
            };
            if rng.chance(0.5) {
                std::mem::swap(&mut first, &mut second);
            }
            if first != second {
                return Spec::pair(coloured(first), coloured(second), None);
            }
        },
    }
}

/// A prompt to train on: the six categories in equal parts, and a part of them in a coloured (or half-coloured)
/// variant that evaluation does not use. Never names a held-out pair.
#[must_use]
pub fn sample_training_spec(rng: &mut Rng) -> Spec {
    let category = one_of(rng, &Category::ALL);
    let mut spec = sample_spec(category, Split::Train, rng);
    match category {
        Category::SingleObject | Category::Colours | Category::TwoObjects => {}
        Category::Counting => {
            if rng.chance(0.5) {
                for object in &mut spec.objects {
                    object.colour = Some(trained_colour(rng, object.shape));
                }
            }
        }
        // None, either one or both, in equal parts.
        Category::Position => {
            for object in &mut spec.objects {
                if rng.chance(0.5) {
                    object.colour = Some(trained_colour(rng, object.shape));
                }
            }
        }
        Category::ColourAttribution => {
            let shapes_differ = spec.objects.first().map(|o| o.shape) != spec.objects.last().map(|o| o.shape);
            if shapes_differ && rng.chance(0.25) {
                let bare = rng.below(spec.objects.len());
                spec.objects[bare].colour = None;
            }
        }
    }
    spec
}

/// Every prompt that [`sample_spec`] can draw, in a fixed order.
#[must_use]
pub fn all_specs(category: Category, split: Split) -> Vec<Spec> {
    let shapes = || Shape::ALL.into_iter();
    let two_shapes = || shapes().flat_map(move |a| shapes().filter(move |&b| b != a).map(move |b| (a, b)));
    let pairs = || shapes().flat_map(|shape| Colour::ALL.into_iter().map(move |colour| (shape, colour)));
    let bare = |shape| ObjectSpec::one(shape, None);
    let in_split = |spec: &Spec| spec.names_held_out() == (split == Split::Compositional);
    match category {
        Category::SingleObject => shapes().map(|shape| Spec::of(bare(shape))).collect(),
        Category::TwoObjects => two_shapes().map(|(a, b)| Spec::pair(bare(a), bare(b), None)).collect(),
        Category::Counting => shapes()
            .flat_map(|shape| (2..=MAX_OBJECTS).map(move |count| Spec::of(ObjectSpec { count, shape, colour: None })))
            .collect(),
        Category::Position => two_shapes()
            .flat_map(|(a, b)| Relation::ALL.map(|relation| Spec::pair(bare(a), bare(b), Some(relation))))
            .collect(),
        Category::Colours => pairs().map(|pair| Spec::of(coloured(pair))).filter(in_split).collect(),
        Category::ColourAttribution => pairs()
            .flat_map(|a| pairs().filter(move |&b| b != a).map(move |b| Spec::pair(coloured(a), coloured(b), None)))
            .filter(in_split)
            .collect(),
    }
}

/// `per_category` prompts of each category, category by category. No prompt comes twice before every prompt of its
/// category has come once.
#[must_use]
pub fn evaluation_prompts(per_category: usize, split: Split, seed: u64) -> Vec<(Category, Spec)> {
    Category::ALL
        .into_iter()
        .flat_map(|category| {
            let mut specs = all_specs(category, split);
            Rng::keyed(&[seed, category as u64, split as u64]).shuffle(&mut specs);
            specs.into_iter().cycle().take(per_category).map(move |spec| (category, spec))
        })
        .collect()
}

/// A scene that satisfies a spec, with everything the spec leaves open drawn uniformly: colours, sizes, slots.
/// Objects come in the spec's order; those of one kind share a colour. In `Train` no open colour makes a held-out
/// pair (a colour the spec itself names is kept). A spec that is not [sayable](Spec::is_sayable) gets what of it
/// fits the lattice.
#[must_use]
pub fn sample_scene(spec: &Spec, split: Split, rng: &mut Rng) -> Scene {
    let mut slots: Vec<(u8, u8)> = (0..LATTICE).flat_map(|row| (0..LATTICE).map(move |col| (col, row))).collect();
    rng.shuffle(&mut slots);
    if let Some(relation) = spec.relation {
        // Shuffling until the first two slots are so related keeps them uniform; two of five orders are.
        let centre = |(col, row): (u8, u8)| (slot_centre_px(col), slot_centre_px(row));
        while !relation.holds(centre(slots[0]), centre(slots[1])) {
            rng.shuffle(&mut slots);
        }
    }
    let mut slots = slots.into_iter();
    let mut scene = Scene::default();
    for wanted in &spec.objects {
        let colour = wanted.colour.unwrap_or_else(|| match split {
            Split::Train => trained_colour(rng, wanted.shape),
            Split::Compositional => one_of(rng, &Colour::ALL),
        });
        for (col, row) in slots.by_ref().take(usize::from(wanted.count)) {
            scene.objects.push(Object { shape: wanted.shape, colour, size: one_of(rng, &Size::ALL), col, row });
        }
    }
    scene
}

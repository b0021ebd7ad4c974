//! Other prompts for a picture that is there already.
//!
//! A picture costs a third of a second of decoding, and its own prompt asks one question of it. The checker's detections
//! answer every question that the grammar can put, so that each picture also serves with prompts that it satisfies and
//! with prompts that it misses by one word: what a network learns to tell apart only if it reads both.

use rng::Rng;
use scenes::{Colour, Detection, MAX_OBJECTS, ObjectSpec, Relation, Shape, Spec};

/// A prompt about what is seen: half of the time, where there is one, a true one, else one that is off by a word.
#[must_use]
pub fn about(seen: &[Detection], rng: &mut Rng) -> Spec {
    let things: Vec<Thing> = seen.iter().map(|seen| Thing::guess(seen, rng)).collect();
    let spec = describe(&things, rng);
    let spec = if rng.chance(0.5) { spec } else { miss(spec, rng) };
    // Off by a word can mean a third kind or a fifth object, which no prompt asks for.
    if spec.is_sayable() { spec } else { scenes::sample_training_spec(rng) }
}

/// A prompt about how two things lie to each other, of which it says the right shapes and colours where they are known;
/// nothing where there are no two of different shapes. The relation is any, whether it holds or not.
#[must_use]
pub fn relation(seen: &[Detection], rng: &mut Rng) -> Option<Spec> {
    let [first, second] = seen else { return None };
    if first.shape == second.shape {
        return None;
    }
    let things = if rng.chance(0.5) { [first, second] } else { [second, first] };
    let coloured = rng.chance(0.5);
    let mut object = |seen: &Detection| {
        let coloured = coloured != rng.chance(0.2);
        Some(ObjectSpec::one(seen.shape?, if coloured { Some(seen.colour?) } else { None }))
    };
    let [a, b] = [object(things[0])?, object(things[1])?];
    let relation = Relation::ALL[rng.below(Relation::ALL.len())];
    Some(Spec::pair(a, b, Some(relation))).filter(Spec::is_sayable)
}

/// Something that is seen; what the checker could not tell is guessed, and no prompt is true of it.
struct Thing {
    shape: Shape,
    colour: Colour,
    centre_px: (f32, f32),
}

impl Thing {
    fn guess(seen: &Detection, rng: &mut Rng) -> Self {
        Self {
            shape: seen.shape.unwrap_or_else(|| other(&Shape::ALL, None, rng)),
            colour: seen.colour.unwrap_or_else(|| other(&Colour::ALL, None, rng)),
            centre_px: (seen.centre_x_px, seen.centre_y_px),
        }
    }

    fn object(&self, with_colour: bool) -> ObjectSpec {
        ObjectSpec::one(self.shape, with_colour.then_some(self.colour))
    }
}

/// A prompt of the forms that training knows, true of the first few things, and so of the picture where there are no more.
fn describe(things: &[Thing], rng: &mut Rng) -> Spec {
    let [first, rest @ ..] = things else { return scenes::sample_training_spec(rng) };
    let alike = rest.iter().all(|thing| thing.shape == first.shape);
    let coloured = rng.chance(0.5);
    if rest.is_empty() || (alike && (rest.len() > 1 || rng.chance(0.7))) {
        let count = things.len().min(usize::from(MAX_OBJECTS)) as u8;
        let one_colour = rest.iter().all(|thing| thing.colour == first.colour);
        return Spec::of(ObjectSpec { count, ..first.object(coloured && one_colour) });
    }
    let (a, b) = if rng.chance(0.5) { (first, &rest[0]) } else { (&rest[0], first) };
    if a.shape == b.shape {
        return Spec::pair(a.object(true), b.object(true), None);
    }
    let holding = Relation::ALL.into_iter().filter(|relation| relation.holds(a.centre_px, b.centre_px));
    let relation = if rng.chance(0.7) { rng.pick(&holding.collect::<Vec<_>>()) } else { None };
    Spec::pair(a.object(coloured), b.object(coloured != rng.chance(0.2)), relation)
}

/// One word of a prompt changed.
fn miss(mut spec: Spec, rng: &mut Rng) -> Spec {
    let which = rng.below(spec.objects.len());
    match (rng.below(4), spec.relation) {
        (0, Some(relation)) => spec.relation = Some(opposite(relation)),
        (0, None) if spec.objects.len() == 2 => {
            let [first, second] = [spec.objects[0].colour, spec.objects[1].colour];
            (spec.objects[0].colour, spec.objects[1].colour) = (second, first);
        }
        (1, None) if spec.objects.len() == 1 => {
            let count = &mut spec.objects[0].count;
            *count = if *count > 1 && rng.chance(0.5) { *count - 1 } else { *count + 1 };
        }
        (2, _) if spec.objects[which].colour.is_some() => {
            spec.objects[which].colour = Some(other(&Colour::ALL, spec.objects[which].colour, rng));
        }
        _ => spec.objects[which].shape = other(&Shape::ALL, Some(spec.objects[which].shape), rng),
    }
    spec
}

fn opposite(relation: Relation) -> Relation {
    match relation {
        Relation::LeftOf => Relation::RightOf,
        Relation::RightOf => Relation::LeftOf,
        Relation::Above => Relation::Below,
        Relation::Below => Relation::Above,
    }
}

/// Any but one.
fn other<T: Copy + PartialEq, const N: usize>(all: &[T; N], than: Option<T>, rng: &mut Rng) -> T {
    loop {
        let drawn = all[rng.below(N)];
        if Some(drawn) != than {
            return drawn;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_about_a_scene_are_sayable_and_both_true_and_false() {
        let mut rng = Rng::new(5);
        let (mut satisfied, mut relations, mut counts, mut round_trips) = (0, 0, 0, 0);
        let tries = 2000;
        for _ in 0..tries {
            let spec = scenes::sample_training_spec(&mut rng);
            let scene = scenes::sample_scene(&spec, scenes::Split::Train, &mut rng);
            let seen = scenes::detect(&scenes::render(&scene));
            let about = about(&seen, &mut rng);
            assert!(about.is_sayable(), "{about:?}");
            round_trips += usize::from(Spec::parse(&about.prompt()).as_ref() == Ok(&about));
            satisfied += usize::from(scenes::judge(seen, &about).accepted);
            relations += usize::from(about.relation.is_some());
            counts += usize::from(about.total() > 2);
        }
        assert!(round_trips > tries * 9 / 10, "{round_trips}");
        assert!((tries * 2 / 5..tries * 3 / 5).contains(&satisfied), "{satisfied}");
        assert!(relations > tries / 20 && counts > tries / 20, "{relations} {counts}");
    }
}

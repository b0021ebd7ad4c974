//! Prompts drawn at random: to train on, and to ask what training left out.

use std::collections::HashSet;

use super::class::{Class, Colour};
use super::spec::{MAX_THINGS, Relation, Spec, Task, Wanted};
use super::split::{colour_held_out_of, held_out_colour, held_out_pair};
use rng::Rng;

/// The class that is never asked in a colour, as in GenEval.
const NEVER_COLOURED: &str = "person";

/// Whether a class is ever asked in a colour: every class but `person` is.
#[must_use]
pub fn takes_colour(class: Class) -> bool {
    class.name() != NEVER_COLOURED
}

/// Draws from a list that is never empty.
fn one_of<T: Copy, const N: usize>(all: &[T; N], rng: &mut Rng) -> T {
    all[rng.below(N)]
}

/// Draws a class that passes, uniformly; the caller's test must leave some.
fn class_where(test: impl Fn(Class) -> bool, rng: &mut Rng) -> Class {
    let fit: Vec<Class> = Class::all().filter(|class| test(*class)).collect();
    // Each class has about seven partners of eighty that it may not be shown with, so some are always left.
    fit[rng.below(fit.len())]
}

/// A class that training may show beside others, none of which it is.
fn class_beside(others: &[Class], coloured: bool, rng: &mut Rng) -> Class {
    let fits = |class| others.iter().all(|other| *other != class && !held_out_pair(*other, class));
    class_where(|class| fits(class) && (!coloured || takes_colour(class)), rng)
}

/// A colour that training may show a class in; none for a class that is never coloured.
fn colour_of(class: Class, rng: &mut Rng) -> Option<Colour> {
    if !takes_colour(class) {
        return None;
    }
    let shown: Vec<Colour> = Colour::ALL.into_iter().filter(|colour| !held_out_colour(class, *colour)).collect();
    rng.pick(&shown)
}

/// `count` classes that training may show together.
fn classes(count: usize, coloured: bool, rng: &mut Rng) -> Vec<Class> {
    (0..count).fold(Vec::new(), |mut chosen, _| {
        chosen.push(class_beside(&chosen, coloured, rng));
        chosen
    })
}

/// A spec of a task in the task's pure form, as GenEval asks it: counts, colours and relations only where the task is
/// about them. Classes are drawn uniformly; nothing held out of training is named.
#[must_use]
pub fn sample_spec(task: Task, rng: &mut Rng) -> Spec {
    let (kinds, coloured) = match task {
        Task::SingleObject | Task::Counting => (1, false),
        Task::Colors => (1, true),
        Task::TwoObject | Task::Position => (2, false),
        Task::ColorAttr => (2, true),
    };
    let count = if task == Task::Counting { one_of(&[2, 3, MAX_THINGS], rng) } else { 1 };
    let wanted = classes(kinds, coloured, rng)
        .into_iter()
        .map(|class| Wanted { count, class, colour: if coloured { colour_of(class, rng) } else { None } })
        .collect();
    let relation = (task == Task::Position).then(|| one_of(&Relation::ALL, rng));
    Spec { wanted, relation }
}

/// A spec to train on: the six tasks in equal parts, and about a quarter of them in a form that GenEval does not ask:
/// coloured counts, colours on one or both sides of a relation, one colour of two, three different things, a count among
/// others. Never names what is held out.
#[must_use]
pub fn sample_training_spec(rng: &mut Rng) -> Spec {
    let task = one_of(&Task::ALL, rng);
    let mut spec = sample_spec(task, rng);
    match task {
        Task::SingleObject | Task::Colors => {}
        Task::TwoObject => {
            let choice = rng.unit();
            if choice < 0.2 {
                let others: Vec<Class> = spec.wanted.iter().map(|wanted| wanted.class).collect();
                spec.wanted.push(Wanted::one(class_beside(&others, false, rng), None));
            } else if choice < 0.45 {
                // Two and one, one and two, two and two, three and one, one and three.
                let counts = one_of(&[[2, 1], [1, 2], [2, 2], [3, 1], [1, 3]], rng);
                spec.wanted.iter_mut().zip(counts).for_each(|(wanted, count)| wanted.count = count);
            }
        }
        Task::Counting => {
            if rng.chance(0.35) {
                spec.wanted.iter_mut().for_each(|wanted| wanted.colour = colour_of(wanted.class, rng));
            }
        }
        Task::Position => {
            // Neither, one or both of them: 64, 32 and 4 of a hundred.
            for wanted in &mut spec.wanted {
                if rng.chance(0.2) {
                    wanted.colour = colour_of(wanted.class, rng);
                }
            }
        }
        Task::ColorAttr => {
            if rng.chance(0.3) {
                let bare = rng.below(spec.wanted.len());
                spec.wanted[bare].colour = None;
            }
        }
    }
    spec
}

/// Prompts that name a class in its held-out colour, half of them of one thing and half of two: the compositional split,
/// reported beside the rest. The two are a pair of classes that training shows, so that the colour alone is new. All
/// different; at most 79 are of one thing, and the rest are of two.
#[must_use]
pub fn compositional_prompts(count: usize, seed: u64) -> Vec<(Task, Spec)> {
    let mut rng = Rng::keyed(&[seed, 0x0063_6f6d_706f_7365]);
    let held = |class: Class| Wanted::one(class, Some(colour_held_out_of(class)));
    let mut order: Vec<Class> = Class::all().filter(|class| takes_colour(*class)).collect();
    rng.shuffle(&mut order);
    let mut prompts: Vec<(Task, Spec)> = order
        .iter()
        .take(count / 2)
        .map(|class| (Task::Colors, Spec { wanted: vec![held(*class)], relation: None }))
        .collect();
    let mut seen = HashSet::new();
    // Thousands of pairs in nine colours: the bound is only for who asks for more than there are.
    for draw in 0..count.saturating_mul(4) {
        if prompts.len() >= count {
            break;
        }
        let class = order[draw % order.len()];
        let other = class_beside(&[class], true, &mut rng);
        let mut wanted = vec![held(class), Wanted::one(other, colour_of(other, &mut rng))];
        if rng.chance(0.5) {
            wanted.swap(0, 1);
        }
        let spec = Spec { wanted, relation: None };
        if seen.insert(spec.clone()) {
            prompts.push((Task::ColorAttr, spec));
        }
    }
    prompts
}

//! Two verdicts on what is seen: as GenEval judges, and exactly.

use serde::{Deserialize, Serialize};

use super::sentence;
use super::sight::{Seen, Sighting};
use crate::icons::class::{Class, Colour};
use crate::icons::lies;
use crate::icons::spec::{Relation, Spec, Wanted};

/// What the checker says of a picture and a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// By GenEval's rules: every class at least its count (and no more where several are asked for), in its colour,
    /// the relation holds; other things may be there.
    pub geneval: bool,
    /// Exactly what is asked for, and nothing else.
    pub exact: bool,
    /// What is seen and where, for example `a red dog on the left and a bench on the right, on a plain ground`.
    pub sentence: String,
    /// Everything seen.
    pub seen: Sighting,
    /// What is wrong, in words; none for an exact picture.
    pub why: Option<String>,
}

/// The relations of one thing seen from another by GenEval's rule: at most two.
#[must_use]
pub fn relations(thing: &Seen, other: &Seen) -> Vec<Relation> {
    Relation::ALL.into_iter().filter(|relation| lies(thing.extent, *relation, other.extent)).collect()
}

/// Both verdicts without words: as GenEval judges, and exactly. Also for a sighting that is known to be true
/// ([`Sighting::of_scene`]).
#[must_use]
pub fn verdicts(seen: &Sighting, spec: &Spec) -> (bool, bool) {
    (as_geneval(seen, spec).is_none(), exactly(seen, spec).is_none())
}

/// Compares what is seen on a ground of a name with what is asked for.
pub(super) fn judge(seen: Sighting, ground: &str, spec: &Spec) -> Verdict {
    let geneval = as_geneval(&seen, spec);
    let exact = exactly(&seen, spec);
    Verdict {
        geneval: geneval.is_none(),
        exact: exact.is_none(),
        sentence: sentence::sighting(&seen, ground, spec.wanted.iter().any(|wanted| wanted.colour.is_some())),
        why: geneval.or(exact),
        seen,
    }
}

/// How many of a class a prompt asks for, whatever their colours.
fn asked(spec: &Spec, class: Class) -> usize {
    spec.wanted.iter().filter(|wanted| wanted.class == class).map(|wanted| usize::from(wanted.count)).sum()
}

/// What GenEval would find wrong.
fn as_geneval(seen: &Sighting, spec: &Spec) -> Option<String> {
    for wanted in &spec.wanted {
        let there: Vec<&Seen> = seen.sure().filter(|thing| thing.class == wanted.class).collect();
        let count = asked(spec, wanted.class);
        if there.len() < count {
            return Some(sentence::missing(wanted.class, count, there.len()));
        }
        if count > 1 && there.len() > count {
            return Some(sentence::too_many(wanted.class, count, there.len()));
        }
        if let Some(colour) = wanted.colour {
            let right = there.iter().filter(|thing| thing.colour == Some(colour)).count();
            let needed: usize = spec
                .wanted
                .iter()
                .filter(|other| (other.class, other.colour) == (wanted.class, wanted.colour))
                .map(|other| usize::from(other.count))
                .sum();
            if right < needed {
                return Some(sentence::wrong_colour(wanted, &there));
            }
        }
    }
    match (spec.relation, spec.wanted.as_slice()) {
        (Some(relation), [first, second, ..]) => {
            let pairs = pairs(seen, first, second);
            let holds = pairs.iter().any(|(thing, other)| relations(thing, other).contains(&relation));
            pairs.first().filter(|_| !holds).map(|(thing, other)| sentence::wrong_relation(thing, relation, other))
        }
        _ => None,
    }
}

/// The things that a relation may speak of: the surest of each kind, or any two where both are of one class.
fn pairs<'a>(seen: &'a Sighting, first: &Wanted, second: &Wanted) -> Vec<(&'a Seen, &'a Seen)> {
    let all = |wanted: &Wanted| {
        let is_it = |thing: &&'a Seen| {
            thing.class == wanted.class && (wanted.colour.is_none() || thing.colour == wanted.colour)
        };
        let mut all: Vec<&'a Seen> = seen.sure().filter(is_it).collect();
        all.sort_by(|a, b| b.score.total_cmp(&a.score));
        all
    };
    let (firsts, seconds) = (all(first), all(second));
    let most = if first.class == second.class { usize::MAX } else { 1 };
    firsts
        .iter()
        .take(most)
        .flat_map(|thing| seconds.iter().take(most).map(move |other| (*thing, *other)))
        .filter(|(thing, other)| !std::ptr::eq(*thing, *other))
        .collect()
}

/// What is not exactly as asked for.
fn exactly(seen: &Sighting, spec: &Spec) -> Option<String> {
    let things: Vec<&Seen> = seen.things.iter().filter(|thing| thing.is_something()).collect();
    if let Some(unsure) = things.iter().find(|thing| !thing.is_sure()) {
        return Some(sentence::unsure(unsure));
    }
    let wanted: Vec<_> = spec.each().collect();
    if let Some(extra) = things.iter().find(|thing| asked(spec, thing.class) == 0) {
        return Some(sentence::extra(extra));
    }
    if !assign(&wanted, &things, spec.relation, &mut Vec::new()) {
        return as_geneval(seen, spec)
            .or_else(|| {
                let class = things
                    .iter()
                    .map(|thing| thing.class)
                    .find(|class| things.iter().filter(|thing| thing.class == *class).count() > asked(spec, *class))?;
                let there = things.iter().filter(|thing| thing.class == class).count();
                Some(sentence::too_many(class, asked(spec, class), there))
            })
            .or_else(|| Some(sentence::otherwise()));
    }
    seen.has_more().then(sentence::more)
}

/// Whether the things can be told to be the wanted ones, one each and none left. Four at most, so all ways are tried.
fn assign(
    wanted: &[(Class, Option<Colour>)],
    things: &[&Seen],
    relation: Option<Relation>,
    taken: &mut Vec<usize>,
) -> bool {
    if things.len() != wanted.len() {
        return false;
    }
    let Some((class, colour)) = wanted.get(taken.len()) else {
        return match (relation, taken.as_slice()) {
            (Some(relation), [first, second, ..]) => relations(things[*first], things[*second]).contains(&relation),
            _ => true,
        };
    };
    (0..things.len()).any(|index| {
        let thing = things[index];
        if taken.contains(&index) || thing.class != *class || (colour.is_some() && thing.colour != *colour) {
            return false;
        }
        taken.push(index);
        let holds = assign(wanted, things, relation, taken);
        taken.pop();
        holds
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str) -> Class {
        Class::named(name).unwrap_or_else(|| panic!("{name} is a class"))
    }

    fn thing(name: &str, colour: Option<Colour>, x: i16, y: i16) -> Seen {
        Seen {
            class: class(name),
            glyph: 0,
            colour,
            tinted: colour.is_some(),
            mirrored: false,
            x,
            y,
            size_px: 48,
            extent: [f32::from(x), f32::from(y), f32::from(x) + 48.0, f32::from(y) + 48.0],
            score: 0.9,
            worst: 0.7,
            edges: 0.8,
            gain: 4.0,
        }
    }

    fn verdict(things: &[Seen], wanted: &[(u8, &str, Option<Colour>)], relation: Option<Relation>) -> Verdict {
        let wanted = wanted.iter().map(|&(count, name, colour)| Wanted { count, class: class(name), colour }).collect();
        judge(Sighting { ground: 0, things: things.to_vec(), left: 0.0 }, "a plain ground", &Spec { wanted, relation })
    }

    /// Both verdicts.
    fn both(things: &[Seen], wanted: &[(u8, &str, Option<Colour>)], relation: Option<Relation>) -> (bool, bool) {
        let verdict = verdict(things, wanted, relation);
        assert_eq!(verdict.exact, verdict.why.is_none(), "{verdict:?}");
        (verdict.geneval, verdict.exact)
    }

    #[test]
    fn counts_and_extras() {
        let dog = |x| thing("dog", None, x, 64);
        let bench = thing("bench", None, 0, 0);
        assert_eq!(both(&[dog(0)], &[(1, "dog", None)], None), (true, true));
        assert_eq!(both(&[dog(0), bench], &[(1, "dog", None)], None), (true, false));
        assert_eq!(both(&[dog(0), dog(64)], &[(1, "dog", None)], None), (true, false));
        assert_eq!(both(&[dog(0), dog(64)], &[(2, "dog", None)], None), (true, true));
        assert_eq!(both(&[dog(0), dog(64), bench], &[(2, "dog", None)], None), (true, false));
        assert_eq!(both(&[dog(0), dog(64), dog(32)], &[(2, "dog", None)], None), (false, false));
        assert_eq!(both(&[dog(0)], &[(2, "dog", None)], None), (false, false));
        assert_eq!(both(&[], &[(1, "dog", None)], None), (false, false));
    }

    #[test]
    fn colours() {
        let (red, blue) = (Some(Colour::Red), Some(Colour::Blue));
        let two = [thing("dog", red, 0, 64), thing("dog", blue, 64, 64)];
        assert_eq!(both(&two[..1], &[(1, "dog", red)], None), (true, true));
        assert_eq!(both(&two[..1], &[(1, "dog", blue)], None), (false, false));
        assert_eq!(both(&two, &[(1, "dog", blue)], None), (true, false));
        assert_eq!(both(&two, &[(1, "dog", blue), (1, "dog", red)], None), (true, true));
        assert_eq!(both(&two, &[(2, "dog", red)], None), (false, false));
        let other = [thing("dog", red, 0, 64), thing("bench", blue, 64, 64)];
        assert_eq!(both(&other, &[(1, "bench", blue), (1, "dog", red)], None), (true, true));
        assert_eq!(both(&other, &[(1, "bench", red), (1, "dog", blue)], None), (false, false));
    }

    #[test]
    fn relations_hold_by_the_rule() {
        let pair = [thing("dog", None, 0, 64), thing("bench", None, 72, 56)];
        let wanted = [(1, "dog", None), (1, "bench", None)];
        assert_eq!(both(&pair, &wanted, Some(Relation::LeftOf)), (true, true));
        for relation in [Relation::RightOf, Relation::Above, Relation::Below] {
            assert_eq!(both(&pair, &wanted, Some(relation)), (false, false));
        }
        let near = [thing("dog", None, 40, 64), thing("bench", None, 48, 56)];
        assert!(relations(&near[0], &near[1]).is_empty(), "an offset within a tenth of the sizes is none");
        let red = Some(Colour::Red);
        let dogs = [thing("dog", red, 72, 64), thing("dog", None, 0, 64)];
        assert_eq!(both(&dogs, &[(1, "dog", None), (1, "dog", red)], Some(Relation::LeftOf)), (true, true));
        assert_eq!(both(&dogs, &[(1, "dog", red), (1, "dog", None)], Some(Relation::LeftOf)), (false, false));
    }

    #[test]
    fn what_is_not_clear_is_not_exact() {
        let mut unclear = thing("cat", None, 64, 0);
        unclear.score = 0.2;
        assert_eq!(both(&[thing("dog", None, 0, 64), unclear], &[(1, "dog", None)], None), (true, false));
        assert_eq!(both(&[unclear], &[(1, "cat", None)], None), (false, false));
        // A stain too faint to be anything.
        unclear.gain = 0.02;
        assert_eq!(both(&[thing("dog", None, 0, 64), unclear], &[(1, "dog", None)], None), (true, true));
    }

    #[test]
    fn sentences() {
        let red = Some(Colour::Red);
        let pair = [thing("bench", None, 72, 40), thing("dog", red, 8, 40)];
        let said = verdict(&pair, &[(1, "dog", red)], None);
        assert_eq!(said.sentence, "a red dog on the left and a bench on the right, on a plain ground");
        assert_eq!(said.why.as_deref(), Some("there is also a bench on the right"));
        assert_eq!(verdict(&[], &[(2, "sheep", None)], None).sentence, "nothing, on a plain ground");
        assert_eq!(verdict(&[], &[(2, "sheep", None)], None).why.as_deref(), Some("there are no sheep"));
        let said = verdict(&pair, &[(1, "dog", Some(Colour::Blue))], None);
        assert_eq!(said.why.as_deref(), Some("the dog is red, not blue"));
        let said = verdict(&pair, &[(1, "dog", None), (1, "bench", None)], Some(Relation::Above));
        assert_eq!(said.why.as_deref(), Some("the dog is not above the bench"));
    }
}

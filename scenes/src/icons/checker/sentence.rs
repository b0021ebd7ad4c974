//! What is seen and what is wrong with it, in plain English.

use super::sight::{Seen, Sighting};
use crate::icons::class::{Class, Colour};
use crate::icons::plural::english_plural;
use crate::icons::scene::SIDE;
use crate::icons::spec::{Relation, Wanted};

/// Numbers in words, as far as a picture needs them.
fn number(count: usize) -> String {
    match ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"].get(count) {
        Some(word) => (*word).to_owned(),
        None => count.to_string(),
    }
}

/// With an article, for example `an orange bus`, `a pair of skis`.
fn one(class: Class, colour: Option<Colour>) -> String {
    let pair = if class.is_pair() { "pair of " } else { "" };
    let words = colour.map_or_else(
        || format!("{pair}{}", class.name()),
        |colour| format!("{}{} {}", pair, colour.name(), class.name()),
    );
    let article = if words.starts_with(['a', 'e', 'i', 'o']) || words.starts_with("umbrella") { "an" } else { "a" };
    format!("{article} {words}")
}

/// Several, for example `three red buses`.
fn several(count: usize, class: Class, colour: Option<Colour>) -> String {
    if count == 1 {
        return one(class, colour);
    }
    let pairs = if class.is_pair() { "pairs of " } else { "" };
    let colour = colour.map_or_else(String::new, |colour| format!("{} ", colour.name()));
    format!("{} {pairs}{colour}{}", number(count), english_plural(class.name()))
}

/// Where a thing is, in thirds of the picture.
fn place(thing: &Seen) -> &'static str {
    let (x, y) = thing.centre();
    // Things are large: a centre a twelfth from the middle is seen as off it.
    let third = |at: f32| {
        let off = at / SIDE as f32 - 0.5;
        if off < -0.09 { 0 } else { 1 + usize::from(off > 0.09) }
    };
    [
        ["at the top left", "at the top", "at the top right"],
        ["on the left", "in the middle", "on the right"],
        ["at the bottom left", "at the bottom", "at the bottom right"],
    ][third(y)][third(x)]
}

/// `a, b and c`.
fn list(parts: &[String]) -> String {
    match parts {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The colour worth saying: a tint always, a glyph's own only where colours are asked for.
fn said_colour(thing: &Seen, coloured: bool) -> Option<Colour> {
    thing.colour.filter(|_| coloured || thing.tinted)
}

/// Everything seen, from left to right and with its place.
pub(super) fn sighting(seen: &Sighting, ground: &str, coloured: bool) -> String {
    let mut things: Vec<&Seen> = seen.things.iter().filter(|thing| thing.is_something()).collect();
    things.sort_by_key(|thing| (thing.x, thing.y));
    let mut kinds: Vec<(Class, Option<Colour>, Vec<&Seen>)> = Vec::new();
    for thing in things.iter().filter(|thing| thing.is_sure()) {
        let colour = said_colour(thing, coloured);
        match kinds.iter_mut().find(|(class, known, _)| (*class, *known) == (thing.class, colour)) {
            Some((_, _, all)) => all.push(thing),
            None => kinds.push((thing.class, colour, vec![thing])),
        }
    }
    let mut parts: Vec<String> = kinds
        .iter()
        .map(|(class, colour, all)| match all.as_slice() {
            [thing] => format!("{} {}", one(*class, *colour), place(thing)),
            all => several(all.len(), *class, *colour),
        })
        .collect();
    parts.extend(
        things
            .iter()
            .filter(|thing| !thing.is_sure())
            .map(|thing| format!("something {} that may be {}", place(thing), one(thing.class, None))),
    );
    format!("{}, on {ground}", list(&parts))
}

/// Too few of a class.
pub(super) fn missing(class: Class, wanted: usize, there: usize) -> String {
    match (wanted, there) {
        (1, _) => format!("there is no {}", class.name()),
        (_, 0) => format!("there are no {}", english_plural(class.name())),
        (_, 1) => format!("there is one {} instead of {}", class.name(), number(wanted)),
        _ => format!("there are {} {} instead of {}", number(there), english_plural(class.name()), number(wanted)),
    }
}

/// Too many of a class.
pub(super) fn too_many(class: Class, wanted: usize, there: usize) -> String {
    format!("there are {} {} instead of {}", number(there), english_plural(class.name()), number(wanted))
}

/// None, or too few, in the colour.
pub(super) fn wrong_colour(wanted: &Wanted, there: &[&Seen]) -> String {
    let colour = |colour: Option<Colour>| colour.map_or("of another colour", Colour::name);
    match there {
        [thing] => {
            let verb = if thing.class.is_pair() { "are" } else { "is" };
            format!("the {} {verb} {}, not {}", wanted.class.name(), colour(thing.colour), colour(wanted.colour))
        }
        _ => format!(
            "not {} of the {} {} {}",
            number(wanted.count.into()),
            english_plural(wanted.class.name()),
            if wanted.count == 1 { "is" } else { "are" },
            colour(wanted.colour),
        ),
    }
}

/// The relation does not hold.
pub(super) fn wrong_relation(thing: &Seen, relation: Relation, other: &Seen) -> String {
    let verb = if thing.class.is_pair() { "are" } else { "is" };
    format!("the {} {verb} not {} the {}", thing.class.name(), relation.words(), other.class.name())
}

/// Something that was not asked for.
pub(super) fn extra(thing: &Seen) -> String {
    format!("there is also {} {}", one(thing.class, None), place(thing))
}

/// Something that is not surely anything.
pub(super) fn unsure(thing: &Seen) -> String {
    format!("something {} is not clear: it may be {}", place(thing), one(thing.class, None))
}

/// Something that is like no thing at all.
pub(super) fn more() -> String {
    "a part of the picture is neither its ground nor a thing that is known".to_owned()
}

/// Where nothing more exact can be said.
pub(super) fn otherwise() -> String {
    "the things are not those asked for".to_owned()
}

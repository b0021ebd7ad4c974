//! Where things go: on a common floor or in the air, in a few arrangements, never over one another.

use super::atlas::Atlas;
use super::class::{Class, Colour};
use super::glyph::Style;
use super::position::{Extent, lies};
use super::sample::takes_colour;
use super::scene::{LATTICE_PX, Placed, SIDE, Scene};
use super::spec::{MAX_THINGS, Relation, Spec};
use super::split::held_out_colour;
use super::variety::Variety;
use rng::Rng;

/// Where things stand: the lower edge of their boxes, in pixels.
const FLOOR: i32 = 112;
/// Arrangements are proposed so often; then one is taken that always fits.
const TRIES: usize = 32;
/// Sizes up to this fit beside each other, whatever else is asked.
const LARGEST_SAFE: u8 = 56;

/// Whether things of a class are found in the air.
#[must_use]
pub fn flies(class: Class) -> bool {
    ["airplane", "kite", "bird", "frisbee"].contains(&class.name())
}

/// Draws a scene that shows what a spec asks for and nothing else. Entries past the fourth thing are left out.
#[must_use]
pub fn sample_scene(spec: &Spec, variety: &Variety, atlas: &Atlas, rng: &mut Rng) -> Scene {
    let ground = rng.pick(&variety.grounds).unwrap_or(0);
    let wanted: Vec<(Class, Option<Colour>)> = spec.each().take(usize::from(MAX_THINGS)).collect();
    let mut things = dressed(&wanted, variety, atlas, rng);
    let in_air: Vec<bool> = wanted.iter().map(|(class, _)| flies(*class)).collect();
    for _ in 0..TRIES {
        arrange(&mut things, &in_air, spec.relation, variety, rng);
        if fits(&things) && relation_holds(&things, spec.relation, atlas) {
            return Scene { ground, shadow: variety.shadow, things };
        }
    }
    for thing in &mut things {
        thing.size_px = thing.size_px.clamp(1, LARGEST_SAFE);
    }
    quarter(&mut things, spec.relation);
    Scene { ground, shadow: variety.shadow, things }
}

/// Things with their looks, not yet placed. Things of one class share a glyph; all share a style where they can.
fn dressed(wanted: &[(Class, Option<Colour>)], variety: &Variety, atlas: &Atlas, rng: &mut Rng) -> Vec<Placed> {
    let style = rng.pick(&Style::COMMON).unwrap_or(Style::Noto);
    let mut chosen: Vec<(Class, u16)> = Vec::new();
    let mut things = Vec::with_capacity(wanted.len());
    for &(class, colour) in wanted {
        let glyph = match chosen.iter().find(|(known, _)| *known == class) {
            Some((_, glyph)) => *glyph,
            None => {
                let all = atlas.of_class(class);
                let known = &all[..variety.glyphs_per_class.clamp(1, all.len())];
                let same: Vec<u16> =
                    known.iter().copied().filter(|&glyph| style_of(atlas, glyph) == Some(style)).collect();
                let glyph = rng.pick(if same.is_empty() { known } else { &same }).unwrap_or_default();
                chosen.push((class, glyph));
                glyph
            }
        };
        let mirrors = atlas.glyphs().get(usize::from(glyph)).is_some_and(super::glyph::Glyph::mirrors);
        // What is held out of training stays so, though nobody asks for it by name.
        let free: Vec<Colour> = Colour::ALL.into_iter().filter(|&one| !held_out_colour(class, one)).collect();
        let any_colour = colour.is_none() && takes_colour(class) && rng.chance(variety.tinted);
        things.push(Placed {
            glyph,
            colour: if any_colour { rng.pick(&free) } else { colour },
            size_px: 0,
            x: 0,
            y: 0,
            mirrored: rng.chance(variety.mirrored) && mirrors,
        });
    }
    things
}

fn style_of(atlas: &Atlas, glyph: u16) -> Option<Style> {
    atlas.glyphs().get(usize::from(glyph)).map(|glyph| glyph.style)
}

/// Proposes sizes and places.
fn arrange(things: &mut [Placed], in_air: &[bool], relation: Option<Relation>, variety: &Variety, rng: &mut Rng) {
    let lattice = variety.lattice_px.clamp(1, SIDE) as i32;
    let step = LATTICE_PX as i32;
    let size = |sizes: &[u8], rng: &mut Rng| rng.pick(sizes).unwrap_or(48).clamp(1, SIDE as u8);
    let side = SIDE as i32;
    match (things, relation) {
        ([], _) => {}
        ([one], _) => {
            one.size_px = size(&variety.sizes_one, rng);
            let room = side - i32::from(one.size_px);
            let x = room / 2 + step * rng.pick(&[-1, 0, 1]).unwrap_or(0);
            let y = if in_air[0] { step * rng.pick(&[1, 2]).unwrap_or(1) } else { FLOOR - i32::from(one.size_px) };
            put(one, x, y, lattice);
        }
        ([first, second], Some(relation)) => {
            first.size_px = size(&variety.sizes_two, rng);
            second.size_px = size(&variety.sizes_two, rng);
            match relation {
                Relation::LeftOf => beside(first, second, in_air, lattice, rng),
                Relation::RightOf => beside(second, first, &[in_air[1], in_air[0]], lattice, rng),
                Relation::Above => over(first, second, lattice, rng),
                Relation::Below => over(second, first, lattice, rng),
            }
        }
        ([left, right], None) => {
            left.size_px = size(&variety.sizes_two, rng);
            right.size_px = size(&variety.sizes_two, rng);
            for (thing, in_air, is_left) in [(left, in_air[0], true), (right, in_air[1], false)] {
                let size = i32::from(thing.size_px);
                let x = if is_left { step } else { side - step - size };
                let y = if in_air {
                    step * rng.pick(&[1, 2, 3]).unwrap_or(1)
                } else {
                    FLOOR - size - step * rng.pick(&[0, 0, 1]).unwrap_or(0)
                };
                put(thing, x, y, lattice);
            }
        }
        (many, _) => {
            let size = size(&variety.sizes_many, rng);
            let places = places_of_many(many.len(), i32::from(size), rng);
            for (thing, (x, y)) in many.iter_mut().zip(by_flight(places, in_air)) {
                thing.size_px = size;
                put(thing, x, y, lattice);
            }
        }
    }
}

/// Two things on one floor.
fn beside(left: &mut Placed, right: &mut Placed, in_air: &[bool], lattice: i32, rng: &mut Rng) {
    let step = LATTICE_PX as i32;
    for (thing, in_air, is_left) in [(left, in_air[0], true), (right, in_air[1], false)] {
        let size = i32::from(thing.size_px);
        let x = if is_left { step } else { SIDE as i32 - step - size };
        let raised = if in_air { [2, 3] } else { [0, 1] };
        put(thing, x, FLOOR - size - step * rng.pick(&raised).unwrap_or(0), lattice);
    }
}

/// One thing over another that stands.
fn over(upper: &mut Placed, lower: &mut Placed, lattice: i32, rng: &mut Rng) {
    let step = LATTICE_PX as i32;
    let room = SIDE as i32 - i32::from(upper.size_px.max(lower.size_px));
    let x = step * rng.below((room / step - 1).max(1) as usize) as i32 + step.min(room);
    let shift = step * rng.pick(&[-1, 0, 1]).unwrap_or(0);
    let y = FLOOR - i32::from(lower.size_px);
    let gap = step.min((y - i32::from(upper.size_px)).max(0)) * rng.pick(&[0, 1]).unwrap_or(0);
    put(upper, x, y - i32::from(upper.size_px) - gap, lattice);
    put(lower, x + shift, y, lattice);
}

/// Places for three things (a triangle) or four (a square), each a corner of a box of `size` pixels.
fn places_of_many(count: usize, size: i32, rng: &mut Rng) -> Vec<(i32, i32)> {
    let step = LATTICE_PX as i32;
    let side = SIDE as i32;
    let left = (side / 2 - size).max(0) / 2 / step * step;
    let right = side - size - left;
    let middle = (side - size) / 2 + if (side - size) / 2 % step == 0 { 0 } else { rng.pick(&[-4, 4]).unwrap_or(4) };
    let bottom = FLOOR - size;
    let top = (bottom - size - step).max(0);
    if count == 3 {
        let arrangements = [
            [(middle, top), (left, bottom), (right, bottom)],
            [(left, top), (right, top), (middle, bottom)],
            [(left, top + step), (right, top + 2 * step), (middle, bottom + step)],
        ];
        return rng.pick(&arrangements).map(Vec::from).unwrap_or_default();
    }
    let square = [(left, top), (right, top), (left, bottom), (right, bottom)];
    square.into_iter().map(|(x, y)| (x, y + step * rng.pick(&[0, 0, 1]).unwrap_or(0))).collect()
}

/// The same places, the upper ones for what flies, where only some of the things do.
fn by_flight(places: Vec<(i32, i32)>, in_air: &[bool]) -> Vec<(i32, i32)> {
    if in_air.iter().all(|&one| one == in_air[0]) {
        return places;
    }
    let mut sorted = places.clone();
    sorted.sort_by_key(|&(_, y)| y);
    let mut order: Vec<usize> = (0..in_air.len()).collect();
    order.sort_by_key(|&i| !in_air[i]);
    let mut out = places;
    for (place, thing) in sorted.into_iter().zip(order) {
        if let Some(slot) = out.get_mut(thing) {
            *slot = place;
        }
    }
    out
}

/// Puts a thing at the nearest place of the lattice that lies in the picture.
fn put(thing: &mut Placed, x: i32, y: i32, lattice: i32) {
    let last = (SIDE as i32 - i32::from(thing.size_px)).max(0) / lattice;
    let snapped = |value: i32| ((value + lattice / 2).div_euclid(lattice).clamp(0, last) * lattice) as i16;
    (thing.x, thing.y) = (snapped(x), snapped(y));
}

/// Each in a quarter of its own; what always fits.
fn quarter(things: &mut [Placed], relation: Option<Relation>) {
    const HALF: i32 = SIDE as i32 / 2;
    let step = LATTICE_PX as i32;
    let places = match relation {
        Some(Relation::LeftOf) => [(0, HALF), (HALF, HALF), (0, 0), (HALF, 0)],
        Some(Relation::RightOf) => [(HALF, HALF), (0, HALF), (0, 0), (HALF, 0)],
        Some(Relation::Above) => [(0, 0), (0, HALF), (HALF, 0), (HALF, HALF)],
        Some(Relation::Below) => [(0, HALF), (0, 0), (HALF, 0), (HALF, HALF)],
        None => [(0, 0), (HALF, 0), (0, HALF), (HALF, HALF)],
    };
    for (thing, (x, y)) in things.iter_mut().zip(places) {
        put(thing, x, y, step);
    }
}

/// Whether all lie in the picture, none over another.
fn fits(things: &[Placed]) -> bool {
    let boxes: Vec<[i32; 4]> = things
        .iter()
        .map(|thing| {
            let (x, y, size) = (i32::from(thing.x), i32::from(thing.y), i32::from(thing.size_px));
            [x, y, x + size, y + size]
        })
        .collect();
    let side = SIDE as i32;
    let apart = |a: &[i32; 4], b: &[i32; 4]| a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
    boxes
        .iter()
        .enumerate()
        .all(|(i, a)| a[0] >= 0 && a[1] >= 0 && a[2] <= side && a[3] <= side && boxes[..i].iter().all(|b| apart(a, b)))
}

/// What of a placed thing can be seen: a tight box, in pixels; its whole box where it is invisible.
#[must_use]
pub fn extent(thing: &Placed, atlas: &Atlas) -> Extent {
    let side = usize::from(thing.size_px);
    let sprite = atlas.sprite(thing.glyph, thing.colour, thing.size_px, false);
    let [left, top, right, bottom] = sprite.content().unwrap_or([0, 0, side, side]);
    let (left, right) = if thing.mirrored { (side - right, side - left) } else { (left, right) };
    let (x, y) = (f32::from(thing.x), f32::from(thing.y));
    [x + left as f32, y + top as f32, x + right as f32, y + bottom as f32]
}

fn relation_holds(things: &[Placed], relation: Option<Relation>, atlas: &Atlas) -> bool {
    match (relation, things) {
        (Some(relation), [first, second, ..]) => lies(extent(first, atlas), relation, extent(second, atlas)),
        _ => true,
    }
}

/// Whether a scene shows what a spec asks for and nothing else, by its plan, not by its pixels.
#[must_use]
pub fn satisfies(scene: &Scene, spec: &Spec, atlas: &Atlas) -> bool {
    let shown = scene.things.iter().map(|thing| {
        let glyph = atlas.glyphs().get(usize::from(thing.glyph))?;
        Some((glyph.class, thing.colour, thing.colour.or(glyph.own_colour)))
    });
    let mut shown: Vec<_> = shown.collect();
    // Coloured wishes first: a thing of any colour must not use up the one that is asked for.
    let mut wishes: Vec<(Class, Option<Colour>)> = spec.each().collect();
    wishes.sort_by_key(|(_, colour)| colour.is_none());
    for (class, colour) in wishes {
        let fulfils = |thing: &Option<(Class, Option<Colour>, Option<Colour>)>| {
            thing.is_some_and(|(is, _, looks)| is == class && (colour.is_none() || looks == colour))
        };
        match shown.iter().position(fulfils) {
            Some(at) => drop(shown.remove(at)),
            None => return false,
        }
    }
    shown.is_empty() && fits(&scene.things) && relation_holds(&scene.things, spec.relation, atlas)
}

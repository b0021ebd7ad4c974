//! Scenes that are almost right: what a checker must not accept.

use crate::spec::{MAX_OBJECTS, Spec};
use crate::split::held_out;
use crate::world::{Colour, LATTICE, Object, Scene, Shape, Size};
use rng::Rng;

/// A scene that differs from a satisfying one by one attribute, one object or the relation, and does not satisfy the
/// spec. It shows no held-out pair that the given scene does not show.
#[must_use]
pub fn near_miss(spec: &Spec, scene: &Scene, rng: &mut Rng) -> Scene {
    // Most edits break most specs; those that do not (another colour where none was asked for) are drawn again.
    for _ in 0..64 {
        let mut missed = scene.clone();
        let changed = match rng.below(5) {
            0 => reshape(&mut missed, rng),
            1 => recolour(&mut missed, rng),
            2 => swap_colours(&mut missed, rng),
            3 => move_or_swap(&mut missed, rng),
            _ => one_more_or_less(&mut missed, rng),
        };
        let leaked = missed.objects.iter().any(|object| {
            held_out(object.shape, object.colour)
                && !scene.objects.iter().any(|o| (o.shape, o.colour) == (object.shape, object.colour))
        });
        if changed.is_some() && !leaked && !missed.satisfies(spec) {
            return missed;
        }
    }
    // A wrong number of objects is always wrong.
    let mut missed = scene.clone();
    if missed.objects.pop().is_none() {
        missed.objects.push(Object { shape: Shape::Circle, colour: Colour::Red, size: Size::Small, col: 0, row: 0 });
    }
    missed
}

fn any_object<'a>(scene: &'a mut Scene, rng: &mut Rng) -> Option<&'a mut Object> {
    let chosen = rng.below(scene.objects.len());
    scene.objects.get_mut(chosen)
}

fn free_slot(scene: &Scene, rng: &mut Rng) -> Option<(u8, u8)> {
    let free: Vec<(u8, u8)> = (0..LATTICE)
        .flat_map(|row| (0..LATTICE).map(move |col| (col, row)))
        .filter(|&(col, row)| !scene.objects.iter().any(|object| (object.col, object.row) == (col, row)))
        .collect();
    rng.pick(&free)
}

fn reshape(scene: &mut Scene, rng: &mut Rng) -> Option<()> {
    any_object(scene, rng)?.shape = rng.pick(&Shape::ALL)?;
    Some(())
}

fn recolour(scene: &mut Scene, rng: &mut Rng) -> Option<()> {
    any_object(scene, rng)?.colour = rng.pick(&Colour::ALL)?;
    Some(())
}

/// The right colours on the wrong objects: what colour attribution is about.
fn swap_colours(scene: &mut Scene, _rng: &mut Rng) -> Option<()> {
    let [first, second, ..] = scene.objects.as_mut_slice() else { return None };
    std::mem::swap(&mut first.colour, &mut second.colour);
    Some(())
}

/// The right objects in the wrong places.
fn move_or_swap(scene: &mut Scene, rng: &mut Rng) -> Option<()> {
    if rng.chance(0.5) {
        let [first, second, ..] = scene.objects.as_mut_slice() else { return None };
        std::mem::swap(&mut first.col, &mut second.col);
        std::mem::swap(&mut first.row, &mut second.row);
    } else {
        let (col, row) = free_slot(scene, rng)?;
        let object = any_object(scene, rng)?;
        (object.col, object.row) = (col, row);
    }
    Some(())
}

/// An object more, mostly of a kind already there, or an object less. Never an empty picture, and never more
/// objects than a prompt can ask for.
fn one_more_or_less(scene: &mut Scene, rng: &mut Rng) -> Option<()> {
    let less = scene.objects.len() >= usize::from(MAX_OBJECTS) || (scene.objects.len() > 1 && rng.chance(0.5));
    if less {
        let gone = rng.below(scene.objects.len());
        scene.objects.remove(gone);
    } else {
        let (col, row) = free_slot(scene, rng)?;
        let mut added = *any_object(scene, rng)?;
        (added.col, added.row) = (col, row);
        if rng.chance(0.4) {
            added.shape = rng.pick(&Shape::ALL)?;
            added.colour = rng.pick(&Colour::ALL)?;
        }
        added.size = rng.pick(&Size::ALL)?;
        scene.objects.push(added);
    }
    Some(())
}

//! The same objects in other places: the world's slots (2×2 tokens each) put into another order of rows and columns, or
//! taken from two pictures ([`mix`]).
//!
//! Objects stand in slots and do not touch, so that a picture stays one of its kind when whole rows and whole columns of
//! slots change places; there are 4!² ways to do it. A network that sees each picture in ever other orders has to learn
//! what the codes look like, and cannot learn pictures by heart.

use std::collections::HashMap;

use rng::Rng;
use scenes::{Detection, LATTICE, SLOT};

/// Slots a side.
const SLOTS: usize = LATTICE as usize;
/// Tokens along a slot.
const TOKENS: usize = 2;
/// Tokens a side.
pub const GRID: usize = SLOTS * TOKENS;
/// What is farther from the middle of its slot, along an axis, may reach into the next one.
const OFF_CENTRE_PX: f32 = 4.0;

/// The slot along an axis that something stands in and how far from its middle; nothing where it may reach over the edge.
fn slot_along(px: f32) -> Option<(usize, f32)> {
    let slot = ((px / SLOT as f32) as usize).min(SLOTS - 1);
    let off = px - (slot as f32 + 0.5) * SLOT as f32;
    (off.abs() <= OFF_CENTRE_PX).then_some((slot, off))
}

/// A complete picture: its tokens, and what the checker sees in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Codes, row by row.
    pub tokens: Vec<i32>,
    /// Detections.
    pub seen: Vec<Detection>,
}

/// The first picture with some slots of the second, each with chance `part`; nothing where in one of them something may
/// reach over the edge of its slot.
#[must_use]
pub fn mix(base: &Picture, other: &Picture, part: f32, rng: &mut Rng) -> Option<Picture> {
    let taken: [[bool; SLOTS]; SLOTS] = std::array::from_fn(|_| std::array::from_fn(|_| rng.chance(part)));
    let is_taken = |place: usize| taken[place / GRID / TOKENS][place % GRID / TOKENS];
    let tokens = (0..GRID * GRID).map(|place| if is_taken(place) { other.tokens[place] } else { base.tokens[place] });
    let mut seen = Vec::new();
    for (picture, wanted) in [(base, false), (other, true)] {
        for one in &picture.seen {
            let ((column, _), (row, _)) = (slot_along(one.centre_x_px)?, slot_along(one.centre_y_px)?);
            if taken[row][column] == wanted {
                seen.push(one.clone());
            }
        }
    }
    Some(Picture { tokens: tokens.collect(), seen })
}

/// An order of rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shuffle {
    /// Where the rows of slots come from.
    rows: [usize; SLOTS],
    /// Where the columns come from.
    columns: [usize; SLOTS],
}

impl Shuffle {
    /// Any order.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        let mut order = || {
            let mut order: [usize; SLOTS] = std::array::from_fn(|slot| slot);
            rng.shuffle(&mut order);
            order
        };
        Self { rows: order(), columns: order() }
    }

    /// The tokens in this order. A code that means empty ground where it was ([`ground`]) becomes the one that means it
    /// where it comes to be: the tokenizer writes the ground at an edge in another way.
    #[must_use]
    pub fn tokens(&self, tokens: &[i32], ground: &[i32]) -> Vec<i32> {
        let from = |order: &[usize; SLOTS], at: usize| order[at / TOKENS] * TOKENS + at % TOKENS;
        let moved = |place: usize| {
            let source = from(&self.rows, place / GRID) * GRID + from(&self.columns, place % GRID);
            if tokens[source] == ground[source] { ground[place] } else { tokens[source] }
        };
        (0..GRID * GRID).map(moved).collect()
    }

    /// What is seen then; nothing where something may reach over the edge of its slot.
    #[must_use]
    pub fn detections(&self, seen: &[Detection]) -> Option<Vec<Detection>> {
        let along = |order: &[usize; SLOTS], px: f32| {
            let (slot, off) = slot_along(px)?;
            let to = order.iter().position(|&from| from == slot)?;
            Some((to as f32 + 0.5) * SLOT as f32 + off)
        };
        let moved = |one: &Detection| {
            Some(Detection {
                centre_x_px: along(&self.columns, one.centre_x_px)?,
                centre_y_px: along(&self.rows, one.centre_y_px)?,
                ..one.clone()
            })
        };
        seen.iter().map(moved).collect()
    }
}

/// The code of empty ground at every place: the most frequent one there.
#[must_use]
pub fn ground<'a>(pictures: impl Iterator<Item = &'a [i32]>) -> Vec<i32> {
    let mut counts: Vec<HashMap<i32, usize>> = vec![HashMap::new(); GRID * GRID];
    for picture in pictures {
        for (counts, &code) in counts.iter_mut().zip(picture) {
            *counts.entry(code).or_default() += 1;
        }
    }
    // The lower code where two are as frequent, so that the same pictures always give the same ground.
    let most = |counts: HashMap<i32, usize>| counts.into_iter().max_by_key(|&(code, count)| (count, -code));
    counts.into_iter().map(|counts| most(counts).map_or(-1, |(code, _)| code)).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::source::Source;
    use burn::tensor::Device;
    use scenes::Split;

    /// Something that nobody recognises, in the first row of slots.
    pub fn seen(centre_x_px: f32) -> Detection {
        Detection { shape: None, colour: None, size: None, centre_x_px, centre_y_px: 8.0, confidence: 0.0 }
    }

    /// Through the shipped tokenizer and back: what the codes show after a shuffle is what the shuffle says is seen.
    #[test]
    fn shuffled_codes_show_the_shuffled_objects() {
        let shipped = Source::Bundle(concat!(env!("CARGO_MANIFEST_DIR"), "/../www/models/scenes").into());
        let (_, tokenizer) = shipped.tokenizer(&Device::flex()).unwrap();
        let mut rng = Rng::new(7);
        let mut pictures: Vec<scenes::Picture> = Vec::new();
        for _ in 0..48 {
            let spec = scenes::sample_training_spec(&mut rng);
            pictures.push(scenes::render(&scenes::sample_scene(&spec, Split::Train, &mut rng)));
        }
        let device = Device::flex();
        let codes = crate::vq::codes(&tokenizer, &pictures, &device).unwrap();
        let ground = ground(codes.iter().map(Vec::as_slice));
        let shuffles: Vec<Shuffle> = codes.iter().map(|_| Shuffle::draw(&mut rng)).collect();
        let shuffled: Vec<Vec<i32>> =
            codes.iter().zip(&shuffles).map(|(codes, shuffle)| shuffle.tokens(codes, &ground)).collect();
        let shown = crate::vq::decode(&tokenizer, &shuffled, &device);
        let right = pictures.iter().zip(&shuffles).zip(&shown).filter(|((before, shuffle), after)| {
            let moved = shuffle.detections(&scenes::detect(before)).expect("scenes stand in slots");
            described(&moved) == described(&scenes::detect(after))
        });
        let right = right.count();
        assert!(right >= 45, "{right} of 48");
    }

    /// As above for two pictures in one.
    #[test]
    fn mixed_codes_show_what_the_mixture_says() {
        let shipped = Source::Bundle(concat!(env!("CARGO_MANIFEST_DIR"), "/../www/models/scenes").into());
        let (_, tokenizer) = shipped.tokenizer(&Device::flex()).unwrap();
        let (mut rng, device) = (Rng::new(8), Device::flex());
        let scenes: Vec<scenes::Picture> = (0..48)
            .map(|_| {
                let spec = scenes::sample_training_spec(&mut rng);
                scenes::render(&scenes::sample_scene(&spec, Split::Train, &mut rng))
            })
            .collect();
        let codes = crate::vq::codes(&tokenizer, &scenes, &device).unwrap();
        let pictures: Vec<Picture> =
            scenes.iter().zip(codes).map(|(scene, tokens)| Picture { tokens, seen: scenes::detect(scene) }).collect();
        let mixed: Vec<Picture> = pictures
            .chunks(2)
            .map(|pair| mix(&pair[0], &pair[1], 0.4, &mut rng).expect("scenes stand in slots"))
            .collect();
        let grids: Vec<Vec<i32>> = mixed.iter().map(|picture| picture.tokens.clone()).collect();
        let shown = crate::vq::decode(&tokenizer, &grids, &device);
        let right = mixed
            .iter()
            .zip(&shown)
            .filter(|(mixed, shown)| described(&mixed.seen) == described(&scenes::detect(shown)));
        let right = right.count();
        assert!(right >= 22, "{right} of 24");
        assert!(mixed.iter().zip(pictures.chunks(2)).any(|(mixed, pair)| mixed.seen.len() != pair[0].seen.len()));
    }

    /// In words, with their slots, in the order of these.
    fn described(seen: &[Detection]) -> Vec<(i32, i32, String)> {
        let slot = |px: f32| (px / SLOT as f32) as i32;
        let mut all: Vec<_> =
            seen.iter().map(|one| (slot(one.centre_y_px), slot(one.centre_x_px), one.describe())).collect();
        all.sort();
        all
    }

    #[test]
    fn what_stands_between_two_slots_stays() {
        let shuffle = Shuffle { rows: [0, 1, 2, 3], columns: [3, 1, 2, 0] };
        assert_eq!(shuffle.detections(&[seen(9.0)]).unwrap()[0].centre_x_px, 57.0);
        assert_eq!(shuffle.detections(&[seen(15.0)]), None);
    }
}

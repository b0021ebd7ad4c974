//! What training never shows, so that evaluation can ask whether the model composes.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::class::Colour::{self, Black, Blue, Brown, Green, Orange, Pink, Purple, Red, White, Yellow};
use super::class::{CLASSES, Class};
use super::geneval::geneval_prompts;
use super::spec::Spec;

/// Which part of the world to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Nothing held out.
    Train,
    /// A held-out colour and kind together, in the tasks that name colours.
    Compositional,
}

/// Each class's held-out colour, in the order of [`CLASSES`]: a tenth of all pairs, each colour eight times. None is a
/// pair that a GenEval prompt names, so that this split is another question than GenEval's; and none is a colour that one of
/// the class's glyphs has by itself, so that training does not show it unasked. Else they were drawn by a hash.
#[rustfmt::skip]
const HELD_OUT_COLOURS: [Colour; CLASSES.len()] = [
    Brown, Green, Green, Yellow, Orange, Orange, White, Blue,
    Brown, Pink, Purple, Blue, Black, Purple, Orange, Pink,
    Green, Yellow, Red, Pink, Orange, Black, Purple, White,
    White, Brown, Red, Green, Black, Brown, Purple, Red,
    Black, Purple, Green, Pink, White, Blue, Blue, Red,
    Brown, Orange, Red, Pink, Yellow, Brown, Red, White,
    Pink, Green, Red, Pink, Blue, Black, White, Brown,
    Yellow, Brown, Yellow, White, Red, Purple, Green, Purple,
    Purple, Orange, Blue, Yellow, Black, Blue, Yellow, Yellow,
    Orange, Black, Black, White, Pink, Blue, Orange, Green,
];

/// The class pairs of GenEval's prompts, both ways round.
static HELD_OUT_PAIRS: LazyLock<Vec<[bool; CLASSES.len()]>> = LazyLock::new(|| {
    let mut held = vec![[false; CLASSES.len()]; CLASSES.len()];
    for (_, spec) in geneval_prompts() {
        for (a, b) in pairs(&spec) {
            held[a.index()][b.index()] = true;
            held[b.index()][a.index()] = true;
        }
    }
    held
});

/// Every two classes that a spec names together, once each.
fn pairs(spec: &Spec) -> impl Iterator<Item = (Class, Class)> + '_ {
    spec.wanted
        .iter()
        .enumerate()
        .flat_map(|(at, second)| spec.wanted[..at].iter().map(move |first| (first.class, second.class)))
}

/// Whether two classes are held out of training together: one of GenEval's two_object, position or color_attr prompts
/// names both. The order does not matter.
#[must_use]
pub fn held_out_pair(a: Class, b: Class) -> bool {
    HELD_OUT_PAIRS[a.index()][b.index()]
}

/// Whether a class is held out of training in a colour. Every class is in one; a person is never asked in any.
#[must_use]
pub fn held_out_colour(class: Class, colour: Colour) -> bool {
    HELD_OUT_COLOURS[class.index()] == colour
}

/// The colour that a class is held out of training in.
#[must_use]
pub fn colour_held_out_of(class: Class) -> Colour {
    HELD_OUT_COLOURS[class.index()]
}

impl Spec {
    /// Whether it names a class in its held-out colour.
    #[must_use]
    pub fn names_held_out_colour(&self) -> bool {
        self.each().any(|(class, colour)| colour.is_some_and(|colour| held_out_colour(class, colour)))
    }

    /// Whether training may show it: no held-out pair of classes, no held-out colour.
    #[must_use]
    pub fn is_trained(&self) -> bool {
        !self.names_held_out_colour() && pairs(self).all(|(a, b)| !held_out_pair(a, b))
    }
}

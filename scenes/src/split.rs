//! Which pairs of colour and shape training never shows, so that evaluation can ask whether the model composes.

use serde::{Deserialize, Serialize};

use crate::spec::Spec;
use crate::words::worded;
use crate::world::{Colour, Scene, Shape};

/// Which part of the world to sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// No held-out pair, neither in words nor in pixels.
    Train,
    /// At least one held-out pair in words, in the categories that name colours; elsewhere the same prompts as `Train`.
    Compositional,
}
worded!(Split, "split", { Train => "train", Compositional => "compositional" });

/// The held-out pairs: 6 of 64, no shape and no colour twice, so that training sees every shape in at least seven
/// colours and every colour on at least seven shapes.
pub const HELD_OUT: [(Shape, Colour); 6] = [
    (Shape::Square, Colour::Orange),
    (Shape::Triangle, Colour::Cyan),
    (Shape::Star, Colour::Green),
    (Shape::Heart, Colour::Blue),
    (Shape::Moon, Colour::Pink),
    (Shape::Ring, Colour::Purple),
];

/// Whether a pair is held out of training.
#[must_use]
pub fn held_out(shape: Shape, colour: Colour) -> bool {
    HELD_OUT.contains(&(shape, colour))
}

impl Spec {
    /// Whether it names a held-out pair.
    #[must_use]
    pub fn names_held_out(&self) -> bool {
        self.objects.iter().any(|object| object.colour.is_some_and(|colour| held_out(object.shape, colour)))
    }
}

impl Scene {
    /// Whether it shows a held-out pair.
    #[must_use]
    pub fn shows_held_out(&self) -> bool {
        self.objects.iter().any(|object| held_out(object.shape, object.colour))
    }
}

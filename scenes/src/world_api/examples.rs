//! Prompts to offer: one of each of GenEval's kinds.

use serde::Serialize;

use super::World;

/// A prompt worth trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Example {
    /// What it asks of the model.
    pub kind: &'static str,
    /// What to type.
    pub prompt: &'static str,
}

const SHAPES: [Example; 6] = [
    Example { kind: "Single object", prompt: "a circle" },
    Example { kind: "Two objects", prompt: "a star and a moon" },
    Example { kind: "Counting", prompt: "three hearts" },
    Example { kind: "Colours", prompt: "a red ring" },
    Example { kind: "Position", prompt: "a circle left of a square" },
    Example { kind: "Attributes", prompt: "a red circle and a blue square" },
];

const ICONS: [Example; 6] = [
    Example { kind: "Single object", prompt: "a giraffe" },
    Example { kind: "Two objects", prompt: "a cat and a bicycle" },
    Example { kind: "Counting", prompt: "three clocks" },
    Example { kind: "Colours", prompt: "a blue umbrella" },
    Example { kind: "Position", prompt: "a bird left of a bench" },
    Example { kind: "Attributes", prompt: "a purple dog and a black dining table" },
];

impl World {
    /// Prompts to offer, easiest first.
    #[must_use]
    pub const fn examples(self) -> &'static [Example] {
        match self {
            Self::Shapes => &SHAPES,
            Self::Icons => &ICONS,
        }
    }
}

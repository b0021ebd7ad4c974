//! What a prompt asks for.

use serde::{Deserialize, Serialize};

use super::class::{Class, Colour};

/// The most things a prompt may ask for.
pub const MAX_THINGS: u8 = 4;

/// Things of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wanted {
    /// How many: `1..=MAX_THINGS`.
    pub count: u8,
    /// Their class.
    pub class: Class,
    /// Their colour, where it is asked for.
    pub colour: Option<Colour>,
}

impl Wanted {
    /// One thing of a class, in a colour or any.
    #[must_use]
    pub const fn one(class: Class, colour: Option<Colour>) -> Self {
        Self { count: 1, class, colour }
    }
}

/// Where the first thing lies, seen from the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Relation {
    LeftOf,
    RightOf,
    Above,
    Below,
}

impl Relation {
    /// Every relation.
    pub const ALL: [Self; 4] = [Self::LeftOf, Self::RightOf, Self::Above, Self::Below];

    /// In words, for example `left of`.
    #[must_use]
    pub const fn words(self) -> &'static str {
        ["left of", "right of", "above", "below"][self as usize]
    }
}

/// What a prompt asks for: kinds of things, and how two single ones lie to each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Spec {
    /// One kind or more, [`MAX_THINGS`] things in all at most, in the prompt's order.
    pub wanted: Vec<Wanted>,
    /// Between entry 0 and entry 1; only where there are just these two and both count one.
    pub relation: Option<Relation>,
}

/// GenEval's six tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// "a photo of a bench"
    SingleObject,
    /// "a photo of a bench and a dog"
    TwoObject,
    /// "a photo of three clocks"
    Counting,
    /// "a photo of a blue bench"
    Colors,
    /// "a photo of a dog left of a bench"
    Position,
    /// "a photo of a red dog and a blue bench"
    ColorAttr,
}

impl Task {
    /// Every task, in GenEval's order.
    pub const ALL: [Self; 6] =
        [Self::SingleObject, Self::TwoObject, Self::Counting, Self::Colors, Self::Position, Self::ColorAttr];

    /// GenEval's tag, for example `single_object`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        ["single_object", "two_object", "counting", "colors", "position", "color_attr"][self as usize]
    }
}

impl Spec {
    /// How many things it asks for in all.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.wanted.iter().map(|wanted| u32::from(wanted.count)).sum()
    }

    /// Each wanted thing by itself, in order.
    pub fn each(&self) -> impl Iterator<Item = (Class, Option<Colour>)> + '_ {
        self.wanted
            .iter()
            .flat_map(|wanted| std::iter::repeat_n((wanted.class, wanted.colour), usize::from(wanted.count)))
    }

    /// The task it is counted under. A relation outranks colours, and counts outrank the colour of one kind.
    #[must_use]
    pub fn task(&self) -> Task {
        let coloured = self.wanted.iter().any(|wanted| wanted.colour.is_some());
        match (self.relation, self.wanted.len()) {
            (Some(_), _) => Task::Position,
            (None, 0 | 1) if self.total() > 1 => Task::Counting,
            (None, 0 | 1) if coloured => Task::Colors,
            (None, 0 | 1) => Task::SingleObject,
            (None, _) if coloured => Task::ColorAttr,
            (None, _) => Task::TwoObject,
        }
    }
}

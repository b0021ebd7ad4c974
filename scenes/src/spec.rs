//! What a prompt asks for.

use serde::{Deserialize, Serialize};

use crate::words::worded;
use crate::world::{Colour, Shape};

/// The most objects a prompt may ask for.
pub const MAX_OBJECTS: u8 = 4;

/// Objects of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectSpec {
    /// How many, exactly: `1..=MAX_OBJECTS`.
    pub count: u8,
    /// Their shape.
    pub shape: Shape,
    /// Their colour, where it is asked for.
    pub colour: Option<Colour>,
}

impl ObjectSpec {
    /// One object of a shape, in a colour or any.
    #[must_use]
    pub const fn one(shape: Shape, colour: Option<Colour>) -> Self {
        Self { count: 1, shape, colour }
    }
}

/// Where the first object lies, seen from the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Relation {
    LeftOf,
    RightOf,
    Above,
    Below,
}
worded!(Relation, "relation", {
    LeftOf => "left of", RightOf => "right of", Above => "above", Below => "below",
});

impl Relation {
    /// How far apart two centres must be along the axis before the relation holds: half a slot, in pixels.
    pub const MARGIN_PX: f32 = 8.0;

    /// Whether a centre `a` lies so from a centre `b`, both (x to the right, y down) in pixels. The other axis is free.
    #[must_use]
    pub fn holds(self, a: (f32, f32), b: (f32, f32)) -> bool {
        let along = match self {
            Relation::LeftOf => b.0 - a.0,
            Relation::RightOf => a.0 - b.0,
            Relation::Above => b.1 - a.1,
            Relation::Below => a.1 - b.1,
        };
        along >= Self::MARGIN_PX
    }
}

/// What a prompt asks for: one or two kinds of objects, and how two single objects lie to each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Spec {
    /// One or two entries.
    pub objects: Vec<ObjectSpec>,
    /// Between entry 0 and entry 1; only where both count one.
    pub relation: Option<Relation>,
}

/// The six categories of the GenEval benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// "a circle"
    SingleObject,
    /// "a circle and a square"
    TwoObjects,
    /// "three circles"
    Counting,
    /// "a red circle"
    Colours,
    /// "a circle left of a square"
    Position,
    /// "a red circle and a blue square"
    ColourAttribution,
}
worded!(Category, "category", {
    SingleObject => "single_object", TwoObjects => "two_objects", Counting => "counting",
    Colours => "colours", Position => "position", ColourAttribution => "colour_attribution",
});

impl Category {
    /// Its name for people, for example `colour attribution`.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Category::SingleObject => "single object",
            Category::TwoObjects => "two objects",
            Category::Counting => "counting",
            Category::Colours => "colours",
            Category::Position => "position",
            Category::ColourAttribution => "colour attribution",
        }
    }
}

impl Spec {
    /// A spec with one kind of object.
    #[must_use]
    pub fn of(object: ObjectSpec) -> Self {
        Self { objects: vec![object], relation: None }
    }

    /// A spec with two kinds of objects.
    #[must_use]
    pub fn pair(first: ObjectSpec, second: ObjectSpec, relation: Option<Relation>) -> Self {
        Self { objects: vec![first, second], relation }
    }

    /// How many objects it asks for in all.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.objects.iter().map(|object| u32::from(object.count)).sum()
    }

    /// Whether it is one the grammar can say: one or two kinds, each at least once, at most [`MAX_OBJECTS`] in all,
    /// and a relation only between two single objects. Everything [`Spec::parse`] returns is; a spec that came from
    /// elsewhere (a file, a message) should be asked.
    #[must_use]
    pub fn is_sayable(&self) -> bool {
        let single = self.objects.iter().all(|object| object.count == 1);
        matches!(self.objects.len(), 1 | 2)
            && self.objects.iter().all(|object| object.count >= 1)
            && self.total() <= u32::from(MAX_OBJECTS)
            && (self.relation.is_none() || (self.objects.len() == 2 && single))
    }

    /// The category it is counted under. A relation outranks colours, and counts outrank the colour of one kind.
    #[must_use]
    pub fn category(&self) -> Category {
        let coloured = self.objects.iter().any(|object| object.colour.is_some());
        match (self.relation, self.objects.len()) {
            (Some(_), _) => Category::Position,
            (None, 0 | 1) if self.total() > 1 => Category::Counting,
            (None, 0 | 1) if coloured => Category::Colours,
            (None, 0 | 1) => Category::SingleObject,
            (None, _) if coloured => Category::ColourAttribution,
            (None, _) => Category::TwoObjects,
        }
    }
}

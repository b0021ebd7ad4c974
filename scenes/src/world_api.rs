//! The worlds behind one interface: what engine, page and command line ask of a world, whichever it is.
//!
//! A bundle names its world; the world reads what people type ([`World::read`]), judges pictures by their pixels
//! ([`World::check`]), and says what can be asked for ([`World::words`], [`World::examples`]).
//!
//! | file | its one idea |
//! |---|---|
//! | `world_api/read.rs` | what somebody typed, as a world understands it |
//! | `world_api/check.rs` | whether a picture shows what a prompt asks for |
//! | `world_api/examples.rs` | prompts to offer |
//! | `world_api/attribution.rs` | who must be named |

mod attribution;
mod check;
mod examples;
mod read;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use check::{CheckError, Judgement, give_atlas, has_atlas};
pub use examples::Example;
pub use read::{Read, ReadError};

/// A world that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum World {
    /// Shapes and colours on a dark ground: this crate's root.
    Shapes,
    /// Eighty kinds of things as a picture book: [`crate::icons`].
    Icons,
}

impl World {
    /// Every world.
    pub const ALL: [Self; 2] = [Self::Shapes, Self::Icons];

    /// As manifests and commands write it. The first world's name is older than the second.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shapes => "scenes",
            Self::Icons => "icons",
        }
    }

    /// Side of its pictures in pixels.
    #[must_use]
    pub const fn side(self) -> usize {
        match self {
            Self::Shapes => crate::SIDE,
            Self::Icons => crate::icons::SIDE,
        }
    }

    /// Whether it understands more words than those of [`World::vocabulary`], which models of it know.
    #[must_use]
    pub const fn has_aliases(self) -> bool {
        matches!(self, Self::Icons)
    }

    /// Every word that a canonical prompt can hold.
    #[must_use]
    pub fn vocabulary(self) -> Vec<&'static str> {
        match self {
            Self::Shapes => crate::vocabulary(),
            Self::Icons => {
                let questions = crate::icons::question_words();
                crate::icons::vocabulary().into_iter().filter(|word| !questions.contains(word)).collect()
            }
        }
    }

    /// What can be said, for people: names of one or more words, colours, numbers, relations.
    #[must_use]
    pub fn words(self) -> Vec<&'static str> {
        match self {
            Self::Shapes => crate::vocabulary(),
            Self::Icons => {
                let colours = crate::icons::Colour::ALL.map(crate::icons::Colour::name);
                let relations = crate::icons::Relation::ALL.map(crate::icons::Relation::words);
                let things = crate::icons::CLASSES;
                ["two", "three", "four", "and"].into_iter().chain(relations).chain(colours).chain(things).collect()
            }
        }
    }

    /// Whether a model that draws pictures of a side and knows certain words can be of this world.
    ///
    /// # Errors
    /// What shows that it is of another world, and what to do.
    pub fn fits(self, side_px: usize, knows: impl Fn(&str) -> bool) -> Result<(), WorldMismatch> {
        let refused = |why: String| WorldMismatch { world: self, why };
        if side_px != self.side() {
            return Err(refused(format!(
                "whose pictures are {0} × {0} pixels, but its models draw {side_px} × {side_px}",
                self.side()
            )));
        }
        match self.vocabulary().into_iter().find(|word| !knows(word)) {
            Some(word) => Err(refused(format!("in which “{word}” is a word, but its tokenizer does not know it"))),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl From<World> for &'static str {
    fn from(world: World) -> Self {
        world.name()
    }
}

impl std::str::FromStr for World {
    type Err = UnknownWorld;

    fn from_str(name: &str) -> Result<Self, UnknownWorld> {
        Self::ALL.into_iter().find(|world| world.name() == name).ok_or_else(|| UnknownWorld(name.to_owned()))
    }
}

impl TryFrom<String> for World {
    type Error = UnknownWorld;

    fn try_from(name: String) -> Result<Self, UnknownWorld> {
        name.parse()
    }
}

/// A world of which this program has no checker.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the world {0:?} is unknown here, which knows {known}; use the program that made the bundle, or convert it again with one of these or without a world",
    known = World::ALL.map(World::name).join(" and ")
)]
pub struct UnknownWorld(pub String);

/// A bundle that names a world which its models are not of: its checker would judge by other rules than they learnt.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the bundle's world is said to be {world:?}, {why}; convert it again with the world that it was trained on (`quantize convert --world …`), or without one",
    world = world.name()
)]
pub struct WorldMismatch {
    /// The world that it names.
    pub world: World,
    /// What shows that it is of another.
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_refused_with_those_there_are() {
        for world in World::ALL {
            assert_eq!(world.name().parse(), Ok(world));
        }
        let error = "dreams".parse::<World>().map_err(|error| error.to_string());
        let Err(sentence) = error else { panic!("dreams are a world: {error:?}") };
        assert!(sentence.contains("\"dreams\"") && sentence.contains("scenes and icons"), "{sentence}");
        assert!(sentence.contains("convert it again"), "{sentence}");
    }

    #[test]
    fn a_model_of_another_world_is_told_by_its_pictures_and_its_words() {
        for world in World::ALL {
            let words = world.vocabulary();
            assert_eq!(world.fits(world.side(), |word| words.contains(&word)), Ok(()));
            let small = world.fits(8, |_| true).map_err(|error| error.to_string());
            assert!(small.as_ref().is_err_and(|why| why.contains("8 × 8") && why.contains("--world")), "{small:?}");
            for other in World::ALL.into_iter().filter(|other| *other != world) {
                let known = other.vocabulary();
                let strange = world.fits(world.side(), |word| known.contains(&word)).map_err(|error| error.to_string());
                assert!(strange.as_ref().is_err_and(|why| why.contains("is a word")), "{strange:?}");
            }
        }
    }
}

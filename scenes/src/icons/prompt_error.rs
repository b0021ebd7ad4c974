//! Why a prompt was not understood, and what would be: each a sentence with its remedy.

use std::ops::Range;

use thiserror::Error;

use super::spec::{MAX_THINGS, Relation};

/// The most characters that a prompt may have.
pub const MAX_PROMPT_CHARS: usize = 240;

/// Why a prompt was not understood, and what would be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PromptError {
    /// It names nothing.
    #[error("the prompt names nothing; try “a purple dog and a black dining table”")]
    Empty,
    /// More than [`MAX_PROMPT_CHARS`].
    #[error("the prompt is longer than {MAX_PROMPT_CHARS} characters; name at most {MAX_THINGS} things")]
    TooLong,
    /// A word the world has no meaning for.
    #[error("“{word}” is not a word of this world; {}", instead(near))]
    UnknownWord {
        /// The word, as it was read.
        word: String,
        /// At most three words near to it, nearest first.
        near: Vec<String>,
        /// Where it stands in what was typed, in characters.
        place: Range<usize>,
    },
    /// A colour between those of the world.
    #[error("there is no “{word}” in this world; {}", instead(near))]
    UnknownColour {
        /// The word, as it was read.
        word: String,
        /// The colours nearest to it.
        near: Vec<String>,
        /// Where it stands in what was typed, in characters.
        place: Range<usize>,
    },
    /// A place that is none of the four.
    #[error("“{said}” is no place this world knows; it knows “left of”, “right of”, “above” and “below”")]
    UnknownRelation {
        /// As it was read.
        said: String,
    },
    /// More things than a picture holds.
    #[error("{asked} things are too many; a picture holds at most {MAX_THINGS}")]
    TooManyThings {
        /// How many were asked for.
        asked: u64,
    },
    /// None of something.
    #[error("“{said}” cannot be drawn; leave out what should not be there, or ask for one to {MAX_THINGS}")]
    NoThings {
        /// The number or word, as it was read.
        said: String,
    },
    /// Several, but nobody knows how many.
    #[error("“{said}” is no number; say “two”, “three” or “four”")]
    HowMany {
        /// As it was read.
        said: String,
    },
    /// A colour that no thing follows.
    #[error("“{said}” colours nothing here; put it before a thing, for example “a {said} dog”")]
    ColourAlone {
        /// The colour, as it was read.
        said: String,
    },
    /// Two colours for one thing.
    #[error("“{first}” and “{second}” are two colours for one thing; a thing has one")]
    TwoColours {
        /// The one, as it was read.
        first: String,
        /// The other.
        second: String,
    },
    /// More than one relation.
    #[error("a prompt can say how two things lie to each other, and no more; leave out a relation or a thing")]
    TwoRelations,
    /// A relation between more than two single things.
    #[error(
        "“{}” goes between two single things, for example “a dog {0} a bench”; leave out the others",
        relation.words()
    )]
    RelationOfMany {
        /// The relation.
        relation: Relation,
    },
    /// Known words in an order that says nothing here.
    #[error("cannot make sense of “{at}”; {remedy}")]
    NotUnderstood {
        /// The part of the prompt that could not be read.
        at: String,
        /// What to write instead.
        remedy: String,
    },
}

fn instead(near: &[String]) -> String {
    let quoted: Vec<String> = near.iter().map(|word| format!("“{word}”")).collect();
    match quoted.split_last() {
        None => "name things such as a dog, a bus or a chair, and colours such as red or blue".to_owned(),
        Some((only, [])) => format!("did you mean {only}?"),
        Some((last, others)) => format!("did you mean {} or {last}?", others.join(", ")),
    }
}

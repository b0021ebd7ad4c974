//! Prompts: what can be said, and what to say instead of what cannot be.
//!
//! ```text
//! prompt   := group | group "and" group | group relation group
//! group    := ["a" | "an" | "the" | "one" | "two" | "three" | "four"] [colour] shape
//! relation := ["to the"] "left of" | ["to the"] "right of" | "above" | "below"
//! ```
//!
//! Upper case and punctuation count for nothing, except that a comma or full stop can stand for "and".

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::ops::Range;

use thiserror::Error;

use crate::spec::{MAX_OBJECTS, ObjectSpec, Relation, Spec};
use crate::typed::{Token, tokens};
use crate::world::{Colour, Shape};

/// Why a prompt was not understood, and what would be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PromptError {
    /// There are no words.
    #[error("the prompt is empty; try \"a red circle\"")]
    Empty,
    /// A word the world has no meaning for.
    #[error("{word:?} is not a word of this world; {}", suggestion(near))]
    UnknownWord {
        /// The word, as it was read.
        word: String,
        /// The words nearest to it, nearest first; empty where none is near.
        near: Vec<String>,
        /// Where it stands in what was typed, in characters.
        place: Range<usize>,
    },
    /// Known words in an order that says nothing here.
    #[error("cannot make sense of {at:?}; {remedy}")]
    NotUnderstood {
        /// The part of the prompt that could not be read.
        at: String,
        /// What to write instead.
        remedy: String,
    },
    /// More objects than a picture holds.
    #[error("{asked} objects are too many; a picture holds at most {limit}")]
    TooManyObjects {
        /// How many were asked for.
        asked: u32,
        /// The most there can be.
        limit: u8,
    },
}

fn suggestion(near: &[String]) -> String {
    match near {
        [] => format!(
            "it knows the shapes {} and the colours {}",
            Shape::ALL.map(Shape::word).join(", "),
            Colour::ALL.map(Colour::word).join(", ")
        ),
        words => {
            let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
            format!("did you mean {}?", quoted.join(" or "))
        }
    }
}

/// Numbers the grammar says, from one.
const NUMBERS: [&str; MAX_OBJECTS as usize] = ["one", "two", "three", "four"];
/// Numbers it understands only to say that they are too many.
const TOO_MANY: [&str; 8] = ["five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
const ARTICLES: [&str; 3] = ["a", "an", "the"];
const JOINTS: [&str; 7] = ["and", "left", "right", "of", "above", "below", "to"];

/// Every word a prompt can hold, canonical or tolerated, in an order that never changes: a word-level tokenizer may
/// number them by it.
#[must_use]
pub fn vocabulary() -> Vec<&'static str> {
    ARTICLES
        .into_iter()
        .chain(NUMBERS)
        .chain(Colour::ALL.map(Colour::word))
        .chain(Shape::ALL.map(Shape::word))
        .chain(Shape::ALL.map(Shape::plural))
        .chain(JOINTS)
        .collect()
}

/// The nearest words of the vocabulary, at most three, none so far that it would be a guess.
fn near(word: &str) -> Vec<String> {
    if let Ok(number) = word.parse::<usize>() {
        return number.checked_sub(1).and_then(|i| NUMBERS.get(i)).map(|&n| n.to_owned()).into_iter().collect();
    }
    // Short words are near to everything; the longest words allow three slips.
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let mut ranked: Vec<(usize, &str)> = vocabulary()
        .into_iter()
        .filter(|known| known.len() > 1)
        .map(|known| (edit_distance(word, known), known))
        .filter(|&(distance, _)| distance <= allowed)
        .collect();
    ranked.sort_by_key(|&(distance, _)| distance);
    ranked.into_iter().take(3).map(|(_, known)| known.to_owned()).collect()
}

/// Insertions, deletions and substitutions between two words (Levenshtein), one row at a time.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// A word that is known, and whether a comma or its like stands before it.
#[derive(Clone)]
struct Word {
    text: String,
    after_pause: bool,
}

/// The words still to be read.
#[derive(Clone)]
struct Words(VecDeque<Word>);

impl Words {
    fn peek(&self) -> Option<&str> {
        self.0.front().map(|word| word.text.as_str())
    }

    fn take_if(&mut self, word: &str) -> bool {
        let there = self.peek() == Some(word);
        if there {
            self.0.pop_front();
        }
        there
    }

    /// Reads the next word where it is one of a table; gives its index.
    fn take_one_of(&mut self, table: &[&str]) -> Option<usize> {
        let index = table.iter().position(|&word| self.peek() == Some(word))?;
        self.0.pop_front();
        Some(index)
    }

    fn not_understood(&self, remedy: impl Into<String>) -> PromptError {
        let at = if self.0.is_empty() { "the end of the prompt".to_owned() } else { self.rest() };
        PromptError::NotUnderstood { at, remedy: remedy.into() }
    }

    fn rest(&self) -> String {
        self.0.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn group(&mut self) -> Result<ObjectSpec, PromptError> {
        let start = self.clone();
        let number = match self.take_one_of(&ARTICLES) {
            Some(_) => Some(1),
            None => self.take_one_of(&NUMBERS).map(|i| i as u8 + 1),
        };
        let colour = self.take_one_of(&Colour::ALL.map(Colour::word)).map(|i| Colour::ALL[i]);
        let (shape, plural) = match self.take_one_of(&Shape::ALL.map(Shape::word)) {
            Some(i) => (Shape::ALL[i], false),
            None => match self.take_one_of(&Shape::ALL.map(Shape::plural)) {
                Some(i) => (Shape::ALL[i], true),
                None => return Err(self.not_understood("a shape belongs here, for example \"circle\"")),
            },
        };
        match (number, plural) {
            (Some(1) | None, true) => Err(start.not_understood(format!(
                "say how many, for example \"two {}\", or write \"{}\"",
                shape.plural(),
                group_prompt(&ObjectSpec::one(shape, colour)),
            ))),
            (number, _) => Ok(ObjectSpec { count: number.unwrap_or(1), shape, colour }),
        }
    }

    /// What stands between two groups: a relation, or none for "and".
    fn joint(&mut self) -> Result<Option<Relation>, PromptError> {
        const REMEDY: &str = "two groups are joined by \"and\", \"left of\", \"right of\", \"above\" or \"below\"";
        let start = self.clone();
        let paused = self.0.front().is_some_and(|word| word.after_pause);
        let relation = if self.take_if("and") {
            return Ok(None);
        } else if self.take_if("above") {
            Some(Relation::Above)
        } else if self.take_if("below") {
            Some(Relation::Below)
        } else {
            if self.take_if("to") {
                self.take_if("the");
            }
            let side = self.take_one_of(&["left", "right"]).map(|i| [Relation::LeftOf, Relation::RightOf][i]);
            if self.take_if("of") { side } else { None }
        };
        match relation {
            Some(relation) => Ok(Some(relation)),
            // Nothing of a relation is there.
            None if paused && self.0.len() == start.0.len() => Ok(None),
            None => Err(start.not_understood(REMEDY)),
        }
    }
}

fn group_prompt(object: &ObjectSpec) -> String {
    let mut said = String::new();
    let noun = if object.count == 1 { object.shape.word() } else { object.shape.plural() };
    let first = object.colour.map_or(noun, Colour::word);
    match usize::from(object.count).checked_sub(2).and_then(|i| NUMBERS[1..].get(i)) {
        Some(number) => said.push_str(number),
        // Of all words that can follow, only "orange" begins with a vowel; the test is for the next one.
        None if first.starts_with(['a', 'e', 'i', 'o', 'u']) => said.push_str("an"),
        None => said.push('a'),
    }
    if let Some(colour) = object.colour {
        let _ = write!(said, " {colour}");
    }
    let _ = write!(said, " {noun}");
    said
}

impl Spec {
    /// Reads a prompt. Upper case, punctuation, "the" and "a" before a vowel are tolerated.
    ///
    /// # Errors
    /// A [`PromptError`] that says which words were not understood and what to write instead.
    pub fn parse(prompt: &str) -> Result<Self, PromptError> {
        let known = vocabulary();
        let mut words = Words(VecDeque::new());
        let mut after_pause = false;
        for token in tokens(prompt) {
            let Token::Word(word) = token else {
                after_pause = true;
                continue;
            };
            let asked = TOO_MANY
                .iter()
                .position(|many| *many == word.text)
                .map(|i| i as u32 + 5)
                .or_else(|| word.text.parse::<u32>().ok().filter(|&number| number > u32::from(MAX_OBJECTS)));
            if let Some(asked) = asked {
                return Err(PromptError::TooManyObjects { asked, limit: MAX_OBJECTS });
            }
            if !known.contains(&word.text.as_str()) {
                return Err(PromptError::UnknownWord { near: near(&word.text), word: word.text, place: word.place });
            }
            words.0.push_back(Word { text: word.text, after_pause });
            after_pause = false;
        }
        if words.0.is_empty() {
            return Err(PromptError::Empty);
        }
        let prompt = words.rest();
        let first = words.group()?;
        if words.peek().is_none() {
            return Ok(Self::of(first));
        }
        let relation = words.joint()?;
        let second = words.group()?;
        if words.peek().is_some() {
            return Err(words.not_understood("ask for one or two kinds of objects, and no more"));
        }
        let spec = Self::pair(first, second, relation);
        if spec.total() > u32::from(MAX_OBJECTS) {
            return Err(PromptError::TooManyObjects { asked: spec.total(), limit: MAX_OBJECTS });
        }
        match relation {
            Some(relation) if spec.total() > 2 => Err(PromptError::NotUnderstood {
                at: prompt,
                remedy: format!(
                    "\"{relation}\" goes between two single objects, for example \"a circle {relation} a square\""
                ),
            }),
            _ => Ok(spec),
        }
    }

    /// The canonical prompt: lower case, one space between words, `a` or `an` as the next word wants it.
    /// For every [sayable](Spec::is_sayable) spec, [`Spec::parse`] gives the spec back.
    #[must_use]
    pub fn prompt(&self) -> String {
        let joint = self.relation.map_or(" and ".to_owned(), |relation| format!(" {relation} "));
        self.objects.iter().map(group_prompt).collect::<Vec<_>>().join(&joint)
    }
}

impl std::fmt::Display for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.prompt())
    }
}

impl std::str::FromStr for Spec {
    type Err = PromptError;

    fn from_str(prompt: &str) -> Result<Self, PromptError> {
        Self::parse(prompt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerates_what_people_type() {
        for (typed, canonical) in [
            ("  A   RED  circle. ", "a red circle"),
            ("a orange star", "an orange star"),
            ("an circle", "a circle"),
            ("the circle to the left of the square", "a circle left of a square"),
            ("circle right of blue square", "a circle right of a blue square"),
            ("one heart and one moon", "a heart and a moon"),
            ("Three crosses!", "three crosses"),
            ("a star, and a moon", "a star and a moon"),
            ("a star?", "a star"),
            ("A star; a moon.", "a star and a moon"),
            ("(a) “red”, circle: left of a square…", "a red circle left of a square"),
            ("a star & a moon", "a star and a moon"),
            ("a ring, right of a heart", "a ring right of a heart"),
            ("two circle", "two circles"),
            ("two circles and a square", "two circles and a square"),
        ] {
            assert_eq!(Spec::parse(typed).map(|spec| spec.prompt()), Ok(canonical.to_owned()), "{typed}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (typed, message) in [
            ("", "the prompt is empty; try \"a red circle\""),
            ("...", "the prompt is empty; try \"a red circle\""),
            ("a red crcle", "\"crcle\" is not a word of this world; did you mean \"circle\"?"),
            ("3 circles", "\"3\" is not a word of this world; did you mean \"three\"?"),
            (
                "0 circles",
                "\"0\" is not a word of this world; it knows the shapes circle, square, triangle, star, heart, moon, ring, cross and the colours red, orange, yellow, green, cyan, blue, purple, pink",
            ),
            ("seven circles", "7 objects are too many; a picture holds at most 4"),
            ("9 circles", "9 objects are too many; a picture holds at most 4"),
            ("three circles and two squares", "5 objects are too many; a picture holds at most 4"),
            (
                "red circles",
                "cannot make sense of \"red circles\"; say how many, for example \"two circles\", or write \"a red circle\"",
            ),
            (
                "a circle red",
                "cannot make sense of \"red\"; two groups are joined by \"and\", \"left of\", \"right of\", \"above\" or \"below\"",
            ),
            (
                "a circle left a square",
                "cannot make sense of \"left a square\"; two groups are joined by \"and\", \"left of\", \"right of\", \"above\" or \"below\"",
            ),
            ("a red", "cannot make sense of \"the end of the prompt\"; a shape belongs here, for example \"circle\""),
            (
                "a circle and a ring and a star",
                "cannot make sense of \"and a star\"; ask for one or two kinds of objects, and no more",
            ),
            (
                "two circles above a square",
                "cannot make sense of \"two circles above a square\"; \"above\" goes between two single objects, for example \"a circle above a square\"",
            ),
        ] {
            assert_eq!(Spec::parse(typed).map_err(|e| e.to_string()), Err(message.to_owned()), "{typed}");
        }
    }

    #[test]
    fn vocabulary_has_no_word_twice() {
        let mut words = vocabulary();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), vocabulary().len());
    }
}

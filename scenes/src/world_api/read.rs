//! What somebody typed, as a world understands it.

use std::ops::Range;

use thiserror::Error;

use super::World;
use crate::{Spec, icons};

/// What a prompt is to the model, and what was taken for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The canonical prompt: the words that the model was trained on. Read again, it is itself.
    pub prompt: String,
    /// Words that were taken for others, a sentence each without its full stop: `“sofa” is read as “couch”`.
    pub notes: Vec<String>,
}

/// Why a world does not understand a prompt, and what it would.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The shapes' grammar.
    #[error(transparent)]
    Shapes(#[from] crate::PromptError),
    /// The things' grammar.
    #[error(transparent)]
    Icons(#[from] icons::PromptError),
}

impl ReadError {
    /// What kind of mistake it is, as the page's contract names it: `empty_prompt`, `prompt_too_long`, `unknown_word`,
    /// `too_many_objects` or `not_understood`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shapes(crate::PromptError::Empty) | Self::Icons(icons::PromptError::Empty) => "empty_prompt",
            Self::Icons(icons::PromptError::TooLong) => "prompt_too_long",
            Self::Shapes(crate::PromptError::UnknownWord { .. })
            | Self::Icons(icons::PromptError::UnknownWord { .. } | icons::PromptError::UnknownColour { .. }) => {
                "unknown_word"
            }
            Self::Shapes(crate::PromptError::TooManyObjects { .. })
            | Self::Icons(icons::PromptError::TooManyThings { .. }) => "too_many_objects",
            Self::Shapes(_) | Self::Icons(_) => "not_understood",
        }
    }

    /// The word at fault and those near to it, where it is one word.
    #[must_use]
    pub fn word(&self) -> Option<(&str, &[String])> {
        match self {
            Self::Shapes(crate::PromptError::UnknownWord { word, near, .. })
            | Self::Icons(
                icons::PromptError::UnknownWord { word, near, .. }
                | icons::PromptError::UnknownColour { word, near, .. },
            ) => Some((word, near)),
            _ => None,
        }
    }

    /// Where that word stands in what was typed, in characters: it may stand there twice and be understood once.
    #[must_use]
    pub const fn place(&self) -> Option<&Range<usize>> {
        match self {
            Self::Shapes(crate::PromptError::UnknownWord { place, .. })
            | Self::Icons(
                icons::PromptError::UnknownWord { place, .. } | icons::PromptError::UnknownColour { place, .. },
            ) => Some(place),
            _ => None,
        }
    }
}

impl World {
    /// Reads a prompt as people type it.
    ///
    /// # Errors
    /// The grammar's own, which says what was not understood and what to write instead.
    pub fn read(self, text: &str) -> Result<Read, ReadError> {
        match self {
            Self::Shapes => Ok(Read { prompt: Spec::parse(text)?.prompt(), notes: Vec::new() }),
            Self::Icons => {
                let reading = icons::Spec::parse(text)?;
                let notes = reading.taken.iter().map(ToString::to_string).collect();
                Ok(Read { prompt: reading.spec.prompt(), notes })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_becomes_what_the_model_knows() {
        let read = |world: World, text: &str| world.read(text).map(|read| (read.prompt, read.notes));
        assert_eq!(
            read(World::Shapes, "The circle to the left of a square!"),
            Ok(("a circle left of a square".to_owned(), Vec::new()))
        );
        assert_eq!(
            read(World::Icons, "purple sofa and 2 dogs"),
            Ok(("a photo of a purple couch and two dogs".to_owned(), vec!["“sofa” is read as “couch”".to_owned()]))
        );
    }

    #[test]
    fn a_canonical_prompt_is_read_as_itself() {
        for world in World::ALL {
            for example in world.examples() {
                let read = world.read(example.prompt).expect("an example is understood");
                assert_eq!(read.notes, Vec::<String>::new(), "{world}: {}", example.prompt);
                let words = world.vocabulary();
                assert!(read.prompt.split_whitespace().all(|word| words.contains(&word)), "{world}: {}", read.prompt);
                assert_eq!(world.read(&read.prompt), Ok(read));
            }
        }
    }

    #[test]
    fn punctuation_may_stand_anywhere() {
        for world in World::ALL {
            for example in world.examples() {
                let plain = world.read(example.prompt).expect("an example is understood").prompt;
                for typed in [
                    format!("{}?", example.prompt),
                    format!(" …“{}”!", example.prompt),
                    example.prompt.replace(" and ", ", and "),
                    example.prompt.replace(" and ", " & "),
                    example.prompt.replace(" and ", ", "),
                    example.prompt.replace(" left of ", ", (left-of): "),
                    example.prompt.replace(' ', " - "),
                ] {
                    assert_eq!(world.read(&typed).map(|read| read.prompt), Ok(plain.clone()), "{world}: {typed}");
                }
            }
        }
    }

    #[test]
    fn an_unknown_word_has_its_place_also_where_the_same_one_is_understood() {
        for (world, typed, word) in [
            (World::Shapes, "a star and a sta", "sta"),
            (World::Shapes, "  🌙 A ring, and a SIRCLE!", "SIRCLE"),
            (World::Icons, "a tennis racket and a tennis", "tennis"),
            (World::Icons, "“a grey dog”", "grey"),
        ] {
            let error = world.read(typed).expect_err(typed);
            let place = error.place().expect("it is a word").clone();
            let letters: Vec<char> = typed.chars().collect();
            assert_eq!(letters[place.clone()].iter().collect::<String>(), word, "{typed}");
            assert_eq!(error.word().map(|(word, _)| word.to_owned()), Some(word.to_lowercase()));
            if word == "tennis" {
                assert_eq!(place.end, letters.len());
            }
        }
        assert_eq!(World::Shapes.read("circle red").expect_err("no sense").place(), None);
    }

    #[test]
    fn mistakes_have_codes_and_near_words() {
        for (world, text, code) in [
            (World::Shapes, "", "empty_prompt"),
            (World::Shapes, "a red sircle", "unknown_word"),
            (World::Shapes, "circle red", "not_understood"),
            (World::Shapes, "seven circles", "too_many_objects"),
            (World::Icons, "", "empty_prompt"),
            (World::Icons, "a red dgo", "unknown_word"),
            (World::Icons, "a grey dog", "unknown_word"),
            (World::Icons, "five dogs", "too_many_objects"),
            (World::Icons, "a dog left of a cat right of a bench", "not_understood"),
        ] {
            let error = world.read(text).expect_err(text);
            assert_eq!(error.code(), code, "{world}: {text}: {error}");
            assert_eq!(error.word().is_some(), code == "unknown_word", "{world}: {text}");
        }
        let error = World::Icons.read("a red dgo").expect_err("dgo is no word");
        assert!(
            error.word().is_some_and(|(word, near)| word == "dgo" && near.contains(&"dog".to_owned())),
            "{error:?}"
        );
    }
}

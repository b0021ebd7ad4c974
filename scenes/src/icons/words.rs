//! The words that prompts and questions are written with.

use super::class::{Class, Colour};

/// Numbers from two, in words.
pub(super) const NUMBERS: [&str; 3] = ["two", "three", "four"];

/// What questions and their answers are written with, beyond the words of prompts.
#[rustfmt::skip]
const QUESTION: [&str; 19] = [
    "does", "this", "image", "accurately", "represent", "the", "prompt", "is", "are", "there", "it", "generated", "by",
    "in", "user", "assistant", "yes", "no", "answer",
];

/// What questions and their answers are written with, beyond the words of prompts.
#[must_use]
pub fn question_words() -> Vec<&'static str> {
    QUESTION.to_vec()
}

/// Every word of the canonical prompts, then those of [`question_words`], each once, in an order that never changes: a
/// word-level tokenizer may number them by it. Canonical prompts and questions fall into these words at white space.
#[must_use]
pub fn vocabulary() -> Vec<&'static str> {
    let mut words: Vec<&'static str> = Vec::new();
    let kinds = Class::all().map(Class::name).chain(Class::all().map(Class::plural));
    let all = ["a", "an", "photo", "of", "and", "left", "right", "above", "below"]
        .into_iter()
        .chain(NUMBERS)
        .chain(Colour::ALL.map(Colour::name))
        .chain(kinds.flat_map(str::split_whitespace))
        .chain(QUESTION);
    for word in all {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

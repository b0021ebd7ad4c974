//! What somebody typed, cut into words and pauses: one rule for every world, and for models of none.
//!
//! A word is a run of letters and digits, in small letters and without apostrophes; all else only separates words, so
//! that punctuation may stand anywhere. The page finds words in a prompt by the same rule (`www/app/prompt_words.js`);
//! `scenes/tests/typed_words.json` holds both to it.

use std::ops::Range;

/// A word as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedWord {
    /// In small letters.
    pub text: String,
    /// Where it stands in what was typed, in characters.
    pub place: Range<usize>,
}

/// A piece of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// Letters and digits.
    Word(TypedWord),
    /// A comma, a full stop or their like.
    Pause,
}

/// The words of what somebody typed. `&` and `+` are the word "and".
#[must_use]
pub fn typed_words(text: &str) -> Vec<TypedWord> {
    let words = tokens(text).into_iter().filter_map(|token| match token {
        Token::Word(word) => Some(word),
        Token::Pause => None,
    });
    words.collect()
}

/// The same with the pauses between them.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word: Option<TypedWord> = None;
    let mut abbreviated = false;
    let mut letters = text.chars().chain([' ']).enumerate().peekable();
    while let Some((at, letter)) = letters.next() {
        if letter.is_alphanumeric() {
            let word = word.get_or_insert_with(|| TypedWord { text: String::new(), place: at..at });
            word.text.extend(letter.to_lowercase());
            word.place.end = at + 1;
            continue;
        }
        // "A dog's" is no word of ours either way, but "hair-drier" is two.
        if matches!(letter, '\'' | '’') {
            continue;
        }
        // "T.v." is one word, and its last full stop no pause.
        let letter_follows = letters.peek().is_some_and(|(_, next)| next.is_alphabetic());
        let single = || word.as_ref().is_some_and(|word| word.place.len() == 1);
        if letter == '.' && letter_follows && (abbreviated || single()) {
            abbreviated = true;
            continue;
        }
        tokens.extend(word.take().map(Token::Word));
        match letter {
            '.' if abbreviated => {}
            ',' | '.' | ';' | ':' | '!' | '?' | '/' | '\n' => tokens.push(Token::Pause),
            '&' | '+' => tokens.push(Token::Word(TypedWord { text: "and".to_owned(), place: at..at + 1 })),
            _ => {}
        }
        abbreviated = false;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stand_between_words() {
        let said = |text: &str| {
            let said = tokens(text).into_iter().map(|token| match token {
                Token::Word(word) => word.text,
                Token::Pause => "|".to_owned(),
            });
            said.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(said("A star, and a MOON?"), "a star | and a moon |");
        assert_eq!(said("a t.v. a cat."), "a tv a cat |");
        assert_eq!(said("(left-of) “ring” … 🌙"), "left of ring");
    }
}

//! A prompt cut into words and pauses.

use super::super::prompt_error::{MAX_PROMPT_CHARS, PromptError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Letters and digits, in lower case.
    Word(String),
    /// A comma, a full stop or their like.
    Pause,
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, PromptError> {
    let text = text.trim();
    if text.chars().nth(MAX_PROMPT_CHARS).is_some() {
        return Err(PromptError::TooLong);
    }
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut abbreviated = false;
    let mut letters = text.chars().flat_map(char::to_lowercase).chain([' ']).peekable();
    while let Some(letter) = letters.next() {
        if letter.is_alphanumeric() {
            word.push(letter);
            continue;
        }
        // "A dog's" is no word of ours either way, but "hair-drier" is two.
        if matches!(letter, '\'' | '’') {
            continue;
        }
        // "T.v." is one word, and its last full stop no pause.
        let letter_follows = letters.peek().is_some_and(|next| next.is_alphabetic());
        if letter == '.' && letter_follows && (abbreviated || word.chars().count() == 1) {
            abbreviated = true;
            continue;
        }
        if !word.is_empty() {
            tokens.push(Token::Word(std::mem::take(&mut word)));
        }
        match letter {
            '.' if abbreviated => {}
            ',' | '.' | ';' | ':' | '!' | '?' | '/' | '\n' => tokens.push(Token::Pause),
            '&' | '+' => tokens.push(Token::Word("and".to_owned())),
            _ => {}
        }
        abbreviated = false;
    }
    Ok(tokens)
}

//! From words to sequences: the tokenizer and UniversalPrompting's layout.
//!
//! `[pad…] <|t2i|> <bos> text <eos> <|soi|> image×N <|eoi|>`, left-padded to `max_text_len + 1`. Reference:
//! `training/prompting_utils.py` of showlab/Show-o, `t2i_gen_prompt` and `create_attention_mask_predict_next` with
//! `rm_pad_in_image`.

use std::ops::Range;

use scenes::{World, typed_words};
use tokenizers::Tokenizer;

use crate::config::{ClipConfig, ShowoConfig};

/// Why a prompt cannot be drawn.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PromptError {
    /// Nothing was written.
    #[error("the prompt is empty; write what to draw, for example \"a red circle\"")]
    Empty,
    /// A word that the model has never seen.
    #[error("the model does not know the word \"{word}\"{}", suggestion(.near))]
    UnknownWord {
        /// The word as written.
        word: String,
        /// Known words that are spelled like it.
        near: Vec<String>,
        /// Where it stands in what was typed, in characters.
        place: Range<usize>,
    },
    /// More tokens than fit.
    #[error("the prompt has {tokens} tokens, but this model reads at most {most}; shorten it")]
    TooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// What fits.
        most: usize,
    },
    /// The words may be known, but say nothing in the model's world.
    #[error(transparent)]
    World(#[from] scenes::ReadError),
    /// The bundle's tokenizer cannot be used.
    #[error("the bundle's tokenizer cannot be used: {0}")]
    Tokenizer(String),
}

/// A prompt as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// What is drawn: in a world, its canonical prompt.
    pub text: String,
    /// What words were taken for, a sentence each without its full stop.
    pub notes: Vec<String>,
    /// Token ids, without special tokens.
    pub ids: Vec<u32>,
}

fn suggestion(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; did you mean \"{}\"?", near.join("\" or \"")) }
}

/// The bundle's tokenizer.
pub struct TextTokenizer {
    tokenizer: Tokenizer,
    /// Every word, where the tokenizer knows whole words only.
    words: Option<Vec<String>>,
}

impl TextTokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// [`PromptError::Tokenizer`].
    pub fn from_json(json: &[u8]) -> Result<Self, PromptError> {
        let tokenizer = Tokenizer::from_bytes(json).map_err(|error| PromptError::Tokenizer(error.to_string()))?;
        let words = match tokenizer.get_model() {
            tokenizers::ModelWrapper::WordLevel(_) => {
                let mut words: Vec<(u32, String)> = tokenizer
                    .get_vocab(false)
                    .into_iter()
                    .filter(|(word, _)| word.chars().all(char::is_alphabetic))
                    .map(|(word, id)| (id, word))
                    .collect();
                words.sort();
                Some(words.into_iter().map(|(_, word)| word).collect())
            }
            _ => None,
        };
        Ok(Self { tokenizer, words })
    }

    /// The words that the model knows, in the order of their ids; `None` for an open vocabulary.
    #[must_use]
    pub fn words(&self) -> Option<&[String]> {
        self.words.as_deref()
    }

    /// What somebody typed, for a model of a world or of none: in a world it becomes its canonical prompt. Known words in
    /// an order that a model has never seen would be drawn as something else; what means the same is read in the one form
    /// that it was trained on.
    ///
    /// # Errors
    /// Empty, words that are unknown or say nothing, or too long.
    pub fn read(&self, typed: &str, world: Option<World>, max_text_len: usize) -> Result<Prompt, PromptError> {
        let Some(world) = world else {
            let ids = self.encode(typed, max_text_len)?;
            return Ok(Prompt { text: typed.to_owned(), notes: Vec::new(), ids });
        };
        if !world.has_aliases() {
            // Every word must be the model's own: its tokenizer says so before the grammar looks at their order.
            self.encode(typed, max_text_len)?;
        }
        let scenes::Read { prompt: text, notes } = world.read(typed)?;
        let ids = self.encode(&text, max_text_len)?;
        Ok(Prompt { text, notes, ids })
    }

    /// The prompt's token ids, without special tokens, at most `max_text_len − 2` of them (begin and end are added).
    ///
    /// # Errors
    /// Empty, an unknown word, or too long.
    pub fn encode(&self, prompt: &str, max_text_len: usize) -> Result<Vec<u32>, PromptError> {
        let text = match &self.words {
            // A closed vocabulary is lower case and has no punctuation: words are cut as every world cuts them.
            Some(words) => {
                let typed = typed_words(prompt);
                if let Some(unknown) = typed.iter().find(|word| !words.contains(&word.text)) {
                    let near = near_words(&unknown.text, words);
                    let (word, place) = (unknown.text.clone(), unknown.place.clone());
                    return Err(PromptError::UnknownWord { word, near, place });
                }
                typed.into_iter().map(|word| word.text).collect::<Vec<_>>().join(" ")
            }
            None => prompt.trim().to_owned(),
        };
        if text.is_empty() {
            return Err(PromptError::Empty);
        }
        let encoding = self.tokenizer.encode(text, false).map_err(|error| PromptError::Tokenizer(error.to_string()))?;
        let ids = encoding.get_ids().to_vec();
        let most = max_text_len.saturating_sub(2);
        if ids.len() > most {
            return Err(PromptError::TooLong { tokens: ids.len(), most });
        }
        Ok(ids)
    }
}

/// Up to three known words within two edits, nearest first.
fn near_words(word: &str, words: &[String]) -> Vec<String> {
    let mut near: Vec<(usize, &String)> = words
        .iter()
        .map(|known| (edit_distance(word, known), known))
        .filter(|(distance, known)| *distance <= 2 && *distance < known.chars().count())
        .collect();
    near.sort();
    near.into_iter().take(3).map(|(_, known)| known.clone()).collect()
}

/// Levenshtein distance.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

/// The text segment of one sequence: `max_text_len + 1` ids, left-padded, truncated as the reference does (the last
/// id becomes `<eos>`). An empty prompt is the unconditional row.
#[must_use]
pub fn text_segment(config: &ShowoConfig, prompt_ids: &[u32]) -> Vec<u32> {
    let mut ids = vec![config.special_tokens.t2i];
    if prompt_ids.first() != Some(&config.bos) {
        ids.push(config.bos);
    }
    ids.extend_from_slice(prompt_ids);
    ids.push(config.eos);
    let length = config.prefix_len();
    if ids.len() > length {
        ids.truncate(length - 1);
        ids.push(config.eos);
    }
    let mut segment = vec![config.special_tokens.pad; length - ids.len()];
    segment.extend(ids);
    segment
}

/// The image segment: `<|soi|>`, N tokens (a code, or negative for `[mask]`), `<|eoi|>`.
#[must_use]
pub fn image_segment(config: &ShowoConfig, tokens: &[i32]) -> Vec<u32> {
    let first = config.first_code() as u32;
    let mut ids = Vec::with_capacity(tokens.len() + 2);
    ids.push(config.special_tokens.soi);
    ids.extend(tokens.iter().map(|&token| u32::try_from(token).map_or(config.mask_token_id, |code| code + first)));
    ids.push(config.special_tokens.eoi);
    ids
}

/// A prompt as CLIP's text tower reads it: `<bos> text <eos>`, and the index of the token that stands for the text.
///
/// A prompt that is too long loses its last words. The tower is causal, so that no padding is needed.
#[must_use]
pub fn clip_text(clip: &ClipConfig, showo: &ShowoConfig, prompt_ids: &[u32]) -> (Vec<u32>, usize) {
    let most = clip.text_config.max_position_embeddings.max(2);
    let mut ids = vec![showo.bos];
    ids.extend(prompt_ids.iter().take(most - 2));
    ids.push(clip.text_config.eos_token_id.unwrap_or(showo.eos));
    let end = ids.len() - 1;
    (ids, end)
}

/// Which positions may attend to which, `allowed[row][column]`, over a whole sequence.
///
/// Text is causal; image tokens see everything; padding is seen by padding alone.
#[must_use]
pub fn attention_allowed(config: &ShowoConfig, sequence: &[u32]) -> Vec<Vec<bool>> {
    let text = sequence.iter().position(|&id| id == config.special_tokens.soi).unwrap_or(sequence.len());
    let padding = sequence.iter().rposition(|&id| id == config.special_tokens.pad).map_or(0, |last| last + 1);
    let is_pad = |column: usize| sequence[column] == config.special_tokens.pad;
    (0..sequence.len())
        .map(|row| {
            (0..sequence.len())
                .map(|column| {
                    if row >= text {
                        !is_pad(column)
                    } else if row >= padding {
                        column <= row && column >= padding
                    } else {
                        column <= row
                    }
                })
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_vocabulary_takes_punctuation_anywhere_and_says_where_a_word_is_unknown() {
        let json = br#"{ "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": { "type": "WhitespaceSplit" }, "post_processor": null, "decoder": null,
            "model": { "type": "WordLevel", "vocab": { "a": 0, "star": 1, "and": 2, "moon": 3 }, "unk_token": "a" } }"#;
        let tokenizer = TextTokenizer::from_json(json).expect("it is a tokenizer");
        for typed in ["a star, and a moon", "“A star”; and a moon?", "a star & a moon"] {
            assert_eq!(tokenizer.encode(typed, 16), Ok(vec![0, 1, 2, 0, 3]), "{typed}");
        }
        let unknown = tokenizer.encode("🌙 a star, and a Sta?", 16);
        let PromptError::UnknownWord { word, near, place } = unknown.expect_err("it is no word") else {
            panic!("it is a word")
        };
        assert_eq!((word.as_str(), near.first().map(String::as_str), place), ("sta", Some("star"), 16..19));
        assert_eq!(tokenizer.encode(" … ", 16), Err(PromptError::Empty));
    }

    #[test]
    fn edit_distances_are_levenshteins() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("same", "same"), 0);
    }

    #[test]
    fn near_words_come_nearest_first() {
        let words: Vec<String> = ["circle", "circles", "cross", "star"].map(String::from).into();
        assert_eq!(near_words("cirle", &words), ["circle", "circles"]);
        assert!(near_words("elephant", &words).is_empty());
    }
}

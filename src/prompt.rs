//! From words to sequences: the tokenizer and UniversalPrompting's layout.
//!
//! `[pad…] <|t2i|> <bos> text <eos> <|soi|> image×N <|eoi|>`, left-padded to `max_text_len + 1`. Reference:
//! `training/prompting_utils.py` of showlab/Show-o, `t2i_gen_prompt` and `create_attention_mask_predict_next` with
//! `rm_pad_in_image`.
//!
//! | file | its one idea |
//! |---|---|
//! | `prompt.rs` | what is to be drawn |
//! | `prompt/question.rs` | what is asked about a picture |
//! | `prompt/clip.rs` | what a public CLIP reads of a text |

mod clip;
mod question;

use std::ops::Range;

use scenes::{World, typed_words};
use serde_json::Value;
use tokenizers::{ModelWrapper, PostProcessor, Tokenizer};

use crate::config::{ClipConfig, ShowoConfig};
use crate::text;

pub use clip::{ClipText, ClipTokenizer};
pub use question::{
    Answers, CONTEXT, QuestionError, QuestionForm, SPELLINGS, SelfQuestion, about_prompt, question_allowed,
    seen_segment,
};

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

/// The tokens that UniversalPrompting adds to the language model's vocabulary, in the order in which they get their
/// ids (`training/prompting_utils.py`: the padding token first, then `special_tokens`).
pub const ADDED_TOKENS: [&str; 10] =
    ["[PAD]", "<|soi|>", "<|eoi|>", "<|sov|>", "<|eov|>", "<|t2i|>", "<|mmu|>", "<|t2v|>", "<|v2v|>", "<|lvg|>"];

/// The bundle's tokenizer.
///
/// Of a `tokenizer.json`, what makes ids of words counts, as Hugging Face's tokenizers read it. What only says how a
/// program may use it (`truncation`, `padding`) does not, as in the reference, which calls its tokenizer without either.
/// What would change a prompt behind its writer's back is refused.
pub struct TextTokenizer {
    /// Takes control tokens for text.
    tokenizer: Tokenizer,
    /// Every word, where the tokenizer knows whole words only.
    words: Option<Vec<String>>,
}

impl TextTokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// [`PromptError::Tokenizer`]: not a tokenizer; one whose ids are not those of the file, are drawn by lot, or
    /// are more than the words'.
    pub fn from_json(json: &[u8]) -> Result<Self, PromptError> {
        let refused = |problem: String| PromptError::Tokenizer(problem);
        let text = text::read(json).map_err(|error| refused(error.to_string()))?;
        let mut parsed: Value = serde_json::from_str(text).map_err(|error| refused(format!("not JSON: {error}")))?;
        let added = added_tokens(&mut parsed).map_err(refused)?;
        let json = serde_json::to_vec(&parsed).map_err(|error| refused(error.to_string()))?;
        let mut tokenizer = Tokenizer::from_bytes(json).map_err(|error| refused(error.to_string()))?;
        for (token, id) in added {
            // The library counts on from the last id, whatever the file says.
            let found = tokenizer.token_to_id(&token);
            if found != Some(id) {
                let found = found.map_or("none".to_owned(), |found| found.to_string());
                return Err(refused(format!("added_tokens gives {token:?} the id {id}, but it gets {found}")));
            }
        }
        if let ModelWrapper::BPE(model) = tokenizer.get_model()
            && let Some(dropout) = model.dropout.filter(|dropout| *dropout != 0.0)
        {
            return Err(refused(format!(
                "model.dropout is {dropout}: the same words would get other ids each time; set it to null"
            )));
        }
        if let Some(processor) = tokenizer.get_post_processor()
            && processor.added_tokens(false) > 0
        {
            return Err(refused(
                "its post_processor adds tokens of its own to every prompt, whose beginning and end the model's layout \
                 gives already; set it to null"
                    .into(),
            ));
        }
        tokenizer.with_truncation(None).map_err(|error| refused(error.to_string()))?;
        tokenizer.with_padding(None);
        tokenizer.set_encode_special_tokens(true);
        let words = closed_vocabulary(&tokenizer);
        let read = Self { tokenizer, words };
        read.reads_its_own_words()?;
        Ok(read)
    }

    /// A closed vocabulary's prompts are compared with it word by word; the tokenizer must see the same words.
    fn reads_its_own_words(&self) -> Result<(), PromptError> {
        let Some(words) = &self.words else { return Ok(()) };
        let ids = self.ids(words.join(" "), false)?;
        let expected = words.iter().map(|word| self.tokenizer.token_to_id(word));
        if expected.eq(ids.into_iter().map(Some)) {
            return Ok(());
        }
        Err(PromptError::Tokenizer(
            "its words do not get their own ids: its normalizer, pre_tokenizer or added_tokens make other words of them"
                .into(),
        ))
    }

    /// The words that the model knows, in the order of their ids; `None` for an open vocabulary.
    #[must_use]
    pub fn words(&self) -> Option<&[String]> {
        self.words.as_deref()
    }

    /// What somebody typed, for a model of a world or of none: in a world it becomes its canonical prompt. Known words in
    /// an order that a model has never seen would be drawn as something else; what means the same is read in the one form
    /// that it was trained on. With `control_tokens`, `<|soi|>`, `[PAD]` and the like are the tokens that they name;
    /// otherwise they are text like any other.
    ///
    /// # Errors
    /// Empty, words that are unknown or say nothing, or too long.
    pub fn read(
        &self,
        typed: &str,
        world: Option<World>,
        max_text_len: usize,
        control_tokens: bool,
    ) -> Result<Prompt, PromptError> {
        let Some(world) = world else {
            let ids = self.encode(typed, max_text_len, control_tokens)?;
            return Ok(Prompt { text: typed.to_owned(), notes: Vec::new(), ids });
        };
        if !world.has_aliases() {
            // Every word must be the model's own: its tokenizer says so before the grammar looks at their order.
            self.encode(typed, max_text_len, control_tokens)?;
        }
        let scenes::Read { prompt: text, notes } = world.read(typed)?;
        let ids = self.encode(&text, max_text_len, control_tokens)?;
        Ok(Prompt { text, notes, ids })
    }

    /// The prompt's token ids, without special tokens, at most `max_text_len − 2` of them (begin and end are added).
    ///
    /// # Errors
    /// Empty, an unknown word, or too long.
    pub fn encode(&self, prompt: &str, max_text_len: usize, control_tokens: bool) -> Result<Vec<u32>, PromptError> {
        let text = self.known_words(prompt)?;
        if text.is_empty() {
            return Err(PromptError::Empty);
        }
        let ids = self.ids(text, control_tokens)?;
        let most = max_text_len.saturating_sub(2);
        if ids.len() > most {
            return Err(PromptError::TooLong { tokens: ids.len(), most });
        }
        Ok(ids)
    }

    /// The text as the tokenizer reads it: of a closed vocabulary, which is lower case and has no punctuation, its words,
    /// cut as every world cuts them.
    fn known_words(&self, text: &str) -> Result<String, PromptError> {
        let Some(words) = &self.words else { return Ok(text.trim().to_owned()) };
        let typed = typed_words(text);
        if let Some(unknown) = typed.iter().find(|word| !words.contains(&word.text)) {
            let near = near_words(&unknown.text, words);
            let (word, place) = (unknown.text.clone(), unknown.place.clone());
            return Err(PromptError::UnknownWord { word, near, place });
        }
        Ok(typed.into_iter().map(|word| word.text).collect::<Vec<_>>().join(" "))
    }

    fn ids(&self, text: String, control_tokens: bool) -> Result<Vec<u32>, PromptError> {
        let encoded = if control_tokens {
            let mut tokenizer = self.tokenizer.clone();
            tokenizer.set_encode_special_tokens(false);
            tokenizer.encode(text, false)
        } else {
            self.tokenizer.encode(text, false)
        };
        Ok(encoded.map_err(|error| PromptError::Tokenizer(error.to_string()))?.get_ids().to_vec())
    }
}

/// The words of a tokenizer that knows whole words only, in lower case and without punctuation, in the order of their ids.
fn closed_vocabulary(tokenizer: &Tokenizer) -> Option<Vec<String>> {
    let ModelWrapper::WordLevel(_) = tokenizer.get_model() else { return None };
    let vocabulary = tokenizer.get_vocab(false);
    let is_word = |word: &str| word.chars().all(char::is_alphabetic);
    let is_cased = |word: &str| is_word(word) && word != word.to_lowercase();
    // What is cut away from every prompt can be no word of it.
    if vocabulary.keys().any(|word| is_cased(word) || typed_words(word).is_empty()) {
        return None;
    }
    let mut words: Vec<(u32, String)> =
        vocabulary.into_iter().filter(|(word, _)| is_word(word)).map(|(word, id)| (id, word)).collect();
    words.sort();
    Some(words.into_iter().map(|(_, word)| word).collect())
}

/// The added tokens of a `tokenizer.json` with their ids. Those that steer the model become its special ones, and no
/// others: these the library can take for text.
fn added_tokens(tokenizer: &mut Value) -> Result<Vec<(String, u32)>, String> {
    let mut added = Vec::new();
    for token in tokenizer.get_mut("added_tokens").and_then(Value::as_array_mut).into_iter().flatten() {
        let content = token.get("content").and_then(Value::as_str).ok_or("an added token has no content")?.to_owned();
        let id = token.get("id").and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
        let special = token.get("special").and_then(Value::as_bool).unwrap_or(false);
        token["special"] = is_control(&content, special).into();
        added.push((content.clone(), id.ok_or_else(|| format!("added token {content:?} has no id"))?));
    }
    Ok(added)
}

/// Whether a token steers the model, as `<|soi|>`, `[PAD]` and `</s>` do, and stands for no text: Show-o's own, and what
/// is written like them. A run of spaces or a word of its own is text.
fn is_control(content: &str, special: bool) -> bool {
    let between = |begin: &str, end: &str| content.starts_with(begin) && content.ends_with(end);
    ADDED_TOKENS.contains(&content) || between("<|", "|>") || special && (between("<", ">") || between("[", "]"))
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
    use serde_json::json;

    use super::*;

    /// Byte-level BPE over letters, a space (`Ġ`) and a few marks: "ab" is one token, two spaces an added one.
    fn bpe() -> Value {
        let letters = "abcdeiopstADP<|>[]Ġ";
        let mut tokens: Vec<String> = letters.chars().map(String::from).collect();
        tokens.push("ab".into());
        let vocab: serde_json::Map<String, Value> =
            tokens.into_iter().zip(0..).map(|(t, id)| (t, Value::from(id))).collect();
        let first = vocab.len();
        let added = |at: usize, content: &str, special: bool| {
            json!({ "id": first + at, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": special })
        };
        let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
        json!({
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "pre_tokenizer": bytes,
            "post_processor": bytes, "decoder": bytes,
            "added_tokens": [added(0, "<|eot|>", true), added(1, "  ", false), added(2, "[PAD]", true), added(3, "<|soi|>", false)],
            "model": { "type": "BPE", "dropout": null, "unk_token": null, "vocab": vocab, "merges": ["a b"] },
        })
    }

    fn read(json: &Value) -> Result<TextTokenizer, PromptError> {
        TextTokenizer::from_json(json.to_string().as_bytes())
    }

    fn ids(json: &Value, prompt: &str, control_tokens: bool) -> Vec<u32> {
        read(json).and_then(|tokenizer| tokenizer.encode(prompt, 128, control_tokens)).expect("ids")
    }

    fn refused(json: &Value) -> String {
        read(json).err().expect("a tokenizer that is refused").to_string()
    }

    #[test]
    fn control_tokens_are_text_unless_asked_for() {
        let json = bpe();
        let of = |content: &str| {
            let added = json["added_tokens"].as_array().expect("a list").iter();
            added
                .filter(|token| token["content"] == content)
                .map(|token| token["id"].as_u64().expect("an id") as u32)
                .next()
        };
        for control in ["<|soi|>", "[PAD]", "<|eot|>"] {
            let prompt = format!("ab {control} ab");
            let as_text = ids(&json, &prompt, false);
            assert!(!as_text.contains(&of(control).expect("an added token")), "{control}: {as_text:?}");
            // Every one of its letters is there; only "ab" is merged, and the space before it is a token.
            assert_eq!(as_text.len(), prompt.chars().count() - 2, "{control}: {as_text:?}");
            assert_eq!(ids(&json, &prompt, true).iter().filter(|id| Some(**id) == of(control)).count(), 1, "{control}");
        }
        // What is no control token stays what it is: two spaces are one token either way.
        let spaces = of("  ").expect("an added token");
        for control_tokens in [false, true] {
            assert_eq!(ids(&json, "ab  ab", control_tokens)[1], spaces);
        }
    }

    #[test]
    fn what_a_tokenizer_says_of_truncation_and_padding_changes_no_prompt() {
        let mut json = bpe();
        let expected = ids(&json, "a b c d e", false);
        json["truncation"] = json!({ "direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0 });
        assert_eq!(ids(&json, "a b c d e", false), expected);
        json["padding"] = json!({ "strategy": { "Fixed": 40 }, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "[PAD]" });
        assert_eq!(ids(&json, "a b c d e", false), expected);
        assert_eq!(ids(&json, "a", false).len(), 1);
    }

    #[test]
    fn ids_that_are_drawn_by_lot_are_refused() {
        let mut json = bpe();
        json["model"]["dropout"] = json!(0.5);
        let told = refused(&json);
        assert!(told.contains("model.dropout is 0.5") && told.contains("null"), "{told}");
        // No merge is ever left out.
        json["model"]["dropout"] = json!(0.0);
        assert_eq!(ids(&json, "ab ab ab", false), ids(&bpe(), "ab ab ab", false));
    }

    #[test]
    fn a_template_that_adds_tokens_is_refused() {
        let mut json = bpe();
        let id = json["added_tokens"][0]["id"].clone();
        let piece = json!({ "SpecialToken": { "id": "<|eot|>", "type_id": 0 } });
        json["post_processor"] = json!({ "type": "TemplateProcessing",
            "single": [piece, { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": { "<|eot|>": { "id": "<|eot|>", "ids": [id], "tokens": ["<|eot|>"] } } });
        assert!(refused(&json).contains("post_processor"));
        json["post_processor"]["single"] = json!([{ "Sequence": { "id": "A", "type_id": 0 } }]);
        assert_eq!(ids(&json, "ab a", false), ids(&bpe(), "ab a", false));
    }

    #[test]
    fn an_added_token_has_the_id_that_the_file_gives_it() {
        let mut json = bpe();
        json["added_tokens"][3]["id"] = json!(99);
        let told = refused(&json);
        assert!(told.contains("<|soi|>") && told.contains("99"), "{told}");
    }

    #[test]
    fn what_normalizes_a_prompt_is_the_file_s_own() {
        let mut json = bpe();
        json["normalizer"] = json!({ "type": "Lowercase" });
        assert_eq!(ids(&json, "AB", false), ids(&bpe(), "ab", false));
    }

    fn words(vocabulary: &[&str]) -> Value {
        let vocab: serde_json::Map<String, Value> =
            vocabulary.iter().zip(0..).map(|(word, id)| ((*word).to_owned(), Value::from(id))).collect();
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": { "type": "WhitespaceSplit" }, "post_processor": null, "decoder": null,
            "model": { "type": "WordLevel", "vocab": vocab, "unk_token": vocabulary[0] },
        })
    }

    #[test]
    fn a_closed_vocabulary_reads_its_own_words_or_is_refused() {
        let json = words(&["red", "circle"]);
        assert_eq!(ids(&json, "Circle, red!", false), [1, 0]);
        for (part, value) in [
            ("pre_tokenizer", json!(null)),
            ("normalizer", json!({ "type": "Replace", "pattern": { "String": "circle" }, "content": "red" })),
        ] {
            let mut changed = json.clone();
            changed[part] = value;
            assert!(refused(&changed).contains("their own ids"), "{part}");
        }
        // One that is no lower case, or has words for punctuation, is read as its file says.
        assert_eq!(ids(&words(&["red", "Red", "circle"]), "Red circle", false), [1, 2]);
        assert_eq!(ids(&words(&["red", ",", "circle"]), "red , circle", false), [0, 1, 2]);
    }

    #[test]
    fn a_byte_order_mark_before_a_tokenizer_is_passed_over() {
        let json = format!("\u{feff}{}", words(&["red"]));
        assert!(TextTokenizer::from_json(json.as_bytes()).is_ok());
        let told = TextTokenizer::from_json(b"<!DOCTYPE html>").err().map(|error| error.to_string());
        assert!(told.is_some_and(|told| told.contains("web page")));
    }

    #[test]
    fn a_closed_vocabulary_takes_punctuation_anywhere_and_says_where_a_word_is_unknown() {
        let json = br#"{ "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": { "type": "WhitespaceSplit" }, "post_processor": null, "decoder": null,
            "model": { "type": "WordLevel", "vocab": { "a": 0, "star": 1, "and": 2, "moon": 3 }, "unk_token": "a" } }"#;
        let tokenizer = TextTokenizer::from_json(json).expect("it is a tokenizer");
        for typed in ["a star, and a moon", "“A star”; and a moon?", "a star & a moon"] {
            assert_eq!(tokenizer.encode(typed, 16, false), Ok(vec![0, 1, 2, 0, 3]), "{typed}");
        }
        let unknown = tokenizer.encode("🌙 a star, and a Sta?", 16, false);
        let PromptError::UnknownWord { word, near, place } = unknown.expect_err("it is no word") else {
            panic!("it is a word")
        };
        assert_eq!((word.as_str(), near.first().map(String::as_str), place), ("sta", Some("star"), 16..19));
        assert_eq!(tokenizer.encode(" … ", 16, false), Err(PromptError::Empty));
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

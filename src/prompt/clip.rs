//! What a public CLIP reads of a text: its own `tokenizer.json`, which adds a beginning and an end (openai/clip-vit-base-patch32 and
//! its kin; docs/method.md, "Public CLIP").

use tokenizers::{PostProcessor, Tokenizer};

use super::PromptError;
use crate::config::ClipConfig;
use crate::text;

/// A public CLIP's tokenizer.
pub struct ClipTokenizer {
    tokenizer: Tokenizer,
    /// One more than its highest id.
    rows: usize,
}

/// A text as CLIP's text tower reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipText {
    /// Ids, from the beginning to the end.
    pub ids: Vec<u32>,
    /// The place whose state stands for the text.
    pub end: usize,
}

impl ClipTokenizer {
    /// Reads a `tokenizer.json`. What it says of truncation and padding does not count: [`ClipTokenizer::encode`] is told how
    /// long a text may be, and the tower is causal, so that no padding is needed.
    ///
    /// # Errors
    /// [`PromptError::Tokenizer`]: not a tokenizer, or one that adds no beginning and end.
    pub fn from_json(json: &[u8]) -> Result<Self, PromptError> {
        let refused = |problem: String| PromptError::Tokenizer(problem);
        let text = text::read(json).map_err(|error| refused(error.to_string()))?;
        let mut tokenizer = Tokenizer::from_bytes(text).map_err(|error| refused(error.to_string()))?;
        if tokenizer.get_post_processor().is_none_or(|processor| processor.added_tokens(false) != 2) {
            let why = "its post_processor does not add CLIP's <|startoftext|> and <|endoftext|>; take the tokenizer.json of the \
                       checkpoint's own repository";
            return Err(refused(why.into()));
        }
        let vocabulary = tokenizer.get_vocab(true);
        let rows = vocabulary.values().max().map_or(0, |last| *last as usize + 1);
        tokenizer.with_truncation(None).map_err(|error| refused(error.to_string()))?;
        tokenizer.with_padding(None);
        Ok(Self { tokenizer, rows })
    }

    /// Checks that every text that this tokenizer reads can be looked up by a CLIP.
    ///
    /// # Errors
    /// What does not fit, in words: fewer rows than ids, or no room for a beginning and an end.
    pub fn fits(&self, config: &ClipConfig) -> Result<(), String> {
        let text = &config.text_config;
        if text.vocab_size < self.rows {
            return Err(format!("clip knows {} words, but its tokenizer {}", text.vocab_size, self.rows));
        }
        if text.max_position_embeddings < 2 {
            let most = text.max_position_embeddings;
            return Err(format!("clip reads {most} tokens, which is too few for a text's beginning and end"));
        }
        Ok(())
    }

    /// A text's ids, `most` of them at most: an overlong one loses its last words and keeps its end.
    ///
    /// The state that stands for it is at the first place of its highest id, whatever `eos_token_id` a configuration names: in
    /// public ones that is 2, which is no end.
    ///
    /// # Errors
    /// [`PromptError::Tokenizer`]; [`PromptError::TooLong`] where not even beginning and end fit.
    pub fn encode(&self, text: &str, most: usize) -> Result<ClipText, PromptError> {
        let encoded = self.tokenizer.encode(text, true).map_err(|error| PromptError::Tokenizer(error.to_string()))?;
        let mut ids = encoded.get_ids().to_vec();
        if ids.len() > most {
            if most < 2 {
                return Err(PromptError::TooLong { tokens: ids.len(), most });
            }
            ids.drain(most - 1..ids.len() - 1);
        }
        let highest = ids.iter().max();
        let end = ids.iter().position(|id| Some(id) == highest).unwrap_or(0);
        Ok(ClipText { ids, end })
    }
}

//! A question about a picture, as Show-o reads it: `<|mmu|> <|soi|> code×N <|eoi|> <bos> text`, without padding, positions
//! from 0. Reference: `inference_mmu.py`, `training/train.py` and `create_attention_mask_for_mmu` of showlab/Show-o.

use super::{PromptError, TextTokenizer, image_segment};
use crate::config::ShowoConfig;

/// The most tokens that one sequence holds, picture and answer among them: phi-1.5's `max_position_embeddings`.
pub const CONTEXT: usize = 2048;

/// What stands before and behind a question of this project's own generators.
const AROUND: [&str; 2] = ["user", "assistant"];

/// Why a question cannot be asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum QuestionError {
    /// Nothing was asked.
    #[error("the question is empty; write what to ask about the picture, for example \"is there a dog\"")]
    Empty,
    /// More tokens than fit.
    #[error(
        "the question has {tokens} tokens, but beside the picture and {answer} tokens of answer only {most} fit; shorten the \
         question, or ask for a shorter answer"
    )]
    TooLong {
        /// Tokens between the picture and the answer.
        tokens: usize,
        /// Tokens that the answer may have.
        answer: usize,
        /// What fits between them.
        most: usize,
    },
    /// The words cannot be read.
    #[error(transparent)]
    Words(#[from] PromptError),
    /// A closed vocabulary without the words that stand around questions.
    #[error(
        "this bundle's generator has never been asked anything: its vocabulary has no word \"{0}\"; ask one that answers, such as \
         the bundle \"icons\""
    )]
    NeverAsked(&'static str),
    /// The tokenizer has no word for the answer.
    #[error(
        "this bundle's tokenizer has no single token for \"{0}\", so no odds can be given; ask for the answer in words alone"
    )]
    NoAnswer(&'static str),
}

/// What stands around a question of an open vocabulary. This project's own generators know one form alone: `<bos> user …
/// assistant`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum QuestionForm {
    /// As the reference asks: `<bos>`, then `USER: ⏎question ASSISTANT:`.
    #[default]
    Asked,
    /// As the reference trains: `USER: question ASSISTANT:`, without `<bos>` and the line break.
    Trained,
}

/// The ids that stand for an answer: both spellings of a word that begins a sentence or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// "yes".
    pub yes: Vec<u32>,
    /// "no".
    pub no: Vec<u32>,
}

/// The picture's part of a sequence: `<|mmu|> <|soi|> code×N <|eoi|>`.
#[must_use]
pub fn seen_segment(config: &ShowoConfig, codes: &[i32]) -> Vec<u32> {
    let mut ids = vec![config.special_tokens.mmu()];
    ids.extend(image_segment(config, codes));
    ids
}

/// Which positions may attend to which, `allowed[row][column]`: text is causal, and the picture's part, to `<|eoi|>`
/// inclusive, sees itself fully and is seen by all.
#[must_use]
pub fn question_allowed(config: &ShowoConfig, sequence: &[u32]) -> Vec<Vec<bool>> {
    let picture = sequence.iter().position(|&id| id == config.special_tokens.eoi).map_or(0, |last| last + 1);
    let row = |row: usize| (0..sequence.len()).map(|column| column <= row || column < picture).collect();
    (0..sequence.len()).map(row).collect()
}

impl TextTokenizer {
    /// What stands between a picture and the answer, `<bos>` among it. `answer` tokens are to fit behind it.
    ///
    /// # Errors
    /// Empty, an unknown word, or too long beside a picture of this model's.
    pub fn question(
        &self,
        config: &ShowoConfig,
        question: &str,
        form: QuestionForm,
        answer: usize,
    ) -> Result<Vec<u32>, QuestionError> {
        let asked = question.trim();
        let (begin, text) = match (self.words(), form) {
            (Some(known), _) => {
                // A vocabulary without them would read them as another word.
                let missing = AROUND.into_iter().find(|word| known.iter().all(|known| known != word));
                if let Some(word) = missing {
                    return Err(QuestionError::NeverAsked(word));
                }
                let [before, after] = AROUND;
                let words = self.known_words(&asked.replace('?', " "))?;
                (true, if words.is_empty() { words } else { format!("{before} {words} {after}") })
            }
            (None, _) if asked.is_empty() => (false, String::new()),
            (None, QuestionForm::Asked) => (true, format!("USER: \n{asked} ASSISTANT:")),
            (None, QuestionForm::Trained) => (false, format!("USER: {asked} ASSISTANT:")),
        };
        if text.is_empty() {
            return Err(QuestionError::Empty);
        }
        let mut ids = if begin { vec![config.bos] } else { Vec::new() };
        ids.extend(self.ids(text, false)?);
        let most = CONTEXT.saturating_sub(config.num_vq_tokens + 3 + answer);
        if ids.len() > most {
            return Err(QuestionError::TooLong { tokens: ids.len(), answer, most });
        }
        Ok(ids)
    }

    /// The ids of "yes" and "no", behind a space and with a capital or without: those that are one token.
    ///
    /// # Errors
    /// [`QuestionError::NoAnswer`].
    pub fn answers(&self) -> Result<Answers, QuestionError> {
        let of = |word: &'static str, spellings: [&str; 2]| {
            let mut ids = Vec::new();
            for spelling in spellings {
                // A tokenizer of whole words knows no spaces and may know no capitals.
                let text = if self.words().is_some() { word.to_owned() } else { format!(" {spelling}") };
                let known = self.words().is_none_or(|words| words.contains(&text));
                match self.ids(text, false)?[..] {
                    [id] if known && !ids.contains(&id) => ids.push(id),
                    _ => {}
                }
            }
            if ids.is_empty() { Err(QuestionError::NoAnswer(word)) } else { Ok(ids) }
        };
        Ok(Answers { yes: of("yes", ["yes", "Yes"])?, no: of("no", ["no", "No"])? })
    }

    /// What ids say, as text.
    ///
    /// # Errors
    /// [`PromptError::Tokenizer`].
    pub fn text(&self, ids: &[u32]) -> Result<String, PromptError> {
        let text = self.tokenizer.decode(ids, false).map_err(|error| PromptError::Tokenizer(error.to_string()))?;
        Ok(text.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config() -> ShowoConfig {
        serde_json::from_value(json!({
            "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4,
            "partial_rotary_factor": 0.5, "rope_theta": 1e4, "layer_norm_eps": 1e-5, "qk_layernorm": false,
            "vocab_size": 40, "llm_vocab_size": 20, "num_new_special_tokens": 10, "codebook_size": 9,
            "num_vq_tokens": 4, "max_text_len": 4, "special_tokens": { "pad": 20, "soi": 21, "eoi": 22, "t2i": 25 },
            "bos": 19, "eos": 19, "mask_token_id": 39,
        }))
        .expect("a configuration")
    }

    /// Whole words, cut at single spaces; capitals make the vocabulary an open one.
    fn tokenizer(words: &[&str]) -> TextTokenizer {
        let vocab: serde_json::Map<String, serde_json::Value> =
            words.iter().zip(0..).map(|(word, id)| ((*word).to_owned(), id.into())).collect();
        let json = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": { "type": "Split", "pattern": { "String": " " }, "behavior": "Removed", "invert": false },
            "post_processor": null, "decoder": null,
            "model": { "type": "WordLevel", "vocab": vocab, "unk_token": words[0] },
        });
        TextTokenizer::from_json(json.to_string().as_bytes()).expect("a tokenizer")
    }

    fn open() -> TextTokenizer {
        tokenizer(&["?", "USER:", "\nis", "is", "it", "ASSISTANT:", "Yes", "yes", "No", "no"])
    }

    #[test]
    fn both_forms_are_written_as_the_reference_writes_them() {
        let ids = |form| open().question(&config(), " is it ", form, 1);
        assert_eq!(ids(QuestionForm::Asked), Ok(vec![19, 1, 2, 4, 5]));
        assert_eq!(ids(QuestionForm::Trained), Ok(vec![1, 3, 4, 5]));
        assert_eq!(seen_segment(&config(), &[0, 3, 8, 1]), [26, 21, 30, 33, 38, 31, 22]);
    }

    #[test]
    fn an_answer_has_its_capital_and_its_small_letter() {
        assert_eq!(open().answers(), Ok(Answers { yes: vec![7, 6], no: vec![9, 8] }));
        let closed = tokenizer(&["a", "user", "assistant", "yes", "no", "is"]);
        assert_eq!(closed.answers(), Ok(Answers { yes: vec![3], no: vec![4] }));
        assert_eq!(tokenizer(&["a", "yes"]).answers(), Err(QuestionError::NoAnswer("no")));
    }

    #[test]
    fn a_closed_vocabulary_has_its_own_words_around_a_question() {
        let closed = tokenizer(&["a", "user", "assistant", "yes", "no", "is"]);
        for form in [QuestionForm::Asked, QuestionForm::Trained] {
            assert_eq!(closed.question(&config(), "Is a?", form, 1), Ok(vec![19, 1, 5, 0, 2]));
        }
        let told = tokenizer(&["a", "is"]).question(&config(), "is a", QuestionForm::Asked, 1);
        assert_eq!(told, Err(QuestionError::NeverAsked("user")));
    }

    #[test]
    fn a_question_that_is_empty_unknown_or_too_long_is_refused_with_a_remedy() {
        let closed = tokenizer(&["a", "user", "assistant", "yes", "no", "is"]);
        let told = |tokenizer: &TextTokenizer, question: &str, answer| {
            let asked = tokenizer.question(&config(), question, QuestionForm::Asked, answer);
            asked.err().map(|error| error.to_string()).unwrap_or_default()
        };
        for tokenizer in [&closed, &open()] {
            for empty in ["", "  \n", "?"].iter().take(if tokenizer.words().is_some() { 3 } else { 2 }) {
                assert!(told(tokenizer, empty, 1).contains("write what to ask"), "{}", told(tokenizer, empty, 1));
            }
        }
        assert!(told(&closed, "iss a", 1).contains("did you mean \"is\""), "{}", told(&closed, "iss a", 1));
        // 7 of the picture, `<bos>`, two words around it, one of answer.
        let most = CONTEXT - 7 - 3 - 1;
        assert_eq!(told(&closed, &"a ".repeat(most), 1), "");
        let long = told(&closed, &"a ".repeat(most + 1), 1);
        assert!(long.contains("2041 tokens") && long.contains("2040 fit") && long.contains("shorten"), "{long}");
        assert!(told(&closed, "a", CONTEXT + 1).contains("shorter answer"));
    }

    #[test]
    fn the_picture_is_seen_by_all_and_sees_itself_alone() {
        let sequence = [26, 21, 30, 33, 38, 31, 22, 19, 1];
        let allowed = question_allowed(&config(), &sequence);
        for (row, columns) in allowed.iter().enumerate() {
            let seen = columns.iter().filter(|&&may| may).count();
            assert_eq!(seen, 7.max(row + 1), "row {row}");
        }
    }
}

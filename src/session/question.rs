//! A question about a picture, which the generator answers: Show-o's understanding, and the generator as its own verifier
//! (docs/method.md, "Understanding").

use std::rc::Rc;

use super::large::whole;
use crate::decode::DeviceError;
use crate::decode::understanding::{Reading, Seen};
use crate::load::{Generator, Models};
use crate::prompt::{PromptError, QuestionError, QuestionForm, TextTokenizer};
use crate::settings::Tuning;

/// Why a question got no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AskError {
    /// The question cannot be asked.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// The codes are no whole picture.
    #[error(
        "these codes are no whole picture of this bundle: {0}; ask about a finished draw of the bundle's own generator"
    )]
    Codes(String),
    /// The generator was loaded to draw alone.
    #[error("the generator was loaded to draw and cannot answer; load it again to be asked (`Uses::answers`)")]
    DrawsOnly,
    /// These weights of the generator are not there.
    #[error("the generator's weights \"{0}\" are not in this bundle or have not been loaded; ask the base ones")]
    GeneratorMissing(Tuning),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// A picture that the generator has looked at, ready for any number of questions.
pub struct Look {
    generator: Rc<Generator>,
    tokenizer: Rc<TextTokenizer>,
    device: burn::tensor::Device,
    seen: Seen,
}

/// A question that was read, before anything of its answer.
pub struct Asked<'a> {
    look: &'a Look,
    reading: Reading,
    most: usize,
}

impl Look {
    /// Looks at a whole picture, N codes, with one of the generator's sets of weights. Understanding never saw `[mask]` in
    /// training, so none may be masked.
    ///
    /// # Errors
    /// The codes are no whole picture; the weights are not there, or were loaded to draw alone.
    pub fn at(models: &Models, tuning: Tuning, codes: &[i32]) -> Result<Self, AskError> {
        whole(models, codes).map_err(AskError::Codes)?;
        let generator = models.tuned(tuning).cloned().ok_or(AskError::GeneratorMissing(tuning))?;
        if !generator.showo.can_answer() {
            return Err(AskError::DrawsOnly);
        }
        let device = models.device().clone();
        let seen = Seen::new(&generator.showo, &generator.config, codes, &device);
        Ok(Self { generator, tokenizer: models.text_tokenizer.clone(), device, seen })
    }

    /// Reads a question, which leaves room for an answer of `most` tokens.
    ///
    /// # Errors
    /// Empty, an unknown word, or too long.
    pub fn ask(&self, question: &str, form: QuestionForm, most: usize) -> Result<Asked<'_>, AskError> {
        let ids = self.tokenizer.question(&self.generator.config, question, form, most)?;
        Ok(Asked { look: self, reading: self.seen.read(&self.generator.showo, &ids, &self.device), most })
    }
}

impl Asked<'_> {
    /// `p(yes) / (p(yes) + p(no))`, both with a capital or without.
    ///
    /// # Errors
    /// The tokenizer has no such words; the device failed.
    pub async fn yes(&self) -> Result<f32, AskError> {
        let answers = self.look.tokenizer.answers()?;
        Ok(self.reading.yes(&self.look.generator.showo, &answers).await?)
    }

    /// The likeliest answer, in words.
    ///
    /// # Errors
    /// The device failed; the tokenizer cannot write its own ids.
    pub async fn answer(&self) -> Result<String, AskError> {
        let Generator { showo, config } = &*self.look.generator;
        let ids = self.reading.answer(showo, config.eos, self.most).await?;
        self.look.tokenizer.text(&ids).map_err(|error: PromptError| QuestionError::from(error).into())
    }
}

//! The generator as the judge of its own pictures: its understanding, asked whether a picture is what the prompt asks for
//! (docs/method.md, "Understanding"). It brings no network, so that it works with any bundle whose generator can answer.

use std::rc::Rc;

use burn::tensor::{Device, Tensor};

use super::{Candidates, Verifier, When};
use crate::decode::understanding::odds_of;
use crate::load::{Generator, Models};
use crate::prompt::{QuestionError, SelfQuestion};

/// A generator bound to its question about a prompt.
///
/// The base weights are asked, whichever draw: preferences move what is drawn, and say nothing about answers.
pub struct OwnVerifier {
    generator: Rc<Generator>,
    question: SelfQuestion,
    when: When,
    device: Device,
}

impl OwnVerifier {
    /// Words the question about the prompt.
    ///
    /// # Errors
    /// As [`Models::self_question`].
    pub fn new(models: &Models, when: When, prompt_ids: &[u32]) -> Result<Self, QuestionError> {
        let question = models.self_question(prompt_ids)?;
        Ok(Self { generator: models.generator.clone(), question, when, device: models.device().clone() })
    }
}

impl Verifier for OwnVerifier {
    fn when(&self) -> When {
        self.when
    }

    /// Whole draws, all in one forward: understanding never saw `[mask]` in training, so that it cannot be asked about states.
    fn score(&self, look: &Candidates<'_>) -> Tensor<1> {
        let Generator { showo, config } = &*self.generator;
        odds_of(showo, config, &look.draws, &self.question, &self.device)
    }
}

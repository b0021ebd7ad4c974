//! One step from a fixed state, to compare devices and builds by: the same bundle and prompt give the same numbers everywhere, up
//! to rounding.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::decode::DeviceError;
use crate::decode::generator::Prompted;
use crate::decode::sampling::read_floats;
use crate::decode::step::{StepPlan, draw_candidates};
use crate::load::Models;
use crate::prompt::{Prompt, PromptError};
use crate::settings::VerifierMode;
use crate::verify::{Candidates, Wording, verifier};

/// Guidance scale of a probe.
pub const GUIDANCE: f32 = 2.0;

/// A prompt whose keys and values are computed.
pub struct Probe {
    models: Models,
    prompt: Prompt,
    prompted: Prompted,
    tokens: Vec<i32>,
}

/// Candidates of a [`Round`].
pub const CANDIDATES: u32 = 2;

/// A step with its previews, and what the bundle can judge it with: what each part took and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// The whole draws of [`CANDIDATES`] candidates.
    pub drawn: Vec<Vec<i32>>,
    /// The guided forward, the draws and their read-back, in seconds.
    pub step_seconds: f64,
    /// All candidates' previews, in seconds.
    pub previews_seconds: f64,
    /// The first candidate's picture from the whole tokenizer, in seconds.
    pub picture_seconds: f64,
    /// What judges the first candidate, one question or picture each.
    pub judges: Vec<Judged>,
}

/// One judge's word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Who was asked.
    pub verifier: VerifierMode,
    /// What it said: a chance, or CLIPScore.
    pub score: f32,
    /// With the prompt's share.
    pub seconds: f64,
}

impl Probe {
    /// Computes the prompt's keys and values, conditional and unconditional.
    ///
    /// # Errors
    /// The prompt cannot be read.
    pub fn new(models: &Models, prompt: &str) -> Result<Self, PromptError> {
        let config = &models.generator.config;
        let prompt = models.read(prompt, false)?;
        // Every second position is known, by codes from all over the codebook.
        let code = |at: usize| if at.is_multiple_of(2) { (at * 7919 % config.codebook_size) as i32 } else { -1 };
        Ok(Self {
            prompted: Prompted::new(&models.generator.showo, config, &prompt.ids, GUIDANCE, models.device()),
            tokens: (0..config.num_vq_tokens).map(code).collect(),
            models: models.clone(),
            prompt,
        })
    }

    /// Guided logits of the half-revealed picture, `[N, codebook]`.
    #[must_use]
    pub fn logits(&self) -> Tensor<2> {
        self.prompted.logits(&self.models.generator.showo, &self.tokens)
    }

    /// Draws candidates from [`Probe::logits`] and judges the first with the generator's own understanding and with CLIP, as far as
    /// the bundle has them. `now` gives seconds.
    ///
    /// # Errors
    /// The device failed.
    pub async fn round(&self, now: impl Fn() -> f64) -> Result<Round, DeviceError> {
        let models = &self.models;
        let begin = now();
        let steps = 2;
        let unknown = self.tokens.iter().filter(|&&token| token < 0).count();
        let plan = StepPlan {
            seed: 0,
            pass: 0,
            step: 0,
            steps,
            total: unknown,
            temperature: 1.0,
            first: 0,
            candidates: CANDIDATES,
        };
        let drawn = draw_candidates(self.logits(), &self.tokens, &plan).await?;
        let step_seconds = now() - begin;

        let drawn: Vec<Vec<i32>> = drawn.into_iter().map(|drawn| drawn.sampled).collect();
        let draws: Vec<&[i32]> = drawn.iter().map(Vec::as_slice).collect();
        let begin = now();
        read_floats(match &models.preview {
            Some(preview) => preview.decode(&draws),
            None => models.image_tokenizer.decode(&draws),
        })
        .await?;
        let previews_seconds = now() - begin;

        let begin = now();
        let first = Candidates::whole(&models.image_tokenizer, draws[0]);
        read_floats(first.pixels()).await?;
        let picture_seconds = now() - begin;

        let wording = Wording { text: &self.prompt.text, ids: &self.prompt.ids };
        let mut judges = Vec::new();
        for mode in [VerifierMode::OwnOrm, VerifierMode::BestOfK] {
            let begin = now();
            let Ok(Some(judge)) = verifier(models, mode, wording) else { continue };
            let scores = read_floats(judge.score(&first)).await?;
            let judged = |score| Judged { verifier: mode, score, seconds: now() - begin };
            judges.extend(scores.first().copied().map(judged));
        }
        Ok(Round { drawn, step_seconds, previews_seconds, picture_seconds, judges })
    }
}

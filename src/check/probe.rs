//! One guided forward of a fixed state, to compare devices and builds by: the same bundle and prompt give the same
//! numbers everywhere, up to rounding.

use burn::tensor::Tensor;

use crate::decode::generator::Prompted;
use crate::load::Models;
use crate::prompt::PromptError;

/// Guidance scale of a probe.
pub const GUIDANCE: f32 = 2.0;

/// A prompt whose keys and values are computed.
pub struct Probe {
    models: Models,
    prompted: Prompted,
    tokens: Vec<i32>,
}

impl Probe {
    /// Computes the prompt's keys and values, conditional and unconditional.
    ///
    /// # Errors
    /// The prompt cannot be read.
    pub fn new(models: &Models, prompt: &str) -> Result<Self, PromptError> {
        let config = &models.generator.config;
        let ids = models.read(prompt, false)?.ids;
        // Every second position is known, by codes from all over the codebook.
        let code = |at: usize| if at.is_multiple_of(2) { (at * 7919 % config.codebook_size) as i32 } else { -1 };
        Ok(Self {
            prompted: Prompted::new(&models.generator.showo, config, &ids, GUIDANCE, models.device()),
            tokens: (0..config.num_vq_tokens).map(code).collect(),
            models: models.clone(),
        })
    }

    /// Guided logits of the half-revealed picture, `[N, codebook]`.
    #[must_use]
    pub fn logits(&self) -> Tensor<2> {
        self.prompted.logits(&self.models.generator.showo, &self.tokens)
    }
}

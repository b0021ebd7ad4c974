//! What `train dpo` is told: `train/configs/dpo.toml`.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use crate::fit::FitConfig;

/// `train/configs/dpo.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpoConfig {
    /// The loop; `batch` counts pairs.
    pub fit: FitConfig,
    /// β.
    pub beta: f64,
    /// g of the guided logits `(1+g)·cond − g·uncond` whose probabilities are compared: those of the distribution that draws.
    /// Plain conditional ones (g = 0) are moved as well, but drawing triples what they moved by and adds what the
    /// unconditional ones happened to.
    pub guidance_scale: f32,
    /// Whether the loss is the form without a reference model.
    pub reference_free: bool,
    /// Factor of the preferred picture's mean negative log-probability a token (iterative reasoning preference optimization,
    /// arXiv 2404.19733): preferring alone also makes both pictures less likely, and guidance multiplies that.
    pub chosen_coefficient: f64,
    /// Which codes are compared.
    #[serde(default)]
    pub compared: Compared,
    /// Who says which of two pictures is better.
    pub ranked_by: Ranking,
    /// Factor of −ln r, where r is PARM's word on what the generator would fill in; 0 leaves PARM out.
    pub reward_coefficient: f64,
}

/// Which codes of two pictures are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Compared {
    /// All that are masked, at the same random positions in both (docs/method.md, "Preferences").
    #[default]
    Masked,
    /// Those that one step of decoding committed, given what was known before it: a picture's likelihood is a product of
    /// these over its steps, of which a random one stands for all (as in Diffusion-DPO, arXiv 2311.12908).
    Committed,
    /// Those that the best and the worst of several candidates commit, by PARM's word, all drawn anew at a step that a
    /// rollout went through: what verification chooses between at every step, and with nothing else in the difference.
    Step {
        /// k.
        candidates: u32,
        /// Of the re-masking noise before the first step.
        temperature: f32,
    },
}

/// Who ranks a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ranking {
    /// The world's checker.
    Checker,
    /// PARM.
    Parm,
}

impl DpoConfig {
    /// Itself, where it can be trained with.
    ///
    /// # Errors
    /// A step of which no two candidates could be compared.
    pub fn checked(self) -> Result<Self> {
        if let Compared::Step { candidates, .. } = self.compared {
            ensure!(candidates >= 2, "compared.step.candidates is {candidates}; a pair needs at least 2");
        }
        Ok(self)
    }

    /// Whether PARM has anything to say.
    #[must_use]
    pub fn needs_parm(&self) -> bool {
        self.ranked_by == Ranking::Parm
            || self.reward_coefficient > 0.0
            || matches!(self.compared, Compared::Step { .. })
    }
}

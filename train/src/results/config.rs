//! What is measured: `train/configs/results.toml`.

use serde::{Deserialize, Serialize};
use showo::settings::{ReflectionSettings, Settings, Tuning, VerifierMode};

/// All rows, and what they share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultsConfig {
    /// Prompts of each split, evenly over the six categories.
    pub prompts: usize,
    /// Seed of the choice of prompts and of every picture.
    pub seed: u64,
    /// T.
    pub steps: u32,
    /// g.
    pub guidance_scale: f32,
    /// Temperature of the re-masking noise before the first step.
    pub temperature: f32,
    /// Rows that `--quick` draws a part of again.
    pub quick: Vec<String>,
    /// Prompts of each category for `--quick`.
    pub quick_per_category: usize,
    /// The rows, in the table's order; the first is the baseline.
    pub row: Vec<Row>,
}

/// One way to draw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its name in the table, and of its file.
    pub name: String,
    /// Whose weights draw.
    #[serde(default)]
    pub generator: Tuning,
    /// How candidates are judged.
    pub verifier: VerifierMode,
    /// k.
    pub candidates: u32,
    /// PARM++.
    #[serde(default)]
    pub reflection: Option<ReflectionSettings>,
    /// Pictures of each prompt, each with a seed of its own.
    #[serde(default = "one")]
    pub seeds: u64,
    /// Only the first so many prompts of each category; all of them where absent.
    #[serde(default)]
    pub per_category: Option<usize>,
    /// Whether colour–shape pairs are asked for that training never showed.
    #[serde(default)]
    pub compositional: bool,
    /// Whether the checker picks the path: the ceiling of every mode that picks one of k whole pictures.
    #[serde(default)]
    pub oracle: bool,
}

fn one() -> u64 {
    1
}

impl ResultsConfig {
    /// The settings of a row's picture.
    #[must_use]
    pub fn settings(&self, row: &Row, prompt: &str, seed: u64) -> Settings {
        Settings {
            prompt: prompt.to_owned(),
            control_tokens: false,
            generator: row.generator,
            seed,
            steps: self.steps,
            guidance_scale: self.guidance_scale,
            temperature: self.temperature,
            candidates: row.candidates,
            verifier: row.verifier,
            reflection: row.reflection,
            previews: false,
        }
    }
}

//! What every training run is told: how long, how fast, and what it begins from.

use serde::{Deserialize, Serialize};

/// What every training configuration holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitConfig {
    /// Optimizer steps in all.
    pub steps: u64,
    /// Seconds in all, if the run is to end by the clock: whichever of the two is nearer its end decides how far the
    /// run is, and with it the rate.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// Examples a step.
    pub batch: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Steps over which the rate rises from 0.
    pub warmup_steps: u64,
    /// The rate at the end, as a part of the peak (cosine decay).
    pub final_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Decay of the running mean of the weights that is exported; 0 exports the last weights.
    pub ema_decay: f64,
    /// Whether the blocks' matrices are optimized by Muon (the rest by AdamW).
    pub muon: bool,
    /// Whether layers multiply in bfloat16 where the processor can (`showo::ops::gradient::in_bf16`).
    #[serde(default = "yes")]
    pub bf16: bool,
    /// Seed of the parameters and of all data.
    pub seed: u64,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: u64,
    /// Steps between sample sheets; with 0 there are none.
    pub sample_steps: u64,
}

fn yes() -> bool {
    true
}

/// What a run begins from.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Start {
    /// Go on from the last checkpoint.
    #[arg(long)]
    pub resume: bool,
    /// Train no further: export what the last checkpoint holds.
    #[arg(long, conflicts_with_all = ["resume", "init"])]
    pub export: bool,
    /// Parameters to begin with instead of random ones: a `model.safetensors` or `mean.safetensors` of a checkpoint, or
    /// a bundle's folder.
    #[arg(long, value_name = "PATH", conflicts_with = "resume")]
    pub init: Option<std::path::PathBuf>,
    /// End after this step as Ctrl-C would, the learning rate still being where the configuration's steps put it.
    #[arg(long, value_name = "STEP", value_parser = clap::value_parser!(u64).range(1..))]
    pub stop_at: Option<u64>,
}

impl FitConfig {
    /// How much of a run is over, from 0 to 1, after `step` steps and `seconds`.
    pub(super) fn progress(&self, step: u64, seconds: f64) -> f64 {
        let by_clock = self.seconds.map_or(0.0, |all| seconds / all.max(1e-9));
        (step as f64 / self.steps.max(1) as f64).max(by_clock).min(1.0)
    }

    /// The learning rate: linear warm-up, then cosine decay to `final_rate` of the peak.
    pub(super) fn rate(&self, step: u64, done: f64) -> f64 {
        let warm = ((step + 1) as f64 / self.warmup_steps.max(1) as f64).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        self.learning_rate * warm * (self.final_rate + (1.0 - self.final_rate) * cosine)
    }
}

/// The part of every decay that AdamW keeps of its means: of gradients and of their squares.
pub const BETAS: [f32; 2] = [0.9, 0.98];
/// What AdamW adds to a denominator.
pub const EPSILON: f32 = 1e-8;
/// The most that an AdamW gradient's norm may be, each parameter's by itself.
pub const MOST: f32 = 1.0;
/// What the paths of the matrices inside blocks hold: Muon's, if it is wanted. Tables, heads, norms and biases stay with AdamW.
pub const MATRICES: [&str; 2] = ["layers.", "weight.Float"];

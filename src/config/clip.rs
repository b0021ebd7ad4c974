//! CLIP.

use serde::{Deserialize, Serialize};

/// One tower of CLIP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClipTowerConfig {
    /// Width.
    pub hidden_size: usize,
    /// Width of the MLP.
    pub intermediate_size: usize,
    /// Blocks.
    pub num_hidden_layers: usize,
    /// Heads.
    pub num_attention_heads: usize,
    /// ε of every layer normalization.
    pub layer_norm_eps: f64,
    /// Entries of the text vocabulary; text tower only.
    #[serde(default)]
    pub vocab_size: usize,
    /// Longest text; text tower only.
    #[serde(default)]
    pub max_position_embeddings: usize,
    /// The token whose state stands for the text; text tower only.
    #[serde(default)]
    pub eos_token_id: Option<u32>,
    /// Side of the picture in pixels; vision tower only.
    #[serde(default)]
    pub image_size: usize,
    /// Side of a patch in pixels; vision tower only.
    #[serde(default)]
    pub patch_size: usize,
}

/// How a picture is brought to CLIP's size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClipResize {
    /// Stretched by a triangle filter over real values: what this project's own CLIPs are trained with.
    #[default]
    Linear,
    /// The shorter side by Pillow's bicubic filter over bytes, and the middle of that: what public CLIPs are trained with.
    Bicubic,
}

impl ClipResize {
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde hands over a reference
    fn is_linear(&self) -> bool {
        *self == Self::Linear
    }
}

/// CLIP, two towers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClipConfig {
    /// The text tower.
    pub text_config: ClipTowerConfig,
    /// The vision tower.
    pub vision_config: ClipTowerConfig,
    /// Width of the shared space.
    pub projection_dim: usize,
    /// What pixels are normalized by, one per channel, over pixels in [0, 1].
    #[serde(default = "clip_mean")]
    pub image_mean: [f32; 3],
    /// What pixels are divided by, one per channel.
    #[serde(default = "clip_std")]
    pub image_std: [f32; 3],
    /// How a picture is brought to the vision tower's size.
    #[serde(default, skip_serializing_if = "ClipResize::is_linear")]
    pub resize: ClipResize,
}

/// The mean that the public CLIP's pictures are normalized by.
// The reference's digits, as published.
#[allow(clippy::excessive_precision)]
#[must_use]
pub fn clip_mean() -> [f32; 3] {
    [0.481_454_66, 0.457_827_5, 0.408_210_73]
}

/// The deviation that the public CLIP's pictures are divided by.
#[allow(clippy::excessive_precision)]
#[must_use]
pub fn clip_std() -> [f32; 3] {
    [0.268_629_54, 0.261_302_58, 0.275_777_11]
}

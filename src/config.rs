//! What a bundle's manifest says of its models: the configuration of each network.
//!
//! The field names are the reference's, so that a public `config.json` reads as it is.

use serde::{Deserialize, Serialize};

fn default_true() -> bool {
    true
}

/// Ids of the tokens that Show-o adds to the language model's vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecialTokens {
    /// `[PAD]`.
    pub pad: u32,
    /// `<|soi|>`, before the image.
    pub soi: u32,
    /// `<|eoi|>`, after the image.
    pub eoi: u32,
    /// `<|t2i|>`, the task.
    pub t2i: u32,
}

/// Show-o over Phi.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShowoConfig {
    /// d.
    pub hidden_size: usize,
    /// Blocks.
    pub num_hidden_layers: usize,
    /// Heads; d is their multiple.
    pub num_attention_heads: usize,
    /// Width of the MLP.
    pub intermediate_size: usize,
    /// The part of each head that rotates.
    pub partial_rotary_factor: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// ε of every layer normalization.
    pub layer_norm_eps: f64,
    /// Whether queries and keys are normalized per head; also done where the weights hold the norms.
    pub qk_layernorm: bool,
    /// `llm_vocab_size` + special tokens + `codebook_size` + 1 for `[mask]`.
    pub vocab_size: usize,
    /// The language model's own tokens.
    pub llm_vocab_size: usize,
    /// Tokens added to it, 10 in Show-o.
    pub num_new_special_tokens: usize,
    /// Image codes.
    pub codebook_size: usize,
    /// N, the tokens of an image; a square number.
    pub num_vq_tokens: usize,
    /// Longest prompt in tokens, `<|t2i|>` not counted.
    pub max_text_len: usize,
    /// Ids of the added tokens.
    pub special_tokens: SpecialTokens,
    /// Begins a text.
    pub bos: u32,
    /// Ends a text.
    pub eos: u32,
    /// `[mask]`.
    pub mask_token_id: u32,
}

impl ShowoConfig {
    /// The id of code 0.
    #[must_use]
    pub fn first_code(&self) -> usize {
        self.llm_vocab_size + self.num_new_special_tokens
    }

    /// Tokens before `<|soi|>`: the padded text with `<|t2i|>`.
    #[must_use]
    pub fn prefix_len(&self) -> usize {
        self.max_text_len + 1
    }

    /// Side G of the token grid; N = G².
    #[must_use]
    pub fn grid(&self) -> usize {
        self.num_vq_tokens.isqrt()
    }

    /// Why this configuration cannot be built, if it cannot.
    ///
    /// # Errors
    /// The field and what contradicts it.
    pub fn validate(&self) -> Result<(), String> {
        if self.num_attention_heads == 0 || !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(format!(
                "hidden_size {} is no multiple of num_attention_heads {}",
                self.hidden_size, self.num_attention_heads
            ));
        }
        if self.num_hidden_layers == 0 {
            return Err("num_hidden_layers is 0".into());
        }
        let vocab = self.first_code() + self.codebook_size + 1;
        if self.vocab_size != vocab {
            return Err(format!("vocab_size is {}, but its parts add up to {vocab}", self.vocab_size));
        }
        if self.mask_token_id as usize + 1 != self.vocab_size {
            return Err(format!("mask_token_id is {}, but the last id is {}", self.mask_token_id, self.vocab_size - 1));
        }
        let SpecialTokens { pad, soi, eoi, t2i } = self.special_tokens;
        if let Some(id) = [pad, soi, eoi, t2i, self.bos, self.eos].into_iter().find(|&id| id as usize >= vocab) {
            return Err(format!("the special token {id} lies outside the vocabulary of {vocab}"));
        }
        if self.grid().pow(2) != self.num_vq_tokens {
            return Err(format!("num_vq_tokens {} is no square", self.num_vq_tokens));
        }
        let rotary = self.rotary_len();
        if rotary == 0 || !rotary.is_multiple_of(2) {
            return Err(format!(
                "partial_rotary_factor {} rotates {rotary} channels a head",
                self.partial_rotary_factor
            ));
        }
        Ok(())
    }

    /// Channels of a head that rotate: `partial_rotary_factor` of them, rounded down as the reference does.
    #[must_use]
    pub fn rotary_len(&self) -> usize {
        let exact = self.partial_rotary_factor * (self.hidden_size / self.num_attention_heads) as f64;
        // A factor such as 8/17 may arrive a little too low (serde_json reads 17 digits to one unit in the last place),
        // and an odd number of channels cannot rotate in pairs.
        let (down, near) = (exact as usize, exact.round());
        if down % 2 == 1 && (near - exact).abs() < 1e-9 { near as usize } else { down }
    }
}

fn groups() -> usize {
    32
}

fn group_epsilon() -> f64 {
    1e-6
}

/// MAGVIT-v2 with lookup-free quantization.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MagvitConfig {
    /// Base width.
    pub ch: usize,
    /// Bits of a code: the codebook has 2^`z_channels` entries.
    pub z_channels: usize,
    /// Side of the picture in pixels.
    pub resolution: usize,
    /// Width of each encoder level as a multiple of `ch`, finest first.
    pub encoder_ch_mult: Vec<usize>,
    /// Width of each decoder level as a multiple of `ch`, finest first.
    pub decoder_ch_mult: Vec<usize>,
    /// Residual blocks of each encoder level.
    pub encoder_num_res_blocks: Vec<usize>,
    /// Residual blocks of each decoder level.
    pub decoder_num_res_blocks: Vec<usize>,
    /// Picture sides at which levels attend.
    pub attn_resolutions: Vec<usize>,
    /// Width of an encoder that sees each token's own square of pixels alone, in place of the convolutional one: the same pixels
    /// then have the same code wherever they stand. Its levels' widths and blocks go unused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_encoder: Option<usize>,
    /// Groups of every group normalization.
    #[serde(default = "groups")]
    pub group_norm_groups: usize,
    /// ε of every group normalization.
    #[serde(default = "group_epsilon")]
    pub group_norm_eps: f64,
}

impl MagvitConfig {
    /// Side of the token grid.
    #[must_use]
    pub fn grid(&self) -> usize {
        self.resolution >> (self.encoder_ch_mult.len().max(1) - 1)
    }

    /// Side of the square of pixels that one token stands for.
    #[must_use]
    pub fn patch(&self) -> usize {
        1 << (self.encoder_ch_mult.len().max(1) - 1)
    }

    /// Entries of the codebook.
    #[must_use]
    pub fn codebook_size(&self) -> usize {
        1 << self.z_channels
    }

    /// Why this configuration cannot be built, if it cannot.
    ///
    /// # Errors
    /// The field and what contradicts it.
    pub fn validate(&self) -> Result<(), String> {
        let levels = self.encoder_ch_mult.len();
        if levels == 0 || self.encoder_num_res_blocks.len() != levels {
            return Err("encoder_ch_mult and encoder_num_res_blocks differ in length".into());
        }
        if self.decoder_ch_mult.len() != levels || self.decoder_num_res_blocks.len() != levels {
            return Err("the decoder's levels differ in number from the encoder's".into());
        }
        if !self.resolution.is_multiple_of(1 << (levels - 1)) {
            return Err(format!("resolution {} cannot be halved {} times", self.resolution, levels - 1));
        }
        if self.patch_encoder == Some(0) {
            return Err("patch_encoder is 0; it is the width of the encoder's hidden layers".into());
        }
        if !(1..=18).contains(&self.z_channels) {
            return Err(format!("z_channels is {}, but must be from 1 to 18", self.z_channels));
        }
        Ok(())
    }
}

/// The preview decoder: codes to a small picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviewConfig {
    /// Bits of a code: the codebook has 2^`bits` entries.
    pub bits: usize,
    /// Side of the token grid.
    pub grid: usize,
    /// Channels.
    pub width: usize,
    /// Residual blocks, each of two 3 × 3 convolutions.
    pub num_res_blocks: usize,
    /// Side of the square of pixels that it makes of a token.
    pub patch: usize,
    /// Groups of every group normalization.
    #[serde(default = "groups")]
    pub group_norm_groups: usize,
    /// ε of every group normalization.
    #[serde(default = "group_epsilon")]
    pub group_norm_eps: f64,
}

impl PreviewConfig {
    /// Side of the picture in pixels.
    #[must_use]
    pub fn side_px(&self) -> usize {
        self.grid * self.patch
    }

    /// Entries of the codebook.
    #[must_use]
    pub fn codebook_size(&self) -> usize {
        1 << self.bits
    }

    /// Why this configuration cannot be built, if it cannot.
    ///
    /// # Errors
    /// The field and what contradicts it.
    pub fn validate(&self) -> Result<(), String> {
        let Self { bits, grid, width, num_res_blocks, patch, group_norm_groups, .. } = *self;
        if !(1..=18).contains(&bits) {
            return Err(format!("bits is {bits}, but must be from 1 to 18"));
        }
        // Bounds far beyond what is small: sizes that come from outside must not overflow.
        for (field, size, most) in [("grid", grid, 1 << 10), ("width", width, 1 << 12), ("patch", patch, 1 << 5)] {
            if !(1..=most).contains(&size) {
                return Err(format!("{field} is {size}, but must be from 1 to {most}"));
            }
        }
        if num_res_blocks > 64 {
            return Err(format!("num_res_blocks is {num_res_blocks}, but must be at most 64"));
        }
        if group_norm_groups == 0 || !width.is_multiple_of(group_norm_groups) {
            return Err(format!("group_norm_groups is {group_norm_groups}, which does not divide width {width}"));
        }
        Ok(())
    }
}

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

/// What a reward network's label said in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardLabel {
    /// Finishing from here satisfies the prompt (PARM).
    Potential,
    /// This preview satisfies the prompt (PRM).
    Preview,
    /// This finished image satisfies the prompt (ORM).
    Outcome,
}

impl RewardLabel {
    /// Every label.
    pub const ALL: [Self; 3] = [Self::Potential, Self::Preview, Self::Outcome];

    /// The question with this label, for a network that answers several.
    #[must_use]
    pub const fn question(self) -> RewardQuestion {
        match self {
            Self::Potential => RewardQuestion::Potential,
            Self::Preview => RewardQuestion::Preview,
            Self::Outcome => RewardQuestion::Outcome,
        }
    }

    /// As it is written in configurations, commands and the names of runs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Potential => "potential",
            Self::Preview => "preview",
            Self::Outcome => "outcome",
        }
    }
}

/// The reward network: an encoder over prompt and image tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RewardConfig {
    /// d.
    pub hidden_size: usize,
    /// Blocks.
    pub num_hidden_layers: usize,
    /// Heads.
    pub num_attention_heads: usize,
    /// Width of the MLP in a block.
    pub intermediate_size: usize,
    /// Width of the head's hidden layer: d → this → 1.
    pub head_size: usize,
    /// Text ids (the language model's vocabulary with its added tokens).
    pub text_vocab_size: usize,
    /// Image codes; one more id stands for `[mask]`.
    pub codebook_size: usize,
    /// N.
    pub num_vq_tokens: usize,
    /// Longest prompt in tokens; shorter ones are padded on the left.
    pub max_text_len: usize,
    /// The id that pads.
    pub pad: u32,
    /// ε of every layer normalization.
    pub layer_norm_eps: f64,
    /// What it was trained on.
    pub label: RewardLabel,
    /// Whether the blocks have biases.
    #[serde(default = "default_true")]
    pub bias: bool,
    /// Side of the square of image tokens that share a position: their embeddings, d / `merge`² wide, lie side by side in it. With 2
    /// a quarter of the positions is computed.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub merge: usize,
    /// Questions that one network answers ([`RewardQuestion`]), each with an embedding of its own; 0 in one that knows its label's
    /// alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub questions: usize,
}

impl RewardConfig {
    /// Positions of an image: N / `merge`².
    #[must_use]
    pub fn image_positions(&self) -> usize {
        self.num_vq_tokens / (self.merge * self.merge).max(1)
    }

    /// The labels that the network stands for: its own, or, where it answers every question, all.
    #[must_use]
    pub fn labels(&self) -> Vec<RewardLabel> {
        if self.questions == 0 { vec![self.label] } else { RewardLabel::ALL.to_vec() }
    }

    /// Width of one image token's embedding.
    #[must_use]
    pub fn token_width(&self) -> usize {
        self.hidden_size / (self.merge * self.merge).max(1)
    }
}

/// What a reward network that answers several questions can be asked: the paper's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardQuestion {
    /// Can this state be judged yet?
    Clarity,
    /// Will finishing from here satisfy the prompt (PARM)?
    Potential,
    /// Does this finished picture satisfy it (ORM)?
    Outcome,
    /// Does this preview satisfy it (PRM)?
    Preview,
}

impl RewardQuestion {
    /// Every question, in the order of their embeddings.
    pub const ALL: [Self; 4] = [Self::Clarity, Self::Potential, Self::Outcome, Self::Preview];
}

fn one() -> usize {
    1
}

// What older networks do not say is not said of them: their configurations stay as they are.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_one(value: &usize) -> bool {
    *value == 1
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(value: &usize) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_a_head_survives_json() -> Result<(), serde_json::Error> {
        let rotary = |factor: &str, head: usize| -> Result<usize, serde_json::Error> {
            let config: ShowoConfig = serde_json::from_value(serde_json::json!({
                "hidden_size": 2 * head, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
                "partial_rotary_factor": serde_json::from_str::<f64>(factor)?, "rope_theta": 1e4,
                "layer_norm_eps": 1e-5, "qk_layernorm": false, "vocab_size": 28, "llm_vocab_size": 10,
                "num_new_special_tokens": 10, "codebook_size": 7, "num_vq_tokens": 4, "max_text_len": 4,
                "special_tokens": { "pad": 10, "soi": 11, "eoi": 12, "t2i": 15 }, "bos": 9, "eos": 9,
                "mask_token_id": 27,
            }))?;
            Ok(config.rotary_len())
        };
        assert_eq!(rotary("0.47058823529411764", 17)?, 8);
        assert_eq!(rotary("0.5", 64)?, 32);
        // What the reference rounds down stays so: 0.58 · 50 is 28.999999999999996 in Python, too.
        assert_eq!(rotary("0.58", 50)?, 28);
        assert_eq!(rotary("0.4", 17)?, 6);
        Ok(())
    }
}

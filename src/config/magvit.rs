//! The image tokenizer: MAGVIT-v2.

use serde::{Deserialize, Serialize};

pub(super) fn groups() -> usize {
    32
}

pub(super) fn group_epsilon() -> f64 {
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

//! The preview decoder.

use serde::{Deserialize, Serialize};

use super::magvit::{group_epsilon, groups};

/// Largest [`PreviewConfig::window`]: a preview is to be small.
const MOST_WINDOW: usize = 9;

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
    /// Side of the square of tokens that a token's pixels are made of, in a decoder of two layers with nothing but a ReLU between
    /// them: what `quantize preview` fits to any image tokenizer. It has no blocks, and its groups go unused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
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

    /// Floating-point operations that one picture takes (a multiplication and an addition are two), norms and activations left
    /// out.
    #[must_use]
    pub fn flops(&self) -> u64 {
        let Self { bits, grid, width, num_res_blocks, window, patch, .. } = *self;
        let inputs = bits * window.unwrap_or(1).pow(2);
        let weights = inputs * width + num_res_blocks * 2 * 9 * width * width + width * 3 * patch * patch;
        2 * (grid * grid * weights) as u64
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
        let Self { bits, grid, width, num_res_blocks, window, patch, group_norm_groups, .. } = *self;
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
        if let Some(window) = window {
            if window % 2 == 0 || window > MOST_WINDOW {
                return Err(format!("window is {window}, but must be odd and at most {MOST_WINDOW}"));
            }
            if num_res_blocks > 0 {
                return Err(format!("num_res_blocks is {num_res_blocks}, but a decoder with a window has none"));
            }
            return Ok(());
        }
        if group_norm_groups == 0 || !width.is_multiple_of(group_norm_groups) {
            return Err(format!("group_norm_groups is {group_norm_groups}, which does not divide width {width}"));
        }
        Ok(())
    }
}

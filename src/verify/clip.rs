//! CLIPScore over pictures, and over the patches of one.

use std::rc::Rc;

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{Candidates, Verifier, When, Wording, bicubic, resample};
use crate::config::{ClipResize, ShowoConfig};
use crate::load::ClipModel;
use crate::model::clip::clip_score;
use crate::prompt::{ClipText, PromptError, clip_text};

/// CLIP bound to a prompt: the text is embedded once.
pub struct ClipVerifier {
    clip: Rc<ClipModel>,
    /// `[1, projection]`, of length one.
    text: Tensor<2>,
}

impl ClipVerifier {
    /// Embeds the prompt: its text where CLIP has a tokenizer of its own, else the generator's ids.
    ///
    /// # Errors
    /// CLIP's own tokenizer cannot read the text.
    pub fn new(
        clip: Rc<ClipModel>,
        showo: &ShowoConfig,
        prompt: Wording<'_>,
        device: &Device,
    ) -> Result<Self, PromptError> {
        let (ids, end) = match &clip.tokenizer {
            Some(own) => {
                let ClipText { ids, end } = own.encode(prompt.text, clip.config.text_config.max_position_embeddings)?;
                (ids, end)
            }
            None => clip_text(&clip.config, showo, prompt.ids),
        };
        let tokens = ids.len();
        let ids: Vec<i32> = ids.into_iter().map(|id| id as i32).collect();
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [1, tokens]), device);
        let text = clip.clip.embed_text(ids, &[end]);
        Ok(Self { clip, text })
    }

    /// CLIPScore of each picture of `[batch, 3, side, side]` (−1…1) with the prompt, `[batch]`.
    #[must_use]
    pub fn score_pixels(&self, pixels: Tensor<4>) -> Tensor<1> {
        self.score_patches(pixels, 1)
    }

    /// `S_ij`, row by row: CLIPScore of each patch of an M×M grid over `[1, 3, side, side]` with the prompt, `[M²]`.
    /// Each patch is brought to CLIP's own size by itself, as its configuration says ([`ClipResize`]).
    #[must_use]
    pub fn score_patches(&self, pixels: Tensor<4>, patch_grid: usize) -> Tensor<1> {
        let config = &self.clip.config;
        let device = pixels.device();
        let side = config.vision_config.image_size;
        // Values in 0…1.
        let patches = match config.resize {
            ClipResize::Linear => (resample(pixels, patch_grid, side) + 1.0) * 0.5,
            ClipResize::Bicubic => bicubic(pixels, patch_grid, side) / 255.0,
        };
        let channel =
            |values: [f32; 3]| Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), &device);
        let normal = (patches - channel(config.image_mean)) / channel(config.image_std);
        clip_score(self.clip.clip.embed_image(normal), self.text.clone())
    }
}

impl Verifier for ClipVerifier {
    fn when(&self) -> When {
        When::Finished
    }

    fn score(&self, look: &Candidates<'_>) -> Tensor<1> {
        self.score_pixels(look.pixels())
    }
}

//! The generator bound to prompts: guided logits for partly revealed images.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::config::ShowoConfig;
use crate::model::showo::{FORBIDDEN, Prefix, Showo};
use crate::prompt::{attention_allowed, image_segment, text_segment};

/// Prompts whose keys and values are computed: the conditional rows, and then the unconditional ones when guided.
pub struct Prompted {
    config: ShowoConfig,
    prefix: Prefix,
    /// `[rows, 1, 1, text + N + 2]`.
    bias: Tensor<4>,
    prompts: usize,
    guidance_scale: f32,
}

/// Ids as a tensor `[rows, columns]`.
#[must_use]
pub fn ids_tensor(rows: &[Vec<u32>], device: &Device) -> Tensor<2, Int> {
    let columns = rows.first().map_or(0, Vec::len);
    let flat: Vec<i32> = rows.iter().flatten().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(flat, [rows.len(), columns]), device)
}

/// The additive bias `[rows, 1, rows_range, columns_range]` of [`attention_allowed`], cut to ranges.
#[must_use]
pub fn attention_bias(
    config: &ShowoConfig,
    sequences: &[Vec<u32>],
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    device: &Device,
) -> Tensor<4> {
    let mut values = Vec::with_capacity(sequences.len() * rows.len() * columns.len());
    for sequence in sequences {
        let allowed = attention_allowed(config, sequence);
        for row in &allowed[rows.clone()] {
            values.extend(row[columns.clone()].iter().map(|&may| if may { 0.0 } else { FORBIDDEN }));
        }
    }
    Tensor::from_data(TensorData::new(values, [sequences.len(), 1, rows.len(), columns.len()]), device)
}

impl Prompted {
    /// Computes the text's keys and values; the unconditional row only where `guidance_scale` is above 0.
    #[must_use]
    pub fn new(showo: &Showo, config: &ShowoConfig, prompt_ids: &[u32], guidance_scale: f32, device: &Device) -> Self {
        Self::several(showo, config, &[prompt_ids], guidance_scale, device)
    }

    /// As [`Prompted::new`], for prompts that are drawn side by side.
    #[must_use]
    pub fn several(
        showo: &Showo,
        config: &ShowoConfig,
        prompts: &[&[u32]],
        guidance_scale: f32,
        device: &Device,
    ) -> Self {
        let image = image_segment(config, &vec![-1; config.num_vq_tokens]);
        let mut texts: Vec<Vec<u32>> = prompts.iter().map(|ids| text_segment(config, ids)).collect();
        if guidance_scale > 0.0 {
            texts.extend(vec![text_segment(config, &[]); prompts.len()]);
        }
        let sequences: Vec<Vec<u32>> = texts.iter().map(|text| text.iter().chain(&image).copied().collect()).collect();
        let text = config.prefix_len();
        let length = text + image.len();
        let text_bias = attention_bias(config, &sequences, 0..text, 0..text, device);
        Self {
            prefix: showo.prefix(ids_tensor(&texts, device), text_bias),
            // Every image token may attend to the same.
            bias: attention_bias(config, &sequences, text..text + 1, 0..length, device),
            prompts: prompts.len(),
            guidance_scale,
            config: config.clone(),
        }
    }

    /// Guided logits `[N, codebook]` of the only prompt, for the image `tokens` (negative where masked):
    /// `(1+g)·cond − g·uncond`.
    #[must_use]
    pub fn logits(&self, showo: &Showo, tokens: &[i32]) -> Tensor<2> {
        self.logits_of(showo, &[tokens])
    }

    /// Guided logits `[prompts · N, codebook]`, one image a prompt.
    ///
    /// # Panics
    /// Not as many images as prompts.
    #[must_use]
    pub fn logits_of(&self, showo: &Showo, images: &[&[i32]]) -> Tensor<2> {
        assert_eq!(images.len(), self.prompts, "one image a prompt");
        let device = self.bias.device();
        let rows = self.bias.dims()[0];
        let segments = images.iter().map(|tokens| image_segment(&self.config, tokens));
        let segments: Vec<Vec<u32>> = segments.cycle().take(rows).collect();
        let hidden = showo.forward_image(&self.prefix, ids_tensor(&segments, &device), self.bias.clone());
        let [_, segment, d] = hidden.dims();
        let n = segment - 2;
        // Only image positions, and only codebook columns.
        let logits = showo.code_logits(hidden.narrow(1, 1, n).reshape([rows * n, d]));
        if rows == self.prompts {
            return logits;
        }
        let (half, g) = (self.prompts * n, self.guidance_scale);
        logits.clone().narrow(0, 0, half) * (1.0 + g) - logits.narrow(0, half, half) * g
    }
}

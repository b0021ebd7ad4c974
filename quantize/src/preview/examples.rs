//! Codes of pictures, and what the image tokenizer shows for them, made small.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use showo::{
    bundle::{Bundle, FolderReader, ModelKind, block_on},
    config::MagvitConfig,
    load::WeightSink,
    model::{
        Weights,
        magvit::{Magvit, codes_of},
    },
};

use crate::error::ToolError;

/// Pixels that go through the tokenizer at once.
const PIXELS_AT_ONCE: usize = 1 << 16;

/// An image tokenizer with both its halves.
pub struct Tokenizer {
    magvit: Magvit,
    /// Its configuration.
    pub config: MagvitConfig,
}

/// A picture as the tokenizer sees it.
pub struct Example {
    /// Its codes, row by row.
    pub codes: Vec<i32>,
    /// What the decoder shows for them, averaged to a smaller side: `[3, side, side]`, values in −1…1.
    pub pixels: Vec<f32>,
}

impl Tokenizer {
    /// Reads it from a bundle onto the processor.
    ///
    /// # Errors
    /// The bundle has none, is damaged, or holds one that contradicts its configuration.
    pub fn load(folder: &Path, bundle: &Bundle<FolderReader>) -> Result<Self, ToolError> {
        let config: MagvitConfig = bundle.config(ModelKind::Magvit).map_err(ToolError::bundle(folder))?;
        let mut sink = WeightSink::new(Weights::new(&Device::flex()));
        block_on(bundle.load(ModelKind::Magvit, &mut sink, &mut |_| {})).map_err(ToolError::bundle(folder))?;
        let magvit = Magvit::new(&config, sink.weights, true)
            .map_err(|error| ToolError::Checkpoint { path: folder.into(), problem: format!("magvit: {error}") })?;
        Ok(Self { magvit, config })
    }

    /// Pictures that are to be given to [`Tokenizer::look`] together.
    pub fn at_once(&self) -> usize {
        (PIXELS_AT_ONCE / self.config.resolution.pow(2).max(1)).clamp(1, 16)
    }

    /// Encodes pictures `[3, resolution, resolution]`, decodes their codes, and makes that `side` pixels small.
    pub fn look(&self, pictures: &[Vec<f32>], side: usize) -> Vec<Example> {
        let MagvitConfig { resolution, z_channels: bits, .. } = self.config;
        let (device, count) = (Device::flex(), pictures.len());
        let pixels = TensorData::new(pictures.concat(), [count, 3, resolution, resolution]);
        let Some(latent) = self.magvit.latent(Tensor::from_data(pixels, &device)) else { return Vec::new() };
        let latent: Vec<f32> = latent.into_data().iter::<f32>().collect();
        let positions = self.config.grid().pow(2);
        // A code has at most 18 bits.
        let codes: Vec<i32> = codes_of(&latent, bits, positions).into_iter().map(|code| code as i32).collect();
        let grids: Vec<&[i32]> = codes.chunks(positions).collect();
        let shown: Vec<f32> = self.magvit.decode(&grids, &device).into_data().iter::<f32>().collect();
        let shown = shown.chunks(3 * resolution * resolution);
        grids
            .iter()
            .zip(shown)
            .map(|(codes, pixels)| Example { codes: codes.to_vec(), pixels: smaller(pixels, resolution, side) })
            .collect()
    }
}

/// A picture `[3, from, from]` averaged to `[3, to, to]`, as it is seen: what is beyond black and white is cut off.
fn smaller(pixels: &[f32], from: usize, to: usize) -> Vec<f32> {
    let step = from / to;
    let area = (step * step) as f32;
    let mean = |channel: usize, row: usize, column: usize| {
        let first = (channel * from + row * step) * from + column * step;
        let rows = (0..step).map(|row| &pixels[first + row * from..][..step]);
        rows.flatten().map(|value| value.clamp(-1.0, 1.0)).sum::<f32>() / area
    };
    (0..3 * to * to).map(|at| mean(at / (to * to), at / to % to, at % to)).collect()
}

/// A small picture's pixels, a row a token: `[3, grid · patch, grid · patch]` → `[grid², 3 · patch²]`, as the preview decoder's last
/// layer gives them.
pub fn by_token(pixels: &[f32], grid: usize, patch: usize) -> Vec<f32> {
    let side = grid * patch;
    let mut rows = Vec::with_capacity(pixels.len());
    for token in 0..grid * grid {
        let (top, left) = (token / grid * patch, token % grid * patch);
        for (channel, row) in (0..3).flat_map(|channel| (0..patch).map(move |row| (channel, row))) {
            rows.extend_from_slice(&pixels[(channel * side + top + row) * side + left..][..patch]);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_picture_is_the_mean_of_what_is_seen() {
        // Red rises by row, green by column; blue is beyond white.
        let pixels: Vec<f32> = (0..48)
            .map(|at| match at / 16 {
                0 => (at / 4 % 4) as f32 / 4.0,
                1 => (at % 4) as f32 / 4.0,
                _ => 3.0,
            })
            .collect();
        let small = smaller(&pixels, 4, 2);
        assert_eq!(small, [0.125, 0.125, 0.625, 0.625, 0.125, 0.625, 0.125, 0.625, 1.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn a_token_s_row_is_its_square_of_every_channel() {
        let pixels: Vec<f32> = (0..48).map(|at| at as f32).collect();
        let rows = by_token(&pixels, 2, 2);
        assert_eq!(rows[..12], [0.0, 1.0, 4.0, 5.0, 16.0, 17.0, 20.0, 21.0, 32.0, 33.0, 36.0, 37.0]);
        assert_eq!(rows[36..40], [10.0, 11.0, 14.0, 15.0]);
    }
}

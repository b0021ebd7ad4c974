//! The preview decoder: codes to a picture of half the size, small enough to be run for every candidate of every step.
//!
//! It works on the token grid throughout: a few residual convolutions over the codes' bits, then every token's square of pixels at
//! once. A position that is still masked has no bits, so that partly masked states can be shown, too.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::convolution::{Conv2d, ConvShape, GroupNorm};
use super::error::ModelError;
use super::weights::Weights;
use crate::config::PreviewConfig;
use crate::ops::Activation;

/// `x + conv2(norm2(conv1(norm1(x))))`, Swish after each norm.
#[derive(Module, Debug)]
struct Block {
    norm1: GroupNorm,
    conv1: Conv2d,
    norm2: GroupNorm,
    conv2: Conv2d,
}

/// The preview decoder.
#[derive(Module, Debug)]
pub struct Preview {
    conv_in: Conv2d,
    block: Vec<Block>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
    bits: usize,
    patch: usize,
}

impl Preview {
    /// Builds the network from named tensors.
    ///
    /// # Errors
    /// A configuration that contradicts itself; missing, surplus or misshapen tensors, by name.
    pub fn new(config: &PreviewConfig, mut weights: Weights) -> Result<Self, ModelError> {
        config.validate().map_err(|why| ModelError::Config { model: "preview", why })?;
        let PreviewConfig { bits, width, patch, .. } = *config;
        let conv = |weights: &mut Weights, name: &str, inputs: usize, out: usize, kernel: usize| {
            Conv2d::take(weights, name, ConvShape::same(inputs, out, kernel))
        };
        let norm = |weights: &mut Weights, name: &str| {
            GroupNorm::take(weights, name, width, config.group_norm_groups, config.group_norm_eps)
        };
        let conv_in = conv(&mut weights, "conv_in", bits, width, 1)?;
        let mut block = Vec::with_capacity(config.num_res_blocks);
        for index in 0..config.num_res_blocks {
            let at = |part: &str| format!("block.{index}.{part}");
            block.push(Block {
                norm1: norm(&mut weights, &at("norm1"))?,
                conv1: conv(&mut weights, &at("conv1"), width, width, 3)?,
                norm2: norm(&mut weights, &at("norm2"))?,
                conv2: conv(&mut weights, &at("conv2"), width, width, 3)?,
            });
        }
        let norm_out = norm(&mut weights, "norm_out")?;
        let conv_out = conv(&mut weights, "conv_out", width, 3 * patch * patch, 1)?;
        weights.finish(&[])?;
        Ok(Self { conv_in, block, norm_out, conv_out, bits, patch })
    }

    /// Bits of codes as ±1, all 0 where a code is negative (masked): grids of N codes → `[grids, bits, grid, grid]`, most
    /// significant bit first.
    #[must_use]
    pub fn entries(&self, grids: &[&[i32]], device: &Device) -> Tensor<4> {
        let side = grids.first().map_or(0, |grid| grid.len().isqrt());
        let values = entry_values(grids, self.bits);
        Tensor::from_data(TensorData::new(values, [grids.len(), self.bits, side, side]), device)
    }

    /// Grids of N codes, negative where masked → pixels `[grids, 3, side, side]`, about [−1, 1].
    #[must_use]
    pub fn decode(&self, grids: &[&[i32]], device: &Device) -> Tensor<4> {
        self.forward(self.entries(grids, device))
    }

    /// Bits `[batch, bits, grid, grid]` → pixels `[batch, 3, grid · patch, grid · patch]`; what training differentiates.
    #[must_use]
    pub fn forward(&self, entries: Tensor<4>) -> Tensor<4> {
        let mut x = self.conv_in.forward(entries);
        for block in &self.block {
            x = block.forward(x);
        }
        spread(self.conv_out.forward(self.norm_out.forward(x, Activation::Swish)), self.patch)
    }
}

impl Block {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let h = self.conv1.forward(self.norm1.forward(x.clone(), Activation::Swish));
        self.conv2.forward_plus(self.norm2.forward(h, Activation::Swish), Some(x))
    }
}

/// The numbers of [`Preview::entries`], for batches that are made before there is a device.
#[must_use]
pub fn entry_values(grids: &[&[i32]], bits: usize) -> Vec<f32> {
    let positions = grids.first().map_or(0, |grid| grid.len());
    let mut values = Vec::with_capacity(grids.len() * bits * positions);
    for grid in grids {
        for bit in (0..bits).rev() {
            values.extend(grid.iter().map(|&code| match code {
                ..0 => 0.0,
                _ if code >> bit & 1 == 1 => 1.0,
                _ => -1.0,
            }));
        }
    }
    values
}

/// Every position's `3 · patch²` channels as its square of pixels: `[batch, 3 · patch², h, w]` → `[batch, 3, h · patch, w · patch]`.
fn spread(x: Tensor<4>, patch: usize) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let colours = channels / (patch * patch);
    x.reshape([batch * colours, patch, patch, height, width]).permute([0, 3, 1, 4, 2]).reshape([
        batch,
        colours,
        height * patch,
        width * patch,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> PreviewConfig {
        PreviewConfig {
            bits: 4,
            grid: 4,
            width: 8,
            num_res_blocks: 2,
            patch: 2,
            group_norm_groups: 4,
            group_norm_eps: 1e-6,
        }
    }

    fn floats(x: Tensor<4>) -> Vec<f32> {
        x.into_data().iter::<f32>().collect()
    }

    #[test]
    fn a_token_s_channels_become_its_square_of_pixels() {
        // Channel c, row y, column x of the square of the token at (row, column) is numbered so that it names its place.
        let (patch, height, width) = (2, 2, 3);
        let values: Vec<f32> = (0..3 * patch * patch * height * width).map(|at| at as f32).collect();
        let x = Tensor::<4>::from_data(TensorData::new(values, [1, 3 * patch * patch, height, width]), &Device::flex());
        let pixels = spread(x, patch);
        assert_eq!(pixels.dims(), [1, 3, 4, 6]);
        let pixels = floats(pixels);
        for (channel, y, x) in (0..3).flat_map(|c| (0..4).flat_map(move |y| (0..6).map(move |x| (c, y, x)))) {
            let (inner, row, column) = ((y % patch) * patch + x % patch, y / patch, x / patch);
            let from = ((channel * patch * patch + inner) * height + row) * width + column;
            assert_eq!(pixels[(channel * 4 + y) * 6 + x], from as f32);
        }
    }

    #[test]
    fn bits_are_signs_and_a_masked_position_has_none() {
        assert_eq!(entry_values(&[&[0b101, -1]], 3), [1.0, 0.0, -1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn pictures_do_not_depend_on_who_is_decoded_beside_them() -> Result<(), ModelError> {
        let device = Device::flex();
        let preview = Preview::new(&config(), Weights::random(&device, 3))?;
        let one: Vec<i32> = (0..16).collect();
        let masked: Vec<i32> = one.iter().map(|&code| if code % 3 == 0 { -1 } else { code }).collect();
        let both = preview.decode(&[&one, &masked], &device);
        assert_eq!(both.dims(), [2, 3, 8, 8]);
        let alone = floats(preview.decode(&[&masked], &device));
        let both = floats(both);
        assert!(both[..3 * 64] != both[3 * 64..], "what is masked shows");
        assert!(both[3 * 64..].iter().zip(&alone).all(|(a, b)| (a - b).abs() < 1e-5));
        Ok(())
    }

    /// Training computes with other operations than drawing.
    #[test]
    fn it_computes_the_same_where_gradients_are_recorded() -> Result<(), ModelError> {
        let device = Device::flex();
        let recording = device.clone().autodiff();
        let grid: Vec<i32> = (0..16).rev().collect();
        let drawn = floats(Preview::new(&config(), Weights::random(&device, 5))?.decode(&[&grid], &device));
        let trained = floats(Preview::new(&config(), Weights::random(&recording, 5))?.decode(&[&grid], &recording));
        assert!(drawn.iter().zip(&trained).all(|(a, b)| (a - b).abs() < 1e-4));
        Ok(())
    }

    #[test]
    fn what_contradicts_itself_is_named() {
        let refused = |config: PreviewConfig| {
            Preview::new(&config, Weights::random(&Device::flex(), 1)).map(drop).map_err(|error| error.to_string())
        };
        assert!(refused(config()).is_ok());
        let error = refused(PreviewConfig { group_norm_groups: 3, ..config() });
        assert!(error.is_err_and(|text| text.contains("group_norm_groups")));
        let error = refused(PreviewConfig { patch: 0, ..config() });
        assert!(error.is_err_and(|text| text.contains("patch")));
    }
}

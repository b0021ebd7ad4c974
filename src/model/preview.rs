//! The preview decoder: codes to a picture of half the size or less, small enough to be run for every candidate of every step.
//!
//! It works on the token grid throughout: a few residual convolutions over the codes' bits, then every token's square of pixels at
//! once. A position that is still masked has no bits, so that partly masked states can be shown, too.
//!
//! With [`PreviewConfig::window`] it is two layers instead: the bits of a token and its neighbours, a ReLU, the pixels.

use burn::module::Module;
use burn::tensor::activation::relu;
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
    /// `None` in a decoder of two layers.
    norm_out: Option<GroupNorm>,
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
        let PreviewConfig { bits, width, window, patch, .. } = *config;
        let conv = |weights: &mut Weights, name: &str, inputs: usize, out: usize, kernel: usize| {
            Conv2d::take(weights, name, ConvShape::same(inputs, out, kernel))
        };
        let norm = |weights: &mut Weights, name: &str| {
            GroupNorm::take(weights, name, width, config.group_norm_groups, config.group_norm_eps)
        };
        let conv_in = conv(&mut weights, "conv_in", bits, width, window.unwrap_or(1))?;
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
        let norm_out = if window.is_none() { Some(norm(&mut weights, "norm_out")?) } else { None };
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
        spread(self.conv_out.forward(self.features(entries)), self.patch)
    }

    /// Bits `[batch, bits, grid, grid]` → what a token's pixels are a linear function of, `[batch, width, grid, grid]`.
    #[must_use]
    pub fn features(&self, entries: Tensor<4>) -> Tensor<4> {
        let mut x = self.conv_in.forward(entries);
        for block in &self.block {
            x = block.forward(x);
        }
        match &self.norm_out {
            Some(norm) => norm.forward(x, Activation::Swish),
            None => relu(x),
        }
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
            window: None,
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

    /// Two layers computed by hand, at every position of a partly masked grid.
    #[test]
    fn with_a_window_it_is_a_relu_between_two_layers() -> Result<(), ModelError> {
        let device = Device::flex();
        let (bits, grid, width, patch, window) = (2, 3, 5, 2, 3);
        let config = PreviewConfig { bits, grid, width, patch, num_res_blocks: 0, window: Some(window), ..config() };
        let values = |count: usize, step: f32| -> Vec<f32> { (0..count).map(|at| (at as f32 * step).sin()).collect() };
        let outputs = 3 * patch * patch;
        let [into, shift, out, base] = [
            ("conv_in.weight", vec![width, bits, window, window], 0.7),
            ("conv_in.bias", vec![width], 1.1),
            ("conv_out.weight", vec![outputs, width, 1, 1], 1.7),
            ("conv_out.bias", vec![outputs], 0.3),
        ]
        .map(|(name, shape, step)| (name, values(shape.iter().product(), step), shape));
        let mut weights = Weights::new(&device);
        for (name, values, shape) in [&into, &shift, &out, &base] {
            weights.insert_float(name, shape, values.clone())?;
        }
        let codes = [0b01, 0b10, -1, 0b11, 0b00, 0b01, -1, 0b10, 0b11];
        let pixels = floats(Preview::new(&config, weights)?.decode(&[&codes], &device));
        let side = config.side_px();
        for (y, x, channel) in (0..side).flat_map(|y| (0..side).flat_map(move |x| (0..3).map(move |c| (y, x, c)))) {
            let bit = |row: usize, column: usize, bit: usize| match (row.checked_sub(1), column.checked_sub(1)) {
                (Some(row), Some(column)) if row < grid && column < grid => match codes[row * grid + column] {
                    ..0 => 0.0,
                    code if code >> (bits - 1 - bit) & 1 == 1 => 1.0,
                    _ => -1.0,
                },
                _ => 0.0,
            };
            let of = |unit: usize| {
                let inputs = (0..bits * 9)
                    .map(|at| into.1[unit * bits * 9 + at] * bit(y / patch + at % 9 / 3, x / patch + at % 3, at / 9));
                (inputs.sum::<f32>() + shift.1[unit]).max(0.0)
            };
            let row = (channel * patch + y % patch) * patch + x % patch;
            let wanted = (0..width).map(|unit| out.1[row * width + unit] * of(unit)).sum::<f32>() + base.1[row];
            let found = pixels[(channel * side + y) * side + x];
            assert!((found - wanted).abs() < 1e-5, "{found} is not {wanted} at {x}, {y}");
        }
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
        for (window, num_res_blocks, word) in
            [(4, 0, "window is 4"), (11, 0, "window is 11"), (3, 2, "num_res_blocks is 2")]
        {
            let error = refused(PreviewConfig { window: Some(window), num_res_blocks, ..config() });
            assert!(error.is_err_and(|text| text.contains(word)), "{word}");
        }
    }
}

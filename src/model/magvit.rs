//! MAGVIT-v2: the convolutional image tokenizer with lookup-free quantization.
//!
//! Reference: `models/modeling_magvitv2.py` and `models/common_modules.py` of showlab/Show-o. A code is the sign bits
//! of a z-channel latent, most significant bit first.

mod blocks;

use burn::module::Module;
use burn::tensor::activation::silu;
use burn::tensor::{Device, Int, Tensor, TensorData};

use self::blocks::{AttnBlock, Middle, Resample, ResnetBlock, level};
use super::convolution::{Conv2d, ConvShape, GroupNorm};
use super::error::ModelError;
use super::layers::widened;
use super::weights::Weights;
use crate::config::MagvitConfig;
use crate::ops::Activation;

#[derive(Module, Debug)]
struct Down {
    block: Vec<ResnetBlock>,
    attn: Vec<AttnBlock>,
    downsample: Option<Resample>,
}

#[derive(Module, Debug)]
struct Up {
    block: Vec<ResnetBlock>,
    attn: Vec<AttnBlock>,
    upsample: Option<Resample>,
}

/// An encoder of one kind or the other.
#[allow(clippy::large_enum_variant)] // one a network; burn's modules are not boxed
#[derive(Module, Debug)]
enum Encoder {
    /// MAGVIT-v2's own.
    Levels(LevelEncoder),
    /// [`MagvitConfig::patch_encoder`].
    Patch(PatchEncoder),
}

/// Each token's pixels through three layers, with nothing of its neighbours.
#[derive(Module, Debug)]
struct PatchEncoder {
    patch_in: Conv2d,
    patch_mid: Conv2d,
    patch_out: Conv2d,
}

#[derive(Module, Debug)]
struct LevelEncoder {
    conv_in: Conv2d,
    down: Vec<Down>,
    mid: Middle,
    norm_out: GroupNorm,
    conv_out: Conv2d,
    quant_conv: Conv2d,
}

#[derive(Module, Debug)]
struct Decoder {
    post_quant_conv: Conv2d,
    conv_in: Conv2d,
    mid: Middle,
    up: Vec<Up>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

/// The image tokenizer. Field names spell the reference's tensor names.
#[derive(Module, Debug)]
pub struct Magvit {
    /// `None` where only decoding is wanted (the browser): half the weights.
    encoder: Option<Encoder>,
    decoder: Decoder,
    bits: usize,
}

/// Takes parts of one width under one prefix.
struct Parts<'a> {
    weights: &'a mut Weights,
    groups: usize,
    epsilon: f64,
}

impl Parts<'_> {
    fn conv(&mut self, name: &str, shape: ConvShape) -> Result<Conv2d, ModelError> {
        Conv2d::take(self.weights, name, shape)
    }

    fn norm(&mut self, name: &str, channels: usize) -> Result<GroupNorm, ModelError> {
        GroupNorm::take(self.weights, name, channels, self.groups, self.epsilon)
    }

    fn resnet(&mut self, name: &str, inputs: usize, out: usize) -> Result<ResnetBlock, ModelError> {
        Ok(ResnetBlock {
            norm1: self.norm(&format!("{name}.norm1"), inputs)?,
            conv1: self.conv(&format!("{name}.conv1"), ConvShape::same(inputs, out, 3))?,
            norm2: self.norm(&format!("{name}.norm2"), out)?,
            conv2: self.conv(&format!("{name}.conv2"), ConvShape::same(out, out, 3))?,
            nin_shortcut: if inputs == out {
                None
            } else {
                Some(self.conv(&format!("{name}.nin_shortcut"), ConvShape::same(inputs, out, 1))?)
            },
        })
    }

    fn attention(&mut self, name: &str, width: usize) -> Result<AttnBlock, ModelError> {
        let one = ConvShape::same(width, width, 1);
        Ok(AttnBlock {
            norm: self.norm(&format!("{name}.norm"), width)?,
            q: self.conv(&format!("{name}.q"), one)?,
            k: self.conv(&format!("{name}.k"), one)?,
            v: self.conv(&format!("{name}.v"), one)?,
            proj_out: self.conv(&format!("{name}.proj_out"), one)?,
        })
    }

    fn middle(&mut self, name: &str, width: usize) -> Result<Middle, ModelError> {
        Ok(Middle {
            block_1: self.resnet(&format!("{name}.mid.block_1"), width, width)?,
            attn_1: self.attention(&format!("{name}.mid.attn_1"), width)?,
            block_2: self.resnet(&format!("{name}.mid.block_2"), width, width)?,
        })
    }

    fn level(
        &mut self,
        name: &str,
        blocks: usize,
        mut width: usize,
        out: usize,
        attend: bool,
    ) -> Result<(Vec<ResnetBlock>, Vec<AttnBlock>, usize), ModelError> {
        let mut block = Vec::with_capacity(blocks);
        let mut attn = Vec::new();
        for index in 0..blocks {
            block.push(self.resnet(&format!("{name}.block.{index}"), width, out)?);
            width = out;
            if attend {
                attn.push(self.attention(&format!("{name}.attn.{index}"), width)?);
            }
        }
        Ok((block, attn, width))
    }
}

impl Magvit {
    /// Builds the network from named tensors; `encoder` says whether the encoder is wanted too (its tensors are
    /// passed over otherwise).
    ///
    /// # Errors
    /// A configuration that contradicts itself; missing, surplus or misshapen tensors, by name.
    pub fn new(config: &MagvitConfig, mut weights: Weights, encoder: bool) -> Result<Self, ModelError> {
        config.validate().map_err(|why| ModelError::Config { model: "magvit", why })?;
        let mut parts =
            Parts { weights: &mut weights, groups: config.group_norm_groups, epsilon: config.group_norm_eps };
        let encoder_part = if encoder { Some(take_encoder(config, &mut parts)?) } else { None };
        let network =
            Self { encoder: encoder_part, decoder: take_decoder(config, &mut parts)?, bits: config.z_channels };
        // LFQ's tables are constants that we compute.
        let mut allowed = vec!["quantize."];
        if !encoder {
            allowed.push("encoder.");
        }
        weights.finish(&allowed)?;
        Ok(network)
    }

    /// Pixels `[batch, 3, side, side]` in [−1, 1] → latent `[batch, bits, grid, grid]`; `None` without an encoder.
    #[must_use]
    pub fn latent(&self, pixels: Tensor<4>) -> Option<Tensor<4>> {
        self.encoder.as_ref().map(|encoder| widened(encoder.forward(pixels)))
    }

    /// The codes of a latent: `[batch, bits, grid, grid]` → `[batch, grid²]`.
    #[must_use]
    pub fn indices(&self, latent: Tensor<4>) -> Tensor<2, Int> {
        let [batch, bits, height, width] = latent.dims();
        let powers: Vec<i32> = (0..bits).rev().map(|bit| 1 << bit).collect();
        let powers = Tensor::<1, Int>::from_data(TensorData::new(powers, [bits]), &latent.device());
        let ones = latent.greater_scalar(0.0).int();
        (ones * powers.reshape([1, bits, 1, 1])).sum_dim(1).reshape([batch, height * width])
    }

    /// Bits of codes as ±1: grids of N codes → `[grids, bits, grid, grid]`, most significant bit first. They come from
    /// the host, so their bits are taken there.
    #[must_use]
    pub fn entries(&self, grids: &[&[i32]], device: &Device) -> Tensor<4> {
        let side = grids.first().map_or(0, |grid| grid.len().isqrt());
        self.entries_shaped(grids, [side, side], device)
    }

    fn entries_shaped(&self, grids: &[&[i32]], [rows, columns]: [usize; 2], device: &Device) -> Tensor<4> {
        let mut values = Vec::with_capacity(grids.len() * self.bits * rows * columns);
        for grid in grids {
            for bit in (0..self.bits).rev() {
                values.extend(grid.iter().map(|code| if code >> bit & 1 == 1 { 1.0f32 } else { -1.0 }));
            }
        }
        Tensor::from_data(TensorData::new(values, [grids.len(), self.bits, rows, columns]), device)
    }

    /// Grids of N codes → pixels `[grids, 3, side, side]`, about [−1, 1].
    #[must_use]
    pub fn decode(&self, grids: &[&[i32]], device: &Device) -> Tensor<4> {
        self.decode_latent(self.entries(grids, device))
    }

    /// One picture of `[rows, columns]` codes, whatever its size → pixels `[1, 3, height, width]`: a panorama.
    #[must_use]
    pub fn decode_shaped(&self, codes: &[i32], shape: [usize; 2], device: &Device) -> Tensor<4> {
        self.decode_latent(self.entries_shaped(&[codes], shape, device))
    }

    /// A quantized latent `[batch, bits, grid, grid]` → pixels; what training differentiates.
    #[must_use]
    pub fn decode_latent(&self, entries: Tensor<4>) -> Tensor<4> {
        widened(self.decoder.forward(entries))
    }
}

/// As [`Magvit::indices`], from a latent that was read back: `[batch, bits, positions]` → `[batch · positions]`.
#[must_use]
pub fn codes_of(latent: &[f32], bits: usize, positions: usize) -> Vec<u32> {
    let code = |picture: &[f32], at: usize| {
        (0..bits).fold(0, |code, bit| code << 1 | u32::from(picture[bit * positions + at] > 0.0))
    };
    latent.chunks_exact(bits * positions).flat_map(|picture| (0..positions).map(move |at| code(picture, at))).collect()
}

fn take_encoder(config: &MagvitConfig, parts: &mut Parts<'_>) -> Result<Encoder, ModelError> {
    if let Some(width) = config.patch_encoder {
        let patch = config.patch();
        let shape =
            ConvShape { inputs: 3, out: width, kernel: patch, stride: patch, padding: 0, enlarge: 1, bias: true };
        return Ok(Encoder::Patch(PatchEncoder {
            patch_in: parts.conv("encoder.patch_in", shape)?,
            patch_mid: parts.conv("encoder.patch_mid", ConvShape::same(width, width, 1))?,
            patch_out: parts.conv("encoder.patch_out", ConvShape::same(width, config.z_channels, 1))?,
        }));
    }
    let levels = config.encoder_ch_mult.len();
    let conv_in = parts.conv("encoder.conv_in", ConvShape::same(3, config.ch, 3))?;
    let mut width = config.ch;
    let mut side = config.resolution;
    let mut down = Vec::with_capacity(levels);
    for level in 0..levels {
        let name = format!("encoder.down.{level}");
        let out = config.ch * config.encoder_ch_mult[level];
        let attend = config.attn_resolutions.contains(&side);
        let (block, attn, after) = parts.level(&name, config.encoder_num_res_blocks[level], width, out, attend)?;
        width = after;
        let downsample = if level + 1 < levels {
            side /= 2;
            let shape =
                ConvShape { inputs: width, out: width, kernel: 3, stride: 2, padding: 0, enlarge: 1, bias: true };
            Some(Resample { conv: parts.conv(&format!("{name}.downsample.conv"), shape)? })
        } else {
            None
        };
        down.push(Down { block, attn, downsample });
    }
    let bits = config.z_channels;
    Ok(Encoder::Levels(LevelEncoder {
        conv_in,
        down,
        mid: parts.middle("encoder", width)?,
        norm_out: parts.norm("encoder.norm_out", width)?,
        conv_out: parts.conv("encoder.conv_out", ConvShape::same(width, bits, 3))?,
        quant_conv: parts.conv("encoder.quant_conv", ConvShape::same(bits, bits, 1))?,
    }))
}

fn take_decoder(config: &MagvitConfig, parts: &mut Parts<'_>) -> Result<Decoder, ModelError> {
    let levels = config.decoder_ch_mult.len();
    let bits = config.z_channels;
    let mut width = config.ch * config.decoder_ch_mult[levels - 1];
    let mut side = config.grid();
    let post_quant_conv = parts.conv("decoder.post_quant_conv", ConvShape::same(bits, bits, 1))?;
    let conv_in = parts.conv("decoder.conv_in", ConvShape::same(bits, width, 3))?;
    let mid = parts.middle("decoder", width)?;
    let mut up = Vec::with_capacity(levels);
    for level in (0..levels).rev() {
        let name = format!("decoder.up.{level}");
        let out = config.ch * config.decoder_ch_mult[level];
        let attend = config.attn_resolutions.contains(&side);
        let (block, attn, after) = parts.level(&name, config.decoder_num_res_blocks[level], width, out, attend)?;
        width = after;
        let upsample = if level > 0 {
            side *= 2;
            let shape = ConvShape { enlarge: 2, ..ConvShape::same(width, width, 3) };
            Some(Resample { conv: parts.conv(&format!("{name}.upsample.conv"), shape)? })
        } else {
            None
        };
        up.push(Up { block, attn, upsample });
    }
    // Built coarsest first; stored finest first, as the reference names them.
    up.reverse();
    Ok(Decoder {
        post_quant_conv,
        conv_in,
        mid,
        up,
        norm_out: parts.norm("decoder.norm_out", width)?,
        conv_out: parts.conv("decoder.conv_out", ConvShape::same(width, 3, 3))?,
    })
}

impl Encoder {
    fn forward(&self, pixels: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Levels(encoder) => encoder.forward(pixels),
            Self::Patch(encoder) => encoder.forward(pixels),
        }
    }
}

impl PatchEncoder {
    fn forward(&self, pixels: Tensor<4>) -> Tensor<4> {
        let x = silu(self.patch_in.forward(pixels));
        self.patch_out.forward(silu(self.patch_mid.forward(x)))
    }
}

impl LevelEncoder {
    fn forward(&self, pixels: Tensor<4>) -> Tensor<4> {
        let mut x = self.conv_in.forward(pixels);
        for down in &self.down {
            x = level(&down.block, &down.attn, x);
            if let Some(downsample) = &down.downsample {
                // The reference pads the right and the bottom only.
                let [batch, channels, height, width] = x.dims();
                let device = x.device();
                x = Tensor::cat(vec![x, Tensor::zeros([batch, channels, height, 1], &device)], 3);
                x = Tensor::cat(vec![x, Tensor::zeros([batch, channels, 1, width + 1], &device)], 2);
                x = downsample.conv.forward(x);
            }
        }
        let x = self.mid.forward(x);
        let x = self.conv_out.forward(self.norm_out.forward(x, Activation::Swish));
        self.quant_conv.forward(x)
    }
}

impl Decoder {
    fn forward(&self, entries: Tensor<4>) -> Tensor<4> {
        let mut x = self.mid.forward(self.conv_in.forward(self.post_quant_conv.forward(entries)));
        for up in self.up.iter().rev() {
            x = level(&up.block, &up.attn, x);
            if let Some(upsample) = &up.upsample {
                x = upsample.conv.forward(x);
            }
        }
        self.conv_out.forward(self.norm_out.forward(x, Activation::Swish))
    }
}

//! `train vq`: the image tokenizer.
//!
//! Reconstruction (absolute and squared error, heavier on objects than on the ground), with LFQ's commitment and
//! entropy terms as in the reference's `LFQuantizer`; signs pass gradients straight through.

use std::path::Path;

use anyhow::{Result, anyhow};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use rng::Rng;
use scenes::{Colour, GROUND, LATTICE, Object, Picture, SIDE, Scene, Shape, Size};
use serde::{Deserialize, Serialize};
use showo::bundle::ModelKind;
use showo::config::MagvitConfig;
use showo::model::Weights;
use showo::model::magvit::Magvit;

use crate::data;
use crate::fit::{FitConfig, Loss, Task};

/// `train/configs/vq.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VqConfig {
    /// The loop.
    pub fit: FitConfig,
    /// The network.
    pub model: MagvitConfig,
    /// Weight of the commitment term.
    pub commitment: f32,
    /// Weight of the entropy term.
    pub entropy: f32,
    /// Weight of a pixel that belongs to an object; the ground's is 1.
    pub object_weight: f32,
    /// Objects in a training picture, at most.
    pub objects: usize,
}

/// The tokenizer's training task.
pub struct VqTask {
    /// Its configuration.
    pub config: VqConfig,
}

/// A scene of up to `objects` objects anywhere on the lattice: the tokenizer learns what objects look like, so each
/// picture shows it more of them than a prompt would ask for. Held-out pairs stay held out.
fn crowd(seed: u64, number: u64, objects: usize) -> Scene {
    let mut rng = Rng::keyed(&[seed, 0x0063_726f_7764, number]);
    let mut slots: Vec<u8> = (0..LATTICE * LATTICE).collect();
    rng.shuffle(&mut slots);
    let count = 1 + rng.below(objects);
    let mut shown = Vec::with_capacity(count);
    for slot in slots.into_iter().take(count) {
        let (mut shape, mut colour) = (Shape::ALL[rng.below(8)], Colour::ALL[rng.below(8)]);
        while scenes::held_out(shape, colour) {
            (shape, colour) = (Shape::ALL[rng.below(8)], Colour::ALL[rng.below(8)]);
        }
        let size = if rng.chance(0.5) { Size::Small } else { Size::Large };
        shown.push(Object { shape, colour, size, col: slot % LATTICE, row: slot / LATTICE });
    }
    Scene { objects: shown }
}

/// 1 for the ground, `object_weight` elsewhere, `[batch, 1, 64, 64]`, and the same for tokens `[batch, grid²]`
/// (0 for ground, 1 for tokens that show part of an object).
fn weights(pictures: &[Picture], object: f32, grid: usize) -> (Vec<f32>, Vec<f32>) {
    let patch = SIDE / grid;
    let mut pixels = Vec::with_capacity(pictures.len() * SIDE * SIDE);
    let mut tokens = vec![0.0; pictures.len() * grid * grid];
    for (index, picture) in pictures.iter().enumerate() {
        for y in 0..SIDE {
            for x in 0..SIDE {
                let shows = picture.pixel(x, y) != GROUND;
                pixels.push(if shows { object } else { 1.0 });
                if shows {
                    tokens[index * grid * grid + y / patch * grid + x / patch] = 1.0;
                }
            }
        }
    }
    (pixels, tokens)
}

impl Task for VqTask {
    type Model = Magvit;
    type Batch<'a> = Vec<Picture>;

    fn kind(&self) -> ModelKind {
        ModelKind::Magvit
    }

    fn config(&self) -> Result<serde_json::Value> {
        Ok(serde_json::to_value(&self.config)?)
    }

    fn build(&self, weights: Weights) -> Result<Magvit> {
        Ok(Magvit::new(&self.config.model, weights, true)?)
    }

    fn batch(&self, first: u64, examples: usize) -> Vec<Picture> {
        (0..examples as u64)
            .map(|index| scenes::render(&crowd(self.config.fit.seed, first + index, self.config.objects)))
            .collect()
    }

    fn loss(&self, model: &Magvit, pictures: Vec<Picture>, device: &Device) -> Loss {
        let examples = pictures.len();
        let grid = self.config.model.grid();
        let (pixel_weights, token_weights) = weights(&pictures, self.config.object_weight, grid);
        let pixels = data::pixels(&pictures, device);
        let z = model.latent(pixels.clone()).unwrap_or_else(|| pixels.clone());
        let (quantized, sign) = straight_through(&z);
        let decoded = model.decode_latent(quantized);

        let weight = Tensor::<4>::from_data(TensorData::new(pixel_weights, [examples, 1, SIDE, SIDE]), device);
        let difference = decoded - pixels;
        let squared = (difference.clone() * difference.clone() * weight.clone()).mean();
        let absolute = (difference.abs() * weight).mean();
        let reconstruction = squared + absolute.clone();

        // Both terms count object tokens only: nine tokens in ten are bare ground, and a codebook that is used
        // evenly over them would spend its bits on nothing.
        let count = token_weights.iter().sum::<f32>().max(1.0);
        let token = Tensor::<4>::from_data(TensorData::new(token_weights, [examples, 1, grid, grid]), device);
        let bits = self.config.model.z_channels;
        let commitment_difference = z.clone() - sign;
        let commitment = (commitment_difference.clone() * commitment_difference).mean();
        let p = sigmoid(z * 4.0);
        let each = (entropy(p.clone()) * token.clone()).sum() / (count * bits as f32);
        let mean = (p * token).sum_dim(0).sum_dim(2).sum_dim(3) / count;
        let both = each.clone() - entropy(mean).mean();
        let total =
            reconstruction.clone() + commitment.clone() * self.config.commitment + both.clone() * self.config.entropy;
        Loss {
            total,
            logged: vec![
                ("absolute", absolute.into_scalar::<f32>()),
                ("commitment", commitment.into_scalar::<f32>()),
                ("entropy", both.into_scalar::<f32>()),
            ],
        }
    }

    fn sample(&self, model: &Magvit, path: &Path) -> Result<()> {
        let device = Device::flex();
        let first = u64::MAX / 2;
        let scene = |index| data::training_scene(self.config.fit.seed, first + index).1;
        let mut shown: Vec<Picture> = (0..16).map(|index| scenes::render(&scene(index))).collect();
        let codes = codes(model, &shown, &device)?;
        let decoded = decode(model, &codes, &device);
        let kept = shown_verdicts(first, self.config.fit.seed, &decoded);
        eprintln!("reconstruction keeps the verdict on {kept} of {}", decoded.len());
        shown.extend(decoded);
        data::write_sheet(path, &shown, 8, 2)
    }
}

/// `z` with its signs in place of its values and its gradient passed straight through; and the signs, without a gradient.
pub fn straight_through(z: &Tensor<4>) -> (Tensor<4>, Tensor<4>) {
    // Taken out of the graph, not detached within it: what no gradient passes through is never cleared from there, and every step
    // took longer than the one before.
    let plain = z.clone().inner();
    let sign = plain.clone().greater_scalar(0.0).float() * 2.0 - 1.0;
    (z.clone() + Tensor::from_inner(sign.clone() - plain), Tensor::from_inner(sign))
}

fn shown_verdicts(first: u64, seed: u64, decoded: &[Picture]) -> usize {
    decoded
        .iter()
        .enumerate()
        .filter(|(index, picture)| {
            let (spec, _) = data::training_scene(seed, first + *index as u64);
            scenes::check(picture, &spec).accepted
        })
        .count()
}

/// `−p ln p − (1−p) ln(1−p)`.
pub fn entropy(p: Tensor<4>) -> Tensor<4> {
    let p = p * 0.999_998 + 1e-6;
    let q = p.clone().neg() + 1.0;
    (p.clone() * p.log() + q.clone() * q.log()).neg()
}

/// The codes of pictures, `grid²` each. Reads synchronously.
///
/// # Errors
/// The tokenizer has no encoder.
pub fn codes(model: &Magvit, pictures: &[Picture], device: &Device) -> Result<Vec<Vec<i32>>> {
    let latent = model.latent(data::pixels(pictures, device)).ok_or_else(|| anyhow!("the tokenizer has no encoder"))?;
    let flat: Vec<i32> = model.indices(latent).into_data().iter::<i32>().collect();
    Ok(flat.chunks(flat.len() / pictures.len()).map(<[i32]>::to_vec).collect())
}

/// Pictures of codes. Reads synchronously.
#[must_use]
pub fn decode(model: &Magvit, codes: &[Vec<i32>], device: &Device) -> Vec<Picture> {
    let grids: Vec<&[i32]> = codes.iter().map(Vec::as_slice).collect();
    data::pictures(model.decode(&grids, device))
}

/// What reconstruction keeps, over `count` scenes that training has not seen.
///
/// # Errors
/// The tokenizer has no encoder.
pub fn report(model: &Magvit, count: usize) -> Result<String> {
    let device = Device::flex();
    let mut kept = 0;
    let mut error = 0.0;
    let mut used = std::collections::HashSet::new();
    for start in (0..count).step_by(50) {
        let scenes: Vec<_> =
            (start..(start + 50).min(count)).map(|index| data::training_scene(0x0076_616c, index as u64)).collect();
        let originals: Vec<Picture> = scenes.iter().map(|(_, scene)| scenes::render(scene)).collect();
        let codes = codes(model, &originals, &device)?;
        used.extend(codes.iter().flatten().copied());
        for ((decoded, original), (spec, _)) in decode(model, &codes, &device).iter().zip(&originals).zip(&scenes) {
            kept += usize::from(scenes::check(decoded, spec).accepted);
            let sum: u64 = decoded.rgb.iter().zip(&original.rgb).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            error += sum as f64 / decoded.rgb.len() as f64;
        }
    }
    Ok(format!(
        "reconstruction keeps the verdict on {kept} of {count} scenes ({:.1} %); mean absolute error {:.2} of 255; {} codes used",
        100.0 * kept as f64 / count as f64,
        error / count as f64,
        used.len()
    ))
}

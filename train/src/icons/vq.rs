//! `train --world icons vq`: the tokenizer of the world of things.
//!
//! The encoder sees each token's own 8 × 8 pixels alone, so that the same pixels have the same code wherever a thing stands; the
//! decoder sees as far as it likes. Learnt on crops around things: squared and absolute error, heavier on things than on the
//! ground, the error of neighbouring pixels' differences (edges), LFQ's commitment and entropy terms, and a term against bits
//! that say the same.

use std::path::Path;

use anyhow::{Result, anyhow};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use rng::Rng;
use scenes::icons::{Picture, SIDE};
use serde::{Deserialize, Serialize};
use showo::bundle::ModelKind;
use showo::config::MagvitConfig;
use showo::model::Weights;
use showo::model::magvit::Magvit;

use super::patches::PatchEncoder;
use super::sheet;
use super::world::{Width, World};
use crate::fit::{FitConfig, Loss, Task};
use crate::vq::{entropy, straight_through};

/// `train/configs/icons-vq.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VqConfig {
    /// The loop.
    pub fit: FitConfig,
    /// The network.
    pub model: MagvitConfig,
    /// How wide the world is.
    pub world: Width,
    /// Side of the crops that are learnt from, in pixels: a multiple of a token's side.
    pub crop_px: usize,
    /// Weight of the commitment term.
    pub commitment: f32,
    /// Weight of the entropy term.
    pub entropy: f32,
    /// Weight of the squared covariances between bits.
    pub decorrelation: f32,
    /// Weight of a pixel that belongs to a thing; the ground's is 1.
    pub thing_weight: f32,
    /// Greatest further factor for things that hardly stand out from their ground, such as white ones: without it the codes are
    /// spent on what is striking.
    #[serde(default = "one")]
    pub faint_weight: f32,
    /// Whether the encoder stays as it is (`--init` says where from): codes keep their meaning, and whoever draws with them need not
    /// learn anew.
    #[serde(default)]
    pub encoder_kept: bool,
    /// Weight of the error of neighbouring pixels' differences.
    pub edges: f32,
}

fn one() -> f32 {
    1.0
}

/// The tokenizer's training task.
pub struct VqTask {
    /// Its configuration.
    pub config: VqConfig,
    /// What it learns from.
    pub world: World,
    /// Pictures to codes, where the encoder stays as it is.
    pub encoder: Option<PatchEncoder>,
}

/// Crops and what in them belongs to things.
pub struct Crops {
    /// `[crops, 3, side, side]` in [−1, 1].
    pixels: Vec<f32>,
    /// `[crops, side, side]`: 1 on the ground, more where a thing or its shadow shows.
    weights: Vec<f32>,
    /// `[crops, grid, grid]`, where the encoder stays as it is.
    codes: Vec<i32>,
    count: usize,
}

/// Where a thing differs from its ground by less, a mean over channels in 0 to 1, it is faint.
const FAINT: f32 = 0.25;

impl VqTask {
    /// Of a pixel, where `ground` lies under it.
    fn weight(&self, pixel: [u8; 3], ground: [u8; 3]) -> f32 {
        if pixel == ground {
            return 1.0;
        }
        let difference: f32 = pixel.iter().zip(ground).map(|(&a, b)| f32::from(a.abs_diff(b))).sum::<f32>() / 765.0;
        // What is darker than its ground is a shadow, or stands out.
        let lighter = pixel.iter().map(|&v| u16::from(v)).sum::<u16>() > ground.iter().map(|&v| u16::from(v)).sum();
        let faint =
            if lighter { (FAINT / difference.max(1e-3)).clamp(1.0, self.config.faint_weight.max(1.0)) } else { 1.0 };
        self.config.thing_weight * faint
    }

    /// The crop numbered `number`: around a thing of a scene, most of the time.
    fn crop(&self, number: u64, into: &mut Crops) {
        let seed = self.config.fit.seed;
        let (_, scene) = self.world.example(seed, number);
        let mut rng = Rng::keyed(&[seed, 0x0000_6372_6f70, number]);
        let (picture, bare) = (self.world.picture(&scene), self.world.bare(&scene));
        let (side, patch) = (self.config.crop_px, self.config.model.patch());
        let steps = (SIDE - side) / patch;
        let mut place = |centre: i32| -> usize {
            let near = (centre - side as i32 / 2) / patch as i32 + rng.below(5) as i32 - 2;
            near.clamp(0, steps as i32) as usize * patch
        };
        let middle = |edge: i16, size: u8| i32::from(edge) + i32::from(size) / 2;
        let thing = scene.things.get(number as usize % scene.things.len().max(1));
        let (left, top) = match thing {
            Some(thing) => (place(middle(thing.x, thing.size_px)), place(middle(thing.y, thing.size_px))),
            None => (place(64), place(64)),
        };
        let crop = || (top..top + side).flat_map(move |y| (left..left + side).map(move |x| (x, y)));
        for channel in 0..3 {
            into.pixels.extend(crop().map(|(x, y)| f32::from(picture.pixel(x, y)[channel]) / 127.5 - 1.0));
        }
        into.weights.extend(crop().map(|(x, y)| self.weight(picture.pixel(x, y), bare.pixel(x, y))));
        if let Some(encoder) = &self.encoder {
            let codes = encoder.codes(&self.world, &scene);
            let row =
                |row: usize| codes[(top / patch + row) * (SIDE / patch) + left / patch..].iter().take(side / patch);
            into.codes.extend((0..side / patch).flat_map(row).map(|&code| i32::from(code)));
        }
        into.count += 1;
    }
}

impl VqTask {
    /// The terms of what is seen: name, value and factor.
    fn seen(&self, difference: &Tensor<4>, weight: Tensor<4>) -> Vec<(&'static str, Tensor<1>, f32)> {
        let (squared, absolute) = errors(difference, weight);
        vec![("squared", squared, 2.0), ("absolute", absolute, 1.0), ("edges", steps(difference), self.config.edges)]
    }
}

/// Means over all numbers of `x²` and `|x|`, each weighed.
fn errors(difference: &Tensor<4>, weight: Tensor<4>) -> (Tensor<1>, Tensor<1>) {
    let squared = (difference.clone() * difference.clone() * weight.clone()).mean();
    (squared, (difference.clone().abs() * weight).mean())
}

/// The mean absolute difference of neighbours of `x`, across and down.
fn steps(x: &Tensor<4>) -> Tensor<1> {
    let [_, _, height, width] = x.dims();
    let across = x.clone().narrow(3, 1, width - 1) - x.clone().narrow(3, 0, width - 1);
    let down = x.clone().narrow(2, 1, height - 1) - x.clone().narrow(2, 0, height - 1);
    across.abs().mean() + down.abs().mean()
}

impl Task for VqTask {
    type Model = Magvit;
    type Batch<'a> = Crops;

    fn kind(&self) -> ModelKind {
        ModelKind::Magvit
    }

    fn config(&self) -> Result<serde_json::Value> {
        Ok(serde_json::to_value(&self.config)?)
    }

    fn build(&self, weights: Weights) -> Result<Magvit> {
        Ok(Magvit::new(&self.config.model, weights, true)?)
    }

    fn batch(&self, first: u64, examples: usize) -> Crops {
        let mut crops = Crops { pixels: Vec::new(), weights: Vec::new(), codes: Vec::new(), count: 0 };
        for number in first..first + examples as u64 {
            self.crop(number, &mut crops);
        }
        crops
    }

    fn loss(&self, model: &Magvit, crops: Crops, device: &Device) -> Loss {
        let (side, patch) = (self.config.crop_px, self.config.model.patch());
        let grid = side / patch;
        let token_shows: Vec<f32> = (0..crops.count * grid * grid)
            .map(|token| {
                let (crop, row, column) = (token / (grid * grid), token / grid % grid, token % grid);
                let start = crop * side * side + row * patch * side + column * patch;
                let shows =
                    (0..patch).any(|y| crops.weights[start + y * side..][..patch].iter().any(|&weight| weight > 1.0));
                f32::from(u8::from(shows))
            })
            .collect();
        let pixels = Tensor::<4>::from_data(TensorData::new(crops.pixels, [crops.count, 3, side, side]), device);
        let weight = Tensor::<4>::from_data(TensorData::new(crops.weights, [crops.count, 1, side, side]), device);
        let count = token_shows.iter().sum::<f32>().max(1.0);
        let token = Tensor::<4>::from_data(TensorData::new(token_shows, [crops.count, 1, grid, grid]), device);

        if self.encoder.is_some() {
            let grids: Vec<&[i32]> = crops.codes.chunks(grid * grid).collect();
            let difference = model.decode_latent(model.entries(&grids, device)) - pixels;
            return Loss::new(self.seen(&difference, weight));
        }
        let z = model.latent(pixels.clone()).unwrap_or_else(|| pixels.clone());
        let (quantized, sign) = straight_through(&z);
        let difference = model.decode_latent(quantized) - pixels;
        let mut parts = self.seen(&difference, weight);

        // Both of LFQ's terms count things' tokens alone: the ground's are few and the same, and a codebook that is used evenly
        // over them would spend its bits on nothing.
        let bits = self.config.model.z_channels;
        let off = z.clone() - sign;
        let commitment = (off.clone() * off).mean();
        let p = sigmoid(z * 4.0);
        let each = (entropy(p.clone()) * token.clone()).sum() / (count * bits as f32);
        let mean = (p.clone() * token.clone()).sum_dim(0).sum_dim(2).sum_dim(3) / count;
        let spread = each - entropy(mean.clone()).mean();
        let centred = ((p - mean) * token * 2.0).swap_dims(0, 1).reshape([bits, crops.count * grid * grid]);
        let covariance = centred.clone().matmul(centred.transpose()) / count;
        let apart = Tensor::<2>::eye(bits, device).neg() + 1.0;
        let together = (covariance.clone() * covariance * apart).sum() / (bits * (bits - 1)) as f32;

        parts.extend([
            ("commitment", commitment, self.config.commitment),
            ("entropy", spread, self.config.entropy),
            ("covariance", together, self.config.decorrelation),
        ]);
        Loss::new(parts)
    }

    fn sample(&self, model: &Magvit, path: &Path) -> Result<()> {
        let device = Device::flex();
        let originals = unseen(&self.world, 32);
        let decoded = decode(model, &codes(model, &originals, &device)?, &device);
        eprintln!(
            "{}",
            Figures::of(&self.world, 32, |pictures| Ok(decode(model, &codes(model, pictures, &device)?, &device)))?
        );
        let rows = originals.chunks(8).zip(decoded.chunks(8));
        let shown: Vec<Picture> = rows.flat_map(|(above, below)| above.iter().chain(below).cloned()).collect();
        sheet::write(path, &shown, 8, 2)
    }
}

/// The seed of scenes that nothing learns from.
pub const UNSEEN: u64 = 0x0000_756e_7365_656e;

/// Pictures that training has not seen.
fn unseen(world: &World, count: u64) -> Vec<Picture> {
    (0..count).map(|number| world.picture(&world.example(UNSEEN, number).1)).collect()
}

/// Pixels in [−1, 1], `[pictures, 3, 128, 128]`.
#[must_use]
pub fn pixels(pictures: &[Picture], device: &Device) -> Tensor<4> {
    let values: Vec<f32> = pictures.iter().flat_map(Picture::to_signed).collect();
    Tensor::from_data(TensorData::new(values, [pictures.len(), 3, SIDE, SIDE]), device)
}

/// The codes of pictures, 256 each. Reads synchronously.
///
/// # Errors
/// The tokenizer has no encoder.
pub fn codes(model: &Magvit, pictures: &[Picture], device: &Device) -> Result<Vec<Vec<i32>>> {
    let latent = model.latent(pixels(pictures, device)).ok_or_else(|| anyhow!("the tokenizer has no encoder"))?;
    let flat: Vec<i32> = model.indices(latent).into_data().iter::<i32>().collect();
    Ok(flat.chunks(flat.len() / pictures.len().max(1)).map(<[i32]>::to_vec).collect())
}

/// Pictures of codes. Reads synchronously.
#[must_use]
pub fn decode(model: &Magvit, codes: &[Vec<i32>], device: &Device) -> Vec<Picture> {
    codes
        .chunks(16)
        .flat_map(|codes| {
            let grids: Vec<&[i32]> = codes.iter().map(Vec::as_slice).collect();
            let values: Vec<f32> = model.decode(&grids, device).into_data().iter::<f32>().collect();
            values.chunks(3 * SIDE * SIDE).map(Picture::from_signed).collect::<Vec<_>>()
        })
        .collect()
}

/// What is left of pictures, in numbers: over the pixels of things, and over the others.
#[derive(Default)]
pub struct Figures {
    squares: [f64; 2],
    pixels: [u64; 2],
    pictures: u64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [things, ground] = self.db();
        write!(f, "things {things:.2} dB, ground {ground:.2} dB over {} pictures", self.pictures)
    }
}

impl Figures {
    /// Of unseen pictures after `through`.
    ///
    /// # Errors
    /// Those of `through`.
    pub fn of(world: &World, count: u64, through: impl Fn(&[Picture]) -> Result<Vec<Picture>>) -> Result<Self> {
        let mut figures = Self::default();
        for start in (0..count).step_by(16) {
            let scenes: Vec<_> =
                (start..(start + 16).min(count)).map(|number| world.example(UNSEEN, number).1).collect();
            let originals: Vec<Picture> = scenes.iter().map(|scene| world.picture(scene)).collect();
            for ((after, before), scene) in through(&originals)?.iter().zip(&originals).zip(&scenes) {
                figures.add(after, before, &world.bare(scene));
            }
        }
        Ok(figures)
    }

    /// One picture more, as it was, as it is, and its ground alone.
    pub fn add(&mut self, after: &Picture, before: &Picture, bare: &Picture) {
        for (x, y) in (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (x, y))) {
            let (a, b) = (after.pixel(x, y), before.pixel(x, y));
            let of = usize::from(b == bare.pixel(x, y));
            self.squares[of] += (0..3).map(|c| (f64::from(a[c]) - f64::from(b[c])).powi(2)).sum::<f64>() / 3.0;
            self.pixels[of] += 1;
        }
        self.pictures += 1;
    }

    /// In dB: over things, over the others.
    #[must_use]
    pub fn db(&self) -> [f64; 2] {
        [0, 1].map(|of| 10.0 * (255.0f64.powi(2) * self.pixels[of] as f64 / self.squares[of].max(1e-9)).log10())
    }
}

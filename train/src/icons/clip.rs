//! `train --world icons clip`: CLIP over whole pictures of things and over patches of them.
//!
//! As [`crate::clip`]: symmetric contrastive loss with every text that a picture satisfies as its target; a part of the pictures are
//! patches of an M × M grid, enlarged, which are right for a text when everything in them belongs to it. Every prompt of a batch comes
//! with a near miss of it as a further text.

use std::path::Path;

use anyhow::Result;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rng::Rng;
use scenes::icons::{Picture, SIDE, Sighting, Spec, near_miss, verdicts};
use serde::{Deserialize, Serialize};
use showo::bundle::ModelKind;
use showo::config::{ClipConfig, ClipResize, ClipTowerConfig};
use showo::model::Weights;
use showo::model::clip::Clip;

use super::vq::{UNSEEN, pixels};
use super::world::{MAX_TEXT_LEN, Width, World};
use crate::data::Words;
use crate::fit::{FitConfig, Loss, Task};

/// `train/configs/icons-clip.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipTrainConfig {
    /// The loop.
    pub fit: FitConfig,
    /// How wide the world is.
    pub world: Width,
    /// Width of both towers.
    pub hidden_size: usize,
    /// Blocks of the vision tower.
    pub vision_layers: usize,
    /// Blocks of the text tower.
    pub text_layers: usize,
    /// Heads of both towers.
    pub num_attention_heads: usize,
    /// Width of the shared space.
    pub projection_dim: usize,
    /// Side of a vision patch in pixels.
    pub patch_size: usize,
    /// Part of the pictures that are patches.
    pub patches: f32,
}

impl ClipTrainConfig {
    /// The networks' configuration.
    #[must_use]
    pub fn network(&self, words: &Words) -> ClipConfig {
        let tower = ClipTowerConfig {
            hidden_size: self.hidden_size,
            intermediate_size: 4 * self.hidden_size,
            num_hidden_layers: self.vision_layers,
            num_attention_heads: self.num_attention_heads,
            layer_norm_eps: 1e-5,
            vocab_size: 0,
            max_position_embeddings: 0,
            eos_token_id: None,
            image_size: SIDE,
            patch_size: self.patch_size,
        };
        ClipConfig {
            text_config: ClipTowerConfig {
                num_hidden_layers: self.text_layers,
                vocab_size: words.llm_vocab_size(),
                max_position_embeddings: MAX_TEXT_LEN,
                eos_token_id: Some(words.bos() + 1),
                image_size: 0,
                patch_size: 0,
                ..tower.clone()
            },
            vision_config: tower,
            projection_dim: self.projection_dim,
            // Plain pixels in [−1, 1].
            image_mean: [0.5; 3],
            image_std: [0.5; 3],
            resize: ClipResize::Linear,
        }
    }
}

/// CLIP's training task.
pub struct ClipTask {
    /// Its configuration.
    pub config: ClipTrainConfig,
    /// The networks'.
    pub network: ClipConfig,
    /// What it learns from.
    pub world: World,
}

/// What one picture of a batch shows.
enum Shown {
    Whole(Sighting),
    /// The things of which a good part lies in the patch.
    Patch(Sighting),
}

impl Shown {
    fn suits(&self, spec: &Spec) -> bool {
        match self {
            Self::Whole(seen) => verdicts(seen, spec).0,
            Self::Patch(seen) => seen.sure().all(|thing| {
                spec.wanted.iter().any(|wanted| {
                    wanted.class == thing.class && (wanted.colour.is_none() || wanted.colour == thing.colour)
                })
            }),
        }
    }
}

/// The square of `side` pixels at (`left`, `top`), enlarged to the picture's size (bilinear, edges repeated), `[3, SIDE, SIDE]`.
#[must_use]
pub fn enlarged(picture: &Picture, left: usize, top: usize, side: usize) -> Vec<f32> {
    let planes = picture.to_signed();
    let mut out = Vec::with_capacity(3 * SIDE * SIDE);
    let at = |v: usize| ((v as f32 + 0.5) * side as f32 / SIDE as f32 - 0.5).clamp(0.0, (side - 1) as f32);
    for plane in planes.chunks(SIDE * SIDE) {
        for y in 0..SIDE {
            for x in 0..SIDE {
                let (fx, fy) = (at(x), at(y));
                let (x0, y0) = (fx as usize, fy as usize);
                let (x1, y1) = ((x0 + 1).min(side - 1), (y0 + 1).min(side - 1));
                let pixel = |px: usize, py: usize| plane[(top + py) * SIDE + left + px];
                let (ax, ay) = (fx - x0 as f32, fy - y0 as f32);
                let above = pixel(x0, y0) * (1.0 - ax) + pixel(x1, y0) * ax;
                let below = pixel(x0, y1) * (1.0 - ax) + pixel(x1, y1) * ax;
                out.push(above * (1.0 - ay) + below * ay);
            }
        }
    }
    out
}

/// Pictures or patches, and texts: one of each, then a near miss of each.
pub struct Batch {
    /// `[examples, 3, SIDE, SIDE]`.
    pixels: Vec<f32>,
    /// `[texts, MAX_TEXT_LEN]`.
    ids: Vec<i32>,
    /// Where each text's first `<eos>` is.
    ends: Vec<usize>,
    /// 1 where the picture of the row suits the text of the column, `[examples, texts]`.
    suits: Vec<f32>,
    examples: usize,
}

impl ClipTask {
    /// One picture's pixels, what they show, and the scene's prompt.
    fn shown(&self, number: u64, rng: &mut Rng) -> (Vec<f32>, Shown, Spec) {
        let (spec, scene) = self.world.example(self.config.fit.seed, number);
        let picture = self.world.picture(&scene);
        let truth = Sighting::of_scene(&scene, self.world.atlas);
        if !rng.chance(self.config.patches) {
            return (picture.to_signed(), Shown::Whole(truth), spec);
        }
        let m = if rng.chance(0.6) { 2 } else { 4 };
        let side = SIDE / m;
        // Mostly patches with something in them: bare ground says nothing about a text.
        let (column, row) = match truth.things.get(rng.below(truth.things.len().max(1))) {
            Some(thing) if rng.chance(0.85) => {
                let (x, y) = thing.centre();
                ((x as usize).min(SIDE - 1) / side, (y as usize).min(SIDE - 1) / side)
            }
            _ => (rng.below(m), rng.below(m)),
        };
        let (left, top) = (column * side, row * side);
        let overlap = |from: i16, size: u8, start: usize| {
            let (from, to) = (i32::from(from), i32::from(from) + i32::from(size));
            (to.min((start + side) as i32) - from.max(start as i32)).max(0) as f32
        };
        let mut inside = truth;
        inside.things.retain(|thing| {
            let area = overlap(thing.x, thing.size_px, left) * overlap(thing.y, thing.size_px, top);
            area > 0.15 * (side * side) as f32
        });
        (enlarged(&picture, left, top, side), Shown::Patch(inside), spec)
    }
}

impl Task for ClipTask {
    type Model = Clip;
    type Batch<'a> = Batch;

    fn kind(&self) -> ModelKind {
        ModelKind::Clip
    }

    fn config(&self) -> Result<serde_json::Value> {
        Ok(serde_json::to_value(&self.config)?)
    }

    fn build(&self, weights: Weights) -> Result<Clip> {
        Ok(Clip::new(&self.network, weights)?)
    }

    fn batch(&self, first: u64, examples: usize) -> Batch {
        let (mut pixels, mut shown, mut specs, mut misses) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for number in first..first + examples as u64 {
            let mut rng = Rng::keyed(&[self.config.fit.seed, 0x636c_6970, number]);
            let (values, what, spec) = self.shown(number, &mut rng);
            pixels.extend(values);
            shown.push(what);
            misses.push(near_miss(&spec, &mut rng));
            specs.push(spec);
        }
        specs.extend(misses);
        let (ids, ends): (Vec<Vec<i32>>, Vec<usize>) =
            specs.iter().map(|spec| self.world.words.padded(&spec.prompt(), MAX_TEXT_LEN)).unzip();
        let suits = shown.iter().flat_map(|shown| specs.iter().map(|spec| f32::from(u8::from(shown.suits(spec)))));
        let suits = suits.collect();
        Batch { pixels, ids: ids.concat(), ends, suits, examples }
    }

    fn loss(&self, model: &Clip, batch: Batch, device: &Device) -> Loss {
        let Batch { pixels, ids, ends, suits, examples } = batch;
        let texts = ends.len();
        let suits = Tensor::<2>::from_data(TensorData::new(suits, [examples, texts]), device);
        let by_picture = suits.clone() / suits.clone().sum_dim(1).clamp_min(1.0);
        let by_text = suits.clone() / suits.sum_dim(0).clamp_min(1.0);
        let pixels = Tensor::<4>::from_data(TensorData::new(pixels, [examples, 3, SIDE, SIDE]), device);
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [texts, MAX_TEXT_LEN]), device);
        let logits = model.logits_per_image(model.embed_image(pixels), model.embed_text(ids, &ends));
        let pictures = (log_softmax(logits.clone(), 1) * by_picture).sum() / (examples as f32);
        let words = (log_softmax(logits, 0) * by_text).sum() / (examples as f32);
        Loss { total: (pictures + words).neg() * 0.5, logged: Vec::new() }
    }

    fn sample(&self, model: &Clip, _: &Path) -> Result<()> {
        eprintln!("{}", report(model, &self.world, 100, &Device::flex())?);
        Ok(())
    }
}

/// How often CLIP prefers the right prompt of an unseen scene to a near miss of it, and the right picture of a prompt to a scene of
/// the near miss, over `count` scenes. Reads synchronously.
///
/// # Errors
/// None today.
pub fn report(model: &Clip, world: &World, count: u64, device: &Device) -> Result<String> {
    use scenes::icons::sample_scene;
    let (mut right, mut asked) = (0, 0);
    for number in 0..count {
        let (spec, scene) = world.example(UNSEEN, number);
        let mut rng = Rng::keyed(&[UNSEEN, 0x6d69_7373, number]);
        let other = near_miss(&spec, &mut rng);
        let missed = sample_scene(&other, &world.variety, world.atlas, &mut rng);
        if verdicts(&Sighting::of_scene(&missed, world.atlas), &spec).0 {
            continue;
        }
        let pictures = [world.picture(&scene), world.picture(&missed)];
        let (ids, end) = world.words.padded(&spec.prompt(), MAX_TEXT_LEN);
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [1, MAX_TEXT_LEN]), device);
        let text = model.embed_text(ids, &[end]);
        let cosines: Vec<f32> =
            model.embed_image(pixels(&pictures, device)).matmul(text.transpose()).into_data().iter::<f32>().collect();
        right += usize::from(cosines[0] > cosines[1]);
        asked += 1;
    }
    Ok(format!(
        "CLIP prefers the right picture to a near miss on {right} of {asked} ({:.1} %)",
        100.0 * right as f64 / asked.max(1) as f64
    ))
}

//! `train clip`: CLIP over whole pictures and patches of them.
//!
//! Symmetric contrastive loss; a batch may hold several right texts for a picture, so targets are spread evenly over
//! all texts that the picture satisfies (ground truth from the scene graph, not from CLIP). Half of the pictures are
//! patches of an M×M grid, enlarged to CLIP's input: reflection scores patches, and a patch is right for a text when
//! everything it shows belongs to it.

use std::path::Path;

use anyhow::Result;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rng::Rng;
use scenes::{Object, Picture, SIDE, SLOT, Scene, Spec};
use serde::{Deserialize, Serialize};
use showo::bundle::ModelKind;
use showo::config::{ClipConfig, ClipResize, ClipTowerConfig};
use showo::model::Weights;
use showo::model::clip::Clip;

use crate::data::{self, MAX_TEXT_LEN, Words};
use crate::fit::{FitConfig, Loss, Task};

/// `train/configs/clip.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipTrainConfig {
    /// The loop.
    pub fit: FitConfig,
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
    pub fn network(&self) -> ClipConfig {
        let words = Words::new();
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
    /// Prompts as ids.
    pub words: Words,
}

/// What one picture of a batch shows.
enum Shown {
    Whole(Scene),
    Patch(Vec<Object>),
}

impl Shown {
    /// Whether the picture is right for a text.
    fn suits(&self, spec: &Spec) -> bool {
        match self {
            Self::Whole(scene) => scene.satisfies(spec),
            Self::Patch(objects) => objects.iter().all(|object| {
                spec.objects.iter().any(|wanted| {
                    wanted.shape == object.shape && wanted.colour.is_none_or(|colour| colour == object.colour)
                })
            }),
        }
    }
}

/// The patch of an M×M grid at (`column`, `row`), enlarged to the picture's size (bilinear, edges repeated).
#[must_use]
pub fn enlarge_patch(picture: &Picture, m: usize, column: usize, row: usize) -> Vec<f32> {
    let planes = picture.to_signed();
    let side = SIDE / m;
    let mut out = Vec::with_capacity(3 * SIDE * SIDE);
    for plane in planes.chunks(SIDE * SIDE) {
        for y in 0..SIDE {
            for x in 0..SIDE {
                let at = |v: usize| ((v as f32 + 0.5) / m as f32 - 0.5).clamp(0.0, (side - 1) as f32);
                let (fx, fy) = (at(x), at(y));
                let (x0, y0) = (fx as usize, fy as usize);
                let (x1, y1) = ((x0 + 1).min(side - 1), (y0 + 1).min(side - 1));
                let pixel = |px: usize, py: usize| plane[(row * side + py) * SIDE + column * side + px];
                let (ax, ay) = (fx - x0 as f32, fy - y0 as f32);
                let top = pixel(x0, y0) * (1.0 - ax) + pixel(x1, y0) * ax;
                let bottom = pixel(x0, y1) * (1.0 - ax) + pixel(x1, y1) * ax;
                out.push(top * (1.0 - ay) + bottom * ay);
            }
        }
    }
    out
}

/// Pictures or patches, and a text of each.
pub struct Batch {
    /// `[examples, 3, SIDE, SIDE]`.
    pixels: Vec<f32>,
    /// `[examples, MAX_TEXT_LEN]`.
    ids: Vec<i32>,
    /// Where each text's first `<eos>` is.
    ends: Vec<usize>,
    /// 1 where the picture of the row suits the text of the column, `[examples, examples]`.
    suits: Vec<f32>,
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
        let mut pixels = Vec::with_capacity(examples * 3 * SIDE * SIDE);
        let mut ids = Vec::with_capacity(examples * MAX_TEXT_LEN);
        let mut ends = Vec::with_capacity(examples);
        let mut specs = Vec::with_capacity(examples);
        let mut shown = Vec::with_capacity(examples);
        for number in first..first + examples as u64 {
            let (spec, scene) = data::training_scene(self.config.fit.seed, number);
            let mut rng = Rng::keyed(&[self.config.fit.seed, 0x636c_6970, number]);
            let picture = scenes::render(&scene);
            if rng.chance(self.config.patches) {
                let m = if rng.chance(0.7) { 4 } else { 2 };
                let side = 4 / m;
                // Mostly patches with something in them: bare ground says nothing about a text.
                let (column, row) = match rng.pick(&scene.objects) {
                    Some(object) if rng.chance(0.85) => (object.col as usize / side, object.row as usize / side),
                    _ => (rng.below(m), rng.below(m)),
                };
                pixels.extend(enlarge_patch(&picture, m, column, row));
                let inside =
                    |object: &&Object| object.col as usize / side == column && object.row as usize / side == row;
                shown.push(Shown::Patch(scene.objects.iter().filter(inside).copied().collect()));
            } else {
                pixels.extend(picture.to_signed());
                shown.push(Shown::Whole(scene));
            }
            let (text, end) = self.words.padded(&spec.prompt(), MAX_TEXT_LEN);
            ids.extend(text);
            ends.push(end);
            specs.push(spec);
        }
        let suits: Vec<f32> =
            shown.iter().flat_map(|shown| specs.iter().map(|spec| f32::from(u8::from(shown.suits(spec))))).collect();
        Batch { pixels, ids, ends, suits }
    }

    fn loss(&self, model: &Clip, batch: Batch, device: &Device) -> Loss {
        let Batch { pixels, ids, ends, suits } = batch;
        let examples = ends.len();
        let suits = Tensor::<2>::from_data(TensorData::new(suits, [examples, examples]), device);
        let by_picture = suits.clone() / suits.clone().sum_dim(1).clamp_min(1.0);
        let by_text = suits.clone() / suits.sum_dim(0).clamp_min(1.0);

        let pixels = Tensor::<4>::from_data(TensorData::new(pixels, [examples, 3, SIDE, SIDE]), device);
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [examples, MAX_TEXT_LEN]), device);
        let logits = model.logits_per_image(model.embed_image(pixels), model.embed_text(ids, &ends));
        let picture_loss = (log_softmax(logits.clone(), 1) * by_picture).sum() / (examples as f32);
        let text_loss = (log_softmax(logits, 0) * by_text).sum() / (examples as f32);
        Loss { total: (picture_loss + text_loss).neg() * 0.5, logged: Vec::new() }
    }

    /// A row a prompt: its own picture, near misses of it and other scenes, the highest CLIPScore first.
    fn sample(&self, model: &Clip, path: &Path) -> Result<()> {
        eprintln!("{}", report(model, 200)?);
        const COLUMNS: u64 = 8;
        let device = Device::flex();
        let mut shown = Vec::new();
        for row in 0..8 {
            let (spec, scene) = data::training_scene(0x0076_616c, row);
            let others = (1..COLUMNS).map(|column| match column {
                1..4 => scenes::near_miss(&spec, &scene, &mut Rng::keyed(&[0x6d69_7373, row, column])),
                _ => data::training_scene(0x0076_616c, 100 + row * COLUMNS + column).1,
            });
            let pictures: Vec<_> = std::iter::once(scene.clone()).chain(others).map(|s| scenes::render(&s)).collect();
            let cosines = cosines(model, &self.words, &spec.prompt(), &pictures, &device);
            let mut order: Vec<usize> = (0..pictures.len()).collect();
            order.sort_by(|&a, &b| cosines[b].total_cmp(&cosines[a]));
            let place = order.iter().position(|&index| index == 0).map_or(0, |place| place + 1);
            eprintln!("row {}: \"{}\", its own picture in place {place}", row + 1, spec.prompt());
            shown.extend(order.into_iter().map(|index| pictures[index].clone()));
        }
        data::write_sheet(path, &shown, COLUMNS as usize, 2)
    }
}

/// The cosine of a prompt with each picture. Reads synchronously.
fn cosines(model: &Clip, words: &Words, prompt: &str, pictures: &[Picture], device: &Device) -> Vec<f32> {
    let (ids, end) = words.padded(prompt, MAX_TEXT_LEN);
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [1, MAX_TEXT_LEN]), device);
    let text = model.embed_text(ids, &[end]);
    let images = model.embed_image(data::pixels(pictures, device));
    images.matmul(text.transpose()).into_data().iter::<f32>().collect()
}

/// How often CLIP prefers the right picture to a near miss of it, over `count` unseen scenes.
///
/// # Errors
/// None today; reads synchronously.
pub fn report(model: &Clip, count: usize) -> Result<String> {
    let device = Device::flex();
    let words = Words::new();
    let mut right = 0;
    for index in 0..count as u64 {
        let (spec, scene) = data::training_scene(0x0076_616c, index);
        let miss = scenes::near_miss(&spec, &scene, &mut Rng::keyed(&[0x6d69_7373, index]));
        let pictures = [scenes::render(&scene), scenes::render(&miss)];
        let cosines = cosines(model, &words, &spec.prompt(), &pictures, &device);
        right += usize::from(cosines[0] > cosines[1]);
    }
    Ok(format!(
        "CLIP prefers the right picture to a near miss on {right} of {count} ({:.1} %)",
        100.0 * right as f64 / count as f64
    ))
}

const _: () = assert!(SLOT * 4 == SIDE);

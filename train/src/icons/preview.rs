//! `train --world icons preview`: the small decoder that shows candidates.
//!
//! It learns from the codes of rendered scenes to paint the scene itself, made smaller by averaging. In a part of the examples some
//! positions are masked, as they are while a picture is being drawn.

use std::path::Path;

use anyhow::{Result, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use rng::Rng;
use scenes::icons::{Picture, SIDE, Scene};
use serde::{Deserialize, Serialize};
use showo::bundle::ModelKind;
use showo::config::{MagvitConfig, PreviewConfig};
use showo::model::Weights;
use showo::model::magvit::Magvit;
use showo::model::preview::{Preview, entry_values};

use super::patches::PatchEncoder;
use super::sheet;
use super::vq::{self, UNSEEN};
use super::world::{Width, World};
use crate::fit::{FitConfig, Loss, Task};

/// `train/configs/icons-preview.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviewTrainConfig {
    /// The loop.
    pub fit: FitConfig,
    /// The network.
    pub model: PreviewConfig,
    /// How wide the world is.
    pub world: Width,
    /// Part of the examples in which some positions are masked.
    pub masked: f32,
    /// Weight of a pixel that belongs to a thing; the ground's is 1.
    pub thing_weight: f32,
}

impl PreviewTrainConfig {
    /// Checks that it reads the codes of this tokenizer.
    ///
    /// # Errors
    /// What differs.
    pub fn fits(&self, tokenizer: &MagvitConfig) -> Result<()> {
        let (bits, grid, side) = (self.model.bits, self.model.grid, self.model.side_px());
        ensure!(
            bits == tokenizer.z_channels,
            "model.bits is {bits}, the tokenizer's codes have {}",
            tokenizer.z_channels
        );
        ensure!(grid == tokenizer.grid(), "model.grid is {grid}, the tokenizer's is {}", tokenizer.grid());
        ensure!(
            side > 0 && SIDE.is_multiple_of(side),
            "model.grid and model.patch make {side} pixels a side, of which {SIDE} are no multiple"
        );
        Ok(())
    }
}

/// The preview decoder's training task.
pub struct PreviewTask {
    /// Its configuration.
    pub config: PreviewTrainConfig,
    /// What it learns from.
    pub world: World,
    /// Pictures to codes.
    pub encoder: PatchEncoder,
}

/// Codes and what they are to show.
pub struct Examples {
    /// `[examples, bits, grid, grid]`: ±1, 0 where masked.
    entries: Vec<f32>,
    /// `[examples, 3, side, side]` in [−1, 1].
    pixels: Vec<f32>,
    /// `[examples, side, side]`.
    weights: Vec<f32>,
    count: usize,
}

impl PreviewTask {
    fn codes(&self, scene: &Scene) -> Vec<i32> {
        self.encoder.codes(&self.world, scene).into_iter().map(i32::from).collect()
    }

    fn add(&self, number: u64, into: &mut Examples) {
        let seed = self.config.fit.seed;
        let (_, scene) = self.world.example(seed, number);
        let mut codes = self.codes(&scene);
        let mut rng = Rng::keyed(&[seed, 0x0070_7265_7669_6577, number]);
        if rng.unit() < self.config.masked {
            let part = rng.unit();
            for code in &mut codes {
                if rng.unit() < part {
                    *code = -1;
                }
            }
        }
        let side = self.config.model.side_px();
        let (picture, bare) = (self.world.picture(&scene), self.world.bare(&scene));
        into.entries.extend(entry_values(&[&codes], self.config.model.bits));
        into.pixels.extend(smaller(&picture, side));
        let heavy = self.config.thing_weight;
        into.weights.extend(things(&picture, &bare, side).into_iter().map(|thing| if thing { heavy } else { 1.0 }));
        into.count += 1;
    }
}

/// A picture averaged to `side` pixels: `[3, side, side]` in [−1, 1].
fn smaller(picture: &Picture, side: usize) -> Vec<f32> {
    let step = SIDE / side;
    let area = (step * step) as f32;
    let mut values = Vec::with_capacity(3 * side * side);
    for channel in 0..3 {
        for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y * step, x * step))) {
            let of = |at: usize| f32::from(picture.pixel(x + at % step, y + at / step)[channel]);
            values.push((0..step * step).map(of).sum::<f32>() / area / 127.5 - 1.0);
        }
    }
    values
}

/// Which of `side × side` pixels show something of a thing.
fn things(picture: &Picture, bare: &Picture, side: usize) -> Vec<bool> {
    let step = SIDE / side;
    let differs = |x: usize, y: usize| picture.pixel(x, y) != bare.pixel(x, y);
    (0..side * side)
        .map(|at| {
            let (left, top) = (at % side * step, at / side * step);
            (0..step * step).any(|at| differs(left + at % step, top + at / step))
        })
        .collect()
}

impl Task for PreviewTask {
    type Model = Preview;
    type Batch<'a> = Examples;

    fn kind(&self) -> ModelKind {
        ModelKind::Preview
    }

    fn config(&self) -> Result<serde_json::Value> {
        Ok(serde_json::to_value(&self.config)?)
    }

    fn build(&self, weights: Weights) -> Result<Preview> {
        Ok(Preview::new(&self.config.model, weights)?)
    }

    fn batch(&self, first: u64, examples: usize) -> Examples {
        let mut batch = Examples { entries: Vec::new(), pixels: Vec::new(), weights: Vec::new(), count: 0 };
        for number in first..first + examples as u64 {
            self.add(number, &mut batch);
        }
        batch
    }

    fn loss(&self, model: &Preview, batch: Examples, device: &Device) -> Loss {
        let PreviewConfig { bits, grid, .. } = self.config.model;
        let (count, side) = (batch.count, self.config.model.side_px());
        let tensor =
            |values: Vec<f32>, shape: [usize; 4]| Tensor::<4>::from_data(TensorData::new(values, shape), device);
        let difference = model.forward(tensor(batch.entries, [count, bits, grid, grid]))
            - tensor(batch.pixels, [count, 3, side, side]);
        let weight = tensor(batch.weights, [count, 1, side, side]);
        let squared = (difference.clone() * difference.clone() * weight.clone()).mean();
        let absolute = (difference.abs() * weight).mean();
        Loss {
            total: squared.clone() * 2.0 + absolute.clone(),
            logged: vec![("squared", squared.into_scalar::<f32>()), ("absolute", absolute.into_scalar::<f32>())],
        }
    }

    fn sample(&self, model: &Preview, path: &Path) -> Result<()> {
        let side = self.config.model.side_px();
        let scenes: Vec<Scene> = (0..32).map(|number| self.world.example(UNSEEN, number).1).collect();
        let codes: Vec<Vec<i32>> = scenes.iter().map(|scene| self.codes(scene)).collect();
        let shown: Vec<Picture> =
            decode(model, &codes, &Device::flex()).iter().map(|values| enlarged(values, side)).collect();
        let originals: Vec<Picture> =
            scenes.iter().map(|scene| enlarged(&smaller(&self.world.picture(scene), side), side)).collect();
        let rows = originals.chunks(8).zip(shown.chunks(8));
        let sheet: Vec<Picture> = rows.flat_map(|(above, below)| above.iter().chain(below).cloned()).collect();
        sheet::write(path, &sheet, 8, 1)
    }
}

/// Small pictures of codes, `[3, side, side]` each. Reads synchronously.
fn decode(model: &Preview, codes: &[Vec<i32>], device: &Device) -> Vec<Vec<f32>> {
    codes
        .chunks(32)
        .flat_map(|codes| {
            let grids: Vec<&[i32]> = codes.iter().map(Vec::as_slice).collect();
            let values: Vec<f32> = model.decode(&grids, device).into_data().iter::<f32>().collect();
            values.chunks(values.len() / grids.len()).map(<[f32]>::to_vec).collect::<Vec<_>>()
        })
        .collect()
}

/// `[3, side, side]` with every pixel repeated, as a picture of the world's size.
fn enlarged(values: &[f32], side: usize) -> Picture {
    let step = SIDE / side;
    let at = |channel: usize, y: usize, x: usize| values[(channel * side + y / step) * side + x / step];
    let all: Vec<f32> =
        (0..3 * SIDE * SIDE).map(|index| at(index / (SIDE * SIDE), index / SIDE % SIDE, index % SIDE)).collect();
    Picture::from_signed(&all)
}

/// How near small pictures are to the scenes, over the pixels of things and over the others, in dB.
struct Near {
    squares: [f64; 2],
    numbers: [u64; 2],
}

impl Near {
    fn add(&mut self, shown: &[f32], original: &[f32], things: &[bool]) {
        for (index, (a, b)) in shown.iter().zip(original).enumerate() {
            let of = usize::from(!things[index % things.len()]);
            // What is shown is cut off at black and white.
            self.squares[of] += f64::from(a.clamp(-1.0, 1.0) - b).powi(2);
            self.numbers[of] += 1;
        }
    }

    fn db(&self, of: usize) -> f64 {
        10.0 * (4.0 * self.numbers[of] as f64 / self.squares[of].max(1e-9)).log10()
    }
}

impl std::fmt::Display for Near {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "things {:.2} dB, ground {:.2} dB", self.db(0), self.db(1))
    }
}

/// What is left of unseen scenes in previews, and in the tokenizer's own decodes made as small, in words.
#[must_use]
pub fn figures(task: &PreviewTask, model: &Preview, tokenizer: &Magvit, device: &Device) -> String {
    const SCENES: u64 = 400;
    let side = task.config.model.side_px();
    let mut near = [const { Near { squares: [0.0; 2], numbers: [0; 2] } }; 2];
    for start in (0..SCENES).step_by(16) {
        let scenes: Vec<Scene> = (start..start + 16).map(|number| task.world.example(UNSEEN, number).1).collect();
        let codes: Vec<Vec<i32>> = scenes.iter().map(|scene| task.codes(scene)).collect();
        let previews = decode(model, &codes, device);
        let decoded = vq::decode(tokenizer, &codes, device);
        for ((scene, preview), decoded) in scenes.iter().zip(&previews).zip(&decoded) {
            let picture = task.world.picture(scene);
            let (original, things) = (smaller(&picture, side), things(&picture, &task.world.bare(scene), side));
            near[0].add(preview, &original, &things);
            near[1].add(&smaller(decoded, side), &original, &things);
        }
    }
    let [preview, whole] = near;
    format!("previews: {preview}; the tokenizer's decodes made as small: {whole}; over {SCENES} unseen scenes")
}

#[cfg(test)]
mod tests {
    use showo::model::weights::named_parameters;

    use super::*;
    use crate::checkpoint::weights_of;
    use crate::cli::configuration;
    use crate::fit::{self, Start};
    use crate::icons::vq::VqConfig;
    use crate::icons::world::Preset;

    /// The committed configuration made small, over the codes of a tokenizer that has learnt nothing.
    fn task() -> PreviewTask {
        let mut tokenizer = configuration::<VqConfig>(None, "icons-vq").unwrap().model;
        tokenizer.decoder_ch_mult = vec![1; tokenizer.encoder_ch_mult.len()];
        tokenizer.patch_encoder = Some(32);
        let network = Magvit::new(&tokenizer, Weights::random(&Device::flex(), 2), true).unwrap();
        let encoder = PatchEncoder::new(&named_parameters(&network).unwrap()).unwrap();
        let mut config: PreviewTrainConfig = configuration(None, "icons-preview").unwrap();
        config.fits(&tokenizer).unwrap();
        config.world = Width::Preset(Preset::Narrow);
        (config.model.width, config.model.num_res_blocks, config.masked) = (16, 1, 0.5);
        (config.fit.steps, config.fit.batch, config.fit.warmup_steps) = (30, 4, 2);
        PreviewTask { world: World::new(&config.world), encoder, config }
    }

    #[test]
    fn a_few_steps_teach_it_something_and_what_it_exports_is_the_network() {
        let (task, device) = (task(), Device::flex());
        let (model, fit_config) = (task.config.model.clone(), task.config.fit.clone());
        let folder = tempfile::tempdir().unwrap();
        let named = fit::fit(&task, &fit_config, folder.path(), &Start::default(), device.clone()).unwrap();
        assert!(folder.path().join("samples-000030.png").exists());
        let error = |weights: Weights| -> f32 {
            let network = Preview::new(&model, weights).unwrap();
            task.loss(&network, task.batch(1_000, 8), &device).total.into_scalar()
        };
        let (before, after) = (error(Weights::random(&device, 1)), error(weights_of(&named, &device).unwrap()));
        assert!(after < 0.7 * before, "{before} became {after}");
    }

    #[test]
    fn half_of_the_examples_have_masked_positions_where_half_are_to() {
        let task = task();
        let masked: Vec<usize> =
            (0..24).map(|number| task.batch(number, 1).entries.iter().filter(|value| **value == 0.0).count()).collect();
        let some = masked.iter().filter(|count| **count > 0).count();
        assert!((6..19).contains(&some), "{masked:?}");
        assert!(
            masked.iter().all(|count| count.is_multiple_of(task.config.model.bits)),
            "all of a code's bits or none"
        );
    }

    fn picture(value: impl Fn(usize, usize) -> f32) -> Picture {
        let values: Vec<f32> = (0..3 * SIDE * SIDE).map(|at| value(at % SIDE, at / SIDE % SIDE)).collect();
        Picture::from_signed(&values)
    }

    #[test]
    fn a_smaller_picture_is_the_mean_of_what_it_covers() {
        let checked = picture(|x, y| if (x + y) % 2 == 0 { 1.0 } else { -1.0 });
        assert!(smaller(&checked, 64).iter().all(|value| value.abs() < 1e-6));
        let halves = picture(|x, _| if x < SIDE / 2 { -1.0 } else { 1.0 });
        let small = smaller(&halves, 64);
        assert!(
            small.chunks(64).all(|row| row[..32].iter().all(|v| *v == -1.0) && row[32..].iter().all(|v| *v == 1.0))
        );
        // Large again, it is what it was: its edge lies between two small pixels.
        assert!(enlarged(&small, 64).rgb == halves.rgb);
    }

    #[test]
    fn one_pixel_of_a_thing_makes_a_small_pixel_one_of_it() {
        let bare = picture(|_, _| 0.0);
        let dotted = picture(|x, y| if (x, y) == (5, 2) { 1.0 } else { 0.0 });
        let shows: Vec<usize> =
            things(&dotted, &bare, 64).iter().enumerate().filter(|(_, thing)| **thing).map(|(at, _)| at).collect();
        assert_eq!(shows, [64 + 2]);
    }
}

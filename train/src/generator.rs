//! `train showo`: the generator.
//!
//! Masked-token prediction: the mask ratio of an example is `cos(π/2·u)`; the loss is cross-entropy at masked
//! positions only; a tenth of the prompts is dropped for classifier-free guidance. While training, a code's embedding
//! and its output row are the plain table's row plus a linear map of the code's bits (MaskBit, arXiv 2409.16211);
//! export folds both into the tables, so that what ships is ordinary Show-o.

use std::path::Path;

use anyhow::{Context, Result};
use burn::module::{Module, Param};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use scenes::Rng;
use serde::{Deserialize, Serialize};
use showo::config::ShowoConfig;
use showo::decode::generator::{Prompted, attention_bias, ids_tensor};
use showo::decode::step::{StepPlan, draw_candidates};
use showo::model::Weights;
use showo::model::magvit::Magvit;
use showo::model::showo::Showo;
use showo::model::weights::Init;
use showo::prompt::{image_segment, text_segment};

use crate::checkpoint::{Named, weights_of};
use crate::data::{self, Words};
use crate::fit::{FitConfig, Loss, Task};
use crate::tie::{self, bits_of};
use crate::tokens::TokenSet;

/// `train/configs/showo.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratorConfig {
    /// The loop.
    pub fit: FitConfig,
    /// d.
    pub hidden_size: usize,
    /// Blocks.
    pub num_hidden_layers: usize,
    /// Heads.
    pub num_attention_heads: usize,
    /// Width of the MLP.
    pub intermediate_size: usize,
    /// Part of the prompts that is dropped.
    pub prompt_dropout: f32,
    /// Scenes that are tokenized once and seen again and again.
    pub scenes: u64,
}

impl GeneratorConfig {
    /// The network's configuration for a tokenizer of `bits` bits.
    #[must_use]
    pub fn network(&self, bits: usize) -> ShowoConfig {
        data::showo_config(
            self.hidden_size,
            self.num_hidden_layers,
            self.num_attention_heads,
            self.intermediate_size,
            bits,
        )
    }
}

/// Show-o with the training's maps from bits.
#[derive(Module, Debug)]
pub struct Tied {
    /// The network.
    pub base: Showo,
    /// `[bits, d]`: added to a code's embedding.
    pub bits_in: Param<Tensor<2>>,
    /// `[bits, d]`: added to a code's output row.
    pub bits_out: Param<Tensor<2>>,
}

/// The generator's training task.
pub struct GeneratorTask {
    /// Its configuration.
    pub config: GeneratorConfig,
    /// The network's.
    pub network: ShowoConfig,
    /// Bits of a code.
    pub bits: usize,
    /// Tokenized scenes.
    pub set: TokenSet,
    /// For sample sheets.
    pub tokenizer: Magvit,
    /// Prompts as ids.
    pub words: Words,
}

/// The table `[codes, bits]` of all codes' bits.
#[must_use]
pub fn bit_table(bits: usize, device: &Device) -> Tensor<2> {
    let values: Vec<f32> = (0..1 << bits).flat_map(|code| bits_of(code, bits)).collect();
    Tensor::from_data(TensorData::new(values, [1 << bits, bits]), device)
}

impl Task for GeneratorTask {
    type Model = Tied;

    fn kind(&self) -> &'static str {
        "showo"
    }

    fn build(&self, mut weights: Weights) -> Result<Tied> {
        let d = self.network.hidden_size;
        Ok(Tied {
            bits_in: weights.take("bits_in", [self.bits, d], Init::Normal(0.02))?,
            bits_out: weights.take("bits_out", [self.bits, d], Init::Normal(0.02))?,
            base: Showo::new(&self.network, weights.within("base."))?,
        })
    }

    fn import(&self, shipped: Named) -> Result<Named> {
        let mut named = shipped;
        let maps = TABLES.map(|(table, map)| -> Result<_> {
            let codes = code_rows(&self.network, &mut named, table)?;
            Ok((map.to_owned(), (vec![self.bits, self.network.hidden_size], tie::split(codes, self.bits))))
        });
        let mut tied: Named = maps.into_iter().collect::<Result<_>>()?;
        tied.extend(named.into_iter().map(|(name, value)| (format!("base.{name}"), value)));
        Ok(tied)
    }

    fn loss(&self, model: &Tied, first: u64, examples: usize, device: &Device) -> Loss {
        let config = &self.network;
        let n = config.num_vq_tokens;
        let mut texts = Vec::with_capacity(examples);
        let mut images = Vec::with_capacity(examples);
        let mut bits = Vec::with_capacity(examples * (n + 2) * self.bits);
        let mut places: Vec<i32> = Vec::new();
        let mut labels: Vec<i32> = Vec::new();
        for index in 0..examples {
            let number = first + index as u64;
            let mut rng = Rng::keyed(&[self.config.fit.seed, 0x6d61_736b, number]);
            let (prompt, codes) = self.set.example(rng.below(self.set.len()));
            let dropped = rng.chance(self.config.prompt_dropout);
            let ratio = (std::f32::consts::FRAC_PI_2 * rng.unit()).cos();
            let masked = ((ratio * n as f32).ceil() as usize).clamp(1, n);
            let mut order: Vec<usize> = (0..n).collect();
            rng.shuffle(&mut order);
            let mut tokens: Vec<i32> = codes.iter().map(|&code| i32::from(code)).collect();
            for &at in &order[..masked] {
                places.push((index * n + at) as i32);
                labels.push(tokens[at]);
                tokens[at] = -1;
            }
            bits.extend(std::iter::repeat_n(0.0, self.bits));
            for &token in &tokens {
                if token < 0 {
                    bits.extend(std::iter::repeat_n(0.0, self.bits));
                } else {
                    bits.extend(bits_of(token, self.bits));
                }
            }
            bits.extend(std::iter::repeat_n(0.0, self.bits));
            let ids: Vec<u32> = if dropped { Vec::new() } else { prompt.iter().map(|&id| u32::from(id)).collect() };
            texts.push(text_segment(config, &ids));
            images.push(image_segment(config, &tokens));
        }
        let sequences: Vec<Vec<u32>> =
            texts.iter().zip(&images).map(|(text, image)| text.iter().chain(image).copied().collect()).collect();
        let text = config.prefix_len();
        let length = text + n + 2;
        let text_bias = attention_bias(config, &sequences, 0..text, 0..text, device);
        let image_bias = attention_bias(config, &sequences, text..length, 0..length, device);

        let prefix = model.base.prefix(ids_tensor(&texts, device), text_bias);
        let bits = Tensor::<2>::from_data(TensorData::new(bits, [examples * (n + 2), self.bits]), device);
        let d = config.hidden_size;
        let tied = bits.matmul(model.bits_in.val()).reshape([examples, n + 2, d]);
        let x = model.base.embed(ids_tensor(&images, device)) + tied;
        let hidden = model.base.forward_image_embedded(&prefix, x, image_bias);
        let count = places.len();
        let places = Tensor::<1, Int>::from_data(TensorData::new(places, [count]), device);
        let hidden = hidden.narrow(1, 1, n).reshape([examples * n, d]).select(0, places);
        let tied = hidden.clone().matmul(model.bits_out.val().transpose());
        let logits = model.base.code_logits(hidden) + tied.matmul(bit_table(self.bits, device).transpose());
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [count]), device).reshape([count, 1]);
        let total = log_softmax(logits, 1).gather(1, labels).mean().neg();
        Loss { total, logged: Vec::new() }
    }

    fn sample(&self, model: &Tied, path: &Path) -> Result<()> {
        let device = Device::flex();
        let exported = export(&self.network, self.bits, showo::model::weights::named_parameters(model)?)?;
        let network = Showo::new(&self.network, weights_of(&exported, &device)?)?;
        let prompts = scenes::evaluation_prompts(4, scenes::Split::Train, 9);
        let mut grids = Vec::new();
        for (index, (_, spec)) in prompts.iter().enumerate() {
            let ids = self.words.encode(&spec.prompt());
            grids.push(generate(&network, &self.network, &ids, index as u64, 12, 2.0)?);
        }
        let pictures = crate::vq::decode(&self.tokenizer, &grids, &device);
        let accepted = pictures.iter().zip(&prompts).filter(|(p, (_, spec))| scenes::check(p, spec).accepted).count();
        eprintln!("the checker accepts {accepted} of {} samples", pictures.len());
        data::write_sheet(path, &pictures, 8, 2)
    }
}

/// The tables with a row a code, and the map from bits that belongs to each.
const TABLES: [(&str, &str); 2] =
    [("showo.model.embed_tokens.weight", "bits_in"), ("showo.lm_head.weight", "bits_out")];

/// The codebook's rows of a table.
fn code_rows<'a>(config: &ShowoConfig, named: &'a mut Named, table: &str) -> Result<&'a mut [f32]> {
    let (_, values) = named.get_mut(table).with_context(|| format!("the weights lack `{table}`"))?;
    let d = config.hidden_size;
    values
        .get_mut(config.first_code() * d..(config.first_code() + config.codebook_size) * d)
        .with_context(|| format!("`{table}` has too few rows for this configuration"))
}

/// Folds the maps from bits into the plain tables: what remains is ordinary Show-o.
///
/// # Errors
/// A parameter is absent.
pub fn export(config: &ShowoConfig, bits: usize, mut named: Named) -> Result<Named> {
    let maps = TABLES.map(|(_, map)| named.remove(map));
    let mut plain: Named =
        named.into_iter().map(|(name, value)| (name.trim_start_matches("base.").to_owned(), value)).collect();
    for ((table, name), map) in TABLES.into_iter().zip(maps) {
        let (_, map) = map.with_context(|| format!("no `{name}` in the checkpoint"))?;
        tie::fold(code_rows(config, &mut plain, table)?, &map, bits);
    }
    Ok(plain)
}

/// One picture's codes by plain decoding (mode `none`), with the engine's own steps.
///
/// # Errors
/// The device fails.
pub fn generate(
    network: &Showo,
    config: &ShowoConfig,
    ids: &[u32],
    seed: u64,
    steps: usize,
    guidance_scale: f32,
) -> Result<Vec<i32>> {
    let prompted = Prompted::new(network, config, ids, guidance_scale, &Device::flex());
    let n = config.num_vq_tokens;
    let mut tokens = vec![-1; n];
    for step in 0..steps {
        let plan = step_plan(seed, step, steps, n);
        let drawn = pollster::block_on(draw_candidates(prompted.logits(network, &tokens), &tokens, &plan))?;
        tokens = drawn.into_iter().next().context("a step drew no candidate")?.tokens;
    }
    Ok(tokens)
}

/// Step `step` of plain decoding: one candidate, temperature 1, all `n` positions masked at the start.
#[must_use]
pub fn step_plan(seed: u64, step: usize, steps: usize, n: usize) -> StepPlan {
    let (step, steps) = (step as u32, steps as u32);
    StepPlan { seed, pass: 0, step, steps, total: n, temperature: 1.0, first: 0, candidates: 1 }
}

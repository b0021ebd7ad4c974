//! `train --world icons showo`: the generator of the world of things, which draws and answers.
//!
//! Drawing is learnt as in [`crate::generator`]; a part of the examples are yes-or-no questions about whole pictures
//! ([`super::questions`]), half of which are to be denied.

use std::path::Path;

use anyhow::Result;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rng::Rng;
use scenes::icons::sample_question;
use serde::{Deserialize, Serialize};
use showo::bundle::ModelKind;
use showo::config::ShowoConfig;
use showo::model::Weights;
use showo::model::magvit::Magvit;
use showo::model::showo::Showo;
use showo::model::weights::named_parameters;
use showo::ops::gradient::cross_entropy;

use super::decode::{Painter, sample};
use super::patches::PatchEncoder;
use super::questions::{Asked, Speech};
use super::world::{Width, World, showo_config};
use crate::checkpoint::{Named, weights_of};
use crate::fit::{FitConfig, Loss, Task};
use crate::generator::{Masked, Tied, export, import, masked_places};
use crate::rollouts::Decoding;

/// `train/configs/icons-showo.toml`.
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
    /// How wide the world is.
    pub world: Width,
    /// Part of the prompts that is dropped.
    pub prompt_dropout: f32,
    /// Part of the examples that are pictures with questions.
    pub questions: f32,
    /// Questions about each of these.
    pub questions_a_picture: usize,
    /// What an answer weighs beside the mean over masked codes.
    pub answer_weight: f32,
}

impl GeneratorConfig {
    /// The network's configuration for codes of `bits` bits.
    #[must_use]
    pub fn network(&self, world: &World, bits: usize) -> ShowoConfig {
        let Self { hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, .. } = *self;
        showo_config(&world.words, hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, bits)
    }
}

/// The generator's training task.
pub struct GeneratorTask {
    /// Its configuration.
    pub config: GeneratorConfig,
    /// The network's.
    pub network: ShowoConfig,
    /// Bits of a code.
    pub bits: usize,
    /// What it learns from.
    pub world: World,
    /// Pictures to codes.
    pub encoder: PatchEncoder,
    /// For sample sheets.
    pub tokenizer: Magvit,
    /// The words around questions.
    pub speech: Speech,
}

/// Pictures to complete, and pictures to judge.
pub struct Batch<'a> {
    masked: Masked<'a>,
    asked: Asked<'a>,
}

impl GeneratorTask {
    /// Whether the example numbered `number` is a question.
    fn asks(&self, number: u64) -> bool {
        // Spread evenly, so that every batch has its part.
        let part = f64::from(self.config.questions);
        ((number + 1) as f64 * part).floor() > (number as f64 * part).floor()
    }
}

impl Task for GeneratorTask {
    type Model = Tied;
    type Batch<'a> = Batch<'a>;

    fn kind(&self) -> ModelKind {
        ModelKind::SHOWO
    }

    fn config(&self) -> Result<serde_json::Value> {
        Ok(serde_json::to_value(&self.config)?)
    }

    fn build(&self, weights: Weights) -> Result<Tied> {
        Tied::new(&self.network, self.bits, weights)
    }

    fn import(&self, shipped: Named) -> Result<Named> {
        import(&self.network, self.bits, shipped)
    }

    fn batch(&self, first: u64, examples: usize) -> Batch<'_> {
        let mut batch = Batch {
            masked: Masked::new(&self.network, self.bits),
            asked: Asked::new(&self.network, self.bits, self.speech),
        };
        for number in first..first + examples as u64 {
            let (spec, scene) = self.world.example(self.config.fit.seed, number);
            let codes: Vec<i32> = self.encoder.codes(&self.world, &scene).into_iter().map(i32::from).collect();
            let mut rng = Rng::keyed(&[self.config.fit.seed, 0x6d61_736b, number]);
            if self.asks(number) {
                let mut question = |_| {
                    let question = sample_question(&spec, &mut rng);
                    (self.world.words.encode(&question.text), question.answer)
                };
                let questions: Vec<_> = (0..self.config.questions_a_picture).map(&mut question).collect();
                batch.asked.push(&codes, &questions);
                continue;
            }
            let dropped = rng.chance(self.config.prompt_dropout);
            let ids = if dropped { Vec::new() } else { self.world.words.encode(&spec.prompt()) };
            batch.masked.push(&ids, &codes, &masked_places(codes.len(), &mut rng));
        }
        batch
    }

    fn loss(&self, model: &Tied, batch: Batch<'_>, device: &Device) -> Loss {
        let Batch { masked, asked } = batch;
        let mut logged = Vec::new();
        let mut losses = Vec::new();
        if !masked.labels.is_empty() {
            let hidden = masked.hidden_where_masked(model, device);
            let count = masked.labels.len();
            let labels = Tensor::<1, Int>::from_data(TensorData::new(masked.labels, [count]), device);
            let loss = cross_entropy(model.code_logits(hidden), labels).mean();
            logged.push(("codes", loss.clone()));
            losses.push(loss);
        }
        if !asked.is_empty() {
            let hidden = asked.hidden(model, device);
            // Whatever could be said instead of the answer: words, and codes, too.
            let logits = Tensor::cat(vec![model.base.text_logits(hidden.clone()), model.code_logits(hidden)], 1);
            let loss = cross_entropy(logits, asked.labels(device)).mean();
            logged.push(("answers", loss.clone()));
            losses.push(loss * self.config.answer_weight);
        }
        let logged = logged.into_iter().map(|(name, loss)| (name, loss.into_scalar::<f32>())).collect();
        Loss { total: Tensor::cat(losses, 0).sum(), logged }
    }

    fn sample(&self, model: &Tied, path: &Path) -> Result<()> {
        let device = Device::flex();
        let exported = export(&self.network, self.bits, named_parameters(model)?)?;
        let network = Showo::new(&self.network, weights_of(&exported, &device)?)?;
        let decoding = Decoding { steps: 10, ..Decoding::default() };
        let painter =
            Painter { network: &network, config: &self.network, words: &self.world.words, device: &device, decoding };
        sample(&painter, &self.tokenizer, path)
    }
}

//! How a reward network learns the questions that somebody's labels answer, for the words and the grid of any generator.
//!
//! As in [`crate::icons::reward`], drawings of one prompt come in pairs, one right and one wrong, and codes are tied to their bits
//! while it trains.

use std::path::Path;

use anyhow::{Result, ensure};
use burn::module::{Module, Param};
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rng::Rng;
use serde::{Deserialize, Serialize};
use showo::bundle::ModelKind;
use showo::config::{RewardConfig, RewardLabel, RewardQuestion, ShowoConfig};
use showo::model::Weights;
use showo::model::reward::{Reward, grouped, inputs};
use showo::model::weights::{Init, named_parameters};

use super::examples::{Batch, Example, Examples};
use crate::axes;
use crate::checkpoint::Named;
use crate::fit::{FitConfig, Loss, Task};
use crate::reward::{auc, code_rows};
use crate::tie::{self, bits_of};

/// `train/configs/own-reward.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnRewardConfig {
    /// The loop.
    pub fit: FitConfig,
    /// d.
    pub hidden_size: usize,
    /// Blocks.
    pub num_hidden_layers: usize,
    /// Heads.
    pub num_attention_heads: usize,
    /// Width of the MLP in a block.
    pub intermediate_size: usize,
    /// Width of the head.
    pub head_size: usize,
    /// Side of the square of tokens that share a position.
    pub merge: usize,
    /// Part of the examples that come as pairs of one prompt, one right and one wrong.
    pub pairs: f32,
    /// Every so many prompts one is held out for measuring; with 0 none is.
    pub holdout: u64,
}

impl OwnRewardConfig {
    /// The network's configuration, for a generator, with the questions that it can learn.
    ///
    /// # Errors
    /// A number of codes that no bits are; a grid that the squares of tokens do not fill.
    pub fn network(&self, generator: &ShowoConfig, learnt: Vec<RewardQuestion>) -> Result<RewardConfig> {
        let (codes, grid) = (generator.codebook_size, generator.grid());
        ensure!(codes.is_power_of_two(), "the generator has {codes} codes, which are no number of bits");
        ensure!(
            self.merge > 0 && grid.is_multiple_of(self.merge),
            "merge is {}, which does not divide the grid of {grid} × {grid} tokens; say --set merge=1",
            self.merge
        );
        Ok(RewardConfig {
            hidden_size: self.hidden_size,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: self.num_attention_heads,
            intermediate_size: self.intermediate_size,
            head_size: self.head_size,
            text_vocab_size: generator.first_code(),
            codebook_size: codes,
            num_vq_tokens: generator.num_vq_tokens,
            // The generator reads two tokens more, around the prompt.
            max_text_len: generator.max_text_len.saturating_sub(2).max(1),
            pad: generator.special_tokens.pad,
            layer_norm_eps: 1e-5,
            label: RewardLabel::Potential,
            bias: true,
            merge: self.merge,
            questions: RewardQuestion::ALL.len(),
            learnt,
        })
    }
}

/// The reward network with the training's map from bits.
#[derive(Module, Debug)]
pub struct Tied {
    base: Reward,
    /// `[bits, d / merge²]`.
    bits_in: Param<Tensor<2>>,
}

/// The training task.
pub struct OwnRewardTask {
    /// Its configuration.
    pub config: OwnRewardConfig,
    /// The network's.
    pub network: RewardConfig,
    /// Drawings to learn from.
    pub learnt: Examples,
    /// Drawings to measure on.
    pub held_out: Examples,
}

/// Steps at which held-out drawings are measured.
const MEASURED: usize = 6;
/// Drawings that are measured while it trains; at the end all are.
const GLANCED: usize = 200;
/// States that are scored at once.
const AT_ONCE: usize = 32;

impl OwnRewardTask {
    fn bits(&self) -> usize {
        self.network.codebook_size.ilog2() as usize
    }

    /// Logits of "yes", `[examples]`.
    fn logits(&self, model: &Tied, examples: &[Example], device: &Device) -> Tensor<1> {
        let prompts: Vec<&[u32]> = examples.iter().map(|example| example.prompt.as_slice()).collect();
        let states: Vec<&[i32]> = examples.iter().map(|example| example.state.as_slice()).collect();
        let (text, codes, padding) = inputs(&self.network, &prompts, &states, device);
        let (count, n, bits) = (examples.len(), self.network.num_vq_tokens, self.bits());
        let signs: Vec<f32> = states
            .iter()
            .flat_map(|state| grouped(state, self.network.merge))
            .flat_map(|code| bits_of(code, bits).map(move |sign| if code < 0 { 0.0 } else { sign }))
            .collect();
        let signs = Tensor::<2>::from_data(TensorData::new(signs, [count * n, bits]), device);
        let tied = signs.matmul(model.bits_in.val()).reshape([count, n, self.network.token_width()]);
        let questions: Vec<i32> = examples.iter().map(|example| example.question as i32).collect();
        let questions = Tensor::<1, Int>::from_data(TensorData::new(questions, [count]), device);
        let image = model.base.embed_image(codes) + tied;
        model.base.read(model.base.encode_asked(text, image, padding, Some(questions)))
    }

    /// How well held-out drawings are told apart, a line a question.
    ///
    /// # Errors
    /// The parameters are not this network's.
    pub fn report(&self, named: &Named) -> Result<String> {
        let model = self.build(crate::checkpoint::weights_of(named, &Device::flex())?)?;
        Ok(self.figures(&model, usize::MAX).join("\n"))
    }

    fn figures(&self, model: &Tied, most: usize) -> Vec<String> {
        if self.held_out.is_empty() {
            return vec!["no prompt is held out, so nothing is measured".to_owned()];
        }
        let last = self.held_out.steps().saturating_sub(1);
        let every = last.div_ceil(MEASURED - 1).max(1);
        let steps: Vec<usize> = (0..MEASURED).rev().filter_map(|back| last.checked_sub(back * every)).collect();
        let line = |&question: &RewardQuestion| {
            let steps = if question == RewardQuestion::Outcome { vec![last] } else { steps.clone() };
            let of = |step: usize| {
                let auc = auc(&self.scores(model, step, question, most));
                let figure = if auc.is_nan() { "no two labels".to_owned() } else { format!("{auc:.3}") };
                format!(" {figure} after step {}", step + 1)
            };
            format!("AUC, {question:?}:{}", steps.into_iter().map(of).collect::<Vec<_>>().join(","))
        };
        let mut lines = vec![format!("held out: {}", self.held_out.describe())];
        lines.extend(self.network.learnt.iter().map(line));
        lines
    }

    /// Score and label of held-out drawings at a step, at most so many.
    fn scores(&self, model: &Tied, step: usize, question: RewardQuestion, most: usize) -> Vec<(f32, bool)> {
        let mut examples = self.held_out.at(step, question);
        examples.truncate(most);
        let scored = examples.chunks(AT_ONCE).flat_map(|part| {
            let logits = self.logits(model, part, &Device::flex()).into_data();
            logits.iter::<f32>().zip(part).map(|(logit, example)| (logit, example.yes)).collect::<Vec<_>>()
        });
        scored.collect()
    }
}

impl Task for OwnRewardTask {
    type Model = Tied;
    type Batch<'a> = Batch;

    fn kind(&self) -> ModelKind {
        ModelKind::Reward(RewardLabel::Potential)
    }

    fn config(&self) -> Result<serde_json::Value> {
        let mut config = serde_json::to_value(&self.config)?;
        config["drawings"] = self.learnt.len().into();
        config["labels"] = self.learnt.fingerprint().to_string().into();
        config["learnt"] = serde_json::to_value(&self.network.learnt)?;
        Ok(config)
    }

    fn build(&self, mut weights: Weights) -> Result<Tied> {
        Ok(Tied {
            bits_in: weights.take("bits_in", [self.bits(), self.network.token_width()], Init::Normal(0.3))?,
            base: Reward::new(&self.network, weights.within("base."))?,
        })
    }

    fn begin(&self) -> Result<Option<Named>> {
        let seed = self.config.fit.seed;
        let mut named = named_parameters(&self.build(Weights::random(&Device::flex(), seed))?)?;
        let side = self.network.image_positions().isqrt();
        axes::add_to_grid(&mut named, side, axes::STRENGTH, seed)?;
        Ok(Some(named))
    }

    fn import(&self, shipped: Named) -> Result<Named> {
        let mut named = shipped;
        let map = tie::split(code_rows(&self.network, &mut named)?, self.bits());
        let mut tied: Named = named.into_iter().map(|(name, value)| (format!("base.{name}"), value)).collect();
        tied.insert("bits_in".into(), (vec![self.bits(), self.network.token_width()], map));
        Ok(tied)
    }

    fn batch(&self, first: u64, examples: usize) -> Batch {
        let mut rng = Rng::keyed(&[self.config.fit.seed, 0x006f_776e_7061_726d, first]);
        self.learnt.batch(examples, self.config.pairs, &self.network.learnt, &mut rng)
    }

    fn loss(&self, model: &Tied, batch: Batch, device: &Device) -> Loss {
        let Batch { examples, pairs } = batch;
        let count = examples.len();
        let logits = self.logits(model, &examples, device);
        // Pairs are asked singly, too, so that scores of different prompts can be compared.
        let signs: Vec<f32> = examples.iter().map(|example| if example.yes { 1.0 } else { -1.0 }).collect();
        let signs = Tensor::<1>::from_data(TensorData::new(signs, [count]), device);
        let mut terms = vec![("singles", log_sigmoid(logits.clone() * signs).mean().neg(), 1.0)];
        if pairs > 0 {
            let sides = logits.narrow(0, 0, 2 * pairs).reshape([pairs, 2]);
            let margins = (sides.clone().narrow(1, 0, 1) - sides.narrow(1, 1, 1)).reshape([pairs]);
            terms.push(("pairs", log_sigmoid(margins).mean().neg(), 2.0 * pairs as f32 / count as f32));
        }
        Loss::new(terms)
    }

    /// How well held-out drawings are told apart; there is no picture of it.
    fn sample(&self, model: &Tied, _: &Path) -> Result<()> {
        for line in self.figures(model, GLANCED) {
            eprintln!("{line}");
        }
        Ok(())
    }
}

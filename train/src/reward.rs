//! `train reward`: the reward network on potential (PARM), previews (PRM) or finished pictures (ORM).
//!
//! Examples are states of rollouts; a part of them are true scenes, partly masked, with their own prompt (label 1)
//! or a near miss's (label 0), which teaches what the words mean at no cost of decoding. As in the generator, a code's
//! embedding is tied to its bits while training and folded into the table on export.

use std::path::Path;

use anyhow::{Context, Result};
use burn::module::{Module, Param};
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Device, Int, Tensor, TensorData};
use scenes::{Category, Spec};
use serde::{Deserialize, Serialize};
use showo::bundle::ModelKind;
use showo::config::{RewardConfig, RewardLabel, RewardQuestion};
use showo::load::RewardModel;
use showo::model::Weights;
use showo::model::magvit::Magvit;
use showo::model::reward::{Reward, inputs};
use showo::model::weights::{Init, named_parameters};

use crate::axes;
use crate::checkpoint::Named;
use crate::data::{MAX_TEXT_LEN, Words, write_sheet};
use crate::fit::{FitConfig, Loss, Task};
use crate::grounding::{self, Grounding};
use crate::rollouts::Rollout;
use crate::tie;

mod auc;
mod examples;
#[cfg(test)]
mod tests;
mod views;

pub use auc::auc;
use auc::within as auc_within;
pub use examples::{Batch, Synthetic, synthetic};
use examples::{Example, first_is_better};
pub use views::Rollouts;
use views::View;

/// `train/configs/reward.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardTrainConfig {
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
    /// Part of the examples that are true scenes and near misses.
    pub synthetic: f32,
    /// Part of the examples that come as pairs: states of one prompt after as many steps, one right, one wrong. The loss of
    /// a pair is that of DPO and of reward models on preferences, `−ln σ(r⁺ − r⁻)`: a prompt's difficulty cancels, and
    /// what remains is what a choice between candidates needs.
    pub pairs: f32,
    /// Part of PARM's examples that are complete pictures, finished ones or previews that were looked at: what their
    /// potential is, they show. Other labels know nothing else.
    #[serde(default)]
    pub complete: f32,
    /// Part of PARM's examples that are finished pictures, before the others are parted: what it chooses among at the end of paths.
    #[serde(default)]
    pub finished: f32,
    /// Part of the complete pictures, in pairs and outside, that are judged by another prompt than their own ([`reprompt`]).
    #[serde(default)]
    pub reprompted: f32,
    /// Part of the rollouts' examples whose slots are put into another order ([`crate::shuffle`]), where the verdict stays the same.
    #[serde(default)]
    pub shuffled: f32,
    /// Part of the complete pictures that take slots of another one ([`shuffle::mix`]), and are judged by what is seen then.
    #[serde(default)]
    pub mixed: f32,
    /// Part of the pairs that are one complete picture in two orders of its slots, in which a relation between two things holds and
    /// does not hold ([`Rollouts::related`]).
    #[serde(default)]
    pub related: f32,
    /// Part of PARM's unfinished states that are labelled by what a PARM before it ([`RewardTask::teacher`]) says of the state
    /// `lookahead` steps later, instead of by what became of the rollout: one throw of the dice after many more steps
    /// (temporal differences; Sutton 1988). Pairs of these are any two of a group, also two branches of one state.
    #[serde(default)]
    pub foreseen: f32,
    /// How many steps later; where that is the last one, the verdict is the label.
    #[serde(default)]
    pub lookahead: usize,
    /// Factor of the loss of what stands where ([`grounding`]); 0 leaves it out.
    pub grounding: f64,
    /// True scenes tokenized once.
    pub scenes: u64,
    /// Every so many groups of rollouts one is held out for measuring.
    pub holdout: u64,
}

impl RewardTrainConfig {
    /// The network's configuration.
    #[must_use]
    pub fn network(&self, bits: usize, label: RewardLabel) -> RewardConfig {
        let words = Words::new();
        RewardConfig {
            hidden_size: self.hidden_size,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: self.num_attention_heads,
            intermediate_size: self.intermediate_size,
            head_size: self.head_size,
            text_vocab_size: words.llm_vocab_size() + 10,
            codebook_size: 1 << bits,
            num_vq_tokens: 64,
            max_text_len: MAX_TEXT_LEN - 2,
            pad: words.special_tokens().pad,
            layer_norm_eps: 1e-5,
            label,
            bias: true,
            merge: 1,
            questions: 0,
            learnt: RewardQuestion::ALL.to_vec(),
        }
    }
}

/// The reward network with the training's map from bits, and its map to what stands where.
#[derive(Module, Debug)]
pub struct TiedReward {
    base: Reward,
    /// `[bits, d]`.
    bits_in: Param<Tensor<2>>,
    /// `[d, CLASSES]`.
    ground: Param<Tensor<2>>,
}

/// The reward network's training task.
pub struct RewardTask {
    /// Its configuration.
    pub config: RewardTrainConfig,
    /// The network's.
    pub network: RewardConfig,
    /// Bits of a code.
    pub bits: usize,
    /// Rollouts to learn from.
    pub rollouts: Rollouts,
    /// Rollouts to measure on.
    pub held_out: Rollouts,
    /// True scenes and near misses.
    pub synthetic: Vec<Synthetic>,
    /// For sample sheets.
    pub tokenizer: Magvit,
    /// Prompts as ids.
    pub words: Words,
    /// The code of empty ground at every place.
    pub ground: Vec<i32>,
    /// A PARM that is there already, which labels what is [`RewardTrainConfig::foreseen`].
    pub teacher: Option<RewardModel>,
}

impl RewardTask {
    /// Score and label of every held-out rollout at a step.
    fn scores(&self, model: &TiedReward, step: usize) -> Vec<(f32, bool)> {
        let device = Device::flex();
        let mut scored = Vec::new();
        let view = View::of(self.network.label);
        for part in self.held_out.all.chunks(32) {
            let examples: Vec<Example> =
                part.iter().map(|rollout| self.example_of(rollout, view, step, false, None)).collect();
            let encoded = encode(model, &self.network, self.bits, &examples, &device);
            let logits: Vec<f32> = model.base.read(encoded).into_data().iter::<f32>().collect();
            scored.extend(logits.into_iter().zip(&examples).map(|(logit, example)| (logit, example.label > 0.5)));
        }
        scored
    }
}

/// `−p·ln σ(m) − (1 − p)·ln σ(−m)` of every margin and chance.
fn logistic_loss(margins: Tensor<1>, chances: &[f32]) -> Tensor<1> {
    let against: Vec<f32> = chances.iter().map(|chance| 1.0 - chance).collect();
    let against = Tensor::from_data(TensorData::new(against, [chances.len()]), &margins.device());
    // ln σ(−m) is ln σ(m) less m.
    margins.clone() * against - log_sigmoid(margins)
}

/// What the encoder makes of every image token, `[examples, N, d]`.
fn encode(model: &TiedReward, network: &RewardConfig, bits: usize, examples: &[Example], device: &Device) -> Tensor<3> {
    let prompts: Vec<&[u32]> = examples.iter().map(|example| example.prompt.as_slice()).collect();
    let states: Vec<&[i32]> = examples.iter().map(|example| example.state.as_slice()).collect();
    let (text, codes, padding) = inputs(network, &prompts, &states, device);
    let signs: Vec<f32> = states
        .iter()
        .flat_map(|state| state.iter())
        .flat_map(|&code| (0..bits).rev().map(move |bit| sign(code, bit)))
        .collect();
    let n = network.num_vq_tokens;
    let signs = Tensor::<2>::from_data(TensorData::new(signs, [examples.len() * n, bits]), device);
    let d = network.hidden_size;
    let tied = signs.matmul(model.bits_in.val()).reshape([examples.len(), n, d]);
    model.base.encode(text, model.base.embed_image(codes) + tied, padding)
}

/// ±1 for a code's bit, 0 where masked.
fn sign(code: i32, bit: usize) -> f32 {
    if code < 0 {
        0.0
    } else if code >> bit & 1 == 1 {
        1.0
    } else {
        -1.0
    }
}

impl Task for RewardTask {
    type Model = TiedReward;
    type Batch<'a> = Batch;

    fn kind(&self) -> ModelKind {
        ModelKind::Reward(self.network.label)
    }

    fn config(&self) -> Result<serde_json::Value> {
        Ok(serde_json::json!({ "label": self.network.label, "config": self.config }))
    }

    fn build(&self, mut weights: Weights) -> Result<TiedReward> {
        Ok(TiedReward {
            bits_in: weights.take("bits_in", [self.bits, self.network.hidden_size], Init::Normal(0.3))?,
            ground: weights.take("ground", [self.network.hidden_size, grounding::CLASSES], Init::Normal(0.02))?,
            base: Reward::new(&self.network, weights.within("base."))?,
        })
    }

    fn begin(&self) -> Result<Option<Named>> {
        let seed = self.config.fit.seed;
        let mut named = named_parameters(&self.build(Weights::random(&Device::flex(), seed))?)?;
        axes::add(&mut named, axes::STRENGTH, seed)?;
        Ok(Some(named))
    }

    fn import(&self, shipped: Named) -> Result<Named> {
        let mut named = shipped;
        let map = tie::split(code_rows(&self.network, &mut named)?, self.bits);
        let mut tied: Named = named.into_iter().map(|(name, value)| (format!("base.{name}"), value)).collect();
        let d = self.network.hidden_size;
        tied.insert("bits_in".into(), (vec![self.bits, d], map));
        // What ships does not have it: equal chances for every answer.
        tied.insert("ground".into(), (vec![d, grounding::CLASSES], vec![0.0; d * grounding::CLASSES]));
        Ok(tied)
    }

    fn batch(&self, first: u64, examples: usize) -> Batch {
        self.examples(first, examples)
    }

    fn loss(&self, model: &TiedReward, batch: Batch, device: &Device) -> Loss {
        let Batch { examples: batch, related, pairs } = batch;
        let examples = batch.len();
        let encoded = encode(model, &self.network, self.bits, &batch, device);
        let logits = model.base.read(encoded.clone());
        let mut losses = Vec::new();
        let mut logged = Vec::new();
        let mut add = |name, margins: Tensor<1>, chances: Vec<f32>, share: usize| {
            let loss = logistic_loss(margins, &chances).mean();
            logged.push((name, loss.clone().into_scalar::<f32>()));
            losses.push(loss * (share as f64 / examples as f64));
        };
        let mut paired = 0;
        for (name, pairs) in [("related", related), ("pairs", pairs)].into_iter().filter(|&(_, pairs)| pairs > 0) {
            let sides = logits.clone().narrow(0, paired, 2 * pairs).reshape([pairs, 2]);
            let margins = (sides.clone().narrow(1, 0, 1) - sides.narrow(1, 1, 1)).reshape([pairs]);
            let chances = batch[paired..paired + 2 * pairs].chunks(2).map(first_is_better);
            add(name, margins, chances.collect(), 2 * pairs);
            paired += 2 * pairs;
        }
        let singles = examples - paired;
        if singles > 0 {
            let chances = batch[paired..].iter().map(|example| example.label).collect();
            add("singles", logits.narrow(0, paired, singles), chances, singles);
        }
        if self.config.grounding > 0.0 {
            let (known, groundings): (Vec<i32>, Vec<&Grounding>) =
                (0..).zip(&batch).filter_map(|(index, example)| Some((index, example.grounding.as_ref()?))).unzip();
            let [_, n, d] = encoded.dims();
            let rows = known.len();
            let known = Tensor::<1, Int>::from_data(TensorData::new(known, [rows]), device);
            let tokens = encoded.select(0, known).reshape([rows * n, d]);
            for (question, loss) in grounding::losses(tokens.matmul(model.ground.val()), &groundings, device) {
                logged.push((question, loss.clone().into_scalar::<f32>()));
                losses.push(loss * self.config.grounding);
            }
        }
        Loss { total: Tensor::cat(losses, 0).sum(), logged }
    }

    /// Held-out previews at half the steps, the highest score first.
    fn sample(&self, model: &TiedReward, path: &Path) -> Result<()> {
        let steps = self.held_out.all.first().map_or(0, |rollout| rollout.states.len());
        let half = steps / 2;
        let scored: Vec<Vec<(f32, bool)>> = (0..steps).map(|step| self.scores(model, step)).collect();
        let all: String = scored.iter().map(|scored| format!(" {:.3}", auc(scored))).collect();
        let within = scored.iter().map(|scored| format!(" {:.3}", auc_within(&self.held_out, scored, |_| true)));
        let within: String = within.collect();
        eprintln!("AUC by step, over all:{all}\nAUC by step, within a prompt:{within}");
        if let Some(finished) = scored.last() {
            let by_category = Category::ALL.map(|category| {
                let of = |prompt: &str| Spec::parse(prompt).is_ok_and(|spec| spec.category() == category);
                format!("{} {:.3}", category.title(), auc_within(&self.held_out, finished, of))
            });
            eprintln!("finished pictures, within a prompt: {}", by_category.join(", "));
        }
        let Some(scored) = scored.get(half) else { return Ok(()) };
        let mut ranked: Vec<(f32, &Rollout)> = scored.iter().map(|scored| scored.0).zip(&self.held_out.all).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let grids: Vec<Vec<i32>> = ranked.iter().take(64).map(|(_, rollout)| rollout.sampled[half].clone()).collect();
        write_sheet(path, &crate::vq::decode(&self.tokenizer, &grids, &Device::flex()), 8, 2)
    }
}

/// The rows of the image table that stand for codes, without that of `[mask]`.
///
/// # Errors
/// The table is absent or too short.
pub fn code_rows<'a>(config: &RewardConfig, named: &'a mut Named) -> Result<&'a mut [f32]> {
    let (_, values) = named.get_mut("image.weight").context("the weights lack `image.weight`")?;
    values
        .get_mut(..config.codebook_size * config.token_width())
        .context("`image.weight` has too few rows for this configuration")
}

/// Folds the map from bits into the plain table.
///
/// # Errors
/// A parameter is absent.
pub fn export(config: &RewardConfig, bits: usize, mut named: Named) -> Result<Named> {
    let (_, map) = named.remove("bits_in").context("no `bits_in` in the checkpoint")?;
    named.remove("ground");
    let mut plain: Named =
        named.into_iter().map(|(name, value)| (name.trim_start_matches("base.").to_owned(), value)).collect();
    tie::fold(code_rows(config, &mut plain)?, &map, bits);
    Ok(plain)
}

//! `train reward`: the reward network on potential (PARM), previews (PRM) or finished pictures (ORM).
//!
//! Examples are states of rollouts; a part of them are true scenes, partly masked, with their own prompt (label 1)
//! or a near miss's (label 0), which teaches what the words mean at no cost of decoding. As in the generator, a code's
//! embedding is tied to its bits while training and folded into the table on export.

use std::path::Path;

use anyhow::{Context, Result};
use burn::module::{Module, Param};
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use scenes::{Rng, Split};
use serde::{Deserialize, Serialize};
use showo::config::{RewardConfig, RewardLabel};
use showo::model::Weights;
use showo::model::magvit::Magvit;
use showo::model::reward::{Reward, inputs};
use showo::model::weights::Init;

use crate::checkpoint::Named;
use crate::data::{MAX_TEXT_LEN, Words};
use crate::fit::{FitConfig, Loss, Task};
use crate::generator::bits_of;
use crate::rollouts::Rollout;

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
    /// True scenes tokenized once.
    pub scenes: u64,
    /// Every so many rollouts one is held out for measuring.
    pub holdout: usize,
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
        }
    }
}

/// The reward network with the training's map from bits.
#[derive(Module, Debug)]
pub struct TiedReward {
    base: Reward,
    /// `[bits, d]`.
    bits_in: Param<Tensor<2>>,
}

/// A true scene and a near miss of it, as codes.
pub struct Synthetic {
    prompt: Vec<u32>,
    right: Vec<i32>,
    wrong: Vec<i32>,
}

/// Tokenizes true scenes and near misses of them.
///
/// # Errors
/// The tokenizer has no encoder.
pub fn synthetic(tokenizer: &Magvit, seed: u64, count: u64) -> Result<Vec<Synthetic>> {
    let words = Words::new();
    let mut all = Vec::with_capacity(count as usize);
    for start in (0..count).step_by(32) {
        let mut pictures = Vec::new();
        let mut prompts = Vec::new();
        for number in start..(start + 32).min(count) {
            let mut rng = Rng::keyed(&[seed, 0x7379_6e74, number]);
            let spec = scenes::sample_training_spec(&mut rng);
            let scene = scenes::sample_scene(&spec, Split::Train, &mut rng);
            let miss = scenes::near_miss(&spec, &scene, &mut rng);
            pictures.extend([scenes::render(&scene), scenes::render(&miss)]);
            prompts.push(words.encode(&spec.prompt()));
        }
        let codes = crate::vq::codes(tokenizer, &pictures, &Device::flex())?;
        for (prompt, pair) in prompts.into_iter().zip(codes.chunks(2)) {
            all.push(Synthetic { prompt, right: pair[0].clone(), wrong: pair[1].clone() });
        }
    }
    Ok(all)
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
    pub rollouts: Vec<Rollout>,
    /// Rollouts to measure on.
    pub held_out: Vec<Rollout>,
    /// True scenes and near misses.
    pub synthetic: Vec<Synthetic>,
    /// Prompts as ids.
    pub words: Words,
}

/// One example: prompt, state, label.
struct Example {
    prompt: Vec<u32>,
    state: Vec<i32>,
    label: f32,
}

impl RewardTask {
    fn example(&self, number: u64) -> Example {
        let mut rng = Rng::keyed(&[self.config.fit.seed, 0x7265_7764, number]);
        if (rng.chance(self.config.synthetic) && !self.synthetic.is_empty()) || self.rollouts.is_empty() {
            let pair = &self.synthetic[rng.below(self.synthetic.len())];
            let right = rng.chance(0.5);
            let mut state = if right { pair.right.clone() } else { pair.wrong.clone() };
            if self.network.label == RewardLabel::Potential {
                let ratio = (std::f32::consts::FRAC_PI_2 * rng.unit()).cos();
                for token in &mut state {
                    // Little masking: a near miss must stay visible for its label to be true.
                    if rng.unit() < ratio * 0.6 {
                        *token = -1;
                    }
                }
            }
            return Example { prompt: pair.prompt.clone(), state, label: f32::from(u8::from(right)) };
        }
        let rollout = &self.rollouts[rng.below(self.rollouts.len())];
        let step = rng.below(rollout.states.len());
        let (state, label) = labelled(rollout, step, self.network.label);
        Example { prompt: self.words.encode(&rollout.prompt), state: state.to_vec(), label: f32::from(u8::from(label)) }
    }

    fn scores(&self, model: &TiedReward, step: usize) -> Vec<(String, f32, bool)> {
        let device = Device::flex();
        let mut scored = Vec::new();
        for part in self.held_out.chunks(32) {
            let examples: Vec<Example> = part
                .iter()
                .map(|rollout| {
                    let (state, label) = labelled(rollout, step, self.network.label);
                    Example {
                        prompt: self.words.encode(&rollout.prompt),
                        state: state.to_vec(),
                        label: f32::from(u8::from(label)),
                    }
                })
                .collect();
            let logits: Vec<f32> =
                forward(model, &self.network, self.bits, &examples, &device).into_data().iter::<f32>().collect();
            scored.extend(
                logits.iter().zip(part).zip(&examples).map(|((&s, r), e)| (r.prompt.clone(), s, e.label > 0.5)),
            );
        }
        scored
    }

    /// ROC-AUC on held-out rollouts at each step.
    #[must_use]
    pub fn auc_by_step(&self, model: &TiedReward) -> Vec<f64> {
        let steps = self.held_out.first().map_or(0, |rollout| rollout.states.len());
        (0..steps).map(|step| auc(&self.scores(model, step).iter().map(|s| (s.1, s.2)).collect::<Vec<_>>())).collect()
    }
}

/// The state of a step and its label.
fn labelled(rollout: &Rollout, step: usize, label: RewardLabel) -> (&[i32], bool) {
    let last = rollout.states.len() - 1;
    match label {
        RewardLabel::Potential => (&rollout.states[step], rollout.accepted),
        RewardLabel::Preview => (&rollout.sampled[step], rollout.preview_accepted[step]),
        RewardLabel::Outcome => (&rollout.states[last], rollout.accepted),
    }
}

/// Area under the ROC curve: the chance that a right example scores above a wrong one, ties counted half.
#[must_use]
pub fn auc(scored: &[(f32, bool)]) -> f64 {
    let (mut above, mut pairs) = (0.0, 0.0);
    for (right, _) in scored.iter().filter(|s| s.1) {
        for (wrong, _) in scored.iter().filter(|s| !s.1) {
            pairs += 1.0;
            above += if right > wrong {
                1.0
            } else if right == wrong {
                0.5
            } else {
                0.0
            };
        }
    }
    if pairs == 0.0 { f64::NAN } else { above / pairs }
}

fn forward(
    model: &TiedReward,
    network: &RewardConfig,
    bits: usize,
    examples: &[Example],
    device: &Device,
) -> Tensor<1> {
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
    model.base.forward_embedded(text, model.base.embed_image(codes) + tied, padding)
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

    fn build(&self, mut weights: Weights) -> Result<TiedReward> {
        Ok(TiedReward {
            bits_in: weights.take("bits_in", [self.bits, self.network.hidden_size], Init::Normal(0.3))?,
            base: Reward::new(&self.network, weights.within("base."))?,
        })
    }

    fn loss(&self, model: &TiedReward, first: u64, examples: usize) -> Loss {
        let device = Device::flex().autodiff();
        let batch: Vec<Example> = (first..first + examples as u64).map(|number| self.example(number)).collect();
        let logits = forward(model, &self.network, self.bits, &batch, &device);
        let labels: Vec<f32> = batch.iter().map(|example| example.label).collect();
        let signs: Vec<f32> = labels.iter().map(|label| 2.0 * label - 1.0).collect();
        let signs = Tensor::<1>::from_data(TensorData::new(signs, [examples]), &device);
        Loss { total: log_sigmoid(logits * signs).mean().neg(), logged: Vec::new() }
    }

    fn sample(&self, model: &TiedReward, _path: &Path) -> Result<()> {
        let aucs = self.auc_by_step(&model.valid());
        eprintln!("AUC by step: {}", aucs.iter().map(|auc| format!("{auc:.3}")).collect::<Vec<_>>().join(" "));
        Ok(())
    }
}

/// Folds the map from bits into the plain table.
///
/// # Errors
/// A parameter is absent.
pub fn export(config: &RewardConfig, bits: usize, mut named: Named) -> Result<Named> {
    let (_, map) = named.remove("bits_in").context("no `bits_in` in the checkpoint")?;
    let mut plain: Named =
        named.into_iter().map(|(name, value)| (name.trim_start_matches("base.").to_owned(), value)).collect();
    let (_, values) = plain.get_mut("image.weight").context("no `image.weight` in the checkpoint")?;
    let d = config.hidden_size;
    for code in 0..config.codebook_size {
        let row = &mut values[code * d..][..d];
        for (bit, sign) in bits_of(code as i32, bits).enumerate() {
            for (value, map) in row.iter_mut().zip(&map[bit * d..][..d]) {
                *value += sign * map;
            }
        }
    }
    Ok(plain)
}

/// A sheet is not drawn for a network that gives numbers; this keeps the sample hook honest.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auc_counts_pairs() {
        assert!((auc(&[(0.9, true), (0.1, false)]) - 1.0).abs() < 1e-9);
        assert!((auc(&[(0.1, true), (0.9, false)])).abs() < 1e-9);
        assert!((auc(&[(0.5, true), (0.5, false)]) - 0.5).abs() < 1e-9);
    }
}

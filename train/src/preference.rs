//! `train dpo`: the generator aligned with preferences among its own pictures (METHOD.md).
//!
//! Two finished rollouts of one prompt make a pair, the better one by the checker's word or by PARM's. Both are masked
//! at the same positions; [`dpo`] compares what the generator and its reference say of the masked codes.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::tensor::activation::{log_sigmoid, softmax};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use scenes::Rng;
use serde::{Deserialize, Serialize};
use showo::config::{RewardConfig, ShowoConfig};
use showo::model::Weights;
use showo::model::magvit::Magvit;
use showo::model::reward::{Reward, inputs};

use crate::checkpoint::{Named, weights_of};
use crate::data::Words;
use crate::fit::{FitConfig, Loss, Task};
use crate::generator::{self, Masked, Tied, masked_places};
use crate::reward;
use crate::rollouts::Rollout;
use train::dpo::{self, IGNORED, Sums};

/// `train/configs/dpo.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpoConfig {
    /// The loop; `batch` counts pairs.
    pub fit: FitConfig,
    /// β.
    pub beta: f64,
    /// g of the guided logits `(1+g)·cond − g·uncond` whose probabilities are compared: those of the distribution that draws.
    /// Plain conditional ones (g = 0) are moved as well, but drawing triples what they moved by and adds what the
    /// unconditional ones happened to.
    pub guidance_scale: f32,
    /// Whether the loss is the form without a reference model.
    pub reference_free: bool,
    /// Factor of the preferred picture's mean negative log-probability a token (iterative reasoning preference optimization,
    /// arXiv 2404.19733): preferring alone also makes both pictures less likely, and guidance multiplies that.
    pub chosen_coefficient: f64,
    /// Who says which of two pictures is better.
    pub ranked_by: Ranking,
    /// Factor of −ln r, where r is PARM's word on what the generator would fill in; 0 leaves PARM out.
    pub reward_coefficient: f64,
}

/// Who ranks a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ranking {
    /// The world's checker.
    Checker,
    /// PARM.
    Parm,
}

impl DpoConfig {
    /// Whether PARM has anything to say.
    #[must_use]
    pub fn needs_parm(&self) -> bool {
        self.ranked_by == Ranking::Parm || self.reward_coefficient > 0.0
    }
}

/// Finished pictures of one prompt, each with its rank: higher is better.
struct Group {
    prompt_ids: Vec<u32>,
    pictures: Vec<(Vec<i32>, f32)>,
}

/// One picture preferred to another, both to be masked at the same places.
struct Pair<'a> {
    prompt_ids: &'a [u32],
    chosen: &'a [i32],
    rejected: &'a [i32],
    masked: Vec<usize>,
}

/// Groups in which something can be preferred.
pub struct Pairs {
    groups: Vec<Group>,
}

impl Pairs {
    /// Groups rollouts by their prompt, ranked by `rank`, one number a rollout.
    ///
    /// # Errors
    /// No group has two pictures of different rank.
    pub fn new(rollouts: &[Rollout], ranks: &[f32]) -> Result<Self> {
        let words = Words::new();
        let mut groups: BTreeMap<u64, Group> = BTreeMap::new();
        for (rollout, &rank) in rollouts.iter().zip(ranks) {
            let Some(codes) = rollout.states.last() else { continue };
            let prompt_ids = words.encode(&rollout.prompt);
            let group = groups.entry(rollout.group).or_insert(Group { prompt_ids, pictures: Vec::new() });
            group.pictures.push((codes.clone(), rank));
        }
        let mut groups: Vec<Group> = groups.into_values().collect();
        groups.retain(|group| group.pictures.iter().any(|picture| picture.1 != group.pictures[0].1));
        ensure!(
            !groups.is_empty(),
            "no two rollouts of one prompt differ in rank; run `train rollouts --group 8` first"
        );
        Ok(Self { groups })
    }

    /// A prompt with a preferred and a rejected picture.
    fn draw(&self, rng: &mut Rng) -> Pair<'_> {
        let group = &self.groups[rng.below(self.groups.len())];
        loop {
            // Ends: the group has two ranks.
            let a = &group.pictures[rng.below(group.pictures.len())];
            let b = &group.pictures[rng.below(group.pictures.len())];
            if a.1 > b.1 {
                let masked = masked_places(a.0.len(), rng);
                return Pair { prompt_ids: &group.prompt_ids, chosen: &a.0, rejected: &b.0, masked };
            }
        }
    }
}

/// PARM in f32, without gradients of its own.
pub struct Judge {
    /// The network, on the training's device.
    pub reward: Reward,
    /// Its configuration.
    pub config: RewardConfig,
}

impl Judge {
    /// From its parameters, on the device that records gradients: they pass through it to the generator.
    ///
    /// # Errors
    /// Parameters that do not fit the configuration.
    pub fn new(config: RewardConfig, named: &Named, device: &Device) -> Result<Self> {
        Ok(Self { reward: Reward::new(&config, weights_of(named, device)?)?.no_grad(), config })
    }

    /// −ln r of every picture, `[pictures]`: known codes as they are, the masked ones as the mean over what the generator
    /// says of them, `logits` `[pictures, N, codes]`; `masked` `[pictures, N]` is 1 there.
    fn surprise(&self, prompts: &[&[u32]], states: &[&[i32]], logits: Tensor<3>, masked: Tensor<2>) -> Tensor<1> {
        let device = logits.device();
        let [pictures, n, codes] = logits.dims();
        let (text, known, padding) = inputs(&self.config, prompts, states, &device);
        let all: Vec<i32> = (0..codes as i32).collect();
        let all = Tensor::<2, Int>::from_data(TensorData::new(all, [1, codes]), &device);
        let table = self.reward.embed_image(all);
        let d = table.dims()[2];
        let filled = softmax(logits, 2).reshape([pictures * n, codes]).matmul(table.reshape([codes, d]));
        let masked = masked.reshape([pictures, n, 1]);
        let image =
            self.reward.embed_image(known) * (masked.clone().neg() + 1.0) + filled.reshape([pictures, n, d]) * masked;
        log_sigmoid(self.reward.forward_embedded(text, image, padding)).neg()
    }
}

/// PARM's word on every rollout's finished picture.
#[must_use]
pub fn parm_ranks(reward: &Reward, config: &RewardConfig, rollouts: &[Rollout]) -> Vec<f32> {
    let finished =
        rollouts.iter().filter_map(|rollout| Some((rollout.prompt.as_str(), rollout.states.last()?.as_slice())));
    reward::logits(reward, config, &finished.collect::<Vec<_>>())
}

/// The task.
pub struct DpoTask {
    /// Its configuration.
    pub config: DpoConfig,
    /// The network's.
    pub network: ShowoConfig,
    /// Bits of a code.
    pub bits: usize,
    /// What is preferred to what.
    pub pairs: Pairs,
    /// What the run begins with, and is compared with.
    pub begin: Named,
    /// `begin` as a network, on the training's device without gradients.
    pub reference: Tied,
    /// PARM, where it has a part in the loss.
    pub judge: Option<Judge>,
    /// For sample sheets.
    pub tokenizer: Magvit,
}

/// Pairs masked, and what was hidden.
struct Batch<'a> {
    /// With their prompts, and where guidance asks for it once more without.
    masked: Masked<'a>,
    /// The hidden codes, [`IGNORED`] elsewhere, `[2 · pairs, N]`: preferred pictures first.
    labels: Vec<i32>,
}

impl DpoTask {
    fn batch<'a>(&'a self, pairs: &[Pair<'a>]) -> Batch<'a> {
        let mut masked = Masked::new(&self.network, self.bits);
        let mut labels = Vec::with_capacity(2 * pairs.len() * self.network.num_vq_tokens);
        let sides: [fn(&Pair<'a>) -> &'a [i32]; 2] = [|pair| pair.chosen, |pair| pair.rejected];
        for side in sides {
            for pair in pairs {
                let codes = side(pair);
                masked.push(pair.prompt_ids, codes, &pair.masked);
                let label = |at: usize| if pair.masked.contains(&at) { codes[at] } else { IGNORED as i32 };
                labels.extend((0..codes.len()).map(label));
            }
        }
        if self.config.guidance_scale > 0.0 {
            for side in sides {
                for pair in pairs {
                    masked.push(&[], side(pair), &pair.masked);
                }
            }
        }
        Batch { masked, labels }
    }

    /// Guided logits `[2 · pairs, N, codes]`.
    fn logits(&self, model: &Tied, batch: &Batch, device: &Device) -> Tensor<3> {
        let n = self.network.num_vq_tokens;
        let logits = model.code_logits(batch.masked.hidden(model, device));
        let (rows, g) = (batch.labels.len(), self.config.guidance_scale);
        let guided = if g > 0.0 {
            logits.clone().narrow(0, 0, rows) * (1.0 + g) - logits.narrow(0, rows, rows) * g
        } else {
            logits
        };
        guided.reshape([rows / n, n, self.network.codebook_size])
    }

    fn sums(&self, logits: Tensor<3>, batch: &Batch) -> Sums {
        let [rows, n, _] = logits.dims();
        let labels = TensorData::new(batch.labels.clone(), [rows, n]);
        let sums = dpo::summed_log_probability(logits.clone(), Tensor::from_data(labels, &logits.device()));
        Sums { chosen: sums.clone().narrow(0, 0, rows / 2), rejected: sums.narrow(0, rows / 2, rows / 2) }
    }
}

/// Numbers of one device on another, as constants.
fn constant(sums: Tensor<1>, device: &Device) -> Tensor<1> {
    let (dtype, rows) = (sums.dtype(), sums.dims()[0]);
    let values: Vec<f64> = sums.into_data().iter::<f64>().collect();
    Tensor::from_data(TensorData::new(values, [rows]), (device, dtype))
}

impl Task for DpoTask {
    type Model = Tied;

    fn kind(&self) -> &'static str {
        "showo"
    }

    fn config(&self) -> Result<serde_json::Value> {
        Ok(serde_json::to_value(&self.config)?)
    }

    fn build(&self, weights: Weights) -> Result<Tied> {
        Tied::new(&self.network, self.bits, weights)
    }

    fn begin(&self) -> Option<Named> {
        Some(self.begin.clone())
    }

    fn import(&self, shipped: Named) -> Result<Named> {
        generator::import(&self.network, self.bits, shipped)
    }

    fn loss(&self, model: &Tied, first: u64, examples: usize, device: &Device) -> Loss {
        let pairs: Vec<Pair> = (first..first + examples as u64)
            .map(|number| self.pairs.draw(&mut Rng::keyed(&[self.config.fit.seed, 0x0064_706f, number])))
            .collect();
        let batch = self.batch(&pairs);
        let logits = self.logits(model, &batch, device);
        let policy = self.sums(logits.clone(), &batch);
        let margin = (policy.chosen.clone() - policy.rejected.clone()).mean().cast(DType::F32).into_scalar::<f32>();
        let mut logged = vec![("margin", margin)];
        let hidden = pairs.iter().map(|pair| pair.masked.len() as f64).collect();
        let hidden =
            Tensor::<1>::from_data(TensorData::new::<f64, _>(hidden, [examples]), (device, policy.chosen.dtype()));
        let unlikely = (policy.chosen.clone() / hidden).mean().neg().cast(DType::F32);
        logged.push(("chosen", unlikely.clone().into_scalar::<f32>()));
        let losses = if self.config.reference_free {
            dpo::reference_free_loss(policy)
        } else {
            let plain = device.clone().inner();
            let reference = self.sums(self.logits(&self.reference, &batch, &plain), &batch);
            let [chosen, rejected] = [reference.chosen, reference.rejected].map(|sums| constant(sums, device));
            dpo::loss(policy, Sums { chosen, rejected }, self.config.beta)
        };
        let preferred = losses.mean();
        logged.push(("dpo", preferred.clone().into_scalar::<f32>()));
        let mut total = preferred + unlikely * self.config.chosen_coefficient;
        if let Some(judge) = &self.judge {
            let n = self.network.num_vq_tokens;
            let hidden = batch.labels[..examples * n].iter().map(|&label| f32::from(u8::from(label >= 0))).collect();
            let hidden = Tensor::<2>::from_data(TensorData::new::<f32, _>(hidden, [examples, n]), device);
            let prompts: Vec<&[u32]> = pairs.iter().map(|pair| pair.prompt_ids).collect();
            let states: Vec<&[i32]> = pairs.iter().map(|pair| pair.chosen).collect();
            let surprise = judge.surprise(&prompts, &states, logits.narrow(0, 0, examples), hidden).mean();
            logged.push(("surprise", surprise.clone().into_scalar::<f32>()));
            total = total + surprise * self.config.reward_coefficient;
        }
        Loss { total, logged }
    }

    fn sample(&self, model: &Tied, path: &Path) -> Result<()> {
        generator::sample(&self.network, self.bits, &self.tokenizer, model, path)
    }
}

/// The reference network: `begin` on `device`, which records no gradients.
///
/// # Errors
/// Parameters that do not fit the configuration.
pub fn reference(network: &ShowoConfig, bits: usize, begin: &Named, device: &Device) -> Result<Tied> {
    Tied::new(network, bits, weights_of(begin, device)?).context("the reference model")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use showo::settings::Tuning;

    fn rollout(group: u64, code: i32) -> Rollout {
        Rollout { prompt: "a circle".into(), group, states: vec![vec![-1], vec![code]], ..Rollout::default() }
    }

    #[test]
    fn a_pair_is_of_one_prompt_and_the_better_comes_first() {
        let rollouts = [rollout(0, 1), rollout(0, 2), rollout(1, 3), rollout(1, 4), rollout(1, 5)];
        let pairs = Pairs::new(&rollouts, &[0.5, 0.5, 0.1, 0.9, 0.3]).unwrap();
        let mut rng = Rng::new(1);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let pair = pairs.draw(&mut rng);
            seen.insert((pair.chosen[0], pair.rejected[0]));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [(4, 3), (4, 5), (5, 3)]);
        assert!(Pairs::new(&rollouts[..2], &[0.5, 0.5]).is_err());
    }

    #[test]
    fn guided_logits_are_those_that_draw_and_nothing_is_preferred_at_first() {
        let shipped = Source::Bundle(concat!(env!("CARGO_MANIFEST_DIR"), "/../www/models/scenes").into());
        let (magvit, tokenizer) = shipped.tokenizer().unwrap();
        let (network, _) = shipped.generator(Tuning::Base).unwrap();
        let bits = magvit.z_channels;
        let begin = generator::import(&network, bits, shipped.generator_parameters(Tuning::Base).unwrap()).unwrap();
        let device = Device::flex();
        let reference = reference(&network, bits, &begin, &device).unwrap();
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/configs/dpo.toml")).unwrap();
        let plain: DpoConfig = toml::from_str(&text).unwrap();
        let picture = |shift: i32| (0..64).map(|at| (at * 7 + shift) % 100).collect::<Vec<i32>>();
        let rolled = [1, 2].map(|shift| Rollout { states: vec![picture(shift)], ..rollout(0, 0) });
        let pairs = || Pairs::new(&rolled, &[0.0, 1.0]).unwrap();
        let task = |guidance_scale: f32| DpoTask {
            config: DpoConfig { guidance_scale, chosen_coefficient: 0.0, ..plain.clone() },
            network: network.clone(),
            bits,
            pairs: pairs(),
            begin: begin.clone(),
            reference: reference.clone(),
            judge: None,
            tokenizer: tokenizer.clone(),
        };
        let drawn = pairs();
        let pair = || [drawn.draw(&mut Rng::new(3))];
        let values = |logits: Tensor<3>| logits.into_data().iter::<f32>().collect::<Vec<_>>();
        let logits = |task: &DpoTask| {
            let pair = pair();
            values(task.logits(&reference, &task.batch(&pair), &device))
        };
        let conditional = logits(&task(0.0));
        let mut unprompted = Masked::new(&network, bits);
        for codes in [pair()[0].chosen, pair()[0].rejected] {
            unprompted.push(&[], codes, &pair()[0].masked);
        }
        let unconditional = reference.code_logits(unprompted.hidden(&reference, &device));
        let unconditional: Vec<f32> = unconditional.into_data().iter::<f32>().collect();
        for ((guided, with), without) in logits(&task(2.0)).iter().zip(&conditional).zip(&unconditional) {
            assert!((guided - (3.0 * with - 2.0 * without)).abs() < 1e-3, "{guided} {with} {without}");
        }
        let training = device.autodiff();
        let model = Tied::new(&network, bits, weights_of(&begin, &training).unwrap()).unwrap();
        for guidance_scale in [0.0, 2.0] {
            let loss = task(guidance_scale).loss(&model, 0, 2, &training).total.into_scalar::<f32>();
            assert!((loss - std::f32::consts::LN_2).abs() < 1e-4, "{loss}");
        }
    }
}

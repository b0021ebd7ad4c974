//! `train dpo`: the generator aligned with preferences among its own pictures (docs/method.md, "Preferences").
//!
//! Two finished rollouts of one prompt make a pair, the better one by the checker's word or by PARM's. [`dpo`] compares
//! what the generator and its reference say of hidden codes: of both pictures masked at the same positions, or of what a
//! step of decoding added to what each had known before. Or the pair is of two candidates of one step, ranked by PARM.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rng::Rng;
use showo::bundle::ModelKind;
use showo::config::ShowoConfig;
use showo::decode::step::{StepPlan, draw_candidates};
use showo::load::RewardModel;
use showo::model::Weights;
use showo::model::magvit::Magvit;

use crate::checkpoint::{Named, weights_of};
use crate::fit::{Loss, Task};
use crate::generator::{self, Masked, Tied};
use train::dpo::{self, IGNORED, Sums};

mod config;
mod pairs;
mod surprise;

pub use config::{Compared, DpoConfig, Ranking};
pub use pairs::Pairs;
use pairs::{Pair, Side, Visited};
pub use surprise::{Surprise, parm_ranks};

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
    pub surprise: Option<Surprise>,
    /// PARM, where it ranks candidates, without gradients.
    pub parm: Option<RewardModel>,
    /// For sample sheets.
    pub tokenizer: Magvit,
}

/// Pairs masked, and what was hidden.
struct Batch<'a> {
    /// With their prompts, and where guidance asks for it once more without.
    masked: Masked<'a>,
    /// The compared codes, [`IGNORED`] elsewhere, `[sides, N]`.
    labels: Vec<i32>,
}

impl DpoTask {
    /// One row a side, each with its prompt.
    fn masked<'a>(&'a self, sides: &[(&[u32], &Side)]) -> Batch<'a> {
        let mut masked = Masked::new(&self.network, self.bits);
        let mut labels = Vec::with_capacity(sides.len() * self.network.num_vq_tokens);
        for (prompt_ids, side) in sides {
            masked.push(prompt_ids, &side.codes, &side.hidden);
            let label = |at: usize| if side.compared.contains(&at) { side.codes[at] } else { IGNORED as i32 };
            labels.extend((0..side.codes.len()).map(label));
        }
        if self.config.guidance_scale > 0.0 {
            for (_, side) in sides {
                masked.push(&[], &side.codes, &side.hidden);
            }
        }
        Batch { masked, labels }
    }

    /// Pairs of candidates, drawn by the reference: the best and the worst by PARM's word.
    ///
    /// # Panics
    /// There is no PARM; the device fails.
    fn candidates(&self, visited: &[(Visited, u64)], candidates: u32, temperature: f32) -> Vec<[Side; 2]> {
        let parm = self.parm.as_ref().expect("candidates are ranked by PARM");
        let states: Vec<Side> = visited.iter().map(|(at, _)| Side::new(&at.state, at.state.clone())).collect();
        let sides = visited.iter().zip(&states).map(|((at, _), state)| (at.group.prompt_ids.as_slice(), state));
        let logits =
            self.logits(&self.reference, &self.masked(&sides.collect::<Vec<_>>()), &self.reference.bits_in.device());
        let [_, n, codes] = logits.dims();
        let drawn: Vec<Vec<Vec<i32>>> = visited
            .iter()
            .enumerate()
            .map(|(row, (at, seed))| {
                let plan = StepPlan {
                    seed: *seed,
                    pass: 0,
                    step: at.step as u32,
                    steps: at.steps as u32,
                    total: n,
                    temperature,
                    first: 0,
                    candidates,
                };
                let logits = logits.clone().narrow(0, row, 1).reshape([n, codes]);
                let drawn = pollster::block_on(draw_candidates(logits, &at.state, &plan)).expect("the CPU draws");
                drawn.into_iter().map(|drawn| drawn.tokens).collect()
            })
            .collect();
        let asked: Vec<(&[u32], &[i32])> = visited
            .iter()
            .zip(&drawn)
            .flat_map(|((at, _), drawn)| drawn.iter().map(|tokens| (at.group.prompt_ids.as_slice(), tokens.as_slice())))
            .collect();
        let scores = crate::parm::logits_of(parm, &asked);
        let best_and_worst = |((at, drawn), scores): ((&Visited, &Vec<Vec<i32>>), &[f32])| {
            let mut ranked: Vec<(&f32, &Vec<i32>)> = scores.iter().zip(drawn).collect();
            ranked.sort_by(|a, b| a.0.total_cmp(b.0));
            [ranked[ranked.len() - 1], ranked[0]].map(|(_, tokens)| Side::new(&at.state, tokens.clone()))
        };
        let at = visited.iter().map(|(at, _)| at);
        at.zip(&drawn).zip(scores.chunks(candidates as usize)).map(best_and_worst).collect()
    }

    fn draw(&self, numbers: Range<u64>) -> Vec<Pair<'_>> {
        let rngs = numbers.map(|number| Rng::keyed(&[self.config.fit.seed, 0x0064_706f, number]));
        let Compared::Step { candidates, temperature } = self.config.compared else {
            let committed = self.config.compared == Compared::Committed;
            return rngs.map(|mut rng| self.pairs.draw(committed, &mut rng)).collect();
        };
        let visited: Vec<(Visited, u64)> = rngs.map(|mut rng| (self.pairs.visit(&mut rng), rng.next_u64())).collect();
        let sides = self.candidates(&visited, candidates, temperature);
        visited
            .into_iter()
            .zip(sides)
            .map(|((at, _), [chosen, rejected])| Pair { prompt_ids: &at.group.prompt_ids, chosen, rejected })
            .collect()
    }

    /// Guided logits `[sides, N, codes]`.
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

/// The sides of all pairs, those of preferred pictures before the others.
fn preferred_first<'a>(pairs: &'a [Pair]) -> Vec<(&'a [u32], &'a Side)> {
    let chosen = pairs.iter().map(|pair| (pair.prompt_ids, &pair.chosen));
    chosen.chain(pairs.iter().map(|pair| (pair.prompt_ids, &pair.rejected))).collect()
}

/// Numbers of one device on another, as constants.
fn constant(sums: Tensor<1>, device: &Device) -> Tensor<1> {
    let (dtype, rows) = (sums.dtype(), sums.dims()[0]);
    let values: Vec<f64> = sums.into_data().iter::<f64>().collect();
    Tensor::from_data(TensorData::new(values, [rows]), (device, dtype))
}

impl Task for DpoTask {
    type Model = Tied;
    /// The examples' numbers: which pairs these are may be the networks' word ([`Compared::Step`]).
    type Batch<'a> = Range<u64>;

    fn kind(&self) -> ModelKind {
        ModelKind::SHOWO
    }

    fn config(&self) -> Result<serde_json::Value> {
        Ok(serde_json::to_value(&self.config)?)
    }

    fn build(&self, weights: Weights) -> Result<Tied> {
        Tied::new(&self.network, self.bits, weights)
    }

    fn begin(&self) -> Result<Option<Named>> {
        Ok(Some(self.begin.clone()))
    }

    fn import(&self, shipped: Named) -> Result<Named> {
        generator::import(&self.network, self.bits, shipped)
    }

    fn batch(&self, first: u64, examples: usize) -> Range<u64> {
        first..first + examples as u64
    }

    fn loss(&self, model: &Tied, numbers: Range<u64>, device: &Device) -> Loss {
        let pairs = self.draw(numbers);
        let examples = pairs.len();
        let batch = self.masked(&preferred_first(&pairs));
        let logits = self.logits(model, &batch, device);
        let policy = self.sums(logits.clone(), &batch);
        let margin = (policy.chosen.clone() - policy.rejected.clone()).mean().cast(DType::F32).into_scalar::<f32>();
        let mut logged = vec![("margin", margin)];
        let compared = pairs.iter().map(|pair| pair.chosen.compared.len() as f64).collect();
        let compared =
            Tensor::<1>::from_data(TensorData::new::<f64, _>(compared, [examples]), (device, policy.chosen.dtype()));
        let unlikely = (policy.chosen.clone() / compared).mean().neg().cast(DType::F32);
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
        if let Some(surprise) = &self.surprise {
            let n = self.network.num_vq_tokens;
            let hidden =
                pairs.iter().flat_map(|pair| (0..n).map(|at| f32::from(u8::from(pair.chosen.hidden.contains(&at)))));
            let hidden = hidden.collect();
            let hidden = Tensor::<2>::from_data(TensorData::new::<f32, _>(hidden, [examples, n]), device);
            let prompts: Vec<&[u32]> = pairs.iter().map(|pair| pair.prompt_ids).collect();
            let states: Vec<&[i32]> = pairs.iter().map(|pair| pair.chosen.codes.as_slice()).collect();
            let surprise = surprise.of(&prompts, &states, logits.narrow(0, 0, examples), hidden).mean();
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
mod tests;

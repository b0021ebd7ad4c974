//! `train dpo`: the generator aligned with preferences among its own pictures (METHOD.md).
//!
//! Two finished rollouts of one prompt make a pair, the better one by the checker's word or by PARM's. [`dpo`] compares
//! what the generator and its reference say of hidden codes: of both pictures masked at the same positions, or of what a
//! step of decoding added to what each had known before. Or the pair is of two candidates of one step, ranked by PARM.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::tensor::activation::{log_sigmoid, softmax};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use scenes::Rng;
use serde::{Deserialize, Serialize};
use showo::config::{RewardConfig, ShowoConfig};
use showo::decode::step::{StepPlan, draw_candidates};
use showo::model::Weights;
use showo::model::magvit::Magvit;
use showo::model::reward::{Reward, inputs};

use crate::checkpoint::{Named, weights_of};
use crate::critic::Critic;
use crate::fit::{FitConfig, Loss, Task};
use crate::generator::{self, Masked, Tied};
use crate::rollouts::Rollout;
use train::dpo::{self, IGNORED, Sums};

mod pairs;
pub use pairs::Pairs;
use pairs::{Pair, Side, Visited};

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
    /// Which codes are compared.
    #[serde(default)]
    pub compared: Compared,
    /// Who says which of two pictures is better.
    pub ranked_by: Ranking,
    /// Factor of −ln r, where r is PARM's word on what the generator would fill in; 0 leaves PARM out.
    pub reward_coefficient: f64,
}

/// Which codes of two pictures are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Compared {
    /// All that are masked, at the same random positions in both (METHOD.md).
    #[default]
    Masked,
    /// Those that one step of decoding committed, given what was known before it: a picture's likelihood is a product of
    /// these over its steps, of which a random one stands for all (as in Diffusion-DPO, arXiv 2311.12908).
    Committed,
    /// Those that the best and the worst of several candidates commit, by PARM's word, all drawn anew at a step that a
    /// rollout went through: what verification chooses between at every step, and with nothing else in the difference.
    Step {
        /// k.
        candidates: u32,
        /// Of the re-masking noise before the first step.
        temperature: f32,
    },
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
    /// Itself, where it can be trained with.
    ///
    /// # Errors
    /// A step of which no two candidates could be compared.
    pub fn checked(self) -> Result<Self> {
        if let Compared::Step { candidates, .. } = self.compared {
            ensure!(candidates >= 2, "compared.step.candidates is {candidates}; a pair needs at least 2");
        }
        Ok(self)
    }

    /// Whether PARM has anything to say.
    #[must_use]
    pub fn needs_parm(&self) -> bool {
        self.ranked_by == Ranking::Parm
            || self.reward_coefficient > 0.0
            || matches!(self.compared, Compared::Step { .. })
    }
}

/// PARM in f32, without gradients of its own.
pub struct Judge(Critic);

impl Judge {
    /// From its parameters, on the device that records gradients: they pass through it to the generator.
    ///
    /// # Errors
    /// Parameters that do not fit the configuration.
    pub fn new(config: RewardConfig, named: &Named, device: Device) -> Result<Self> {
        let reward = Reward::new(&config, weights_of(named, &device)?)?.no_grad();
        Ok(Self(Critic { config, reward, device }))
    }

    /// −ln r of every picture, `[pictures]`: known codes as they are, the masked ones as the mean over what the generator
    /// says of them, `logits` `[pictures, N, codes]`; `masked` `[pictures, N]` is 1 there.
    fn surprise(&self, prompts: &[&[u32]], states: &[&[i32]], logits: Tensor<3>, masked: Tensor<2>) -> Tensor<1> {
        let Self(Critic { config, reward, .. }) = self;
        let device = logits.device();
        let [pictures, n, codes] = logits.dims();
        let (text, known, padding) = inputs(config, prompts, states, &device);
        let all: Vec<i32> = (0..codes as i32).collect();
        let all = Tensor::<2, Int>::from_data(TensorData::new(all, [1, codes]), &device);
        let table = reward.embed_image(all);
        let d = table.dims()[2];
        let filled = softmax(logits, 2).reshape([pictures * n, codes]).matmul(table.reshape([codes, d]));
        let masked = masked.reshape([pictures, n, 1]);
        let image =
            reward.embed_image(known) * (masked.clone().neg() + 1.0) + filled.reshape([pictures, n, d]) * masked;
        log_sigmoid(reward.forward_embedded(text, image, padding)).neg()
    }
}

/// PARM's word on every rollout's finished picture.
#[must_use]
pub fn parm_ranks(parm: &Critic, rollouts: &[Rollout]) -> Vec<f32> {
    let finished =
        rollouts.iter().filter_map(|rollout| Some((rollout.prompt.as_str(), rollout.states.last()?.as_slice())));
    parm.logits(&finished.collect::<Vec<_>>())
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
    /// PARM, where it ranks candidates, without gradients.
    pub critic: Option<Critic>,
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
    /// There is no critic; the device fails.
    fn candidates(&self, visited: &[(Visited, u64)], candidates: u32, temperature: f32) -> Vec<[Side; 2]> {
        let critic = self.critic.as_ref().expect("candidates are ranked by PARM");
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
        let scores = critic.logits_of(&asked);
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

    fn kind(&self) -> &'static str {
        "showo"
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
        if let Some(judge) = &self.judge {
            let n = self.network.num_vq_tokens;
            let hidden =
                pairs.iter().flat_map(|pair| (0..n).map(|at| f32::from(u8::from(pair.chosen.hidden.contains(&at)))));
            let hidden = hidden.collect();
            let hidden = Tensor::<2>::from_data(TensorData::new::<f32, _>(hidden, [examples, n]), device);
            let prompts: Vec<&[u32]> = pairs.iter().map(|pair| pair.prompt_ids).collect();
            let states: Vec<&[i32]> = pairs.iter().map(|pair| pair.chosen.codes.as_slice()).collect();
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
    use showo::config::RewardLabel;
    use showo::settings::Tuning;

    fn shipped() -> Source {
        Source::Bundle(concat!(env!("CARGO_MANIFEST_DIR"), "/../www/models/scenes").into())
    }

    /// From the shipped weights, on two made-up rollouts of which one is better.
    fn task(change: impl Fn(&mut DpoConfig)) -> DpoTask {
        let (magvit, tokenizer) = shipped().tokenizer(&Device::flex()).unwrap();
        let (network, _) = shipped().generator(Tuning::Base, &Device::flex()).unwrap();
        let bits = magvit.z_channels;
        let begin = generator::import(&network, bits, shipped().generator_parameters(Tuning::Base).unwrap()).unwrap();
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/configs/dpo.toml")).unwrap();
        let mut config: DpoConfig = toml::from_str(&text).unwrap();
        config.chosen_coefficient = 0.0;
        change(&mut config);
        let picture = |shift: i32| (0..64).map(|at| (at * 7 + shift) % 100).collect::<Vec<i32>>();
        let states = |shift: i32| {
            let mut half = picture(shift);
            half[..32].fill(-1);
            vec![half, picture(shift)]
        };
        let rolled =
            [1, 2].map(|shift| Rollout { prompt: "a circle".into(), states: states(shift), ..Rollout::default() });
        let pairs = Pairs::new(&rolled, &[0.0, 1.0]).unwrap();
        let reference = reference(&network, bits, &begin, &Device::flex()).unwrap();
        DpoTask { config, network, bits, pairs, begin, reference, judge: None, critic: None, tokenizer }
    }

    #[test]
    fn guided_logits_are_those_that_draw() {
        let guided_by = |guidance_scale: f32| {
            task(|config| {
                config.compared = Compared::Masked;
                config.guidance_scale = guidance_scale;
            })
        };
        let device = Device::flex();
        let values = |logits: Tensor<3>| logits.into_data().iter::<f32>().collect::<Vec<_>>();
        let logits = |task: &DpoTask| {
            values(task.logits(&task.reference, &task.masked(&preferred_first(&task.draw(0..1))), &device))
        };
        let plain = guided_by(0.0);
        let conditional = logits(&plain);
        let mut unprompted = Masked::new(&plain.network, plain.bits);
        for pair in plain.draw(0..1) {
            for side in [pair.chosen, pair.rejected] {
                unprompted.push(&[], &side.codes, &side.hidden);
            }
        }
        let unconditional = plain.reference.code_logits(unprompted.hidden(&plain.reference, &device));
        let unconditional: Vec<f32> = unconditional.into_data().iter::<f32>().collect();
        for ((guided, with), without) in logits(&guided_by(2.0)).iter().zip(&conditional).zip(&unconditional) {
            assert!((guided - (3.0 * with - 2.0 * without)).abs() < 1e-3, "{guided} {with} {without}");
        }
    }

    #[test]
    fn nothing_is_preferred_at_first() {
        // The second computes the policy as training does and the reference as drawing does: other sums of the same numbers.
        for (device, tolerance) in [(Device::flex(), 1e-6), (Device::flex().autodiff(), 5e-4)] {
            for (guidance_scale, compared) in [
                (0.0, Compared::Masked),
                (2.0, Compared::Masked),
                (0.0, Compared::Committed),
                (2.0, Compared::Committed),
            ] {
                let task = task(|config| {
                    config.compared = compared;
                    config.guidance_scale = guidance_scale;
                });
                let named = weights_of(&task.begin, &device).unwrap();
                let model = Tied::new(&task.network, task.bits, named).unwrap();
                let loss = task.loss(&model, 0..2, &device).total.into_scalar::<f32>();
                assert!((loss - std::f32::consts::LN_2).abs() < tolerance, "{loss} on {device:?}");
            }
        }
    }

    #[test]
    fn one_candidate_is_no_pair() {
        let of = |candidates| {
            let mut config = task(|_| {}).config;
            config.compared = Compared::Step { candidates, temperature: 8.0 };
            config.checked().map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(of(2), Ok(()));
        assert!(of(1).unwrap_err().contains("candidates is 1"), "{:?}", of(1));
    }

    #[test]
    fn the_best_and_the_worst_candidate_of_a_step_share_its_state() {
        let mut task = task(|config| {
            config.compared = Compared::Step { candidates: 6, temperature: 8.0 };
            config.guidance_scale = 2.0;
        });
        task.critic = shipped().reward(RewardLabel::Potential, &Device::flex()).unwrap();
        let critic = task.critic.as_ref().unwrap();
        let mut told_apart = 0;
        for pair in task.draw(0..8) {
            let [chosen, rejected] = [&pair.chosen, &pair.rejected];
            assert_eq!(chosen.hidden, rejected.hidden);
            for side in [chosen, rejected] {
                assert!(!side.compared.is_empty() && side.compared.iter().all(|at| side.hidden.contains(at)));
                let known = |at: &usize| !chosen.hidden.contains(at) || side.compared.contains(at);
                assert!((0..64).all(|at| known(&at) == (side.codes[at] >= 0)));
            }
            let states = [chosen, rejected].map(|side| ("a circle", side.codes.as_slice()));
            let [better, worse] = critic.logits(&states)[..] else { unreachable!() };
            assert!(better >= worse, "{better} {worse}");
            told_apart += usize::from(better > worse);
        }
        assert!(told_apart > 2, "{told_apart}");
    }
}

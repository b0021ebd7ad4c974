//! `train --world icons reward`: one network for the paper's questions (clarity, potential, outcome, preview).
//!
//! Half of the examples are true scenes, some of their tokens masked, with their own prompt or a near miss of it, of which there is
//! no end; the others are states of rollouts, which show what the generator's own mistakes look like and what becomes of a state.
//! Complete pictures of rollouts are also judged by near misses of their prompts: what the checker saw answers any of them. As in
//! [`crate::reward`], rollouts of one prompt come in pairs, one right and one wrong, codes are tied to their bits, and what stands
//! where is asked for beside.

use std::path::Path;

use anyhow::Result;
use burn::module::{Module, Param};
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rng::Rng;
use scenes::icons::{CLASSES, LATTICE_PX, SIDE, Sighting, Spec, near_miss, verdicts};
use serde::{Deserialize, Serialize};
use showo::bundle::ModelKind;
use showo::config::{RewardConfig, RewardLabel, RewardQuestion};
use showo::model::Weights;
use showo::model::reward::{Reward, grouped, inputs};
use showo::model::weights::{Init, named_parameters};
use showo::ops::gradient::{cross_entropy, project};

use super::patches::PatchEncoder;
use super::rollouts::Rollout;
use super::world::{MAX_TEXT_LEN, TOKENS, Width, World};
use crate::axes;
use crate::checkpoint::Named;
use crate::fit::{FitConfig, Loss, Task};
use crate::generator::masked_places;
use crate::reward::{auc, code_rows};
use crate::tie::{self, bits_of};

/// `train/configs/icons-reward.toml`.
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
    /// How wide the world is.
    pub world: Width,
    /// Part of the examples that are true scenes.
    pub synthetic: f32,
    /// Part of the rollouts' examples that come as pairs of one prompt, one right and one wrong.
    pub pairs: f32,
    /// Part of the rollouts' complete pictures that are judged by a near miss of their prompt.
    pub reprompted: f32,
    /// Factor of the loss of what stands where.
    pub grounding: f64,
    /// Every so many groups of rollouts one is held out for measuring.
    pub holdout: u64,
}

impl RewardTrainConfig {
    /// The network's configuration.
    #[must_use]
    pub fn network(&self, world: &World, bits: usize) -> RewardConfig {
        RewardConfig {
            hidden_size: self.hidden_size,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: self.num_attention_heads,
            intermediate_size: self.intermediate_size,
            head_size: self.head_size,
            text_vocab_size: world.words.llm_vocab_size() + 10,
            codebook_size: 1 << bits,
            num_vq_tokens: TOKENS,
            max_text_len: MAX_TEXT_LEN - 2,
            pad: world.words.special_tokens().pad,
            layer_norm_eps: 1e-5,
            label: RewardLabel::Potential,
            bias: true,
            merge: MERGE,
            questions: RewardQuestion::ALL.len(),
        }
    }
}

/// Side of the square of tokens that share a position.
const MERGE: usize = 2;
/// Positions along the picture's side.
const GRID: usize = SIDE / LATTICE_PX / MERGE;
/// Answers to what stands where: nothing or a class, then whose it is: nobody's, the prompt's first, its second.
const ANSWERS: usize = CLASSES.len() + 1 + 3;

/// The reward network with the training's maps from bits and to what stands where.
#[derive(Module, Debug)]
pub struct TiedReward {
    base: Reward,
    /// `[bits, d / merge²]`.
    bits_in: Param<Tensor<2>>,
    /// `[d, ANSWERS]`.
    ground: Param<Tensor<2>>,
}

/// A state, a prompt, a question and its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    prompt: Vec<u32>,
    state: Vec<i32>,
    question: RewardQuestion,
    yes: bool,
    /// What stands at each position and whose it is, where that is known.
    places: Option<Vec<(i32, i32)>>,
}

/// Pairs first, the right one of each before the wrong one; then the others.
pub struct Batch {
    examples: Vec<Example>,
    pairs: usize,
}

/// The reward network's training task.
pub struct RewardTask {
    /// Its configuration.
    pub config: RewardTrainConfig,
    /// The network's.
    pub network: RewardConfig,
    /// Bits of a code.
    pub bits: usize,
    /// True scenes.
    pub world: World,
    /// Pictures to codes.
    pub encoder: PatchEncoder,
    /// Rollouts to learn from.
    pub rollouts: Vec<Rollout>,
    /// Pairs of them with one prompt, the first right, the second wrong.
    pub rivals: Vec<(usize, usize)>,
    /// Rollouts to measure on.
    pub held_out: Vec<Rollout>,
}

/// All pairs of a right and a wrong rollout of one group.
#[must_use]
pub fn rivals(rollouts: &[Rollout]) -> Vec<(usize, usize)> {
    let mut groups: std::collections::BTreeMap<u64, [Vec<usize>; 2]> = std::collections::BTreeMap::new();
    for (index, rollout) in rollouts.iter().enumerate() {
        groups.entry(rollout.group).or_default()[usize::from(rollout.accepted())].push(index);
    }
    let pairs = |[wrong, right]: &[Vec<usize>; 2]| {
        right.iter().flat_map(|&right| wrong.iter().map(move |&wrong| (right, wrong))).collect::<Vec<_>>()
    };
    groups.values().flat_map(pairs).collect()
}

/// A prompt that differs in one fact, and does not fit what is there either.
fn miss(spec: &Spec, truth: &Sighting, rng: &mut Rng) -> Option<Spec> {
    (0..8).map(|_| near_miss(spec, rng)).find(|miss| !verdicts(truth, miss).0)
}

impl RewardTask {
    fn synthetic(&self, number: u64, rng: &mut Rng) -> Example {
        let (spec, scene) = self.world.example(self.config.fit.seed, number);
        let truth = Sighting::of_scene(&scene, self.world.atlas);
        let mut state: Vec<i32> = self.encoder.codes(&self.world, &scene).into_iter().map(i32::from).collect();
        let asked = if rng.chance(0.5) { miss(&spec, &truth, rng) } else { None };
        let yes = asked.is_none();
        let spec = asked.unwrap_or(spec);
        let complete = rng.chance(0.6);
        let question = if complete {
            [RewardQuestion::Outcome, RewardQuestion::Preview, RewardQuestion::Potential][rng.below(3)]
        } else {
            for at in masked_places(state.len(), rng) {
                state[at] = -1;
            }
            RewardQuestion::Potential
        };
        let places = Some(places(&truth, &spec));
        Example { prompt: self.world.words.encode(&spec.prompt()), state, question, yes, places }
    }

    /// A rollout's state after `step` steps under a question.
    fn rolled(&self, rollout: &Rollout, step: usize, question: RewardQuestion, spec: &Spec) -> Example {
        let last = rollout.states.len() - 1;
        let (state, yes) = match question {
            RewardQuestion::Potential => (&rollout.states[step], rollout.satisfies(last, spec)),
            RewardQuestion::Outcome => (&rollout.states[last], rollout.satisfies(last, spec)),
            RewardQuestion::Preview => (&rollout.sampled[step], rollout.satisfies(step, spec)),
            // What the preview shows is what the picture will be.
            RewardQuestion::Clarity => {
                (&rollout.states[step], rollout.satisfies(step, spec) == rollout.satisfies(last, spec))
            }
        };
        let complete = matches!(question, RewardQuestion::Outcome | RewardQuestion::Preview);
        let seen = if question == RewardQuestion::Outcome { last } else { step };
        let places = rollout.seen_in(seen).filter(|_| complete).map(|seen| places(seen, spec));
        Example { prompt: self.world.words.encode(&spec.prompt()), state: state.clone(), question, yes, places }
    }

    fn single(&self, rng: &mut Rng) -> Example {
        let rollout = &self.rollouts[rng.below(self.rollouts.len())];
        let last = rollout.states.len() - 1;
        let mut step = rng.below(rollout.states.len());
        let question = match rng.below(8) {
            0 => RewardQuestion::Clarity,
            1..5 => RewardQuestion::Potential,
            5 | 6 => RewardQuestion::Outcome,
            _ => RewardQuestion::Preview,
        };
        if matches!(question, RewardQuestion::Clarity | RewardQuestion::Preview) {
            // Where the checker did not look, nothing is known.
            step = (step..last).find(|&step| rollout.seen_in(step).is_some()).unwrap_or(last);
        }
        let complete = matches!(question, RewardQuestion::Outcome | RewardQuestion::Preview);
        if complete && rng.chance(self.config.reprompted) {
            return self.rolled(rollout, step, question, &near_miss(&rollout.spec, rng));
        }
        self.rolled(rollout, step, question, &rollout.spec)
    }

    fn pair(&self, rng: &mut Rng) -> [Example; 2] {
        let (right, wrong) = self.rivals[rng.below(self.rivals.len())];
        let (right, wrong) = (&self.rollouts[right], &self.rollouts[wrong]);
        let step = rng.below(right.states.len());
        let question = if rng.chance(0.7) { RewardQuestion::Potential } else { RewardQuestion::Outcome };
        [right, wrong].map(|rollout| self.rolled(rollout, step, question, &rollout.spec))
    }

    /// Score and label at a step of every held-out rollout of which the answer is known.
    fn scores(&self, model: &TiedReward, step: usize, question: RewardQuestion) -> Vec<(f32, bool)> {
        let device = Device::flex();
        let mut scored = Vec::new();
        let looked_at = matches!(question, RewardQuestion::Clarity | RewardQuestion::Preview);
        let known: Vec<&Rollout> =
            self.held_out.iter().filter(|one| !looked_at || one.seen_in(step).is_some()).collect();
        for part in known.chunks(64) {
            let examples: Vec<Example> =
                part.iter().map(|rollout| self.rolled(rollout, step, question, &rollout.spec)).collect();
            let logits: Vec<f32> =
                model.base.read(self.encode(model, &examples, &device)).into_data().iter::<f32>().collect();
            scored.extend(logits.into_iter().zip(&examples).map(|(logit, example)| (logit, example.yes)));
        }
        scored
    }

    fn encode(&self, model: &TiedReward, examples: &[Example], device: &Device) -> Tensor<3> {
        let prompts: Vec<&[u32]> = examples.iter().map(|example| example.prompt.as_slice()).collect();
        let states: Vec<&[i32]> = examples.iter().map(|example| example.state.as_slice()).collect();
        let (text, codes, padding) = inputs(&self.network, &prompts, &states, device);
        let signs: Vec<f32> = states
            .iter()
            .flat_map(|state| grouped(state, MERGE))
            .flat_map(|code| bits_of(code, self.bits).map(move |sign| if code < 0 { 0.0 } else { sign }))
            .collect();
        let (count, n, width) = (examples.len(), TOKENS, self.network.token_width());
        let signs = Tensor::<2>::from_data(TensorData::new(signs, [count * n, self.bits]), device);
        let tied = signs.matmul(model.bits_in.val()).reshape([count, n, width]);
        let questions: Vec<i32> = examples.iter().map(|example| example.question as i32).collect();
        let questions = Tensor::<1, Int>::from_data(TensorData::new(questions, [count]), device);
        model.base.encode_asked(text, model.base.embed_image(codes) + tied, padding, Some(questions))
    }
}

/// What stands at each position (0 for nothing, else a class and one), and whose it is in a prompt.
fn places(seen: &Sighting, spec: &Spec) -> Vec<(i32, i32)> {
    let cell = (SIDE / GRID) as i32;
    let mut at = vec![(0, 0); GRID * GRID];
    for thing in seen.sure() {
        let whose = spec.wanted.iter().position(|wanted| {
            wanted.class == thing.class && (wanted.colour.is_none() || wanted.colour == thing.colour)
        });
        let size = i32::from(thing.size_px);
        for (index, place) in at.iter_mut().enumerate() {
            let centre = |index: usize| index as i32 * cell + cell / 2;
            let (x, y) = (centre(index % GRID) - i32::from(thing.x), centre(index / GRID) - i32::from(thing.y));
            if (0..size).contains(&x) && (0..size).contains(&y) {
                *place = (1 + thing.class.index() as i32, whose.map_or(0, |whose| 1 + whose.min(1) as i32));
            }
        }
    }
    at
}

impl Task for RewardTask {
    type Model = TiedReward;
    type Batch<'a> = Batch;

    fn kind(&self) -> ModelKind {
        ModelKind::Reward(RewardLabel::Potential)
    }

    fn config(&self) -> Result<serde_json::Value> {
        Ok(serde_json::to_value(&self.config)?)
    }

    fn build(&self, mut weights: Weights) -> Result<TiedReward> {
        Ok(TiedReward {
            bits_in: weights.take("bits_in", [self.bits, self.network.token_width()], Init::Normal(0.3))?,
            ground: weights.take("ground", [self.network.hidden_size, ANSWERS], Init::Normal(0.02))?,
            base: Reward::new(&self.network, weights.within("base."))?,
        })
    }

    fn begin(&self) -> Result<Option<Named>> {
        let seed = self.config.fit.seed;
        let mut named = named_parameters(&self.build(Weights::random(&Device::flex(), seed))?)?;
        axes::add_rows_and_columns(&mut named, axes::STRENGTH, seed)?;
        Ok(Some(named))
    }

    fn import(&self, shipped: Named) -> Result<Named> {
        let mut named = shipped;
        let map = tie::split(code_rows(&self.network, &mut named)?, self.bits);
        let mut tied: Named = named.into_iter().map(|(name, value)| (format!("base.{name}"), value)).collect();
        let d = self.network.hidden_size;
        tied.insert("bits_in".into(), (vec![self.bits, self.network.token_width()], map));
        tied.insert("ground".into(), (vec![d, ANSWERS], vec![0.0; d * ANSWERS]));
        Ok(tied)
    }

    fn batch(&self, first: u64, examples: usize) -> Batch {
        let mut rng = Rng::keyed(&[self.config.fit.seed, 0x7265_7761_7264, first]);
        let synthetic =
            if self.rollouts.is_empty() { examples } else { (examples as f32 * self.config.synthetic) as usize };
        let pairs =
            if self.rivals.is_empty() { 0 } else { ((examples - synthetic) as f32 * self.config.pairs / 2.0) as usize };
        let mut all: Vec<Example> = (0..pairs).flat_map(|_| self.pair(&mut rng)).collect();
        all.extend(
            (first..).take(synthetic).map(|number| {
                self.synthetic(number, &mut Rng::keyed(&[self.config.fit.seed, 0x0000_7472_7565, number]))
            }),
        );
        all.extend((all.len()..examples).map(|_| self.single(&mut rng)).collect::<Vec<_>>());
        Batch { examples: all, pairs }
    }

    fn loss(&self, model: &TiedReward, batch: Batch, device: &Device) -> Loss {
        let Batch { examples, pairs } = batch;
        let count = examples.len();
        let encoded = self.encode(model, &examples, device);
        let logits = model.base.read(encoded.clone());
        let mut losses = Vec::new();
        let mut logged = Vec::new();
        if pairs > 0 {
            let sides = logits.clone().narrow(0, 0, 2 * pairs).reshape([pairs, 2]);
            let margins = (sides.clone().narrow(1, 0, 1) - sides.narrow(1, 1, 1)).reshape([pairs]);
            let loss = log_sigmoid(margins).mean().neg();
            logged.push(("pairs", loss.clone()));
            losses.push(loss * (2.0 * pairs as f64 / count as f64));
        }
        // Pairs are asked singly, too, so that scores of different prompts can be compared.
        let signs: Vec<f32> = examples.iter().map(|example| if example.yes { 1.0 } else { -1.0 }).collect();
        let signs = Tensor::<1>::from_data(TensorData::new(signs, [count]), device);
        let loss = log_sigmoid(logits * signs).mean().neg();
        logged.push(("singles", loss.clone()));
        losses.push(loss);
        let known: Vec<(i32, &Vec<(i32, i32)>)> =
            (0..).zip(&examples).filter_map(|(index, example)| Some((index, example.places.as_ref()?))).collect();
        if self.config.grounding > 0.0 && !known.is_empty() {
            let [_, positions, d] = encoded.dims();
            let rows = known.len() * positions;
            let of = Tensor::<1, Int>::from_data(
                TensorData::new(known.iter().map(|known| known.0).collect::<Vec<i32>>(), [known.len()]),
                device,
            );
            let answers = project(encoded.select(0, of).reshape([rows, d]), model.ground.val().transpose(), None);
            let labels = |which: fn(&(i32, i32)) -> i32| {
                let labels: Vec<i32> = known.iter().flat_map(|(_, places)| places.iter().map(which)).collect();
                Tensor::<1, Int>::from_data(TensorData::new(labels, [rows]), device)
            };
            let classes = CLASSES.len() + 1;
            let what = cross_entropy(answers.clone().narrow(1, 0, classes), labels(|place| place.0)).mean();
            let whose = cross_entropy(answers.narrow(1, classes, 3), labels(|place| place.1)).mean();
            logged.extend([("what", what.clone()), ("whose", whose.clone())]);
            losses.push((what + whose) * self.config.grounding);
        }
        let logged = logged.into_iter().map(|(name, loss)| (name, loss.into_scalar::<f32>())).collect();
        Loss { total: Tensor::cat(losses, 0).sum(), logged }
    }

    /// How well held-out rollouts are told apart, by step.
    fn sample(&self, model: &TiedReward, _: &Path) -> Result<()> {
        let steps = self.held_out.first().map_or(0, |rollout| rollout.states.len());
        for question in [RewardQuestion::Potential, RewardQuestion::Clarity, RewardQuestion::Preview] {
            let by_step = (0..steps).map(|step| format!(" {:.3}", auc(&self.scores(model, step, question))));
            eprintln!("AUC by step, {question:?}:{}", by_step.collect::<String>());
        }
        if steps > 0 {
            eprintln!("AUC of outcome: {:.3}", auc(&self.scores(model, steps - 1, RewardQuestion::Outcome)));
        }
        Ok(())
    }
}

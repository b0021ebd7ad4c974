//! What a batch is made of: pairs of one prompt, and single pictures and states.

use anyhow::Result;
use burn::tensor::Device;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rng::Rng;
use scenes::{Detection, Spec, Split};
use showo::config::RewardLabel;
use showo::model::magvit::Magvit;

use super::RewardTask;
use super::views::{PAIR_TRIES, SHUFFLE_TRIES, View};
use crate::data::Words;
use crate::grounding::{self, Grounding};
use crate::reprompt;
use crate::rollouts::Rollout;
use crate::shuffle::{self, Picture, Shuffle};

/// Part of the slots that come from the other one of two mixed pictures.
const MIXED_SLOTS: f32 = 0.2;

/// A true scene and a near miss of it, as codes and with what stands where.
pub struct Synthetic {
    prompt: Vec<u32>,
    right: (Vec<i32>, Grounding),
    wrong: (Vec<i32>, Grounding),
}

/// Tokenizes true scenes and near misses of them.
///
/// # Errors
/// The tokenizer has no encoder.
pub fn synthetic(tokenizer: &Magvit, seed: u64, count: u64) -> Result<Vec<Synthetic>> {
    const PART: u64 = 32;
    let words = Words::new();
    let parts: Vec<u64> = (0..count).step_by(PART as usize).collect();
    let part = |start: u64| -> Result<Vec<Synthetic>> {
        let mut pictures = Vec::new();
        let mut known = Vec::new();
        for number in start..(start + PART).min(count) {
            let mut rng = Rng::keyed(&[seed, 0x7379_6e74, number]);
            let spec = scenes::sample_training_spec(&mut rng);
            let scene = scenes::sample_scene(&spec, Split::Train, &mut rng);
            let miss = scenes::near_miss(&spec, &scene, &mut rng);
            pictures.extend([scenes::render(&scene), scenes::render(&miss)]);
            let groundings = [grounding::of_scene(&spec, &scene), grounding::of_scene(&spec, &miss)];
            known.push((words.encode(&spec.prompt()), groundings));
        }
        let codes = crate::vq::codes(tokenizer, &pictures, &Device::flex())?;
        let pairs = known.into_iter().zip(codes.chunks(2));
        let synthetic = pairs.map(|((prompt, [right, wrong]), pair)| Synthetic {
            prompt,
            right: (pair[0].clone(), right),
            wrong: (pair[1].clone(), wrong),
        });
        Ok(synthetic.collect())
    };
    let all: Vec<Vec<Synthetic>> = parts.into_par_iter().map(part).collect::<Result<_>>()?;
    Ok(all.into_iter().flatten().collect())
}

/// One example: prompt, state, label, and what stands where in the picture that the label is about.
pub(super) struct Example {
    pub(super) prompt: Vec<u32>,
    pub(super) state: Vec<i32>,
    /// What comes of the state some steps later, where the teacher has yet to label it by that.
    pub(super) later: Option<Vec<i32>>,
    /// The chance that it is right.
    pub(super) label: f32,
    pub(super) grounding: Option<Grounding>,
}

/// The examples of a shard: pairs first, right before wrong, then single ones.
pub struct Batch {
    pub(super) examples: Vec<Example>,
    /// How many pairs there are of one picture in two orders; these come first.
    pub(super) related: usize,
    /// How many other pairs there are.
    pub(super) pairs: usize,
}

impl RewardTask {
    /// The examples from the number `first` on.
    pub(super) fn examples(&self, first: u64, examples: usize) -> Batch {
        let wanted = (examples as f32 * self.config.pairs / 2.0) as u64;
        let of_relations = (wanted as f32 * self.config.related) as u64;
        let mut batch = Vec::with_capacity(examples);
        for number in first..first + of_relations {
            let mut rng = Rng::keyed(&[self.config.fit.seed, 0x7265_6c61, number]);
            batch.extend(self.related_pair(&mut rng).into_iter().flatten());
        }
        let related = batch.len() / 2;
        for number in first + of_relations..first + wanted {
            let mut rng = Rng::keyed(&[self.config.fit.seed, 0x7061_6972, number]);
            let view = self.view(&mut rng);
            if view != View::Partial && rng.chance(self.config.reprompted.max(self.config.mixed)) {
                batch.extend(self.judged_pair(view, &mut rng).into_iter().flatten());
                continue;
            }
            let foreseen = self.foreseen(view, &mut rng);
            let pair = if foreseen {
                self.rollouts.any_two(view, self.config.lookahead, &mut rng, PAIR_TRIES)
            } else {
                self.rollouts.pair(view, &mut rng, PAIR_TRIES)
            };
            for (rollout, step) in pair.into_iter().flat_map(|(one, other, step)| [(one, step), (other, step)]) {
                batch.push(self.example_of(rollout, view, step, foreseen, Some(&mut rng)));
            }
        }
        let pairs = batch.len() / 2 - related;
        let singles = examples - batch.len();
        batch.extend((first..first + singles as u64).map(|number| self.example(number)));
        self.foresee(&mut batch);
        Batch { examples: batch, related, pairs }
    }

    fn example(&self, number: u64) -> Example {
        let mut rng = Rng::keyed(&[self.config.fit.seed, 0x7265_7764, number]);
        if (rng.chance(self.config.synthetic) && !self.synthetic.is_empty()) || self.rollouts.all.is_empty() {
            let pair = &self.synthetic[rng.below(self.synthetic.len())];
            let right = rng.chance(0.5);
            let (mut state, grounding) = if right { pair.right.clone() } else { pair.wrong.clone() };
            if self.network.label == RewardLabel::Potential {
                let ratio = (std::f32::consts::FRAC_PI_2 * rng.unit()).cos();
                for token in &mut state {
                    // Little masking: a near miss must stay visible for its label to be true.
                    if rng.unit() < ratio * 0.6 {
                        *token = -1;
                    }
                }
            }
            let (prompt, label) = (pair.prompt.clone(), f32::from(u8::from(right)));
            return Example { prompt, state, later: None, label, grounding: Some(grounding) };
        }
        let rollout = &self.rollouts.all[rng.below(self.rollouts.all.len())];
        let view = self.view(&mut rng);
        let step = view.step(rollout, &mut rng);
        let other = &self.rollouts.all[rng.below(self.rollouts.all.len())];
        (view != View::Partial)
            .then(|| view.picture(rollout, step))
            .flatten()
            .and_then(|picture| {
                let picture = self.perhaps_mixed(picture, || View::Finished.picture(other, 0), &mut rng)?;
                let spec = self.prompt_about(rollout, &picture.seen, &mut rng)?;
                Some(self.judged(&spec, &picture, &mut rng))
            })
            .unwrap_or_else(|| {
                let foreseen = self.foreseen(view, &mut rng);
                self.example_of(rollout, view, step, foreseen, Some(&mut rng))
            })
    }

    /// Whether the teacher labels an example, or a pair.
    fn foreseen(&self, view: View, rng: &mut Rng) -> bool {
        view == View::Partial && self.config.foreseen > 0.0 && rng.chance(self.config.foreseen)
    }

    /// Labels what is to be labelled by the teacher.
    fn foresee(&self, examples: &mut [Example]) {
        let Some(teacher) = &self.teacher else { return };
        let asked: Vec<&mut Example> = examples.iter_mut().filter(|example| example.later.is_some()).collect();
        let states: Vec<(&[u32], &[i32])> =
            asked.iter().filter_map(|example| Some((example.prompt.as_slice(), example.later.as_deref()?))).collect();
        let logits = crate::parm::logits_of(teacher, &states);
        for (example, logit) in asked.into_iter().zip(logits) {
            example.label = 1.0 / (1.0 + (-logit).exp());
        }
    }

    /// With slots of the other picture, in some cases.
    fn perhaps_mixed(&self, picture: Picture, other: impl Fn() -> Option<Picture>, rng: &mut Rng) -> Option<Picture> {
        if rng.chance(self.config.mixed) { shuffle::mix(&picture, &other()?, MIXED_SLOTS, rng) } else { Some(picture) }
    }

    /// Another prompt than the rollout's, in some cases.
    fn prompt_about(&self, rollout: &Rollout, seen: &[Detection], rng: &mut Rng) -> Option<Spec> {
        if rng.chance(self.config.reprompted) {
            Some(reprompt::about(seen, rng))
        } else {
            Spec::parse(&rollout.prompt).ok()
        }
    }

    /// A picture with the checker's verdict on it.
    fn judged(&self, spec: &Spec, picture: &Picture, rng: &mut Rng) -> Example {
        let accepted = scenes::judge(picture.seen.clone(), spec).accepted;
        self.labelled(&spec.prompt(), &picture.tokens, None, accepted, Some((spec, &picture.seen)), Some(rng))
    }

    /// Two pictures of a group, of which the second may have taken slots of the first or of a third, with a prompt that
    /// one satisfies and the other does not; the right one first.
    fn judged_pair(&self, view: View, rng: &mut Rng) -> Option<[Example; 2]> {
        (0..PAIR_TRIES).find_map(|_| {
            let members = self.rollouts.groups.get(rng.below(self.rollouts.groups.len()))?;
            let mut member = || &self.rollouts.all[members[rng.below(members.len())]];
            let [first, second, third] = [member(), member(), member()];
            let step = view.step(first, rng);
            let [base, other] = [view.picture(first, step)?, view.picture(second, step)?];
            let other = self.perhaps_mixed(other, || view.picture(third, step), rng)?;
            let about = if rng.chance(0.5) { &base } else { &other };
            let spec = self.prompt_about(first, &about.seen, rng)?;
            let [one, two] = [&base, &other].map(|picture| self.judged(&spec, picture, rng));
            (one.label != two.label).then_some(if one.label > two.label { [one, two] } else { [two, one] })
        })
    }

    /// [`Rollouts::related`] as examples, the right one first.
    fn related_pair(&self, rng: &mut Rng) -> Option<[Example; 2]> {
        let (spec, [right, wrong]) = self.rollouts.related(&self.ground, rng)?;
        let example = |Picture { tokens, seen }, label| Example {
            prompt: self.words.encode(&spec.prompt()),
            state: tokens,
            later: None,
            label,
            grounding: Some(grounding::of_detections(&spec, &seen)),
        };
        Some([example(right, 1.0), example(wrong, 0.0)])
    }

    /// What an example shows.
    fn view(&self, rng: &mut Rng) -> View {
        View::drawn(self.network.label, self.config.finished, self.config.complete, rng)
    }

    pub(super) fn example_of(
        &self,
        rollout: &Rollout,
        view: View,
        step: usize,
        foreseen: bool,
        rng: Option<&mut Rng>,
    ) -> Example {
        let spec = Spec::parse(&rollout.prompt).ok();
        let seen = spec.as_ref().zip(view.seen(rollout, step));
        let later = foreseen.then(|| rollout.later(step, self.config.lookahead)).flatten();
        self.labelled(&rollout.prompt, view.state(rollout, step), later, view.accepted(rollout, step), seen, rng)
    }

    /// With `rng`, perhaps in another order of slots.
    fn labelled(
        &self,
        prompt: &str,
        state: &[i32],
        later: Option<&[i32]>,
        accepted: bool,
        seen: Option<(&Spec, &[Detection])>,
        rng: Option<&mut Rng>,
    ) -> Example {
        let (prompt, label) = (self.words.encode(prompt), f32::from(u8::from(accepted)));
        if let (Some(rng), Some((spec, seen))) = (rng, seen)
            && rng.chance(self.config.shuffled)
        {
            // Half of the orders put "left of" wrong, or right: there are enough others.
            for _ in 0..SHUFFLE_TRIES {
                let shuffle = Shuffle::draw(rng);
                let Some(moved) = shuffle.detections(seen) else { break };
                if scenes::judge(moved.clone(), spec).accepted == accepted {
                    let grounding = Some(grounding::of_detections(spec, &moved));
                    let [state, later] =
                        [Some(state), later].map(|state| state.map(|state| shuffle.tokens(state, &self.ground)));
                    return Example { prompt, state: state.unwrap_or_default(), later, label, grounding };
                }
            }
        }
        let grounding = seen.map(|(spec, seen)| grounding::of_detections(spec, seen));
        Example { prompt, state: state.to_vec(), later: later.map(<[i32]>::to_vec), label, grounding }
    }
}

/// The chance that a pair's first example is the right one, given that one of them is: σ of the difference of their logits.
pub(super) fn first_is_better(pair: &[Example]) -> f32 {
    let [one, other] = [pair[0].label, pair[1].label];
    let (first, second) = (one * (1.0 - other), other * (1.0 - one));
    if first + second > 0.0 { first / (first + second) } else { 0.5 }
}

//! States with the questions that the labels answer.
//!
//! The word on a finished picture answers two questions: whether it is right (*outcome*), and, of every state on the way to it,
//! whether finishing from there leads to something right (*potential*; one drawing's estimate of it). The word on a preview answers
//! whether the preview is right (*preview*), and, of the state behind it, whether what it shows is what becomes of it (*clarity*).

use std::collections::BTreeMap;

use rng::Rng;
use showo::config::RewardQuestion;

use super::gallery::Rolled;
use super::labels::Labels;

/// A state, a prompt, a question and its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The prompt's ids.
    pub prompt: Vec<u32>,
    /// N codes, −1 where masked.
    pub state: Vec<i32>,
    /// What is asked.
    pub question: RewardQuestion,
    /// The answer.
    pub yes: bool,
}

/// Pairs first, the right one of each before the wrong one; then the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// All of them.
    pub examples: Vec<Example>,
    /// How many pairs.
    pub pairs: usize,
}

/// A drawing with what is known of it.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    rolled: Rolled,
    yes: bool,
    /// The word on previews, by their step.
    previews: BTreeMap<usize, bool>,
}

/// Labelled drawings to learn from, or to measure on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Examples {
    known: Vec<Known>,
    /// Pairs of one prompt, the first right, the second wrong.
    rivals: Vec<(usize, usize)>,
    /// Drawings and steps whose previews are labelled.
    previews: Vec<(usize, usize)>,
}

impl Examples {
    /// Drawings whose finished pictures `labels` knows; the others are left out.
    #[must_use]
    pub fn new(rolled: Vec<Rolled>, labels: &Labels) -> Self {
        let of = |rolled: Rolled| {
            let yes = *labels.get(&rolled.key)?;
            let preview = |step: usize| Some((step, *labels.get(&rolled.key.preview(step as u32))?));
            let previews = (0..rolled.states.states.len()).filter_map(preview).collect();
            Some(Known { rolled, yes, previews })
        };
        let known: Vec<Known> = rolled.into_iter().filter_map(of).collect();
        let mut prompts: BTreeMap<u32, [Vec<usize>; 2]> = BTreeMap::new();
        for (index, known) in known.iter().enumerate() {
            prompts.entry(known.rolled.key.prompt).or_default()[usize::from(known.yes)].push(index);
        }
        let pairs = |[wrong, right]: &[Vec<usize>; 2]| {
            right.iter().flat_map(|&right| wrong.iter().map(move |&wrong| (right, wrong))).collect::<Vec<_>>()
        };
        let previews =
            |(index, known): (usize, &Known)| known.previews.keys().map(move |&step| (index, step)).collect::<Vec<_>>();
        Self {
            rivals: prompts.values().flat_map(pairs).collect(),
            previews: known.iter().enumerate().flat_map(previews).collect(),
            known,
        }
    }

    /// These without every `every`th prompt, and those.
    #[must_use]
    pub fn hold_out(rolled: Vec<Rolled>, labels: &Labels, every: u64) -> [Self; 2] {
        let prompts: std::collections::BTreeSet<u32> = rolled.iter().map(|rolled| rolled.key.prompt).collect();
        let place: BTreeMap<u32, u64> = prompts.into_iter().zip(1..).collect();
        // Whole prompts: no prompt's drawings stand on both sides. Few prompts are all learnt from.
        let held = |rolled: &Rolled| every > 0 && place[&rolled.key.prompt].is_multiple_of(every);
        let (held, others): (Vec<Rolled>, Vec<Rolled>) = rolled.into_iter().partition(held);
        [others, held].map(|rolled| Self::new(rolled, labels))
    }

    /// Drawings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// In numbers.
    #[must_use]
    pub fn describe(&self) -> String {
        let right = self.known.iter().filter(|known| known.yes).count();
        let prompts: std::collections::BTreeSet<u32> = self.known.iter().map(|known| known.rolled.key.prompt).collect();
        format!(
            "{} drawings of {} prompts, {right} right, {} pairs of one prompt, {} previews",
            self.len(),
            prompts.len(),
            self.rivals.len(),
            self.previews.len()
        )
    }

    /// The questions that have both answers among what is known.
    #[must_use]
    pub fn answered(&self) -> Vec<RewardQuestion> {
        let both = |yes: &mut dyn Iterator<Item = bool>| {
            let seen: std::collections::BTreeSet<bool> = yes.collect();
            seen.len() == 2
        };
        let known = |question: &RewardQuestion| match question {
            RewardQuestion::Potential | RewardQuestion::Outcome => both(&mut self.known.iter().map(|known| known.yes)),
            RewardQuestion::Preview | RewardQuestion::Clarity => {
                both(&mut self.previews.iter().map(|&(index, step)| self.example(index, step, *question).yes))
            }
        };
        RewardQuestion::ALL.into_iter().filter(known).collect()
    }

    /// Steps of a drawing.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.known.first().map_or(0, |known| known.rolled.states.states.len())
    }

    /// A drawing's state after `step` steps under a question. Of a preview without a label the question is the potential.
    fn example(&self, index: usize, step: usize, question: RewardQuestion) -> Example {
        let Known { rolled, yes, previews } = &self.known[index];
        let (states, sampled) = (&rolled.states.states, &rolled.states.sampled);
        let shown = previews.get(&step).copied();
        let (state, question, yes) = match (question, shown) {
            (RewardQuestion::Outcome, _) => (&states[states.len() - 1], question, *yes),
            (RewardQuestion::Preview, Some(shown)) => (&sampled[step], question, shown),
            (RewardQuestion::Clarity, Some(shown)) => (&states[step], question, shown == *yes),
            _ => (&states[step], RewardQuestion::Potential, *yes),
        };
        Example { prompt: rolled.states.ids.clone(), state: state.clone(), question, yes }
    }

    /// Every drawing at a step under a question; of previews, those that are labelled there.
    #[must_use]
    pub fn at(&self, step: usize, question: RewardQuestion) -> Vec<Example> {
        let all = (0..self.known.len()).map(|index| self.example(index, step, question));
        all.filter(|example| example.question == question).collect()
    }

    /// A drawing at a step, under one of the questions that are `asked`.
    pub fn single(&self, asked: &[RewardQuestion], rng: &mut Rng) -> Example {
        let question = match rng.below(8) {
            0 => RewardQuestion::Clarity,
            1..5 => RewardQuestion::Potential,
            5 | 6 => RewardQuestion::Outcome,
            _ => RewardQuestion::Preview,
        };
        let question = if asked.contains(&question) { question } else { RewardQuestion::Potential };
        if matches!(question, RewardQuestion::Clarity | RewardQuestion::Preview) && !self.previews.is_empty() {
            let (index, step) = self.previews[rng.below(self.previews.len())];
            return self.example(index, step, question);
        }
        let index = rng.below(self.known.len());
        self.example(index, rng.below(self.steps()), question)
    }

    /// A right and a wrong drawing of one prompt at one step.
    fn pair(&self, rng: &mut Rng) -> [Example; 2] {
        let (right, wrong) = self.rivals[rng.below(self.rivals.len())];
        let step = rng.below(self.steps());
        let question = if rng.chance(0.7) { RewardQuestion::Potential } else { RewardQuestion::Outcome };
        [right, wrong].map(|index| self.example(index, step, question))
    }

    /// So many examples under the questions that are `asked`, the part `pairs` of them as pairs where there are any.
    pub fn batch(&self, examples: usize, pairs: f32, asked: &[RewardQuestion], rng: &mut Rng) -> Batch {
        let pairs = if self.rivals.is_empty() { 0 } else { (examples as f32 * pairs / 2.0) as usize };
        let mut all: Vec<Example> = (0..pairs).flat_map(|_| self.pair(rng)).collect();
        all.extend((all.len()..examples).map(|_| self.single(asked, rng)).collect::<Vec<_>>());
        Batch { examples: all, pairs }
    }

    /// A number that other drawings or other labels hardly have.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let of = |known: &Known| {
            let key = known.rolled.key;
            let previews = known.previews.iter().map(|(&step, &yes)| 2 * step as u64 + u64::from(yes));
            let own = [u64::from(key.prompt), u64::from(key.image), known.rolled.states.seed, u64::from(known.yes)];
            own.into_iter().chain(previews).collect::<Vec<_>>()
        };
        Rng::keyed(&self.known.iter().flat_map(of).collect::<Vec<_>>()).next_u64()
    }
}

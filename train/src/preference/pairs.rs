//! Which codes of a rollout are compared with which of another, or of a candidate.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use rng::Rng;

use crate::data::Words;
use crate::generator::masked_places;
use crate::rollouts::Rollout;

/// Finished pictures of one prompt, each with its rank: higher is better.
pub struct Group {
    /// The prompt as ids.
    pub prompt_ids: Vec<u32>,
    pictures: Vec<Ranked>,
}

/// What was known after each step, and the rank of what came of it.
struct Ranked {
    states: Vec<Vec<i32>>,
    rank: f32,
}

/// A picture of a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// What was drawn; negative where it is hidden and not compared.
    pub codes: Vec<i32>,
    /// Places that are not known.
    pub hidden: Vec<usize>,
    /// Those of them that are compared.
    pub compared: Vec<usize>,
}

/// One picture preferred to another.
pub struct Pair<'a> {
    /// The prompt of both.
    pub prompt_ids: &'a [u32],
    /// The better one.
    pub chosen: Side,
    /// The other.
    pub rejected: Side,
}

/// A state that decoding went through, and its step.
pub struct Visited<'a> {
    /// Its prompt.
    pub group: &'a Group,
    /// Codes, negative where masked.
    pub state: Vec<i32>,
    /// From 0.
    pub step: usize,
    /// T.
    pub steps: usize,
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
            if rollout.states.is_empty() {
                continue;
            }
            let prompt_ids = words.encode(&rollout.prompt);
            let group = groups.entry(rollout.group).or_insert_with(|| Group { prompt_ids, pictures: Vec::new() });
            group.pictures.push(Ranked { states: rollout.states.clone(), rank });
        }
        let mut groups: Vec<Group> = groups.into_values().collect();
        groups.retain(|group| group.pictures.iter().any(|picture| picture.rank != group.pictures[0].rank));
        ensure!(
            !groups.is_empty(),
            "no two rollouts of one prompt differ in rank; run `train rollouts --group 8` first"
        );
        Ok(Self { groups })
    }

    /// A prompt with a preferred and a rejected picture: what a step committed in each, or what is masked in both.
    pub fn draw(&self, committed: bool, rng: &mut Rng) -> Pair<'_> {
        let group = &self.groups[rng.below(self.groups.len())];
        loop {
            // Ends: the group has two ranks.
            let a = &group.pictures[rng.below(group.pictures.len())];
            let b = &group.pictures[rng.below(group.pictures.len())];
            if a.rank > b.rank {
                let [chosen, rejected] = if committed {
                    let step = rng.below(a.states.len().min(b.states.len()));
                    [a, b].map(|one| one.committed(step))
                } else {
                    let places = masked_places(a.finished().len(), rng);
                    let side = |codes: &[i32]| Side {
                        codes: codes.to_vec(),
                        hidden: places.clone(),
                        compared: places.clone(),
                    };
                    [side(a.finished()), side(b.finished())]
                };
                return Pair { prompt_ids: &group.prompt_ids, chosen, rejected };
            }
        }
    }

    /// Any state that is not complete.
    pub fn visit(&self, rng: &mut Rng) -> Visited<'_> {
        let group = &self.groups[rng.below(self.groups.len())];
        let states = &group.pictures[rng.below(group.pictures.len())].states;
        let (step, steps) = (rng.below(states.len()), states.len());
        let before = step.checked_sub(1).map(|before| states[before].clone());
        Visited { group, state: before.unwrap_or_else(|| vec![-1; states[0].len()]), step, steps }
    }
}

impl Ranked {
    fn finished(&self) -> &[i32] {
        self.states.last().map_or(&[], Vec::as_slice)
    }

    /// What a step added.
    fn committed(&self, step: usize) -> Side {
        let unknown = vec![-1; self.finished().len()];
        Side::new(step.checked_sub(1).map_or(&unknown, |before| &self.states[before]), self.states[step].clone())
    }
}

impl Side {
    /// What a step made of the state `before` it.
    pub fn new(before: &[i32], after: Vec<i32>) -> Self {
        let hidden: Vec<usize> = (0..after.len()).filter(|&at| before[at] < 0).collect();
        let compared = hidden.iter().copied().filter(|&at| after[at] >= 0).collect();
        Self { codes: after, hidden, compared }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let pair = pairs.draw(false, &mut rng);
            assert_eq!(pair.chosen.hidden, pair.rejected.hidden);
            seen.insert((pair.chosen.codes[0], pair.rejected.codes[0]));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [(4, 3), (4, 5), (5, 3)]);
        assert!(Pairs::new(&rollouts[..2], &[0.5, 0.5]).is_err());
    }

    #[test]
    fn what_a_step_committed_is_compared_given_what_was_known_before() {
        let states = vec![vec![-1, 5, -1, -1], vec![4, 5, -1, -1], vec![4, 5, 6, 7]];
        let ranked = Ranked { states, rank: 0.0 };
        let sides = [0, 1, 2].map(|step| ranked.committed(step));
        assert_eq!(sides.each_ref().map(|side| side.codes.clone()), [[-1, 5, -1, -1], [4, 5, -1, -1], [4, 5, 6, 7]]);
        assert_eq!(sides.each_ref().map(|side| side.hidden.clone()), [vec![0, 1, 2, 3], vec![0, 2, 3], vec![2, 3]]);
        assert_eq!(sides.map(|side| side.compared), [vec![1], vec![0], vec![2, 3]]);
    }
}

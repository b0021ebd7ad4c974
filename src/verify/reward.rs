//! PARM, PRM and ORM: one architecture, asked what its label says; three networks, or one that answers every question.

use std::rc::Rc;

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use super::{Candidates, Verifier, When};
use crate::config::{RewardLabel, RewardQuestion};
use crate::load::RewardModel;

/// Which of a candidate's two grids the network reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sees {
    /// Known codes, and masks elsewhere.
    State,
    /// The whole draw.
    Draw,
}

/// A reward network bound to a prompt and to what it is asked.
pub struct RewardVerifier {
    network: Rc<RewardModel>,
    prompt_ids: Vec<u32>,
    label: RewardLabel,
}

impl RewardVerifier {
    /// Asks `network` what `label` says; it must be one of [`RewardConfig::labels`](crate::config::RewardConfig::labels).
    #[must_use]
    pub fn new(network: Rc<RewardModel>, label: RewardLabel, prompt_ids: &[u32]) -> Self {
        Self { network, prompt_ids: prompt_ids.to_vec(), label }
    }

    fn sees(&self) -> Sees {
        match self.label {
            RewardLabel::Potential => Sees::State,
            RewardLabel::Preview | RewardLabel::Outcome => Sees::Draw,
        }
    }

    /// The chance of "yes" for each grid, `[grids]`.
    fn ask(&self, grids: &[&[i32]], question: RewardQuestion) -> Tensor<1> {
        sigmoid(self.network.logits(&vec![self.prompt_ids.as_slice(); grids.len()], grids, question))
    }
}

impl Verifier for RewardVerifier {
    fn when(&self) -> When {
        match self.label {
            RewardLabel::Potential | RewardLabel::Preview => When::EveryStep,
            RewardLabel::Outcome => When::Finished,
        }
    }

    fn score(&self, look: &Candidates<'_>) -> Tensor<1> {
        let grids = match self.sees() {
            Sees::State => &look.states,
            Sees::Draw => &look.draws,
        };
        self.ask(grids, self.label.question())
    }

    /// The candidates of a step have the same number of tokens masked; the first stands for all, which costs one sequence.
    fn clarity(&self, look: &Candidates<'_>) -> Option<Tensor<1>> {
        let learnt = self.label == RewardLabel::Potential && self.network.config.knows(RewardQuestion::Clarity);
        let first = look.states.get(..1).filter(|_| learnt)?;
        Some(self.ask(first, RewardQuestion::Clarity))
    }
}

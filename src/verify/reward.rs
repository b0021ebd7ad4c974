//! PARM, PRM and ORM: one network, three labels.

use std::rc::Rc;

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use super::{Look, Verifier, When};
use crate::config::RewardLabel;
use crate::model::reward::inputs;
use crate::models::RewardModel;

/// Which of a candidate's two grids the network reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sees {
    /// Known codes, and masks elsewhere.
    State,
    /// The whole draw.
    Draw,
}

/// A reward network bound to a prompt.
pub struct RewardVerifier {
    network: Rc<RewardModel>,
    prompt_ids: Vec<u32>,
    sees: Sees,
    when: When,
}

impl RewardVerifier {
    /// What it looks at, and when, follows from what it was trained on.
    #[must_use]
    pub fn new(network: Rc<RewardModel>, prompt_ids: &[u32]) -> Self {
        let (sees, when) = match network.config.label {
            RewardLabel::Potential => (Sees::State, When::EveryStep),
            RewardLabel::Preview => (Sees::Draw, When::EveryStep),
            RewardLabel::Outcome => (Sees::Draw, When::Finished),
        };
        Self { network, prompt_ids: prompt_ids.to_vec(), sees, when }
    }
}

impl Verifier for RewardVerifier {
    fn when(&self) -> When {
        self.when
    }

    fn score(&self, look: &Look<'_>) -> Tensor<1> {
        let grids = match self.sees {
            Sees::State => &look.states,
            Sees::Draw => &look.draws,
        };
        let prompts = vec![self.prompt_ids.as_slice(); grids.len()];
        let (text, codes, padding) = inputs(&self.network.config, &prompts, grids, &self.network.device);
        sigmoid(self.network.reward.forward(text, codes, padding))
    }
}

//! A reward network that is there already, to be asked.

use burn::tensor::Device;
use showo::config::RewardConfig;
use showo::model::reward::{Reward, inputs};

use crate::data::Words;

/// States that are judged at once.
const AT_ONCE: usize = 32;

/// A reward network, its configuration, and where it is.
pub struct Critic {
    /// The configuration.
    pub config: RewardConfig,
    /// The network.
    pub reward: Reward,
    /// The device that holds it.
    pub device: Device,
}

impl Critic {
    /// Its word on states, each with its prompt: logits.
    #[must_use]
    pub fn logits(&self, states: &[(&str, &[i32])]) -> Vec<f32> {
        let words = Words::new();
        let prompts: Vec<Vec<u32>> = states.iter().map(|(prompt, _)| words.encode(prompt)).collect();
        let encoded = prompts.iter().map(Vec::as_slice).zip(states.iter().map(|&(_, state)| state));
        self.logits_of(&encoded.collect::<Vec<_>>())
    }

    /// [`Critic::logits`] of prompts as ids.
    #[must_use]
    pub fn logits_of(&self, states: &[(&[u32], &[i32])]) -> Vec<f32> {
        let judged = states.chunks(AT_ONCE).flat_map(|part| {
            let (prompts, grids): (Vec<&[u32]>, Vec<&[i32]>) = part.iter().copied().unzip();
            let (text, codes, padding) = inputs(&self.config, &prompts, &grids, &self.device);
            self.reward.forward(text, codes, padding).into_data().iter::<f32>().collect::<Vec<f32>>()
        });
        judged.collect()
    }
}

//! PARM's word: on rollouts, and in the loss.

use anyhow::Result;
use burn::module::Module;
use burn::tensor::activation::{log_sigmoid, softmax};
use burn::tensor::{Device, Int, Tensor, TensorData};
use showo::config::RewardConfig;
use showo::load::RewardModel;
use showo::model::reward::{Reward, inputs};

use crate::checkpoint::{Named, weights_of};
use crate::rollouts::Rollout;

/// How surprised PARM is by a picture; in f32, without gradients of its own.
pub struct Surprise(RewardModel);

impl Surprise {
    /// From its parameters, on the device that records gradients: they pass through it to the generator.
    ///
    /// # Errors
    /// Parameters that do not fit the configuration.
    pub fn new(config: RewardConfig, named: &Named, device: Device) -> Result<Self> {
        let reward = Reward::new(&config, weights_of(named, &device)?)?.no_grad();
        Ok(Self(RewardModel { config, reward, device }))
    }

    /// −ln r of every picture, `[pictures]`: known codes as they are, the masked ones as the mean over what the generator
    /// says of them, `logits` `[pictures, N, codes]`; `masked` `[pictures, N]` is 1 there.
    pub(super) fn of(&self, prompts: &[&[u32]], states: &[&[i32]], logits: Tensor<3>, masked: Tensor<2>) -> Tensor<1> {
        let Self(RewardModel { config, reward, .. }) = self;
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
pub fn parm_ranks(parm: &RewardModel, rollouts: &[Rollout]) -> Vec<f32> {
    let finished =
        rollouts.iter().filter_map(|rollout| Some((rollout.prompt.as_str(), rollout.states.last()?.as_slice())));
    crate::parm::logits(parm, &finished.collect::<Vec<_>>())
}

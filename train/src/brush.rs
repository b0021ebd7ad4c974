//! Many pictures drawn side by side, whatever their words and their grid.
//!
//! On the processor every candidate is drawn as the engine draws it, from counted noise. On a card the noise of sampling comes
//! from the card's own generator, seeded: drawing it on the host would be a hundred times the work of the network.

use anyhow::{Context, Result};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Distribution, Int, Tensor};
use rayon::prelude::*;
use showo::config::ShowoConfig;
use showo::decode::generator::Prompted;
use showo::decode::noise::Place;
use showo::decode::step::{Drawn, StepPlan, decide, draw_candidates};
use showo::model::showo::Showo;

use crate::device::on_card;
use crate::rollouts::Decoding;

/// A picture to be drawn.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Decides its noise, as a drawing's seed does in the engine.
    pub seed: u64,
    /// The prompt's token ids.
    pub ids: Vec<u32>,
}

/// A drawing, step by step.
#[derive(Debug, Clone, Default)]
pub struct Drawing {
    /// The tokens after each step, −1 where masked; the last are the finished picture's.
    pub states: Vec<Vec<i32>>,
    /// The full draw of each step.
    pub sampled: Vec<Vec<i32>>,
}

/// A generator that draws side by side.
#[derive(Clone, Copy)]
pub struct Brush<'a> {
    /// The network.
    pub network: &'a Showo,
    /// Its configuration.
    pub config: &'a ShowoConfig,
    /// Where it computes.
    pub device: &'a Device,
    /// How it decodes; the seed is each picture's own.
    pub decoding: Decoding,
}

impl Brush<'_> {
    /// Draws all of them at once; nothing where `stopped` says so between two steps. `card_seed` decides the noise of a card.
    ///
    /// # Errors
    /// The device fails.
    pub fn draw(&self, wanted: &[Wanted], card_seed: u64, stopped: impl Fn() -> bool) -> Result<Option<Vec<Drawing>>> {
        let Decoding { steps, guidance_scale, temperature, .. } = self.decoding;
        let ids: Vec<&[u32]> = wanted.iter().map(|wanted| wanted.ids.as_slice()).collect();
        let prompted = Prompted::several(self.network, self.config, &ids, guidance_scale, self.device);
        let n = self.config.num_vq_tokens;
        let mut tokens = vec![vec![-1; n]; wanted.len()];
        let mut drawings = vec![Drawing::default(); wanted.len()];
        if on_card(self.device) {
            self.device.seed(card_seed);
        }
        for step in 0..steps {
            if stopped() {
                return Ok(None);
            }
            let images: Vec<&[i32]> = tokens.iter().map(Vec::as_slice).collect();
            let logits = prompted.logits_of(self.network, &images);
            let plan = |wanted: &Wanted| StepPlan {
                seed: wanted.seed,
                pass: 0,
                step: step as u32,
                steps: steps as u32,
                total: n,
                temperature,
                first: 0,
                candidates: 1,
            };
            let drawn = if on_card(self.device) {
                self.drawn_there(logits, &tokens, &wanted.iter().map(plan).collect::<Vec<_>>())?
            } else {
                let of = |(index, wanted): (usize, &Wanted)| -> Result<Drawn> {
                    let logits = logits.clone().narrow(0, index * n, n);
                    let drawn = pollster::block_on(draw_candidates(logits, &tokens[index], &plan(wanted)))?;
                    drawn.into_iter().next().context("a step drew no candidate")
                };
                wanted.par_iter().enumerate().map(of).collect::<Result<_>>()?
            };
            for (index, drawn) in drawn.into_iter().enumerate() {
                tokens[index].clone_from(&drawn.tokens);
                drawings[index].states.push(drawn.tokens);
                drawings[index].sampled.push(drawn.sampled);
            }
        }
        Ok(Some(drawings))
    }

    /// One draw of every picture, sampled where the logits `[pictures · N, codes]` are.
    fn drawn_there(&self, logits: Tensor<2>, tokens: &[Vec<i32>], plans: &[StepPlan]) -> Result<Vec<Drawn>> {
        let uniform = Tensor::<2>::random(logits.dims(), Distribution::Uniform(1e-10, 1.0), self.device);
        let noisy = logits.clone() + uniform.log().neg().log().neg();
        let sampled: Tensor<2, Int> = noisy.argmax(1);
        let log_p: Vec<f32> = log_softmax(logits, 1).gather(1, sampled.clone()).into_data().iter::<f32>().collect();
        let sampled: Vec<i32> = sampled.into_data().iter::<i32>().collect();
        let n = self.config.num_vq_tokens;
        let of = |(index, plan): (usize, &StepPlan)| {
            let (before, drawn) = (&tokens[index], &sampled[index * n..][..n]);
            let full = before.iter().zip(drawn).map(|(&known, &drawn)| if known < 0 { drawn } else { known }).collect();
            let place = Place { seed: plan.seed, pass: 0, step: u64::from(plan.step), candidate: 0 };
            decide(full, &log_p[index * n..][..n], before, plan, place)
        };
        Ok(plans.par_iter().enumerate().map(of).collect())
    }
}

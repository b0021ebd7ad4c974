//! Drawing many pictures at once, for samples, rollouts and figures.
//!
//! On the processor every candidate is drawn as the engine draws it, from counted noise. On a card the noise of sampling comes
//! from the card's own generator, seeded: drawing it on the host would be a hundred times the work of the network.

use std::path::Path;

use anyhow::{Context, Result};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Distribution, Int, Tensor};
use rayon::prelude::*;
use rng::Rng;
use scenes::icons::Picture;
use showo::config::ShowoConfig;
use showo::decode::generator::Prompted;
use showo::decode::noise::Place;
use showo::decode::step::{Drawn, StepPlan, decide, draw_candidates};
use showo::model::magvit::Magvit;
use showo::model::showo::Showo;

use super::sheet;
use super::vq;
use crate::data::Words;
use crate::device::on_card;
use crate::rollouts::Decoding;

/// What is drawn, and the number that its noise comes from.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Decides the noise, with the decoding's seed.
    pub number: u64,
    /// The canonical prompt.
    pub prompt: String,
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
pub struct Painter<'a> {
    /// The network.
    pub network: &'a Showo,
    /// Its configuration.
    pub config: &'a ShowoConfig,
    /// Its words.
    pub words: &'a Words,
    /// Where it computes.
    pub device: &'a Device,
    /// How it decodes.
    pub decoding: Decoding,
}

/// Pictures side by side on a card, and on the processor.
const WIDTH: [usize; 2] = [128, 8];

impl Painter<'_> {
    /// Draws all of them; `done` hears of every part.
    ///
    /// # Errors
    /// The device fails.
    pub fn draw(&self, asked: &[Asked], done: impl Fn(usize)) -> Result<Vec<Drawing>> {
        let width = if on_card(self.device) { WIDTH[0] } else { WIDTH[1] };
        let mut all = Vec::with_capacity(asked.len());
        for part in asked.chunks(width) {
            all.extend(self.draw_together(part)?);
            done(part.len());
        }
        Ok(all)
    }

    fn draw_together(&self, asked: &[Asked]) -> Result<Vec<Drawing>> {
        let Decoding { steps, guidance_scale, temperature, seed } = self.decoding;
        let ids: Vec<Vec<u32>> = asked.iter().map(|asked| self.words.encode(&asked.prompt)).collect();
        let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
        let prompted = Prompted::several(self.network, self.config, &ids, guidance_scale, self.device);
        let n = self.config.num_vq_tokens;
        let mut tokens = vec![vec![-1; n]; asked.len()];
        let mut drawings = vec![Drawing::default(); asked.len()];
        if on_card(self.device) {
            let first = asked.first().map_or(0, |asked| asked.number);
            self.device.seed(Rng::keyed(&[seed, 0x0070_6169_6e74, first]).next_u64());
        }
        for step in 0..steps {
            let images: Vec<&[i32]> = tokens.iter().map(Vec::as_slice).collect();
            let logits = prompted.logits_of(self.network, &images);
            let plan = |asked: &Asked| StepPlan {
                seed: Rng::keyed(&[seed, asked.number]).next_u64(),
                pass: 0,
                step: step as u32,
                steps: steps as u32,
                total: n,
                temperature,
                first: 0,
                candidates: 1,
            };
            let drawn = if on_card(self.device) {
                self.drawn_there(logits, &tokens, &asked.iter().map(plan).collect::<Vec<_>>())?
            } else {
                let of = |(index, asked): (usize, &Asked)| -> Result<Drawn> {
                    let logits = logits.clone().narrow(0, index * n, n);
                    let drawn = pollster::block_on(draw_candidates(logits, &tokens[index], &plan(asked)))?;
                    drawn.into_iter().next().context("a step drew no candidate")
                };
                asked.par_iter().enumerate().map(of).collect::<Result<_>>()?
            };
            for (index, drawn) in drawn.into_iter().enumerate() {
                tokens[index].clone_from(&drawn.tokens);
                drawings[index].states.push(drawn.tokens);
                drawings[index].sampled.push(drawn.sampled);
            }
        }
        Ok(drawings)
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

/// Prompts of a sample sheet, four of each task.
const SAMPLES: [&str; 24] = [
    "a photo of a dog",
    "a photo of a clock",
    "a photo of a bench",
    "a photo of an airplane",
    "a photo of a cat and a chair",
    "a photo of a banana and a bus",
    "a photo of a bear and a book",
    "a photo of a horse and a tie",
    "a photo of two cats",
    "a photo of three apples",
    "a photo of four cups",
    "a photo of two trains",
    "a photo of a red car",
    "a photo of a blue cow",
    "a photo of a green umbrella",
    "a photo of a purple bed",
    "a photo of a dog left of a car",
    "a photo of a bird above a boat",
    "a photo of a cake below a cup",
    "a photo of a tv right of a cat",
    "a photo of a red dog and a blue bench",
    "a photo of a yellow bus and a black cat",
    "a photo of a pink elephant and a green bottle",
    "a photo of a white boat and a brown bear",
];

/// Writes a sheet of pictures that a generator draws.
///
/// # Errors
/// The file cannot be written.
pub fn sample(painter: &Painter<'_>, tokenizer: &Magvit, path: &Path) -> Result<()> {
    let asked: Vec<Asked> =
        SAMPLES.iter().zip(0..).map(|(prompt, number)| Asked { number, prompt: (*prompt).to_owned() }).collect();
    sheet::write(path, &pictures(tokenizer, &painter.draw(&asked, |_| {})?, painter.device), 8, 2)
}

/// The finished pictures of drawings.
#[must_use]
pub fn pictures(tokenizer: &Magvit, drawings: &[Drawing], device: &Device) -> Vec<Picture> {
    let codes: Vec<Vec<i32>> = drawings.iter().filter_map(|drawing| drawing.states.last().cloned()).collect();
    vq::decode(tokenizer, &codes, device)
}

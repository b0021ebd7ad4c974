//! Drawing many pictures of this world at once, for samples, rollouts and figures.

use std::path::Path;

use anyhow::{Context, Result};
use burn::tensor::Device;
use rng::Rng;
use scenes::icons::Picture;
use showo::config::ShowoConfig;
use showo::model::magvit::Magvit;
use showo::model::showo::Showo;

use super::sheet;
use super::vq;
pub use crate::brush::Drawing;
use crate::brush::{Brush, Wanted};
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
        let Self { network, config, device, decoding, .. } = *self;
        let wanted = |asked: &Asked| Wanted {
            seed: Rng::keyed(&[decoding.seed, asked.number]).next_u64(),
            ids: self.words.encode(&asked.prompt),
        };
        let wanted: Vec<Wanted> = asked.iter().map(wanted).collect();
        let first = asked.first().map_or(0, |asked| asked.number);
        let card_seed = Rng::keyed(&[decoding.seed, 0x0070_6169_6e74, first]).next_u64();
        let drawn = Brush { network, config, device, decoding }.draw(&wanted, card_seed, || false)?;
        drawn.context("nobody stops these drawings")
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

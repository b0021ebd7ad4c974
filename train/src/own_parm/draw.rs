//! `train rollouts --prompts`: fills a gallery with drawings and their pictures; goes on where it was stopped.

use std::sync::atomic::Ordering;

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use rng::Rng;
use showo::model::magvit::Magvit;
use showo::picture::Rgb;

use super::gallery::{Gallery, States};
use super::key::Key;
use super::prompts::Line;
use crate::brush::{Brush, Wanted};
use crate::device::on_card;
use crate::fit::STOP;

/// Pictures of 256 tokens that are drawn side by side: on a card, and on the processor.
const WIDTH: [usize; 2] = [128, 8];
/// Pictures that are decoded at once: on a card, and on the processor.
const SHOWN: [usize; 2] = [32, 4];

/// A prompt as the model reads it.
pub struct Prompted<'a> {
    /// Where it stands.
    pub line: &'a Line,
    /// What the model reads.
    pub text: String,
    /// Its token ids.
    pub ids: Vec<u32>,
}

/// Who draws, and where to.
pub struct Drawer<'a> {
    /// The generator.
    pub brush: Brush<'a>,
    /// Codes to pixels.
    pub tokenizer: &'a Magvit,
    /// Pixels of a picture's side.
    pub side: usize,
    /// Where everything goes.
    pub gallery: &'a Gallery,
    /// Whether the whole draw of every step before the last becomes a picture, too.
    pub previews: bool,
}

/// A picture that is asked for.
struct Asked<'a> {
    key: Key,
    prompt: &'a Prompted<'a>,
}

/// What a run has done.
#[derive(Debug, PartialEq, Eq)]
pub struct Done {
    /// Pictures that were asked for.
    pub asked: usize,
    /// Of these, those that were drawn now.
    pub drawn: usize,
}

fn stopped() -> bool {
    STOP.load(Ordering::Relaxed)
}

impl Drawer<'_> {
    /// Draws `images` pictures of each prompt; picture i has the decoding's seed + i. What is there already stays.
    ///
    /// # Errors
    /// A folder is of another prompt; a file cannot be written; the device fails; it was stopped.
    pub fn run(&self, prompts: &[Prompted<'_>], images: u32) -> Result<Done> {
        for prompt in prompts {
            self.gallery.begin_prompt(prompt.line, self.previews)?;
        }
        let of = |prompt| (0..images).map(move |image| (prompt, image));
        let asked: Vec<Asked<'_>> = prompts
            .iter()
            .flat_map(of)
            .map(|(prompt, image)| Asked { key: Key::finished(prompt.line.index, image), prompt })
            .collect();
        let bar = progress_bar(asked.len() as u64);
        let mut drawn = 0;
        for part in asked.chunks(self.width()) {
            let fresh = self.draw(part)?;
            if let Some(fresh) = fresh {
                drawn += fresh;
                self.show(part)?;
            }
            if stopped() {
                let there = asked.iter().filter(|asked| self.gallery.is_drawn(asked.key)).count();
                bar.finish_and_clear();
                let folder = self.gallery.folder().display();
                bail!("stopped; {folder} holds {there} of {} drawings, the same command goes on", asked.len());
            }
            bar.inc(part.len() as u64);
            if bar.is_hidden() {
                eprintln!("{} of {} pictures, {:.0} s", bar.position(), asked.len(), bar.elapsed().as_secs_f64());
            }
        }
        bar.finish_and_clear();
        Ok(Done { asked: asked.len(), drawn })
    }

    /// Pictures side by side.
    fn width(&self) -> usize {
        let [card, processor] = WIDTH;
        let width = if on_card(self.brush.device) { card } else { processor };
        (width * 256 / self.brush.config.num_vq_tokens.max(1)).clamp(1, width)
    }

    /// Draws what of a part is not there yet, and says how many these were; nothing where it was stopped.
    fn draw(&self, part: &[Asked<'_>]) -> Result<Option<usize>> {
        let is_new = |asked: &Asked<'_>| !self.gallery.is_drawn(asked.key);
        let new = part.iter().filter(|asked| is_new(asked)).count();
        if new == 0 {
            return Ok(Some(0));
        }
        // A card's noise belongs to all that are drawn side by side: the same part gives the same pictures again.
        let whole = on_card(self.brush.device);
        let together: Vec<&Asked<'_>> = part.iter().filter(|asked| whole || is_new(asked)).collect();
        let seed = |asked: &Asked<'_>| self.brush.decoding.seed + u64::from(asked.key.image);
        let wanted: Vec<Wanted> =
            together.iter().map(|asked| Wanted { seed: seed(asked), ids: asked.prompt.ids.clone() }).collect();
        let first = part.first().map_or(0, |asked| u64::from(asked.key.prompt) << 32 | u64::from(asked.key.image));
        let card_seed = Rng::keyed(&[self.brush.decoding.seed, 0x006f_776e_7061_726d, first]).next_u64();
        let Some(drawings) = self.brush.draw(&wanted, card_seed, stopped)? else { return Ok(None) };
        for (asked, drawing) in together.into_iter().zip(drawings).filter(|(asked, _)| is_new(asked)) {
            let (prompt, ids) = (asked.prompt.text.clone(), asked.prompt.ids.clone());
            let states = States { prompt, ids, seed: seed(asked), states: drawing.states, sampled: drawing.sampled };
            self.gallery.write_states(asked.key, &states)?;
        }
        Ok(Some(new))
    }

    /// Makes the pictures of a part that are not there yet, from the states.
    fn show(&self, part: &[Asked<'_>]) -> Result<()> {
        let steps = self.brush.decoding.steps;
        let mut hidden: Vec<(Key, Vec<i32>)> = Vec::new();
        for asked in part {
            let previews = (0..steps.saturating_sub(1) as u32).filter(|_| self.previews);
            let keys = std::iter::once(asked.key).chain(previews.map(|step| asked.key.preview(step)));
            let keys: Vec<Key> = keys.filter(|&key| !self.gallery.picture(key).exists()).collect();
            if keys.is_empty() {
                continue;
            }
            let states = self.gallery.read_states(asked.key, self.brush.config, steps)?;
            hidden.extend(keys.into_iter().filter_map(|key| Some((key, states.codes(key.step)?.to_vec()))));
        }
        let [card, processor] = SHOWN;
        for some in hidden.chunks(if on_card(self.brush.device) { card } else { processor }) {
            let grids: Vec<&[i32]> = some.iter().map(|(_, codes)| codes.as_slice()).collect();
            let pixels: Vec<f32> = self.tokenizer.decode(&grids, self.brush.device).into_data().iter::<f32>().collect();
            for ((key, _), values) in some.iter().zip(pixels.chunks(3 * self.side * self.side)) {
                self.gallery.write_picture(*key, &Rgb::from_signed(values, self.side).to_png()?)?;
            }
            if stopped() {
                break;
            }
        }
        Ok(())
    }
}

fn progress_bar(pictures: u64) -> ProgressBar {
    let bar = ProgressBar::new(pictures);
    bar.set_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} pictures [{elapsed_precise} < {eta_precise}]")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar
}

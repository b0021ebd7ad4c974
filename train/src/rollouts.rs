//! `train rollouts`: what becomes of partly decoded pictures.
//!
//! Each rollout decodes one training prompt to the end with the shipped decoding (mode `none`, or PARM choosing among the
//! candidates of every step) and keeps the state of every step. The final picture's verdict is a one-sample estimate of
//! the potential of every state on the way.

use std::io::{BufRead, BufReader, Write};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail, ensure};
use burn::tensor::{Device, Tensor};
use indicatif::ProgressBar;
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use rayon::slice::ParallelSlice;
use rng::Rng;
use scenes::{Category, Detection, Picture, Spec, Split, Verdict};
use serde::{Deserialize, Serialize};
use showo::config::ShowoConfig;
use showo::decode::generator::Prompted;
use showo::decode::step::{Drawn, StepPlan, draw_candidates};
use showo::load::RewardModel;
use showo::model::magvit::Magvit;
use showo::model::showo::Showo;
use showo::verify::best;

use crate::data::Words;
use crate::device::on_card;
use crate::fit::STOP;
use crate::parm;

/// One decoding to the end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// The canonical prompt.
    pub prompt: String,
    /// Rollouts of one group share their prompt and differ in their draws: what tells candidates of one prompt apart can
    /// only be learnt from these.
    #[serde(default)]
    pub group: u64,
    /// The tokens after each step (−1 where masked); the last entry is the finished picture.
    pub states: Vec<Vec<i32>>,
    /// The full draw of each step before re-masking.
    pub sampled: Vec<Vec<i32>>,
    /// Whether each step's preview satisfies the prompt.
    pub preview_accepted: Vec<bool>,
    /// Whether the finished picture does.
    pub accepted: bool,
    /// What the checker sees in each step's preview; of the finished picture alone where previews were not looked at.
    #[serde(default)]
    pub detections: Vec<Vec<Detection>>,
}

impl Rollout {
    /// The state some steps later, where that is a later one and not yet the finished picture.
    #[must_use]
    pub fn later(&self, step: usize, steps: usize) -> Option<&[i32]> {
        let state = self.states.get(step + steps).filter(|_| steps > 0)?;
        (step + steps + 1 < self.states.len()).then_some(state)
    }
}

/// What decoding is run with.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decoding {
    /// T.
    pub steps: usize,
    /// g.
    pub guidance_scale: f32,
    /// Temperature of the re-masking noise before the first step.
    pub temperature: f32,
    /// Seed of all rollouts.
    pub seed: u64,
}

impl Default for Decoding {
    fn default() -> Self {
        Self { steps: 14, guidance_scale: 2.0, temperature: 8.0, seed: 7 }
    }
}

/// A decoding to be made.
#[derive(Clone, Copy)]
pub struct Lane<'a> {
    /// Its draws are a function of this and the seed.
    pub number: u64,
    /// What it draws.
    pub spec: &'a Spec,
    /// The rollout that it leaves, and after how many steps; without one it begins at the beginning.
    pub branch: Option<(&'a Rollout, usize)>,
}

impl<'a> Lane<'a> {
    /// From the beginning.
    #[must_use]
    pub fn new(number: u64, spec: &'a Spec) -> Self {
        Self { number, spec, branch: None }
    }

    /// Steps that are done.
    fn done(&self) -> usize {
        self.branch.map_or(0, |(_, steps)| steps)
    }

    /// What is known of it.
    fn begun(&self) -> Rollout {
        let known = self.branch.map(|(from, done)| (from.states[..done].to_vec(), from.sampled[..done].to_vec()));
        let (states, sampled) = known.unwrap_or_default();
        Rollout { prompt: self.spec.prompt(), group: self.number, states, sampled, ..Rollout::default() }
    }
}

/// What rollouts are made with.
#[derive(Clone, Copy)]
pub struct Roller<'a> {
    /// The generator.
    pub network: &'a Showo,
    /// Its configuration.
    pub config: &'a ShowoConfig,
    /// Codes to pixels.
    pub tokenizer: &'a Magvit,
    /// Where all networks are.
    pub device: &'a Device,
    /// How it decodes.
    pub decoding: Decoding,
    /// Whether the checker looks at every step's preview, not only at the finished picture: most of a rollout's cost.
    pub previews: bool,
    /// Who chooses among each step's candidates; `None` draws one.
    pub chooser: Option<Chooser<'a>>,
}

/// PARM, stepwise: a network that chooses meets other states than it was shown, those that it thinks well of.
#[derive(Clone, Copy)]
pub struct Chooser<'a> {
    /// PARM.
    pub parm: &'a RewardModel,
    /// k.
    pub candidates: u32,
}

impl Chooser<'_> {
    /// Of every prompt's candidates the one of highest potential.
    fn choose(&self, prompts: &[String], drawn: Vec<Vec<Drawn>>) -> Vec<Drawn> {
        let states: Vec<(&str, &[i32])> = prompts
            .iter()
            .zip(&drawn)
            .flat_map(|(prompt, drawn)| drawn.iter().map(|one| (prompt.as_str(), one.tokens.as_slice())))
            .collect();
        let logits = parm::logits(self.parm, &states);
        let chosen = drawn.into_iter().zip(logits.chunks(self.candidates as usize));
        chosen.map(|(mut drawn, logits)| drawn.swap_remove(best(logits))).collect()
    }
}

/// Rollouts that a core makes at once: enough rows for the products to be worth their overhead, and still small enough
/// for the caches.
pub const LANES: usize = 8;
/// Rollouts that a graphics card makes at once.
const CARD_LANES: usize = 256;
/// Threads that keep a graphics card busy: one draws from logits while the other's are computed.
const CARD_WORKERS: usize = 3;
/// Pictures that are decoded at once.
const SHOWN: usize = 256;

impl Roller<'_> {
    /// A rollout of every lane, whichever others are made beside it. Draws and the checker run on the cores of the calling
    /// thread's rayon pool, wherever the networks are.
    ///
    /// # Errors
    /// The device fails.
    pub fn roll(&self, lanes: &[Lane]) -> Result<Vec<Rollout>> {
        let Decoding { steps, guidance_scale, temperature, seed } = self.decoding;
        ensure!(steps > 0, "decoding takes at least one step");
        let mut rollouts: Vec<Rollout> = lanes.iter().map(Lane::begun).collect();
        let prompts: Vec<String> = rollouts.iter().map(|rollout| rollout.prompt.clone()).collect();
        let words = Words::new();
        let ids: Vec<Vec<u32>> = prompts.iter().map(|prompt| words.encode(prompt)).collect();
        let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
        let prompted = Prompted::several(self.network, self.config, &ids, guidance_scale, self.device);
        let n = self.config.num_vq_tokens;
        let begun = |rollout: &Rollout| rollout.states.last().cloned().unwrap_or_else(|| vec![-1; n]);
        let mut tokens: Vec<Vec<i32>> = rollouts.iter().map(begun).collect();
        let first = lanes.iter().map(Lane::done).min().unwrap_or(0);
        for step in first..steps {
            let images: Vec<&[i32]> = tokens.iter().map(Vec::as_slice).collect();
            let logits = prompted.logits_of(self.network, &images);
            let logits = Tensor::<2>::from_data(logits.into_data(), &Device::flex());
            let draw = |(index, lane): (usize, &Lane)| {
                let plan = StepPlan {
                    seed: Rng::keyed(&[seed, lane.number]).next_u64(),
                    pass: 0,
                    step: step as u32,
                    steps: steps as u32,
                    total: n,
                    temperature,
                    first: 0,
                    candidates: self.chooser.map_or(1, |chooser| chooser.candidates),
                };
                let logits = logits.clone().narrow(0, index * n, n);
                pollster::block_on(draw_candidates(logits, &tokens[index], &plan))
            };
            let drawn: Vec<Vec<Drawn>> = lanes.par_iter().enumerate().map(draw).collect::<Result<_, _>>()?;
            let chosen = match self.chooser {
                Some(chooser) => chooser.choose(&prompts, drawn),
                None => drawn.into_iter().flatten().collect(),
            };
            ensure!(chosen.len() == lanes.len(), "a step drew no candidate");
            for (index, chosen) in chosen.into_iter().enumerate() {
                // A lane whose branch begins later waits for the others.
                if step >= lanes[index].done() {
                    tokens[index].clone_from(&chosen.tokens);
                    rollouts[index].states.push(chosen.tokens);
                    rollouts[index].sampled.push(chosen.sampled);
                }
            }
        }
        let first = if self.previews { 0 } else { steps - 1 };
        let shown: Vec<Vec<i32>> =
            rollouts.iter().flat_map(|rollout| rollout.sampled[first..].iter().cloned()).collect();
        let pictures: Vec<Picture> =
            shown.chunks(SHOWN).flat_map(|part| crate::vq::decode(self.tokenizer, part, self.device)).collect();
        let check = |(pictures, lane): (&[Picture], &Lane)| -> Vec<Verdict> {
            pictures.iter().map(|picture| scenes::check(picture, lane.spec)).collect()
        };
        let verdicts: Vec<Vec<Verdict>> = pictures.par_chunks(steps - first).zip(lanes).map(check).collect();
        for (rollout, verdicts) in rollouts.iter_mut().zip(verdicts) {
            rollout.accepted = verdicts.last().is_some_and(|verdict| verdict.accepted);
            if self.previews {
                rollout.preview_accepted = verdicts.iter().map(|verdict| verdict.accepted).collect();
            }
            rollout.detections = verdicts.into_iter().map(|verdict| verdict.detections).collect();
        }
        Ok(rollouts)
    }

    /// As [`Roller::roll`] for any number of lanes, every core busy; `done` hears of every part.
    ///
    /// # Errors
    /// The device fails.
    pub fn roll_all(&self, lanes: &[Lane], done: impl Fn(usize) + Sync) -> Result<Vec<Rollout>> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let (width, workers, threads) =
            if on_card(self.device) { (CARD_LANES, CARD_WORKERS, cores) } else { (LANES, cores, 1) };
        let parts: Vec<&[Lane]> = lanes.chunks(width).collect();
        let next = AtomicUsize::new(0);
        let workers = workers.min(parts.len());
        let work = || -> Result<Vec<(usize, Vec<Rollout>)>> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            let mut mine = Vec::new();
            while let Some((index, part)) = take(&next, &parts) {
                mine.push((index, pool.install(|| self.roll(part))?));
                done(part.len());
            }
            Ok(mine)
        };
        let rolled = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            let joined = handles.into_iter().map(|handle| handle.join().unwrap_or_else(|panic| resume_unwind(panic)));
            joined.collect::<Result<Vec<_>>>()
        })?;
        let mut parts: Vec<(usize, Vec<Rollout>)> = rolled.into_iter().flatten().collect();
        parts.sort_by_key(|(index, _)| *index);
        Ok(parts.into_iter().flat_map(|(_, rollouts)| rollouts).collect())
    }
}

/// The next part of the work, and its number.
fn take<'a, T>(next: &AtomicUsize, parts: &[&'a [T]]) -> Option<(usize, &'a [T])> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    parts.get(index).map(|part| (index, *part))
}

/// The prompt of a group of rollouts: half in GenEval's pure forms, half as in training.
fn prompt_of(group: u64, seed: u64) -> Spec {
    let mut rng = Rng::keyed(&[seed, 0x726f_6c6c, group]);
    let category = Category::ALL[rng.below(Category::ALL.len())];
    if rng.chance(0.5) {
        scenes::sample_spec(category, Split::Train, &mut rng)
    } else {
        scenes::sample_training_spec(&mut rng)
    }
}

/// The rollout that a group branches from and after how many steps, of `from` each in turn: what is drawn next differs
/// between the group's rollouts, and nothing before it.
fn branch_of(group: u64, seed: u64, from: &[Rollout]) -> Option<(&Rollout, usize)> {
    let base = from.get(group.checked_rem(from.len() as u64)? as usize)?;
    let later = base.states.len().checked_sub(1).filter(|&later| later > 0)?;
    Some((base, 1 + Rng::keyed(&[seed, 0x6272_6e63, group]).below(later)))
}

/// Rolls numbers `existing..count` into `rollouts.jsonl`, one line each; goes on where the file ends. Each `group` of
/// consecutive numbers has one training prompt, or goes on from one state of one rollout of `from` where there are any.
///
/// # Errors
/// A prompt or a number of steps in `from` that is not this decoding's; the file cannot be written; the device fails.
pub fn run(roller: &Roller, count: u64, group: u64, from: &[Rollout], path: &Path) -> Result<()> {
    let Decoding { steps, seed, .. } = roller.decoding;
    if let Some(other) = from.iter().map(|rollout| rollout.states.len()).find(|&other| other != steps || steps < 2) {
        bail!("rollouts of {other} steps have no branches of {steps}; --steps says of how many");
    }
    // Rollouts between two writes to the file.
    let part = if on_card(roller.device) { (2 * CARD_WORKERS * CARD_LANES) as u64 } else { 64 };
    let existing = read(path).map_or(0, |rollouts| rollouts.len() as u64);
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let bar = ProgressBar::new(count).with_position(existing);
    let mut accepted = 0_u64;
    let mut next = existing;
    while next < count && !STOP.load(Ordering::Relaxed) {
        let of = |number: u64| number / group.max(1);
        let numbers: Vec<u64> = (next..(next + part).min(count)).collect();
        let branches: Vec<_> = numbers.iter().map(|&number| branch_of(of(number), seed, from)).collect();
        let spec = |(&number, branch): (&u64, &Option<(&Rollout, usize)>)| match branch {
            Some((base, _)) => Ok(Spec::parse(&base.prompt)?),
            None => Ok(prompt_of(of(number), seed)),
        };
        let specs: Vec<Spec> = numbers.iter().zip(&branches).map(spec).collect::<Result<_>>()?;
        let lane = |((&number, spec), branch)| Lane { number, spec, branch };
        let lanes: Vec<Lane> = numbers.iter().zip(&specs).zip(branches).map(lane).collect();
        for rollout in roller.roll_all(&lanes, |done| bar.inc(done as u64))? {
            accepted += u64::from(rollout.accepted);
            serde_json::to_writer(&mut file, &Rollout { group: of(rollout.group), ..rollout })?;
            writeln!(file)?;
        }
        next += numbers.len() as u64;
        bar.set_message(format!("{accepted} accepted"));
    }
    bar.finish();
    println!("{} rollouts, {accepted} of {} new ones accepted", next, next - existing);
    Ok(())
}

/// All rollouts of a file; a last line that was cut off is passed over.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Rollout>> {
    let file = std::fs::File::open(path)
        .with_context(|| format!("cannot read {}; run `train rollouts` first", path.display()))?;
    Ok(BufReader::new(file).lines().map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok()).collect())
}

#[cfg(test)]
mod tests;

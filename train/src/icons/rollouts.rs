//! `train --world icons rollouts`: what becomes of partly decoded pictures of things.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use rayon::prelude::*;
use scenes::Rng;
use scenes::icons::{Checker, Sighting, Spec, sample_training_spec, verdicts};
use serde::{Deserialize, Serialize};
use showo::model::magvit::Magvit;

use super::decode::{Asked, Drawing, Painter};
use super::vq;
use crate::fit::STOP;

/// One decoding to the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// What was asked for.
    pub spec: Spec,
    /// Rollouts of one group share their prompt and differ in their draws.
    pub group: u64,
    /// The tokens after each step (−1 where masked); the last entry is the finished picture.
    pub states: Vec<Vec<i32>>,
    /// The full draw of each step before re-masking.
    pub sampled: Vec<Vec<i32>>,
    /// What the checker sees in each step's preview; in every other one it does not look.
    pub seen: Vec<Option<Sighting>>,
}

impl Rollout {
    /// Whether step `step`'s preview satisfies a prompt, as GenEval judges.
    #[must_use]
    pub fn satisfies(&self, step: usize, spec: &Spec) -> bool {
        self.seen_in(step).is_some_and(|seen| verdicts(seen, spec).0)
    }

    /// What the checker sees in step `step`'s preview, if it looked.
    #[must_use]
    pub fn seen_in(&self, step: usize) -> Option<&Sighting> {
        self.seen.get(step)?.as_ref()
    }

    /// Whether the finished picture satisfies its prompt.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.satisfies(self.states.len().saturating_sub(1), &self.spec)
    }
}

/// What rollouts are made with.
pub struct Roller<'a> {
    /// Who draws.
    pub painter: Painter<'a>,
    /// Codes to pixels.
    pub tokenizer: &'a Magvit,
    /// Who looks.
    pub checker: &'a Checker,
}

impl Roller<'_> {
    /// What the checker sees in every other step of every drawing, the last one included, on every core.
    #[must_use]
    pub fn look(&self, drawings: &[Drawing]) -> Vec<Vec<Option<Sighting>>> {
        let steps = drawings.first().map_or(0, |drawing| drawing.sampled.len());
        let looked_at = |step: &usize| step % 2 == steps.saturating_sub(1) % 2;
        let shown =
            drawings.iter().flat_map(|drawing| (0..steps).filter(looked_at).map(|step| drawing.sampled[step].clone()));
        let pictures = vq::decode(self.tokenizer, &shown.collect::<Vec<_>>(), self.painter.device);
        let seen: Vec<Sighting> = pictures.par_iter().map(|picture| self.checker.see(picture)).collect();
        let mut seen = seen.into_iter();
        drawings
            .iter()
            .map(|_| (0..steps).map(|step| if looked_at(&step) { seen.next() } else { None }).collect())
            .collect()
    }

    /// Rolls numbers `existing..count` into the file, one line each; goes on where it ends.
    ///
    /// # Errors
    /// The file cannot be written; the device fails.
    pub fn run(&self, count: u64, group: u64, path: &Path) -> Result<()> {
        let seed = self.painter.decoding.seed;
        let existing = if path.exists() { read(path)?.len() as u64 } else { 0 };
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let bar = ProgressBar::new(count).with_position(existing);
        let (mut next, mut accepted) = (existing, 0_usize);
        while next < count && !STOP.load(std::sync::atomic::Ordering::Relaxed) {
            let numbers: Vec<u64> = (next..(next + 256).min(count)).collect();
            let of = |number: u64| number / group.max(1);
            let spec = |number: u64| sample_training_spec(&mut Rng::keyed(&[seed, 0x726f_6c6c, of(number)]));
            let specs: Vec<Spec> = numbers.iter().map(|&number| spec(number)).collect();
            let asked = numbers.iter().zip(&specs).map(|(&number, spec)| Asked { number, prompt: spec.prompt() });
            let drawings = self.painter.draw(&asked.collect::<Vec<_>>(), |done| bar.inc(done as u64))?;
            let seen = self.look(&drawings);
            let rolled: Vec<Rollout> = (numbers.iter().zip(specs).zip(drawings).zip(seen))
                .map(|(((&number, spec), drawing), seen)| Rollout {
                    spec,
                    group: of(number),
                    states: drawing.states,
                    sampled: drawing.sampled,
                    seen,
                })
                .collect();
            accepted += rolled.iter().filter(|rollout| rollout.accepted()).count();
            let lines: Vec<Vec<u8>> = rolled.par_iter().map(serde_json::to_vec).collect::<Result<_, _>>()?;
            for line in lines {
                file.write_all(&line)?;
                writeln!(file)?;
            }
            next += numbers.len() as u64;
        }
        bar.finish_and_clear();
        println!("{next} rollouts, {accepted} of {} new ones accepted", next - existing);
        Ok(())
    }
}

/// All rollouts of a file; a last line that was cut off is passed over.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Rollout>> {
    let file = std::fs::File::open(path)
        .with_context(|| format!("cannot read {}; run `train --world icons rollouts` first", path.display()))?;
    let lines: Vec<String> = BufReader::new(file).lines().map_while(Result::ok).collect();
    Ok(lines.par_iter().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

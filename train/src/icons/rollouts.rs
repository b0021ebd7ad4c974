//! `train --world icons rollouts`: what becomes of partly decoded pictures of things.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use rayon::prelude::*;
use rng::Rng;
use scenes::icons::{Checker, Picture, Sighting, Spec, sample_training_spec, verdicts};
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
    /// What the checker sees in a step's preview, where it looked.
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

/// Drawings of some prompts, and the pictures of the steps that the checker looks at, one drawing's after another's.
struct Part {
    first: u64,
    specs: Vec<Spec>,
    drawings: Vec<Drawing>,
    shown: Vec<Picture>,
}

/// Whether the checker looks at a step of rollout `number`: at the last, and at two others, which differ from rollout to rollout.
/// Looking takes longer than drawing.
fn looked_at(number: u64, step: usize, steps: usize) -> bool {
    let last = steps.saturating_sub(1);
    let half = last.div_ceil(2).max(1);
    step == last || step % half == (number % half as u64) as usize
}

impl Roller<'_> {
    /// Rolls numbers `existing..count` into the file, one line each; goes on where it ends. What is drawn is looked at while the
    /// next part is drawn.
    ///
    /// # Errors
    /// The file cannot be written; the device fails.
    pub fn run(&self, count: u64, group: u64, path: &Path) -> Result<()> {
        let existing = if path.exists() { read(path)?.len() as u64 } else { 0 };
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let bar = ProgressBar::new(count).with_position(existing);
        let begin = Instant::now();
        let (send, receive) = std::sync::mpsc::sync_channel::<Part>(2);
        let checker = self.checker;
        let (drawing, written) = std::thread::scope(|scope| {
            let looker = scope.spawn(|| Looker { checker, group, bar: &bar, file }.run(receive));
            let drawing = self.draw(existing..count, group, &send);
            drop(send);
            (drawing, looker.join())
        });
        bar.finish_and_clear();
        let Ok(written) = written else { bail!("the checker failed") };
        let (new, accepted, looking) = written?;
        println!(
            "{} rollouts, {accepted} of {new} new ones accepted; {:.0} s, of which drawing took {:.0} and looking, beside it, {:.0}",
            existing + new,
            begin.elapsed().as_secs_f64(),
            drawing?.as_secs_f64(),
            looking.as_secs_f64()
        );
        Ok(())
    }

    /// Draws the numbers, part by part. Gives the time that it took.
    fn draw(&self, numbers: Range<u64>, group: u64, send: &SyncSender<Part>) -> Result<Duration> {
        let seed = self.painter.decoding.seed;
        let mut taken = Duration::ZERO;
        let mut next = numbers.start;
        while next < numbers.end && !STOP.load(std::sync::atomic::Ordering::Relaxed) {
            let begin = Instant::now();
            let part: Vec<u64> = (next..(next + PART).min(numbers.end)).collect();
            let spec =
                |number: &u64| sample_training_spec(&mut Rng::keyed(&[seed, 0x726f_6c6c, number / group.max(1)]));
            let specs: Vec<Spec> = part.iter().map(spec).collect();
            let asked = part.iter().zip(&specs).map(|(&number, spec)| Asked { number, prompt: spec.prompt() });
            let drawings = self.painter.draw(&asked.collect::<Vec<_>>(), |_| {})?;
            let shown: Vec<Vec<i32>> = drawings
                .iter()
                .zip(&part)
                .flat_map(|(drawing, &number)| {
                    let steps = drawing.sampled.len();
                    let seen = (0..steps).filter(move |&step| looked_at(number, step, steps));
                    seen.map(|step| drawing.sampled[step].clone())
                })
                .collect();
            let shown = vq::decode(self.tokenizer, &shown, self.painter.device);
            taken += begin.elapsed();
            let first = next;
            next += part.len() as u64;
            if send.send(Part { first, specs, drawings, shown }).is_err() {
                // Whoever looks has failed, and says why.
                break;
            }
        }
        Ok(taken)
    }
}

/// Rollouts that are drawn side by side.
const PART: u64 = 256;

/// Looks at what was drawn, on every core, and writes it.
struct Looker<'a> {
    checker: &'a Checker,
    group: u64,
    bar: &'a ProgressBar,
    file: File,
}

impl Looker<'_> {
    /// Gives how many were written, how many of them are right, and the time that it took.
    fn run(mut self, parts: Receiver<Part>) -> Result<(u64, usize, Duration)> {
        let (mut written, mut accepted, mut taken) = (0, 0, Duration::ZERO);
        for part in parts {
            let begin = Instant::now();
            let rolled = self.look(part);
            accepted += rolled.iter().filter(|rollout| rollout.accepted()).count();
            let lines: Vec<Vec<u8>> = rolled.par_iter().map(serde_json::to_vec).collect::<Result<_, _>>()?;
            for line in lines {
                self.file.write_all(&line)?;
                writeln!(self.file)?;
            }
            written += rolled.len() as u64;
            self.bar.inc(rolled.len() as u64);
            taken += begin.elapsed();
        }
        Ok((written, accepted, taken))
    }

    fn look(&self, part: Part) -> Vec<Rollout> {
        let Part { first, specs, drawings, shown } = part;
        let seen: Vec<Sighting> = shown.par_iter().map(|picture| self.checker.see(picture)).collect();
        let mut seen = seen.into_iter();
        let all = (first..).zip(specs).zip(drawings);
        all.map(|((number, spec), Drawing { states, sampled })| {
            let steps = sampled.len();
            let seen = (0..steps).map(|step| if looked_at(number, step, steps) { seen.next() } else { None }).collect();
            Rollout { spec, group: number / self.group.max(1), states, sampled, seen }
        })
        .collect()
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

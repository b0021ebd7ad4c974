//! `train rollouts`: what becomes of partly decoded pictures.
//!
//! Each rollout decodes one training prompt to the end with the shipped decoding (mode `none`) and keeps the state of
//! every step. The final picture's verdict is a one-sample estimate of the potential of every state on the way.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use anyhow::{Context, Result};
use burn::tensor::Device;
use indicatif::ProgressBar;
use scenes::{Picture, Rng};
use serde::{Deserialize, Serialize};
use showo::config::ShowoConfig;
use showo::decode::generator::Prompted;
use showo::decode::step::draw_candidates;
use showo::model::magvit::Magvit;
use showo::model::showo::Showo;

use crate::data::Words;
use crate::fit::STOP;
use crate::generator::step_plan;

/// One decoding to the end.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
}

/// What decoding is run with.
#[derive(Debug, Clone, Copy)]
pub struct Decoding {
    /// T.
    pub steps: usize,
    /// g.
    pub guidance_scale: f32,
    /// Seed of all rollouts.
    pub seed: u64,
}

/// One rollout of `prompt`, a function of (seed, number).
///
/// # Errors
/// The device fails.
pub fn roll(
    network: &Showo,
    config: &ShowoConfig,
    tokenizer: &Magvit,
    spec: &scenes::Spec,
    number: u64,
    decoding: Decoding,
) -> Result<Rollout> {
    let prompt = spec.prompt();
    let prompted =
        Prompted::new(network, config, &Words::new().encode(&prompt), decoding.guidance_scale, &Device::flex());
    let n = config.num_vq_tokens;
    let mut tokens = vec![-1; n];
    let mut rollout = Rollout {
        prompt,
        group: number,
        states: Vec::new(),
        sampled: Vec::new(),
        preview_accepted: Vec::new(),
        accepted: false,
    };
    for step in 0..decoding.steps {
        let seed = Rng::keyed(&[decoding.seed, number]).next_u64();
        let plan = step_plan(seed, step, decoding.steps, n);
        let drawn = pollster::block_on(draw_candidates(prompted.logits(network, &tokens), &tokens, &plan))?;
        let drawn = drawn.into_iter().next().context("a step drew no candidate")?;
        tokens.clone_from(&drawn.tokens);
        rollout.states.push(drawn.tokens);
        rollout.sampled.push(drawn.sampled);
    }
    let pictures: Vec<Picture> = crate::vq::decode(tokenizer, &rollout.sampled, &Device::flex());
    rollout.preview_accepted = pictures.iter().map(|picture| scenes::check(picture, spec).accepted).collect();
    rollout.accepted = rollout.preview_accepted.last().copied().unwrap_or(false);
    Ok(rollout)
}

/// Rolls numbers `existing..count` into `rollouts.jsonl`, one line each, every core busy; goes on where the file ends.
/// Each `group` of consecutive numbers has one training prompt.
///
/// # Errors
/// The file cannot be written; the device fails.
pub fn run(
    network: &Showo,
    config: &ShowoConfig,
    tokenizer: &Magvit,
    count: u64,
    group: u64,
    decoding: Decoding,
    path: &Path,
) -> Result<()> {
    let existing = read(path).map_or(0, |rollouts| rollouts.len() as u64);
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let bar = ProgressBar::new(count).with_position(existing);
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let pools: Vec<rayon::ThreadPool> =
        (0..workers).map(|_| rayon::ThreadPoolBuilder::new().num_threads(1).build()).collect::<Result<_, _>>()?;
    let mut accepted = 0_u64;
    let mut next = existing;
    while next < count && !STOP.load(std::sync::atomic::Ordering::Relaxed) {
        let part: Vec<Result<Vec<Rollout>>> = std::thread::scope(|scope| {
            let handles: Vec<_> = pools
                .iter()
                .enumerate()
                .map(|(worker, pool)| {
                    scope.spawn(move || {
                        pool.install(|| {
                            (0..8)
                                .map(|index| next + worker as u64 * 8 + index)
                                .filter(|number| *number < count)
                                .map(|number| {
                                    let of = number / group.max(1);
                                    let mut rng = Rng::keyed(&[decoding.seed, 0x726f_6c6c, of]);
                                    let categories = scenes::Category::ALL;
                                    let category = categories[rng.below(categories.len())];
                                    // Half in GenEval's pure forms, half as in training.
                                    let spec = if rng.chance(0.5) {
                                        scenes::sample_spec(category, scenes::Split::Train, &mut rng)
                                    } else {
                                        scenes::sample_training_spec(&mut rng)
                                    };
                                    let rollout = roll(network, config, tokenizer, &spec, number, decoding)?;
                                    Ok(Rollout { group: of, ..rollout })
                                })
                                .collect()
                        })
                    })
                })
                .collect();
            handles
                .into_iter()
                .map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        for rollouts in part {
            for rollout in rollouts? {
                accepted += u64::from(rollout.accepted);
                next += 1;
                serde_json::to_writer(&mut file, &rollout)?;
                writeln!(file)?;
            }
        }
        bar.set_position(next);
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

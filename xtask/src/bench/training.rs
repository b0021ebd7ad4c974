//! `bench training`: a step of `train showo` now and as it was, in turn.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::command::{self, cargo, program};
use crate::places::Places;

/// The shipped generator, for so few steps that nothing but their speed can be said of it.
const CONFIG: &str = "hidden_size = 128
num_hidden_layers = 12
num_attention_heads = 4
intermediate_size = 512
prompt_dropout = 0.1
scenes = 512

[fit]
steps = 10
batch = 64
learning_rate = 1e-4
warmup_steps = 1
final_rate = 1.0
weight_decay = 0.02
ema_decay = 0.99
muon = true
seed = 1
checkpoint_seconds = 3600
sample_steps = 1000
";
/// Steps at the start that are not counted: the first allocate and wake the workers.
const WARM_UP: usize = 2;

/// Samples a second of `train showo` on the shipped generator, now and at another commit, in turn in one run.
///
/// Builds that commit in a worktree and a target folder of its own, both kept in the user's cache: Cargo takes two checkouts
/// in one target folder for one.
#[derive(Args)]
pub struct Options {
    /// The commit to compare with: by default the last before training had operations of its own.
    #[arg(long, value_name = "COMMIT", default_value = "0e63520")]
    against: String,
    /// How often each takes its turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// The subcommand.
///
/// # Errors
/// A commit that is not there or does not build; a run that fails.
pub fn run(places: &Places, options: &Options) -> Result<()> {
    let scratch = places.cache.join("training-bench");
    fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let source = checkout(places, &scratch, &options.against)?;
    let then = build(places, &source, &scratch.join("target"), &scratch.join("train-then"))?;
    let now = build(places, &places.root, &places.target, &scratch.join("train-now"))?;
    // Today's program reads the bundle of then, but not the other way round.
    let bundle = source.join("www/models/scenes");
    let shared = format!("maskings = 2\n{CONFIG}");
    let mut turns = [
        (options.against.as_str(), &then, CONFIG, Vec::new()),
        ("now", &now, CONFIG, Vec::new()),
        ("now, two maskings of a picture share its prompt", &now, &shared, Vec::new()),
    ];
    for _ in 0..options.rounds {
        for (_, train, config, seconds) in &mut turns {
            seconds.extend(steps(places, train, &bundle, config, &scratch)?);
        }
    }
    println!(
        "| `train showo`, 2.7 million parameters, 64 examples a step | median s a step | examples a second | ratio |\n|---|---|---|---|"
    );
    let mut first = None;
    for (name, _, _, seconds) in turns {
        let seconds = median(seconds).context("no steps")?;
        let then = *first.get_or_insert(seconds);
        println!("| {name} | {seconds:.2} | {:.1} | {:.2} |", 64.0 / seconds, then / seconds);
    }
    Ok(())
}

/// A worktree at `commit`.
fn checkout(places: &Places, scratch: &Path, commit: &str) -> Result<PathBuf> {
    let full =
        command::capture(program(places, "git").args(["rev-parse", "--verify", &format!("{commit}^{{commit}}")]))?;
    let folder = scratch.join(full.trim());
    if !folder.is_dir() {
        command::run(
            program(places, "git").args(["worktree", "add", "--force", "--detach"]).arg(&folder).arg(full.trim()),
        )?;
    }
    Ok(folder)
}

/// Builds `train` in `source` and puts it at `to`.
fn build(places: &Places, source: &Path, target: &Path, to: &Path) -> Result<PathBuf> {
    // With the whole workspace's features, as the tests build it, so that burn is compiled once.
    let arguments = ["build", "--quiet", "--workspace", "--release", "--bin", "train"];
    command::run(cargo(places).current_dir(source).env("CARGO_TARGET_DIR", target).args(arguments))?;
    let built = target.join("release").join(format!("train{}", std::env::consts::EXE_SUFFIX));
    fs::copy(&built, to).with_context(|| format!("cannot copy {} to {}", built.display(), to.display()))?;
    Ok(to.to_path_buf())
}

/// Seconds of each step of one run, without the first.
fn steps(places: &Places, train: &Path, bundle: &Path, config: &str, scratch: &Path) -> Result<Vec<f64>> {
    let runs = scratch.join("runs");
    if runs.is_dir() {
        fs::remove_dir_all(&runs).with_context(|| format!("cannot remove {}", runs.display()))?;
    }
    let path = scratch.join("config.toml");
    fs::write(&path, config).with_context(|| format!("cannot write {}", path.display()))?;
    let mut command = program(places, train);
    command
        .arg("--runs")
        .arg(&runs)
        .arg("--bundle")
        .arg(bundle)
        .arg("showo")
        .arg("--config")
        .arg(&path)
        .arg("--init")
        .arg(bundle);
    command::run(&mut command)?;
    let metrics = runs.join("showo/metrics.jsonl");
    let text = fs::read_to_string(&metrics).with_context(|| format!("cannot read {}", metrics.display()))?;
    let seconds: Option<Vec<f64>> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).ok()?["step_seconds"].as_f64())
        .collect();
    let seconds = seconds.with_context(|| format!("{} has a line without `step_seconds`", metrics.display()))?;
    ensure!(seconds.len() > WARM_UP, "{} has too few steps", metrics.display());
    Ok(seconds[WARM_UP..].to_vec())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

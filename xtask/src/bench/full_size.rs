//! `bench full-size`: the real Show-o's shapes in the browser, held to the native engine's numbers.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::browser;
use crate::command::{self, cargo, program};
use crate::places::Places;

/// What the prompt of the compared forward is made of: words that every tokenizer reads.
const PROMPT: &str = "a red circle and a blue square";

/// Stream a bundle of full size into headless Chromium (dist/) and compare a step there with the native one.
///
/// A guided forward, then a step with two candidates and their previews, a question to the generator itself and a CLIPScore. Reports
/// seconds, the peak of the engine's memory, the bytes on the graphics device and the distances from the native numbers; fails
/// where the memory passes 192 MB, the logits' distance 2e-2, a score's 1e-2, or where previews take more than a fiftieth of
/// the step. Without a graphics card a forward of 1.3 billion parameters takes a quarter of an hour.
#[derive(Args)]
pub struct Options {
    /// The bundle [default: made once from random weights of the real shapes, with CLIP and previews, 1.7 GB, and kept in the user's cache].
    #[arg(long, value_name = "FOLDER")]
    bundle: Option<PathBuf>,
    /// Two layers instead of 24: the same tables and tensors, a twelfth of the time.
    #[arg(long, conflicts_with = "bundle")]
    quick: bool,
    /// What is drawn in the compared forward.
    #[arg(long, default_value = PROMPT)]
    prompt: String,
}

/// The subcommand.
///
/// # Errors
/// A step that fails, or a goal that is missed.
pub fn run(places: &Places, options: &Options) -> Result<()> {
    // With the whole workspace's features, as the tests build them, so that burn is compiled once.
    let commands = ["--bin", "showo", "--bin", "quantize"];
    command::run(cargo(places).args(["build", "--quiet", "--workspace", "--release"]).args(commands))
        .context("the native commands that the browser is compared with")?;
    let bundle = match &options.bundle {
        Some(bundle) => bundle.clone(),
        None => synthetic(places, options.quick)?,
    };
    let scratch = places.cache.join("full-size");
    fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let numbers = Numbers {
        logits: scratch.join(format!("logits-{}.f32", std::process::id())),
        round: scratch.join(format!("round-{}.json", std::process::id())),
    };
    let compared = native(places, &bundle, &options.prompt, &numbers)
        .and_then(|()| in_browser(places, &bundle, &options.prompt, &numbers));
    // Best effort: 8 MB in a cache.
    let _ = fs::remove_file(&numbers.logits);
    let _ = fs::remove_file(&numbers.round);
    compared
}

/// What the native engine computed, in files.
struct Numbers {
    logits: PathBuf,
    round: PathBuf,
}

/// The native step; its numbers go into files.
fn native(places: &Places, bundle: &Path, prompt: &str, numbers: &Numbers) -> Result<()> {
    let mut showo = program(places, binary(places, "showo"));
    showo.arg("probe").arg("--bundle").arg(bundle).args(["--prompt", prompt]);
    command::run(showo.arg("--out").arg(&numbers.logits).arg("--round").arg(&numbers.round))
}

/// The same in Chromium.
fn in_browser(places: &Places, bundle: &Path, prompt: &str, numbers: &Numbers) -> Result<()> {
    let script = browser::scripts(places).join("bench_full_size.mjs");
    command::run(browser::node(places)?.arg(script).arg(bundle).arg(prompt).arg(&numbers.logits).arg(&numbers.round))
}

/// A bundle of random weights, made where there is none yet.
fn synthetic(places: &Places, quick: bool) -> Result<PathBuf> {
    let name = if quick { "showo-256-clip-2-layers" } else { "showo-256-clip" };
    let folder = places.cache.join("full-size");
    let bundle = folder.join(name);
    if bundle.is_dir() {
        return Ok(bundle);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let checkpoint = folder.join(format!("{name}-checkpoint"));
    if checkpoint.is_dir() {
        // What an interrupted run left behind.
        fs::remove_dir_all(&checkpoint).with_context(|| format!("cannot remove {}", checkpoint.display()))?;
    }
    let quantize = || program(places, binary(places, "quantize"));
    let mut synth = quantize();
    synth.args(["synth", "--config", "showo-256", "--seed", "0", "--dtype", "bf16"]);
    synth.args(["--with", "clip", "--with", "preview", "--out"]).arg(&checkpoint);
    if quick {
        synth.args(["--layers", "2"]);
    }
    command::run(&mut synth)?;
    let mut convert = quantize();
    convert.arg("convert");
    for kind in ["showo", "magvit", "preview", "clip"] {
        convert.arg("--input").arg(format!("{kind}={}", checkpoint.join(kind).display()));
    }
    convert.arg("--tokenizer").arg(checkpoint.join("tokenizer.json"));
    command::run(convert.args(["--name", name, "--licence", "CC0-1.0", "--out"]).arg(&bundle))?;
    fs::remove_dir_all(&checkpoint).with_context(|| format!("cannot remove {}", checkpoint.display()))?;
    Ok(bundle)
}

fn binary(places: &Places, name: &str) -> PathBuf {
    places.target.join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

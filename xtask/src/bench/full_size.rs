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

/// Stream a bundle of full size into headless Chromium (dist/) and compare one guided forward there with the native one.
///
/// Reports the seconds that loading takes, the peak of the engine's memory, the bytes on the graphics device and the
/// distance between the logits; fails where the memory passes 192 MB or the distance 2e-2. Without a graphics card the
/// forward of 1.3 billion parameters takes a quarter of an hour.
#[derive(Args)]
pub struct Options {
    /// The bundle [default: made once from random weights of the real shapes, 1.5 GB, and kept in the user's cache].
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
    let logits = scratch.join(format!("logits-{}.f32", std::process::id()));
    let compared = native(places, &bundle, &options.prompt, &logits)
        .and_then(|()| in_browser(places, &bundle, &options.prompt, &logits));
    // Best effort: 8 MB in a cache.
    let _ = fs::remove_file(&logits);
    compared
}

/// The native forward; its logits go into a file.
fn native(places: &Places, bundle: &Path, prompt: &str, logits: &Path) -> Result<()> {
    let mut showo = program(places, binary(places, "showo"));
    command::run(showo.arg("probe").arg("--bundle").arg(bundle).args(["--prompt", prompt]).arg("--out").arg(logits))
}

/// The same in Chromium.
fn in_browser(places: &Places, bundle: &Path, prompt: &str, logits: &Path) -> Result<()> {
    let script = browser::scripts(places).join("bench_full_size.mjs");
    command::run(browser::node(places)?.arg(script).arg(bundle).arg(prompt).arg(logits))
}

/// A bundle of random weights, made where there is none yet.
fn synthetic(places: &Places, quick: bool) -> Result<PathBuf> {
    let name = if quick { "showo-256-2-layers" } else { "showo-256" };
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
    synth.args(["synth", "--config", "showo-256", "--seed", "0", "--dtype", "bf16", "--out"]).arg(&checkpoint);
    if quick {
        synth.args(["--layers", "2"]);
    }
    command::run(&mut synth)?;
    let input = |kind: &str| format!("{kind}={}", checkpoint.join(kind).display());
    command::run(
        quantize()
            .args(["convert", "--input", &input("showo"), "--input", &input("magvit"), "--tokenizer"])
            .arg(checkpoint.join("tokenizer.json"))
            .args(["--name", name, "--licence", "CC0-1.0", "--out"])
            .arg(&bundle),
    )?;
    fs::remove_dir_all(&checkpoint).with_context(|| format!("cannot remove {}", checkpoint.display()))?;
    Ok(bundle)
}

fn binary(places: &Places, name: &str) -> PathBuf {
    places.target.join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

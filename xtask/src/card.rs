//! `card`: the trainer for a machine with an NVIDIA card and PyTorch, where nothing can be compiled.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::command::{self, cargo, program};
use crate::places::Places;

/// Where the binary is put; ignored by git, and carried to the card's machine.
const FOLDER: &str = ".card";

/// Build `train` for an NVIDIA card through PyTorch's kernels, stripped, into .card/.
///
/// Needs PyTorch of the version that the card's machine has (2.11): `python3 -m venv v && v/bin/pip install --no-deps
/// torch==2.11.0`.
#[derive(Args, Clone)]
pub struct Options {
    /// PyTorch's folder, with `include` and `lib` [default: LIBTORCH].
    #[arg(long, value_name = "FOLDER")]
    pub torch: Option<PathBuf>,
}

/// The subcommand.
pub fn run(places: &Places, options: &Options) -> Result<()> {
    let torch = options.torch.clone().or_else(|| env::var_os("LIBTORCH").map(PathBuf::from));
    let Some(torch) = torch.filter(|torch| torch.join("lib/libtorch_cpu.so").is_file()) else {
        bail!(
            "no PyTorch: name its folder, which holds lib/libtorch_cpu.so, with --torch or LIBTORCH (python3 -m venv v && v/bin/pip install --no-deps torch==2.11.0; then v/lib/python3.*/site-packages/torch)"
        );
    };
    // Its own target folder: with another set of features burn would be compiled anew there and back again.
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| places.target.join("card"), PathBuf::from);
    let mut build = cargo(places);
    build.env("CARGO_TARGET_DIR", &target).env("LIBTORCH", torch).env("LIBTORCH_BYPASS_VERSION_CHECK", "1");
    build.env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    command::run(build.args(["build", "--release", "-p", "train", "--features", "libtorch"]))?;
    let folder = places.root.join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let to = folder.join("train");
    command::run(program(places, "strip").arg("-o").arg(&to).arg(target.join("release/train")))?;
    let size = fs::metadata(&to)?.len() as f64 / 1e6;
    println!(
        "{} ({size:.1} MB). On the card's machine, from the repository's root with .card/ carried along:",
        to.display()
    );
    println!("  train/card/run.sh --device libtorch --runs /tmp/runs vq --config train/configs/vq.toml");
    Ok(())
}

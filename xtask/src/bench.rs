//! `bench`: figures that docs/results.md names, each by a command.

mod full_size;
mod training;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::browser;
use crate::command;
use crate::places::Places;
use crate::setup::{self, Scope};

/// Measure.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Throughput of the engine's kernels in headless Chromium, on the page that lies in dist/ (GFLOP/s).
    Kernels {
        /// On the CPU, as in a browser without WebGPU.
        #[arg(long)]
        cpu: bool,
    },
    FullSize(full_size::Options),
    Training(training::Options),
}

/// The subcommand.
pub fn run(places: &Places, options: &Options) -> Result<()> {
    if !matches!(options.what, What::Training(_)) {
        setup::ensure(places, Scope::Test)?;
    }
    match &options.what {
        What::Kernels { cpu } => {
            let script = browser::scripts(places).join("bench_kernels.mjs");
            command::run(browser::node(places)?.arg(script).arg(if *cpu { "cpu" } else { "webgpu" }))
        }
        What::FullSize(options) => full_size::run(places, options),
        What::Training(options) => training::run(places, options),
    }
}

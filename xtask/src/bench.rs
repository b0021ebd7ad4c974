//! `bench`: figures that README and MEASURED name, each by a command.

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::browser;
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
}

/// The subcommand.
pub fn run(places: &Places, options: &Options) -> Result<()> {
    setup::ensure(places, Scope::Test)?;
    match options.what {
        What::Kernels { cpu } => browser::script(places, "bench_kernels.mjs", &[if cpu { "cpu" } else { "webgpu" }.to_owned()]),
    }
}

//! `generate`: a prompt becomes a PNG, and a trace of how.

use std::time::Instant;

use clap::Args;
use showo::load::Uses;

use crate::drawing::DrawingOptions;
use crate::failure::Failure;
use crate::one::Output;

/// What `generate` asks for.
#[derive(Args)]
pub struct Options {
    /// What to draw
    #[arg(long)]
    prompt: String,
    #[command(flatten)]
    drawing: DrawingOptions,
    #[command(flatten)]
    output: Output,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    options.output.ready()?;
    let begin = Instant::now();
    let (models, _) = options.drawing.load(Uses::default())?;
    let settings = options.drawing.settings(&models, &options.prompt);
    options.output.draw(models, settings, Vec::new(), begin.elapsed().as_secs_f64())
}

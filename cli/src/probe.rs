//! `probe`: one step, as numbers to compare other devices and builds with.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use showo::bundle::{Bundle, FolderReader, block_on};
use showo::check::probe::{CANDIDATES, Probe};
use showo::decode::sampling::read_floats;
use showo::load::{LoadError, Models};
use showo::session::SessionError;

use crate::device::DeviceName;
use crate::failure::Failure;
use crate::output::{ready_file, write};
use crate::progress::LoadBar;

/// What `probe` asks for.
#[derive(Args)]
pub struct Options {
    /// The bundle's folder
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// What would be drawn
    #[arg(long)]
    prompt: String,
    /// Where the logits go: f32, little-endian, a row of the codebook's columns for each image position
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where a whole step goes, as JSON: candidates, their previews, and what the bundle judges them with, each with its seconds
    #[arg(long, value_name = "FILE")]
    round: Option<PathBuf>,
    /// Who computes
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceName,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    ready_file(&options.out)?;
    options.round.as_deref().map_or(Ok(()), ready_file)?;
    let place = options.device.open()?;
    let mut bar = LoadBar::new();
    let begin = Instant::now();
    let models = block_on(async {
        let bundle = Bundle::open(FolderReader::new(&options.bundle)).await.map_err(LoadError::from)?;
        let mut models = Models::load(&bundle, &place, &mut |progress| bar.report(progress)).await?;
        if options.round.is_some() {
            models.load_verifiers(&bundle, &mut |progress| bar.report(progress)).await?;
        }
        Ok::<_, LoadError>(models)
    })?;
    bar.finish();
    println!("load: {:.1} s, {:.0} MB of weights", begin.elapsed().as_secs_f64(), models.device_bytes() as f64 / 1e6);

    let begin = Instant::now();
    let probe = Probe::new(&models, &options.prompt).map_err(SessionError::from)?;
    println!("prompt: {:.1} s", begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    let logits = block_on(read_floats(probe.logits())).map_err(|error| Failure::Device(error.to_string()))?;
    println!("forward: {:.1} s", begin.elapsed().as_secs_f64());
    write(&options.out, &logits.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())?;

    let Some(path) = &options.round else { return Ok(()) };
    let begin = Instant::now();
    let round = block_on(probe.round(|| begin.elapsed().as_secs_f64()));
    let round = round.map_err(|error| Failure::Device(error.to_string()))?;
    println!("step with {CANDIDATES} candidates: {:.1} s", round.step_seconds);
    println!("previews: {:.2} s; a picture: {:.1} s", round.previews_seconds, round.picture_seconds);
    for judged in &round.judges {
        println!("{}: {:.4}, {:.1} s", judged.verifier, judged.score, judged.seconds);
    }
    write(path, &serde_json::to_vec_pretty(&round).expect("numbers and names are JSON"))
}

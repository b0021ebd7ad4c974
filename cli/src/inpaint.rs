//! `inpaint`: a part of a picture is drawn again.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use showo::bundle::block_on;
use showo::decode::canvas::with_hole;
use showo::load::Uses;
use showo::session::{SessionError, codes_of_picture};

use crate::brought::read_png;
use crate::drawing::DrawingOptions;
use crate::failure::Failure;
use crate::one::Output;

/// What `inpaint` asks for.
#[derive(Args)]
pub struct Options {
    /// The picture, a PNG of any size: its shorter side is resized to the bundle's, and its middle is taken
    #[arg(long, value_name = "PNG")]
    picture: PathBuf,
    /// What is drawn again: a PNG of the picture's size, white there and black elsewhere
    #[arg(long, value_name = "PNG")]
    mask: PathBuf,
    /// What the whole picture is to show
    #[arg(long)]
    prompt: String,
    #[command(flatten)]
    drawing: DrawingOptions,
    #[command(flatten)]
    output: Output,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    options.output.ready()?;
    let (picture, mask) = (read_png(&options.picture)?, read_png(&options.mask)?);
    let of_mask = |error: showo::picture::PictureError| Failure::file(&options.mask, error);
    mask.belongs_to(&picture).map_err(of_mask)?;
    let begin = Instant::now();
    let (models, _) = options.drawing.load(Uses { pictures: true, ..Uses::default() })?;
    let load = begin.elapsed().as_secs_f64();
    let config = &models.image_tokenizer.config;
    let hole = mask.mask(config.resolution, config.grid()).map_err(of_mask)?;
    let codes = block_on(codes_of_picture(&models, &picture))?;
    let tokens = with_hole(&codes, &hole).map_err(SessionError::from)?;
    println!("{} of {} tokens are drawn again", hole.iter().filter(|&&hole| hole).count(), hole.len());
    let settings = options.drawing.settings(&models, &options.prompt);
    options.output.draw(models, settings, tokens, load)
}

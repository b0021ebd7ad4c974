//! `inpaint`: a part of a picture is drawn again.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use showo::bundle::block_on;
use showo::decode::canvas::with_hole;
use showo::load::Uses;
use showo::picture::{PictureError, Rgb};
use showo::session::{SessionError, codes_of_picture};

use crate::brought::{finished, read_png};
use crate::drawing::DrawingOptions;
use crate::failure::Failure;
use crate::one::Output;

/// What `inpaint` asks for.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    source: Source,
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

/// The picture.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// The picture, a PNG of any size: its shorter side is resized to the bundle's, and its middle is taken
    #[arg(long, value_name = "PNG")]
    picture: Option<PathBuf>,
    /// A trace, whose finished picture is painted on by its own codes, as the page does it
    #[arg(long, value_name = "JSON")]
    recording: Option<PathBuf>,
}

impl Source {
    /// The picture, and its codes where they are known.
    fn read(&self) -> Result<(Rgb, Option<Vec<i32>>), Failure> {
        match self {
            Self { picture: Some(path), .. } => Ok((read_png(path)?, None)),
            Self { recording: Some(path), .. } => {
                let (codes, picture) = finished(path)?;
                Ok((picture.rgb().map_err(|error| Failure::file(path, error))?, Some(codes)))
            }
            _ => Err(Failure::Refused("there is no picture; name one with --picture or --recording".into())),
        }
    }
}

pub fn run(options: &Options) -> Result<(), Failure> {
    options.output.ready()?;
    let ((picture, codes), mask) = (options.source.read()?, read_png(&options.mask)?);
    let of_mask = |error: PictureError| Failure::file(&options.mask, error);
    mask.belongs_to(&picture).map_err(of_mask)?;
    let begin = Instant::now();
    let (models, _) = options.drawing.load(Uses { pictures: codes.is_none(), ..Uses::default() })?;
    let load = begin.elapsed().as_secs_f64();
    let config = &models.image_tokenizer.config;
    let hole = mask.mask(config.resolution, config.grid()).map_err(of_mask)?;
    let codes = match codes {
        Some(codes) => codes,
        None => block_on(codes_of_picture(&models, &picture))?,
    };
    let tokens = with_hole(&codes, &hole).map_err(SessionError::from)?;
    println!("{} of {} tokens are drawn again", hole.iter().filter(|&&hole| hole).count(), hole.len());
    let settings = options.drawing.settings(&models, &options.prompt);
    options.output.draw(models, settings, tokens, load)
}

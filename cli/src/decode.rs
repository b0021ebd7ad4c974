//! `decode`: codes become a PNG.

use std::path::PathBuf;

use clap::Args;
use showo::bundle::{Bundle, FolderReader, block_on};
use showo::decode::sampling::read_floats;
use showo::load::{LoadError, load_image_tokenizer};
use showo::picture::Rgb;
use showo::text;

use crate::device::DeviceName;
use crate::failure::Failure;
use crate::output::{ready_file, write};
use crate::progress::LoadBar;

/// What `decode` asks for.
#[derive(Args)]
pub struct Options {
    /// The bundle's folder
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// A JSON array of the picture's codes, row by row
    #[arg(long, value_name = "JSON")]
    tokens: PathBuf,
    /// Where the picture goes
    #[arg(long, value_name = "PNG")]
    out: PathBuf,
    /// Who computes
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceName,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    ready_file(&options.out)?;
    let bad = |why: String| Failure::file(&options.tokens, why);
    let json = text::read_file(&options.tokens).map_err(|error| bad(error.to_string()))?;
    let codes: Vec<i32> =
        serde_json::from_str(&json).map_err(|error| bad(format!("is no JSON array of codes: {error}")))?;

    let place = options.device.open()?;
    let mut bar = LoadBar::new();
    let tokenizer = block_on(async {
        let bundle = Bundle::open(FolderReader::new(&options.bundle)).await.map_err(LoadError::from)?;
        load_image_tokenizer(&bundle, &place, &mut |progress| bar.report(progress)).await
    })?;
    bar.finish();

    let positions = tokenizer.config.grid().pow(2);
    let most = tokenizer.config.codebook_size() as i32;
    if codes.len() != positions {
        return Err(bad(format!("holds {} codes, but a picture of this bundle has {positions}", codes.len())));
    }
    if let Some(code) = codes.iter().find(|&&code| !(0..most).contains(&code)) {
        return Err(bad(format!("holds the code {code}, but this bundle's are from 0 to {}", most - 1)));
    }
    let values =
        block_on(read_floats(tokenizer.decode(&[&codes]))).map_err(|error| Failure::Device(error.to_string()))?;
    let png = Rgb::from_signed(&values, tokenizer.config.resolution).to_png();
    write(&options.out, &png.map_err(|error| Failure::file(&options.out, error))?)
}

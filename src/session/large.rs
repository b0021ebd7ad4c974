//! A draw that somebody wants to see large: the tokenizer's decode of what a preview shows small.

use crate::decode::DeviceError;
use crate::decode::sampling::read_floats;
use crate::load::Models;
use crate::picture::{PictureError, Rgb};
use crate::trace::Picture;

/// Why a draw could not be decoded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LargeError {
    /// The codes are not a whole draw of this bundle's generator.
    #[error("these codes are no picture of this bundle: {0}; load the bundle that drew them")]
    Codes(String),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The pixels could not be written.
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// N codes as the tokenizer shows them, at its own size.
///
/// # Errors
/// Too few or too many codes, or one that is masked or unknown; a device that fails.
pub async fn large(models: &Models, codes: &[i32]) -> Result<Picture, LargeError> {
    let (tokenizer, config) = (&models.image_tokenizer, &models.image_tokenizer.config);
    whole(models, codes).map_err(LargeError::Codes)?;
    let values = read_floats(tokenizer.decode(&[codes])).await?;
    Ok(Rgb::from_signed(&values, config.resolution).to_picture()?)
}

/// Whether codes are a whole draw of these models: N of them, none masked.
///
/// # Errors
/// Why not.
pub(super) fn whole(models: &Models, codes: &[i32]) -> Result<(), String> {
    let config = &models.image_tokenizer.config;
    let positions = config.grid() * config.grid();
    if codes.len() != positions {
        return Err(format!("there are {}, a picture has {positions}", codes.len()));
    }
    let most = config.codebook_size() as i32;
    match codes.iter().find(|&&code| !(0..most).contains(&code)) {
        Some(code) => Err(format!("{code} is among them, codes are from 0 to {}", most - 1)),
        None => Ok(()),
    }
}

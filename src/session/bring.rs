//! A picture that somebody brings, as the codes that the generator reads: fitted to the tokenizer's square, then encoded.

use burn::tensor::{Tensor, TensorData};

use crate::decode::DeviceError;
use crate::decode::sampling::read_floats;
use crate::load::Models;
use crate::model::magvit::codes_of;
use crate::picture::{PictureError, Rgb};

/// Why a picture could not be encoded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BringError {
    /// The picture cannot be fitted.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The image tokenizer was loaded to decode alone.
    #[error("the image tokenizer was loaded to decode and cannot read pictures; load it again to (`Uses::pictures`)")]
    NoEncoder,
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// N codes of a picture of any size: its shorter side is resized to the tokenizer's, and its middle is encoded (the
/// reference's `image_transform`).
///
/// # Errors
/// A picture without pixels; an image tokenizer without its encoder; a device that fails.
pub async fn codes_of_picture(models: &Models, picture: &Rgb) -> Result<Vec<i32>, BringError> {
    let (tokenizer, config) = (&models.image_tokenizer, &models.image_tokenizer.config);
    let side = config.resolution;
    let values = picture.fitted(side)?.to_signed();
    let pixels = Tensor::from_data(TensorData::new(values, [1, 3, side, side]), &tokenizer.device);
    let latent = read_floats(tokenizer.magvit.latent(pixels).ok_or(BringError::NoEncoder)?).await?;
    let codes = codes_of(&latent, config.z_channels, config.grid().pow(2));
    Ok(codes.into_iter().map(|code| code as i32).collect())
}

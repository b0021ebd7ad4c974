//! Pixels to PNG in base64, and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use crate::trace::Picture;

/// An 8-bit RGB picture, row by row from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `[height, width, 3]`.
    pub bytes: Vec<u8>,
}

/// A picture that cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// The base64 text or the PNG inside is not one.
    #[error("a picture cannot be read: {0}; the file is damaged, make it again")]
    Unreadable(String),
    /// The size and the number of bytes contradict each other.
    #[error("a picture of {width} × {height} pixels cannot be written: {why}")]
    Unwritable {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// What the encoder said.
        why: String,
    },
}

impl Rgb {
    /// From one picture as the tokenizer decodes it: `[3, side, side]`, values in −1…1 (clamped).
    #[must_use]
    pub fn from_signed(values: &[f32], side: usize) -> Self {
        let area = side * side;
        let bytes = (0..area)
            .flat_map(|at| (0..3).map(move |channel| channel * area + at))
            .map(|at| {
                let value = values.get(at).copied().unwrap_or(-1.0);
                // Float to integer saturates, and NaN becomes 0.
                ((value + 1.0) * 127.5).round() as u8
            })
            .collect();
        Self { width: side as u32, height: side as u32, bytes }
    }

    /// From a PNG file.
    ///
    /// # Errors
    /// [`PictureError::Unreadable`].
    pub fn from_png(png: &[u8]) -> Result<Self, PictureError> {
        let unreadable = |error: image::ImageError| PictureError::Unreadable(error.to_string());
        let picture = image::load_from_memory_with_format(png, image::ImageFormat::Png).map_err(unreadable)?.to_rgb8();
        Ok(Self { width: picture.width(), height: picture.height(), bytes: picture.into_raw() })
    }

    /// As a PNG file.
    ///
    /// # Errors
    /// [`PictureError::Unwritable`].
    pub fn to_png(&self) -> Result<Vec<u8>, PictureError> {
        let mut png = Vec::new();
        // Small pictures, many of them: speed before size.
        PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Adaptive)
            .write_image(&self.bytes, self.width, self.height, ExtendedColorType::Rgb8)
            .map_err(|why| PictureError::Unwritable { width: self.width, height: self.height, why: why.to_string() })?;
        Ok(png)
    }

    /// As it travels in a trace.
    ///
    /// # Errors
    /// [`PictureError::Unwritable`].
    pub fn to_picture(&self) -> Result<Picture, PictureError> {
        Ok(Picture { width_px: self.width, height_px: self.height, png_base64: STANDARD.encode(self.to_png()?) })
    }
}

impl Picture {
    /// The PNG file.
    ///
    /// # Errors
    /// [`PictureError::Unreadable`].
    pub fn png(&self) -> Result<Vec<u8>, PictureError> {
        STANDARD.decode(&self.png_base64).map_err(|error| PictureError::Unreadable(error.to_string()))
    }

    /// The pixels.
    ///
    /// # Errors
    /// [`PictureError::Unreadable`].
    pub fn rgb(&self) -> Result<Rgb, PictureError> {
        Rgb::from_png(&self.png()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_survive_the_trace() -> Result<(), PictureError> {
        let values: Vec<f32> = (0..3 * 16).map(|at| at as f32 / 23.5 - 1.0).collect();
        let rgb = Rgb::from_signed(&values, 4);
        assert_eq!((rgb.bytes[0], rgb.bytes[47]), (0, 255));
        assert_eq!(rgb.to_picture()?.rgb()?, rgb);
        Ok(())
    }

    #[test]
    fn values_outside_the_range_are_clamped() {
        let rgb = Rgb::from_signed(&[-3.0, f32::NAN, 3.0], 1);
        assert_eq!(rgb.bytes, [0, 0, 255]);
    }

    #[test]
    fn rubbish_is_refused() {
        let picture = |text: &str| Picture { width_px: 1, height_px: 1, png_base64: text.into() };
        assert!(picture("*").rgb().is_err());
        assert!(picture("aGVsbG8=").rgb().is_err());
    }
}

//! Pixels to PNG in base64, and back.
//!
//! | file | its one idea |
//! |---|---|
//! | `picture.rs` | a picture: from a network's values, to a file |
//! | `picture/resize.rs` | to another size, as Pillow does it |
//! | `picture/clip.rs` | as a public CLIP reads it |
//! | `picture/mask.rs` | as a mask: which tokens are drawn again |

mod clip;
pub mod mask;
pub mod resize;

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
    /// It has no pixels.
    #[error("the picture has {width} × {height} pixels, which is nothing to see; bring one with pixels")]
    Empty {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A mask is of another size than its picture.
    #[error(
        "the mask has {} × {} pixels, but the picture {} × {}; make the mask of the picture's size, white where it is to be drawn \
         again",
        .mask[0], .mask[1], .picture[0], .picture[1]
    )]
    MaskSize {
        /// Width and height of the mask in pixels.
        mask: [u32; 2],
        /// Width and height of the picture in pixels.
        picture: [u32; 2],
    },
    /// It is so narrow that its shorter side cannot be brought to a network's.
    #[error("the picture of {width} × {height} pixels is too narrow: its sides may differ by {most} times; crop it")]
    Narrow {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// How many times longer the longer side may be.
        most: u32,
    },
}

/// How many times longer than the other a picture's side may be, so that resizing needs no more memory than is there.
const MOST_NARROW: u32 = 64;

impl Rgb {
    /// The middle of the picture with its shorter side resized to `side` pixels (bicubic on bytes, as Pillow does).
    ///
    /// # Errors
    /// [`PictureError::Empty`], [`PictureError::Narrow`].
    pub fn fitted(&self, side: usize) -> Result<Self, PictureError> {
        let bytes = resize::fitted(&self.bytes, 3, self.size()?, side);
        Ok(Self { width: side as u32, height: side as u32, bytes })
    }

    /// Width and height of what can be resized.
    ///
    /// # Errors
    /// [`PictureError::Empty`], [`PictureError::Narrow`].
    fn size(&self) -> Result<resize::Size, PictureError> {
        let Self { width, height, .. } = *self;
        let (short, long) = (width.min(height), width.max(height));
        if short == 0 {
            return Err(PictureError::Empty { width, height });
        }
        if long / short >= MOST_NARROW {
            return Err(PictureError::Narrow { width, height, most: MOST_NARROW });
        }
        Ok([width as usize, height as usize])
    }

    /// As networks read it: `[3, height, width]`, values in −1…1.
    #[must_use]
    pub fn to_signed(&self) -> Vec<f32> {
        let channel = |channel: usize| self.bytes.iter().skip(channel).step_by(3);
        (0..3).flat_map(channel).map(|&byte| (f32::from(byte) / 255.0 - 0.5) / 0.5).collect()
    }

    /// From one picture as the tokenizer decodes it: `[3, side, side]`, values in −1…1 (clamped).
    #[must_use]
    pub fn from_signed(values: &[f32], side: usize) -> Self {
        Self::from_signed_sized(values, [side, side])
    }

    /// As [`Rgb::from_signed`], of another shape: `[3, height, width]`.
    #[must_use]
    pub fn from_signed_sized(values: &[f32], [width, height]: resize::Size) -> Self {
        let area = width * height;
        let bytes = (0..area)
            .flat_map(|at| (0..3).map(move |channel| channel * area + at))
            .map(|at| {
                let value = values.get(at).copied().unwrap_or(-1.0);
                // Float to integer saturates, and NaN becomes 0.
                ((value + 1.0) * 127.5).round() as u8
            })
            .collect();
        Self { width: width as u32, height: height as u32, bytes }
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

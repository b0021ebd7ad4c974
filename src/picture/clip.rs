//! A picture as a public CLIP's vision tower reads it, from bytes as Pillow handles them (transformers' `CLIPImageProcessor`).

use super::resize::{cropped, resized, shorter_side};
use super::{PictureError, Rgb};
use crate::config::ClipConfig;

impl Rgb {
    /// With its shorter side resized to `side` pixels, the longer rounded down.
    ///
    /// # Errors
    /// As [`Rgb::fitted`].
    pub fn shorter(&self, side: usize) -> Result<Self, PictureError> {
        let size = self.size()?;
        let to @ [width, height] = shorter_side(size, side);
        Ok(Self { width: width as u32, height: height as u32, bytes: resized(&self.bytes, 3, size, to) })
    }

    /// `[3, side, side]` as CLIP reads it: the middle of [`Rgb::shorter`], half of an odd rest rounded down, less the mean and
    /// divided by the deviation that its configuration names.
    ///
    /// # Errors
    /// As [`Rgb::fitted`].
    pub fn for_clip(&self, config: &ClipConfig) -> Result<Vec<f32>, PictureError> {
        let side = config.vision_config.image_size;
        let Self { width, height, bytes } = self.shorter(side)?;
        let [left, top] = [width, height].map(|length| (length as usize - side) / 2);
        let bytes = cropped(&bytes, 3, width as usize, [left, top], side);
        let channels = config.image_mean.into_iter().zip(config.image_std).enumerate();
        let channel = |(channel, (mean, deviation)): (usize, (f32, f32))| {
            let values: Vec<f32> = bytes
                .iter()
                .skip(channel)
                .step_by(3)
                .map(|&byte| (f32::from(byte) / 255.0 - mean) / deviation)
                .collect();
            values
        };
        Ok(channels.flat_map(channel).collect())
    }
}

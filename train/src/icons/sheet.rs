//! Sheets of pictures, to be looked at.

use std::path::Path;

use anyhow::Result;
use scenes::icons::{Picture, SIDE};

/// Writes pictures as a grid of `columns`, each enlarged by `zoom`.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, pictures: &[Picture], columns: usize, zoom: usize) -> Result<()> {
    let cell = SIDE * zoom + 4;
    let rows = pictures.len().div_ceil(columns);
    let paper = image::Rgb([250, 250, 250]);
    let mut sheet = image::RgbImage::from_pixel((columns * cell) as u32, (rows * cell) as u32, paper);
    for (index, picture) in pictures.iter().enumerate() {
        let (left, top) = (index % columns * cell + 2, index / columns * cell + 2);
        for y in 0..SIDE * zoom {
            for x in 0..SIDE * zoom {
                let pixel = image::Rgb(picture.pixel(x / zoom, y / zoom));
                sheet.put_pixel((left + x) as u32, (top + y) as u32, pixel);
            }
        }
    }
    sheet.save(path)?;
    Ok(())
}

//! A sheet of crops near the thresholds, to set them by looking.

use std::error::Error;
use std::path::Path;

use image::{Rgb, RgbImage, imageops};
use scenes::icons::checker::Seen;
use scenes::icons::{Atlas, Picture, Placed, SIDE, Scene, render};

const CROPS: usize = 96;
const ACROSS: u32 = 12;
const SIDE_PX: u32 = 96;

/// Writes crops, each beside what it was taken for; those nearest to a threshold, least sure first. A red edge is not
/// sure, a green one is.
pub fn write(path: &Path, mut crops: Vec<(Picture, Seen)>, atlas: &Atlas) -> Result<(), Box<dyn Error>> {
    crops.sort_by(|a, b| a.1.margin().abs().total_cmp(&b.1.margin().abs()));
    crops.truncate(CROPS);
    crops.sort_by(|a, b| a.1.margin().total_cmp(&b.1.margin()));
    let down = (crops.len() as u32).div_ceil(ACROSS / 2);
    let mut sheet = RgbImage::from_pixel(ACROSS * SIDE_PX, down * SIDE_PX, Rgb([250; 3]));
    for (number, (picture, seen)) in crops.iter().enumerate() {
        let (x, y) = (number as u32 % (ACROSS / 2) * 2 * SIDE_PX, number as u32 / (ACROSS / 2) * SIDE_PX);
        let edge = Rgb(if seen.is_sure() { [60, 170, 80] } else { [210, 60, 50] });
        let frame = RgbImage::from_pixel(2 * SIDE_PX - 4, SIDE_PX - 4, edge);
        imageops::replace(&mut sheet, &frame, i64::from(x) + 2, i64::from(y) + 2);
        let thing = Placed {
            glyph: seen.glyph,
            colour: seen.colour.filter(|_| seen.tinted),
            size_px: seen.size_px,
            x: seen.x,
            y: seen.y,
            mirrored: seen.mirrored,
        };
        let model = render(&Scene { ground: 0, shadow: false, things: vec![thing] }, atlas);
        for (shown, from) in [(picture, x), (&model, x + SIDE_PX)] {
            let image =
                RgbImage::from_raw(SIDE as u32, SIDE as u32, shown.rgb.clone()).ok_or("a picture is not whole")?;
            let (left, top, size) = (seen.x as u32, seen.y as u32, u32::from(seen.size_px));
            let crop = imageops::crop_imm(&image, left, top, size, size).to_image();
            let side = SIDE_PX - 8;
            let crop = imageops::resize(&crop, side, side, imageops::FilterType::Triangle);
            imageops::replace(&mut sheet, &crop, i64::from(from) + 4, i64::from(y) + 4);
        }
    }
    sheet.save(path)?;
    println!("{} crops in {}", crops.len(), path.display());
    Ok(())
}

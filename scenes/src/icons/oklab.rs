//! OKLab (Björn Ottosson, 2020): a space in which distances are what eyes see, and its way from and to sRGB.
//!
//! All functions are those of the `libm` crate, so that a picture has the same bytes natively and in a browser.

use std::sync::OnceLock;

/// A colour: lightness 0…1, green to red, blue to yellow.
pub(crate) type Lab = [f32; 3];

/// sRGB's transfer curve backwards, 0…1.
fn linear(value: f32) -> f32 {
    if value <= 0.040_45 { value / 12.92 } else { libm::powf((value + 0.055) / 1.055, 2.4) }
}

/// sRGB's transfer curve, 0…1.
fn encoded(value: f32) -> f32 {
    let value = value.max(0.0);
    if value <= 0.003_130_8 { value * 12.92 } else { 1.055 * libm::powf(value, 1.0 / 2.4) - 0.055 }
}

/// The linear value of each byte.
fn linear_bytes() -> &'static [f32; 256] {
    static VALUES: OnceLock<[f32; 256]> = OnceLock::new();
    VALUES.get_or_init(|| std::array::from_fn(|byte| linear(byte as f32 / 255.0)))
}

/// What an 8-bit sRGB colour looks like.
pub(crate) fn from_rgb(rgb: [u8; 3]) -> Lab {
    let values = linear_bytes();
    let [r, g, b] = rgb.map(|byte| values[usize::from(byte)]);
    let l = libm::cbrtf(0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b);
    let m = libm::cbrtf(0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b);
    let s = libm::cbrtf(0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b);
    [
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    ]
}

/// Back to sRGB, 0…1 where it can be shown and beyond where it cannot.
fn to_rgb([lightness, a, b]: Lab) -> [f32; 3] {
    let cube = |value: f32| value * value * value;
    let l = cube(lightness + 0.396_337_78 * a + 0.215_803_76 * b);
    let m = cube(lightness - 0.105_561_346 * a - 0.063_854_17 * b);
    let s = cube(lightness - 0.089_484_18 * a - 1.291_485_5 * b);
    [
        4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
        -1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s,
        -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
    ]
    .map(encoded)
}

/// sRGB in 0…1 of a lightness, chroma and hue in degrees; chroma is reduced until a screen can show it.
pub(crate) fn shown(lightness: f32, chroma: f32, hue: f32) -> [f32; 3] {
    let radians = hue.to_radians();
    let (a, b) = (libm::cosf(radians), libm::sinf(radians));
    let mut chroma = chroma;
    let mut rgb = to_rgb([lightness, chroma * a, chroma * b]);
    for _ in 0..24 {
        if rgb.iter().all(|value| (-0.002..=1.002).contains(value)) {
            break;
        }
        chroma *= 0.92;
        rgb = to_rgb([lightness, chroma * a, chroma * b]);
    }
    rgb.map(|value| value.clamp(0.0, 1.0))
}

/// How colourful it is.
pub(crate) fn chroma([_, a, b]: Lab) -> f32 {
    (a * a + b * b).sqrt()
}

/// Its hue in degrees, 0…360.
pub(crate) fn hue([_, a, b]: Lab) -> f32 {
    let degrees = libm::atan2f(b, a).to_degrees();
    if degrees < 0.0 { degrees + 360.0 } else { degrees }
}

/// How far two hues are apart in degrees, 0…180.
pub(crate) fn hue_distance(a: f32, b: f32) -> f32 {
    let apart = (a - b).abs() % 360.0;
    apart.min(360.0 - apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for rgb in [[255, 0, 0], [12, 200, 99], [255, 255, 255], [0, 0, 0], [90, 80, 250]] {
            let back = to_rgb(from_rgb(rgb)).map(|value| (value * 255.0).round() as u8);
            assert_eq!(back, rgb);
        }
    }
}

//! Pictures and patches at a public CLIP's size, as its own image processor makes them: on bytes, the shorter side to CLIP's by
//! Pillow's bicubic filter, and the middle of that ([`Rgb::for_clip`](crate::picture::Rgb::for_clip)). Here as matrix products, so
//! that a drawing stays on its device.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};

use crate::ops::{After, Weight, linear};
use crate::picture::resize::{shorter_side, weights};

/// Cuts each picture of `[batch, 3, height, width]` (−1…1) into `grid × grid` patches and brings each to `side × side` bytes:
/// `[batch · grid², 3, side, side]`, 0…255, patches row by row, the pictures of a batch behind each other within a patch.
///
/// A byte may differ by one from Pillow's where a sum lies within f32's rounding of a half.
#[must_use]
pub fn bicubic(pixels: Tensor<4>, grid: usize, side: usize) -> Tensor<4> {
    let [_, _, height, width] = pixels.dims();
    // As a picture is written: whole bytes.
    let bytes = rounded((pixels + 1.0) * 127.5);
    let mut patches = Vec::with_capacity(grid * grid);
    for rows in (0..grid).map(|patch| part(height, grid, patch)) {
        for columns in (0..grid).map(|patch| part(width, grid, patch)) {
            let patch = bytes.clone().narrow(2, rows.start, rows.len()).narrow(3, columns.start, columns.len());
            patches.push(fitted(patch, side));
        }
    }
    if patches.len() == 1 { patches.swap_remove(0) } else { Tensor::cat(patches, 0) }
}

/// The pixels of one patch along an axis; at least one.
fn part(length: usize, grid: usize, patch: usize) -> Range<usize> {
    let edge = |index: usize| (index * length + grid / 2) / grid;
    let start = edge(patch).min(length - 1);
    start..edge(patch + 1).clamp(start + 1, length)
}

/// `[batch, 3, height, width]` bytes to `[batch, 3, side, side]`.
fn fitted(bytes: Tensor<4>, side: usize) -> Tensor<4> {
    let [batch, channels, height, width] = bytes.dims();
    let device = bytes.device();
    let [to_width, to_height] = shorter_side([width, height], side);
    // The middle `side` rows of an axis' weights: what is cut away need not be computed.
    let middle = |from: usize, to: usize| {
        let first = (to - side) / 2;
        let rows = weights(from, to)[first * from..(first + side) * from].to_vec();
        Tensor::<2>::from_data(TensorData::new(rows, [side, from]), &device)
    };
    let times = |x: Tensor<2>, matrix: Tensor<2>| rounded(linear(x, Weight::Float(matrix), After::default()));
    let wide = times(bytes.reshape([batch * channels * height, width]), middle(width, to_width));
    let turned = wide.reshape([batch * channels, height, side]).swap_dims(1, 2);
    let both = times(turned.reshape([batch * channels * side, height]), middle(height, to_height));
    both.reshape([batch, channels, side, side]).swap_dims(2, 3)
}

/// To the nearest byte, halves upwards.
fn rounded<const D: usize>(values: Tensor<D>) -> Tensor<D> {
    (values + 0.5).floor().clamp(0.0, 255.0)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::picture::Rgb;
    use crate::picture::resize::{cropped, resized};

    /// Bytes `[height, width, 3]` that change from pixel to pixel.
    fn picture(width: usize, height: usize) -> Rgb {
        let byte = |at: usize| ((at * 7919) % 251) as u8 ^ (at / 5) as u8;
        Rgb { width: width as u32, height: height as u32, bytes: (0..width * height * 3).map(byte).collect() }
    }

    fn tensor(picture: &Rgb) -> Tensor<4> {
        let shape = [1, 3, picture.height as usize, picture.width as usize];
        Tensor::from_data(TensorData::new(picture.to_signed(), shape), &Device::flex())
    }

    /// As Pillow brings a picture to the size, `[3, side, side]`.
    fn wanted(picture: &Rgb, side: usize) -> Vec<f32> {
        let size = [picture.width as usize, picture.height as usize];
        let [width, height] = shorter_side(size, side);
        let bytes = resized(&picture.bytes, 3, size, [width, height]);
        let bytes = cropped(&bytes, 3, width, [(width - side) / 2, (height - side) / 2], side);
        (0..3)
            .flat_map(|channel| bytes.iter().skip(channel).step_by(3).map(|&byte| f32::from(byte)).collect::<Vec<_>>())
            .collect()
    }

    fn same(found: &[f32], wanted: &[f32], what: &str) {
        assert_eq!(found.len(), wanted.len(), "{what}");
        let off = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let others = found.iter().zip(wanted).filter(|(a, b)| a != b).count();
        assert!(
            off <= 1.0 && others * 1000 <= found.len(),
            "{what}: {others} bytes of {} differ, by {off} at most",
            found.len()
        );
    }

    fn values(tensor: Tensor<4>) -> Vec<f32> {
        tensor.into_data().iter::<f32>().collect()
    }

    #[test]
    fn a_picture_becomes_what_pillow_makes_of_it() {
        // Enlarged, shrunk, as it is; square, wide and tall, with odd rests.
        for (width, height, side) in
            [(16, 16, 32), (64, 64, 32), (32, 32, 32), (50, 37, 32), (21, 64, 32), (256, 256, 224)]
        {
            let picture = picture(width, height);
            same(
                &values(bicubic(tensor(&picture), 1, side)),
                &wanted(&picture, side),
                &format!("{width} × {height} to {side}"),
            );
        }
    }

    #[test]
    fn a_patch_is_a_picture_of_its_own() {
        for (length, grid) in [(64, 4), (50, 3), (5, 5)] {
            let whole = picture(length, length);
            let found = values(bicubic(tensor(&whole), grid, 8));
            for patch in 0..grid * grid {
                let (rows, columns) = (part(length, grid, patch / grid), part(length, grid, patch % grid));
                let row =
                    |row: usize| &whole.bytes[(row * length + columns.start) * 3..(row * length + columns.end) * 3];
                let bytes = rows.clone().flat_map(row).copied().collect();
                let alone = Rgb { width: columns.len() as u32, height: rows.len() as u32, bytes };
                let size = 3 * 8 * 8;
                same(&found[patch * size..][..size], &wanted(&alone, 8), &format!("patch {patch} of {grid} × {grid}"));
            }
        }
    }
}

//! Patches of a picture at another size: bilinear, as two matrix products, so that it runs the same on any device.

use burn::tensor::{Tensor, TensorData};

use crate::ops::{After, Weight, linear};

/// Cuts each picture of `[batch, 3, s, s]` into `grid × grid` patches and resamples each to `side × side`:
/// `[batch · grid², 3, side, side]`, patches row by row.
///
/// A patch sees nothing beyond its own edge. Where it shrinks, every source pixel takes part (a triangle as wide as
/// the step, as PIL does it), so that nothing flickers between patches.
#[must_use]
pub fn resample(pixels: Tensor<4>, grid: usize, side: usize) -> Tensor<4> {
    let [batch, channels, height, width] = pixels.dims();
    if grid == 1 && side == width && side == height {
        return pixels;
    }
    let device = pixels.device();
    let all = grid * side;
    let matrix = |source: usize| {
        // A row makes one target pixel.
        Tensor::<2>::from_data(TensorData::new(rows(source, grid, side), [all, source]), &device)
    };
    let times = |x: Tensor<2>, source: usize| linear(x, Weight::Float(matrix(source)), After::default());
    let across = times(pixels.reshape([batch * channels * height, width]), width);
    let turned = across.reshape([batch * channels, height, all]).swap_dims(1, 2);
    let both = times(turned.reshape([batch * channels * all, height]), height);
    // [batch, channel, patch column, x, patch row, y]
    both.reshape([batch, channels, grid, side, grid, side]).permute([0, 4, 2, 1, 5, 3]).reshape([
        batch * grid * grid,
        channels,
        side,
        side,
    ])
}

/// The weights `[grid · side, source]` of one axis.
fn rows(source: usize, grid: usize, side: usize) -> Vec<f32> {
    let mut weights = vec![0.0; source * grid * side];
    for patch in 0..grid {
        let edge = |index: usize| (index * source + grid / 2) / grid;
        let (start, end) = (edge(patch), edge(patch + 1).max(edge(patch) + 1).min(source));
        let scale = (end - start) as f32 / side as f32;
        let reach = scale.max(1.0);
        for pixel in 0..side {
            let centre = (pixel as f32 + 0.5) * scale - 0.5;
            let weight = |at: usize| (1.0 - ((at - start) as f32 - centre).abs() / reach).max(0.0);
            let sum: f32 = (start..end).map(weight).sum();
            for at in start..end {
                weights[(patch * side + pixel) * source + at] = weight(at) / sum;
            }
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn picture(side: usize, value: impl Fn(usize, usize, usize) -> f32) -> Tensor<4> {
        let mut values = Vec::new();
        for channel in 0..3 {
            for y in 0..side {
                values.extend((0..side).map(|x| value(channel, y, x)));
            }
        }
        Tensor::from_data(TensorData::new(values, [1, 3, side, side]), &Device::flex())
    }

    fn values(tensor: Tensor<4>) -> Vec<f32> {
        tensor.into_data().iter::<f32>().collect()
    }

    #[test]
    fn patches_come_row_by_row_and_stay_apart() {
        // Each quarter has one value; no patch may see its neighbour.
        let source = picture(8, |channel, y, x| (channel * 10 + (y / 4) * 2 + x / 4) as f32);
        let patches = resample(source, 2, 6);
        assert_eq!(patches.dims(), [4, 3, 6, 6]);
        for (index, value) in values(patches).into_iter().enumerate() {
            let (patch, channel) = (index / 108, index / 36 % 3);
            assert!((value - (channel * 10 + patch) as f32).abs() < 1e-5, "{index}: {value}");
        }
    }

    #[test]
    fn a_ramp_stays_a_ramp() {
        let source = picture(4, |_, y, x| (10 * y + x) as f32);
        let found = values(resample(source, 1, 8));
        // Bilinear, half-pixel centres, clamped at the edges.
        let axis = [0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0];
        for (index, value) in found.into_iter().enumerate() {
            let (y, x) = (index / 8 % 8, index % 8);
            assert!((value - (10.0 * axis[y] + axis[x])).abs() < 1e-4, "{index}: {value}");
        }
    }

    #[test]
    fn any_grid_fits_any_side() {
        for (source, grid) in [(8, 3), (5, 5), (64, 7)] {
            for row in rows(source, grid, 4).chunks(source) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            }
        }
    }
}

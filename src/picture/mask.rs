//! A mask that somebody painted, as one flag a token: white is drawn again. Reference: `inference_t2i.py` of showlab/Show-o,
//! the mode `inpainting`.

use super::resize::fitted;
use super::{PictureError, Rgb};

/// The kernel of cubic convolution at `x`, a = −0.75, as PyTorch's `interpolate` has it.
fn cubic(x: f32) -> f32 {
    const A: f32 = -0.75;
    let x = x.abs();
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    } else {
        0.0
    }
}

/// The four pixels around the middle of cell `at`, with their weights; beyond the edge the edge counts.
fn around(at: usize, cell: f32, side: usize) -> [(usize, f32); 4] {
    let middle = (at as f32 + 0.5) * cell - 0.5;
    let first = middle.floor();
    [-1.0, 0.0, 1.0, 2.0].map(|step| {
        let pixel = first + step;
        (pixel.clamp(0.0, side.saturating_sub(1) as f32) as usize, cubic(middle - pixel))
    })
}

/// Values `[side, side]` at the middle of each of `grid` × `grid` cells, by cubic convolution and without smoothing: of a
/// large cell its inner 4 × 4 pixels alone count.
#[must_use]
pub fn sampled(values: &[f32], side: usize, grid: usize) -> Vec<f32> {
    let cell = side as f32 / grid.max(1) as f32;
    let mut cells = Vec::with_capacity(grid * grid);
    for row in 0..grid {
        let rows = around(row, cell, side);
        for column in 0..grid {
            let columns = around(column, cell, side);
            let line = |y: usize| columns.iter().map(|&(x, weight)| values[y * side + x] * weight).sum::<f32>();
            cells.push(rows.iter().map(|&(y, weight)| line(y) * weight).sum());
        }
    }
    cells
}

/// Which cells are drawn again: those whose value is half or more.
#[must_use]
pub fn hole(cells: &[f32]) -> Vec<bool> {
    cells.iter().map(|&value| value >= 0.5).collect()
}

impl Rgb {
    /// Greys, a byte a pixel: ITU-R 601 in 16-bit fixed point, as Pillow's `convert("L")`.
    #[must_use]
    pub fn greys(&self) -> Vec<u8> {
        let grey = |[r, g, b]: &[u8; 3]| {
            let sum = 19_595 * u32::from(*r) + 38_470 * u32::from(*g) + 7_471 * u32::from(*b) + 0x8000;
            (sum >> 16) as u8
        };
        self.bytes.as_chunks::<3>().0.iter().map(grey).collect()
    }

    /// Whether this is a mask for `picture`: both are cut alike only where they are of one size.
    ///
    /// # Errors
    /// [`PictureError::MaskSize`].
    pub fn belongs_to(&self, picture: &Self) -> Result<(), PictureError> {
        let size = |of: &Self| [of.width, of.height];
        if size(self) == size(picture) {
            return Ok(());
        }
        Err(PictureError::MaskSize { mask: size(self), picture: size(picture) })
    }

    /// This picture as a mask for a picture of `side` pixels and `grid` tokens a side: one flag a token, row by row.
    ///
    /// # Errors
    /// As [`Rgb::fitted`].
    pub fn mask(&self, side: usize, grid: usize) -> Result<Vec<bool>, PictureError> {
        let values = mask_pixels(&self.greys(), self.size()?, side);
        Ok(hole(&sampled(&values, side, grid)))
    }
}

/// Greys of a mask of any size, fitted to `side` pixels: `[side, side]`, 0…1.
#[must_use]
pub fn mask_pixels(greys: &[u8], size: super::resize::Size, side: usize) -> Vec<f32> {
    fitted(greys, 1, size, side).into_iter().map(|grey| f32::from(grey) / 255.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_cell_the_inner_four_pixels_count() {
        let weights = around(1, 16.0, 64).map(|(pixel, weight)| (pixel, weight * 32.0));
        assert_eq!(weights, [(22, -3.0), (23, 19.0), (24, 19.0), (25, -3.0)]);
        // A cell of one pixel is that pixel.
        assert_eq!(sampled(&[0.0, 1.0, 0.5, 0.25], 2, 2), [0.0, 1.0, 0.5, 0.25]);
    }

    #[test]
    fn white_is_drawn_again() -> Result<(), PictureError> {
        let bytes = (0..32 * 32).flat_map(|at| [if at % 32 < 16 { 255 } else { 0 }; 3]).collect();
        let mask = Rgb { width: 32, height: 32, bytes }.mask(32, 2)?;
        assert_eq!(mask, [true, false, true, false]);
        Ok(())
    }
}

//! What the checker compares: luma and chroma at half resolution, and means over cells of 8 × 8 pixels.

use super::thresholds::CHROMA_WEIGHT;
use crate::icons::scene::SIDE;

/// Side of the half-resolution planes.
pub(super) const HALF: usize = SIDE / 2;

/// Side of the picture in cells.
pub(super) const CELLS: usize = SIDE / CELL_PX;

/// Side of a cell in pixels.
pub(super) const CELL_PX: usize = 8;

/// Side of a cell in half-resolution samples.
pub(super) const CELL: usize = CELL_PX / 2;

/// Luma and weighted chroma of one colour, each channel in 0 to 1. Linear, so it holds for premultiplied ones too.
pub(super) fn luma_chroma([r, g, b]: [f32; 3]) -> [f32; 3] {
    [
        0.299f32 * r + 0.587 * g + 0.114 * b,
        CHROMA_WEIGHT * (-0.168_736 * r - 0.331_264 * g + 0.5 * b),
        CHROMA_WEIGHT * (0.5 * r - 0.418_688 * g - 0.081_312 * b),
    ]
}

/// A picture at half resolution: `[3, HALF, HALF]`.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// Luma and the two chroma planes, row by row.
    pub planes: [Vec<f32>; 3],
}

impl View {
    /// Of `[SIDE, SIDE, 3]` 8-bit sRGB; what is missing is black.
    pub fn of(rgb: &[u8]) -> Self {
        Self::of_pixels(rgb.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]].map(|v| f32::from(v) / 255.0)))
    }

    /// Of pixels in 0 to 1, row by row.
    pub fn of_pixels(pixels: impl Iterator<Item = [f32; 3]>) -> Self {
        let mut planes = [const { Vec::new() }; 3].map(|_: Vec<f32>| vec![0.0; HALF * HALF]);
        for (at, pixel) in pixels.take(SIDE * SIDE).enumerate() {
            let here = (at / SIDE / 2) * HALF + at % SIDE / 2;
            for (plane, value) in planes.iter_mut().zip(luma_chroma(pixel)) {
                plane[here] += value / 4.0;
            }
        }
        Self { planes }
    }

    /// Means over cells: `[CELLS, CELLS]` of the three planes.
    pub fn cells(&self) -> Vec<[f32; 3]> {
        let mut cells = vec![[0.0; 3]; CELLS * CELLS];
        for (channel, plane) in self.planes.iter().enumerate() {
            for (y, row) in plane.chunks_exact(HALF).enumerate() {
                for (x, group) in row.chunks_exact(CELL).enumerate() {
                    cells[y / CELL * CELLS + x][channel] += group.iter().sum::<f32>() / (CELL * CELL) as f32;
                }
            }
        }
        cells
    }
}

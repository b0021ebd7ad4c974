//! Copies of a few rows of a tensor, taken while it comes: what a network reads of a weight that it else keeps otherwise, or
//! does not keep.

use half::f16;

use crate::bundle::block::{self, Quantized};

/// The rows that have come so far, in the tensor's order.
pub(super) struct Aside {
    /// Which, ascending.
    rows: Vec<usize>,
    /// Elements of a row.
    width: usize,
    floats: Vec<f32>,
    q: Vec<i8>,
    scale: Vec<f16>,
}

impl Aside {
    /// Nothing yet of `rows`, ascending.
    pub fn new(rows: Vec<usize>, width: usize) -> Self {
        Self { rows, width, floats: Vec::new(), q: Vec::new(), scale: Vec::new() }
    }

    /// Looks at the values that come after `seen` others.
    pub fn floats(&mut self, seen: usize, values: &[f32]) {
        pick(&self.rows, self.width, seen, values, &mut self.floats);
    }

    /// Looks at the int8 values of the rows that come after `seen` others.
    pub fn q8(&mut self, seen: usize, q: &[i8]) {
        pick(&self.rows, self.width, seen * self.width, q, &mut self.q);
    }

    /// Looks at the scales of the rows that come after `seen` others.
    pub fn scales(&mut self, seen: usize, scale: &[f16]) {
        let width = block::blocks(self.width);
        pick(&self.rows, width, seen * width, scale, &mut self.scale);
    }

    /// How many rows there are, and their values in f32.
    pub fn finish(self) -> (usize, Vec<f32>) {
        let Self { rows, width, floats, q, scale } = self;
        let out = rows.len();
        let values = if q.is_empty() { floats } else { block::dequantize(&Quantized { q, scale, out, inputs: width }) };
        (out, values)
    }
}

/// Of the elements `part` that come after `seen` others, those in `rows`.
fn pick<T: Copy>(rows: &[usize], width: usize, seen: usize, part: &[T], into: &mut Vec<T>) {
    let at = |element: usize| element.saturating_sub(seen).min(part.len());
    for row in rows {
        into.extend_from_slice(&part[at(row * width)..at((row + 1) * width)]);
    }
}

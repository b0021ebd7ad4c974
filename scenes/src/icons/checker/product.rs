//! A matrix product for many more columns than rows, small enough to be read: windows × features by features ×
//! templates, sixteen templates a panel.

/// Columns of a panel: two registers of AVX2, four of wasm's.
pub(super) const PANEL: usize = 16;

/// Rows at a time: with [`PANEL`] columns twelve registers of sums, or, where registers hold four numbers, eight.
const ROWS: usize = if cfg!(target_feature = "avx") { 6 } else { 2 };

/// Columns in panels: `[columns / PANEL, depth, PANEL]`, and what is taken from each column's result.
#[derive(Debug, Clone)]
pub(super) struct Panels {
    columns: usize,
    depth: usize,
    values: Vec<[f32; PANEL]>,
    less: Vec<f32>,
}

/// One multiply-add, fused where the machine has it; elsewhere `mul_add` would be a library call.
#[inline]
fn madd(a: f32, b: f32, sum: f32) -> f32 {
    if cfg!(target_feature = "fma") { a.mul_add(b, sum) } else { a * b + sum }
}

impl Panels {
    /// Empty panels for columns of a depth.
    pub fn new(columns: usize, depth: usize) -> Self {
        let padded = columns.next_multiple_of(PANEL);
        Self { columns, depth, values: vec![[0.0; PANEL]; padded / PANEL * depth], less: vec![f32::INFINITY; padded] }
    }

    /// Sets a column, and what is taken from its results.
    pub fn set(&mut self, column: usize, values: impl Iterator<Item = f32>, less: f32) {
        let start = column / PANEL * self.depth;
        for (slot, value) in self.values[start..].iter_mut().take(self.depth).zip(values) {
            slot[column % PANEL] = value;
        }
        self.less[column] = less;
    }

    /// How many columns.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes it occupies.
    pub fn bytes(&self) -> usize {
        (self.values.len() * PANEL + self.less.len()) * size_of::<f32>()
    }

    /// Multiplies `rows` (`[_, depth]`) with every column and hands each panel of results to `take` with its row and
    /// first column.
    pub fn product(&self, rows: &[f32], mut take: impl FnMut(usize, usize, &[f32; PANEL])) {
        let depth = self.depth.max(1);
        let count = rows.len() / depth;
        // Rows side by side, so that one step of the depth reads ROWS neighbours.
        let mut packed = vec![[0.0f32; ROWS]; count.div_ceil(ROWS) * depth];
        for (row, values) in rows.chunks_exact(depth).enumerate() {
            for (slot, value) in packed[row / ROWS * depth..].iter_mut().zip(values) {
                slot[row % ROWS] = *value;
            }
        }
        for (panel, columns) in self.values.chunks_exact(depth).enumerate() {
            for (block, side) in packed.chunks_exact(depth).enumerate() {
                for (row, mut sum) in (block * ROWS..count).zip(sums(side, columns)) {
                    for (total, less) in sum.iter_mut().zip(&self.less[panel * PANEL..]) {
                        *total -= less;
                    }
                    take(row, panel * PANEL, &sum);
                }
            }
        }
    }
}

/// All sums of one block of rows and one panel. A function of its own: inlined among other code its loops have been
/// compiled one number at a time.
#[inline(never)]
fn sums(side: &[[f32; ROWS]], columns: &[[f32; PANEL]]) -> [[f32; PANEL]; ROWS] {
    let mut sums = [[0.0f32; PANEL]; ROWS];
    for (values, step) in side.iter().zip(columns) {
        for (sum, value) in sums.iter_mut().zip(values) {
            for (total, column) in sum.iter_mut().zip(step) {
                *total = madd(*value, *column, *total);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use rng::Rng;

    #[test]
    fn is_a_matrix_product() {
        let (rows, depth, columns) = (7, 13, 21);
        let mut rng = Rng::new(1);
        let mut values = |count: usize| (0..count).map(|_| rng.unit() - 0.5).collect::<Vec<f32>>();
        let (left, right) = (values(rows * depth), values(columns * depth));
        let mut panels = Panels::new(columns, depth);
        for (column, values) in right.chunks_exact(depth).enumerate() {
            panels.set(column, values.iter().copied(), column as f32);
        }
        let mut seen = 0;
        panels.product(&left, |row, first, results| {
            for (column, result) in (first..columns).zip(results) {
                let dot: f32 =
                    left[row * depth..][..depth].iter().zip(&right[column * depth..]).map(|(a, b)| a * b).sum();
                assert!((result - (dot - column as f32)).abs() < 1e-5, "row {row}, column {column}");
                seen += 1;
            }
        });
        assert_eq!(seen, rows * columns, "every result once");
    }
}

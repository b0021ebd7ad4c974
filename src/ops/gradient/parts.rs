//! Rows in parts, for graphics cards.

use burn::tensor::Tensor;

/// How many parts rows are cut into. A parameter's gradient is a sum over all rows, and burn's kernels give each of its
/// numbers to one thread: with the sums of parts first, and then that of these, a card has enough threads to be busy.
pub fn parts(rows: usize) -> usize {
    (1..=64).rev().find(|parts| rows.is_multiple_of(*parts)).unwrap_or(1)
}

/// `[width]` as `[parts, 1, width]`.
pub fn spread(x: Tensor<1>, parts: usize) -> Tensor<3> {
    let width = x.dims()[0];
    x.reshape([1, 1, width]).expand([parts, 1, width])
}

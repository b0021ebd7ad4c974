//! Checks and times the kernels on a device: the page runs it in a browser, the tests run it natively.
//!
//! The expectation is computed here, in f64, from the decoded values, sharing nothing with the kernels.
//!
//! | file | its one idea |
//! |---|---|
//! | `blocks.rs` | int8 blocks: products, look-up, slices, parts, convolution; and how fast the product is |
//! | `floats.rs` | everything else: what follows a product, attention, normalization, rotation, sampling |

mod blocks;
mod floats;

use burn::tensor::{Device, Tensor};
use serde::Serialize;

pub use blocks::{SHAPES, TIMED, time_linear};

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SelfTestRow {
    /// `linear`, `gather`, `slice`, `parts` or `conv` over int8 blocks; `after`, `attention`, `norm`, `rotate` or `sample`.
    pub what: &'static str,
    /// Rows of the activation (windows, for a convolution; ids, for a look-up).
    pub rows: usize,
    /// Inputs.
    pub inputs: usize,
    /// Outputs.
    pub out: usize,
    /// Largest |got − expected| over the largest |expected|.
    pub max_relative_error: f64,
    /// Billions of multiplications and additions a second, launch and read-back included; 0 where not timed.
    pub gflops: f64,
}

/// f32 sums of up to 2,304 products in another order than the expectation's.
pub const TOLERANCE: f64 = 2e-5;

/// Runs every check; the rows are also the record of what was measured.
///
/// # Errors
/// The first check that is off by more than [`TOLERANCE`], or whose result could not be read, in words.
pub async fn self_test(device: &Device) -> Result<Vec<SelfTestRow>, String> {
    let mut table = blocks::rows(device).await?;
    table.extend(floats::rows(device).await?);
    match table.iter().find(|row| row.max_relative_error.is_nan() || row.max_relative_error > TOLERANCE) {
        Some(row) => Err(format!("{row:?} is off by more than {TOLERANCE:e}")),
        None => Ok(table),
    }
}

fn row(
    what: &'static str,
    [rows, inputs, out]: [usize; 3],
    got: &[f32],
    expected: &[f64],
) -> Result<SelfTestRow, String> {
    if got.len() != expected.len() {
        return Err(format!("{what} [{rows}, {inputs}, {out}]: {} values, expected {}", got.len(), expected.len()));
    }
    let largest = expected.iter().fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs()));
    // A NaN must not slip through max(): it is turned into the largest error there is.
    let error = |(&g, &e): (&f32, &f64)| if g.is_finite() { (f64::from(g) - e).abs() } else { f64::INFINITY };
    let off = got.iter().zip(expected).map(error).fold(0f64, f64::max);
    Ok(SelfTestRow { what, rows, inputs, out, max_relative_error: off / largest, gflops: 0.0 })
}

async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, String> {
    let data = tensor.into_data_async().await.map_err(|e| format!("reading a result: {e:?}"))?;
    data.try_to_vec::<f32>().map_err(|e| format!("reading a result: {e:?}"))
}

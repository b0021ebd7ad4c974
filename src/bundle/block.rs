//! The block format: symmetric int8 with one f16 scale per 32 inputs.
//!
//! A weight `[out, in]` becomes `q: i8 [out, in]` and `scale: f16 [out, ceil(in / 32)]`; the value is `q · scale`,
//! q in −127…127. The last block of a row holds what is left when `in` is no multiple of 32.

use half::f16;

/// Inputs that share one scale.
pub const BLOCK: usize = 32;

/// The largest magnitude of a quantized value. −128 is not used, so that the range is symmetric.
pub const Q_MAX: i8 = 127;

/// Why a weight could not be quantized, or why blocks from outside were refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum QuantError {
    /// The number of values does not fit the shape.
    #[error("{what}: a weight of {out} x {inputs} needs {expected} of them, got {got}")]
    Length {
        /// Which of the slices: `values`, `q` or `scale`.
        what: &'static str,
        /// Rows.
        out: usize,
        /// Inputs a row.
        inputs: usize,
        /// How many the shape asks for.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// A shape with no elements, or with more than the address space holds.
    #[error("a weight of {out} x {inputs} has no elements or too many to address")]
    Shape {
        /// Rows.
        out: usize,
        /// Inputs a row.
        inputs: usize,
    },
    /// A row that is larger than what the device can hold in one piece.
    #[error("one row takes {bytes} bytes, but this device holds at most {most} in one buffer")]
    Row {
        /// Bytes of a row.
        bytes: usize,
        /// Bytes of a buffer.
        most: u64,
    },
    /// NaN or an infinity in the weight.
    #[error("row {row}, column {column} is {value}: only finite weights can be quantized")]
    NotFinite {
        /// Row of the value.
        row: usize,
        /// Column of the value.
        column: usize,
        /// The value itself.
        value: f32,
    },
    /// The block's largest magnitude needs a scale beyond f16 (65,504; that is weights beyond 8.3 million).
    #[error("row {row}, block {block}: magnitude {absmax:e} needs a scale larger than f16 can hold")]
    ScaleOverflow {
        /// Row of the block.
        row: usize,
        /// Block in the row; it covers the columns from `32 · block`.
        block: usize,
        /// Largest magnitude in the block.
        absmax: f32,
    },
    /// A scale read from outside is negative, NaN or infinite.
    #[error("row {row}, block {block}: scale {value} is not a finite number of at least 0")]
    BadScale {
        /// Row of the block.
        row: usize,
        /// Block in the row.
        block: usize,
        /// The scale.
        value: f32,
    },
    /// A −128 read from outside; the format ends at −127.
    #[error("row {row}, column {column} is -128: the format's range is -127 to 127")]
    BadValue {
        /// Row of the value.
        row: usize,
        /// Column of the value.
        column: usize,
    },
}

/// A quantized weight in main memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantized {
    /// `[out, inputs]`, row by row, each in −127…127.
    pub q: Vec<i8>,
    /// `[out, ceil(inputs / 32)]`, row by row, each finite and at least 0.
    pub scale: Vec<f16>,
    /// Rows.
    pub out: usize,
    /// Inputs a row.
    pub inputs: usize,
}

/// Where quantization hurt most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorstBlock {
    /// Row of the block.
    pub row: usize,
    /// Block in the row; it covers the columns from `32 · block`.
    pub block: usize,
    /// `‖w − ŵ‖₂ / ‖w‖₂` over the block (0 for a block of zeros).
    pub relative_rms: f64,
}

/// Blocks in a row of `inputs` values.
pub const fn blocks(inputs: usize) -> usize {
    inputs.div_ceil(BLOCK)
}

/// Quantizes `values`, `[out, inputs]` row by row.
///
/// The scale is `absmax / 127` as f16, one step larger where rounding would push q out of range, so the error of a
/// value is at most half its block's scale (plus f32 rounding). Ties round to even. A block of zeros has scale 0.
///
/// # Errors
/// [`QuantError::Shape`], [`QuantError::Length`], [`QuantError::NotFinite`], [`QuantError::ScaleOverflow`].
pub fn quantize(values: &[f32], out: usize, inputs: usize) -> Result<Quantized, QuantError> {
    let elements = elements(out, inputs)?;
    check_length("values", values.len(), elements, out, inputs)?;
    let mut q = Vec::with_capacity(elements);
    let mut scale = Vec::with_capacity(out * blocks(inputs));
    for (row, line) in values.chunks_exact(inputs).enumerate() {
        for (block, part) in line.chunks(BLOCK).enumerate() {
            if let Some(at) = part.iter().position(|v| !v.is_finite()) {
                return Err(QuantError::NotFinite { row, column: block * BLOCK + at, value: part[at] });
            }
            let absmax = part.iter().fold(0f32, |m, v| m.max(v.abs()));
            let s = block_scale(absmax).ok_or(QuantError::ScaleOverflow { row, block, absmax })?;
            scale.push(s);
            let s = s.to_f32();
            // Divides rather than multiplying by 1/s: for a subnormal scale the reciprocal overflows.
            q.extend(part.iter().map(|v| if s == 0.0 { 0 } else { (v / s).round_ties_even() as i8 }));
        }
    }
    Ok(Quantized { q, scale, out, inputs })
}

/// The scale for a block of this magnitude, or `None` when f16 cannot hold it.
fn block_scale(absmax: f32) -> Option<f16> {
    if absmax == 0.0 {
        return Some(f16::ZERO);
    }
    let mut s = f16::from_f32(absmax / f32::from(Q_MAX));
    // In f16's normal range rounding down costs 127.06 at most. Among its subnormals it can cost
    // everything, so the next larger scale is taken whenever q would round past 127.
    if absmax > s.to_f32() * (f32::from(Q_MAX) + 0.499) {
        s = f16::from_bits(s.to_bits() + 1);
    }
    s.is_finite().then_some(s)
}

/// The weight back in f32, `[out, inputs]` row by row.
pub fn dequantize(weight: &Quantized) -> Vec<f32> {
    let per_row = blocks(weight.inputs);
    let mut values = Vec::with_capacity(weight.q.len());
    for (line, scales) in weight.q.chunks_exact(weight.inputs).zip(weight.scale.chunks_exact(per_row)) {
        for (part, s) in line.chunks(BLOCK).zip(scales) {
            let s = s.to_f32();
            values.extend(part.iter().map(|&q| f32::from(q) * s));
        }
    }
    values
}

/// `‖w − ŵ‖₂ / ‖w‖₂` over the whole weight; 0 when the weight is all zeros.
///
/// # Errors
/// [`QuantError::Length`] when `values` is not `[out, inputs]`.
pub fn relative_rms_error(values: &[f32], weight: &Quantized) -> Result<f64, QuantError> {
    check_length("values", values.len(), weight.q.len(), weight.out, weight.inputs)?;
    Ok(relative_rms(values, &dequantize(weight)))
}

/// The block with the largest relative error.
///
/// # Errors
/// [`QuantError::Length`] when `values` is not `[out, inputs]`.
pub fn worst_block(values: &[f32], weight: &Quantized) -> Result<WorstBlock, QuantError> {
    check_length("values", values.len(), weight.q.len(), weight.out, weight.inputs)?;
    let back = dequantize(weight);
    let mut worst = WorstBlock { row: 0, block: 0, relative_rms: 0.0 };
    let rows = values.chunks_exact(weight.inputs).zip(back.chunks_exact(weight.inputs));
    for (row, (line, line_back)) in rows.enumerate() {
        for (block, (part, part_back)) in line.chunks(BLOCK).zip(line_back.chunks(BLOCK)).enumerate() {
            let relative_rms = relative_rms(part, part_back);
            if relative_rms > worst.relative_rms {
                worst = WorstBlock { row, block, relative_rms };
            }
        }
    }
    Ok(worst)
}

/// Checks blocks that came from outside: lengths, the range of every q, every scale finite and at least 0.
///
/// # Errors
/// [`QuantError::Shape`], [`QuantError::Length`], [`QuantError::BadValue`], [`QuantError::BadScale`].
pub fn check(q: &[i8], scale: &[f16], out: usize, inputs: usize) -> Result<(), QuantError> {
    let elements = elements(out, inputs)?;
    check_length("q", q.len(), elements, out, inputs)?;
    let per_row = blocks(inputs);
    check_length("scale", scale.len(), out * per_row, out, inputs)?;
    if let Some(at) = q.iter().position(|&q| q == i8::MIN) {
        return Err(QuantError::BadValue { row: at / inputs, column: at % inputs });
    }
    if let Some(at) = scale.iter().position(|s| !s.is_finite() || s.to_f32() < 0.0) {
        return Err(QuantError::BadScale { row: at / per_row, block: at % per_row, value: scale[at].to_f32() });
    }
    Ok(())
}

/// Refuses a shape with no elements or too many to address.
pub(crate) fn check_shape(out: usize, inputs: usize) -> Result<(), QuantError> {
    elements(out, inputs).map(|_| ())
}

fn elements(out: usize, inputs: usize) -> Result<usize, QuantError> {
    // Rows padded to whole blocks must be addressable too: the device's copy is padded.
    let padded = blocks(inputs).checked_mul(BLOCK).and_then(|padded| padded.checked_mul(out));
    match padded {
        Some(n) if n > 0 => Ok(out * inputs),
        _ => Err(QuantError::Shape { out, inputs }),
    }
}

pub(crate) fn check_length(
    what: &'static str,
    got: usize,
    expected: usize,
    out: usize,
    inputs: usize,
) -> Result<(), QuantError> {
    if got == expected { Ok(()) } else { Err(QuantError::Length { what, out, inputs, expected, got }) }
}

fn relative_rms(values: &[f32], back: &[f32]) -> f64 {
    let (mut error, mut power) = (0f64, 0f64);
    for (&v, &b) in values.iter().zip(back) {
        error += (f64::from(v) - f64::from(b)).powi(2);
        power += f64::from(v).powi(2);
    }
    if power == 0.0 { 0.0 } else { (error / power).sqrt() }
}

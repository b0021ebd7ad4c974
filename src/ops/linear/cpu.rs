//! The product, what follows it, and the look-up.
//!
//! Many rows: 16 outputs by 256 inputs are decoded into a 16 KiB panel, and every group of 6 rows of `x` is multiplied
//! with it while it is in the first-level cache; 6 × 16 sums live in registers. A few rows: one dot product an output,
//! because decoding a panel would cost more than it saves. Both are plain loops over fixed-size arrays that the
//! compiler turns into AVX2 or wasm SIMD; no intrinsics, no `unsafe`.

use half::f16;

use super::{Rows, Spec};
use crate::bundle::block::{BLOCK, blocks};
use crate::ops::Activation;
use crate::ops::cpu::math::multiply_add;
use crate::ops::cpu::{each_chunk, threads_for};
use crate::ops::q8::BLOCK_WORDS;

/// Outputs in a panel: two AVX registers, or two of wasm's.
const OUTS: usize = if cfg!(target_arch = "wasm32") { 8 } else { 16 };
/// Rows of `x` multiplied at once. 6 × 2 sums, 2 weights and 1 broadcast value use 15 of 16 registers.
const ROWS: usize = 6;
/// Inputs in a panel: 16 outputs × 256 inputs × 4 bytes is half of a 32 KiB cache.
const PANEL: usize = 256;
/// Below this many rows, dot products: decoding a panel for a group of ROWS that is mostly empty is slower.
const FEW_ROWS: usize = if cfg!(target_arch = "wasm32") { 2 } else { 5 };
/// Sums in a dot product: two AVX registers, or one of wasm's (with more, LLVM gives up vectorizing there).
const LANES: usize = if cfg!(target_arch = "wasm32") { 4 } else { 16 };
/// Outputs that a thread takes at once in the few-rows case.
const FEW_OUTS: usize = 32;
/// Floats in the buffer between the tiles and the result: 256 KiB, to stay in the second-level cache.
const STAGED: usize = 1 << 16;

// The blocks are read as bytes of 32-bit words, first value in the lowest byte.
const _: () = assert!(cfg!(target_endian = "little"));

/// A weight as [`Q8Tensor`](crate::ops::Q8Tensor) lays it out.
pub struct Blocks<'a> {
    /// `[out, 8 · blocks]`
    packed: &'a [i32],
    /// `[out, ceil(blocks / 2)]`
    scale: &'a [i32],
    /// Rows.
    pub out: usize,
    /// Inputs a row, before padding.
    pub inputs: usize,
    blocks: usize,
}

impl<'a> Blocks<'a> {
    /// `packed` is `[out, 8 · blocks]`, `scale` is `[out, ceil(blocks / 2)]`.
    pub fn new(packed: &'a [i32], scale: &'a [i32], inputs: usize) -> Self {
        let blocks = blocks(inputs);
        let out = packed.len() / (blocks * BLOCK_WORDS);
        Self { packed, scale, out, inputs, blocks }
    }

    /// Words of a row, blocks of 8.
    fn row(&self, out: usize) -> &'a [[i32; BLOCK_WORDS]] {
        let width = self.blocks * BLOCK_WORDS;
        self.packed[out * width..][..width].as_chunks().0
    }

    fn scale(&self, out: usize, block: usize) -> f32 {
        let word = self.scale[out * self.blocks.div_ceil(2) + block / 2] as u32;
        f16::from_bits((word >> (16 * (block % 2))) as u16).to_f32()
    }
}

/// `x [rows, inputs]` · `wᵀ`: `[rows, out]`, row by row. Uses rayon's threads natively, one thread in a browser.
pub fn linear_q8(x: &[f32], w: &Blocks) -> Vec<f32> {
    let rows = x.len() / w.inputs;
    if rows < FEW_ROWS { few_rows(x, rows, w) } else { many_rows(x, rows, w) }
}

/// As [`linear_q8`], for a weight `[out, inputs]` in f32.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))] // natively the product is burn's own
pub fn linear_f32(x: &[f32], weight: &[f32], inputs: usize) -> Vec<f32> {
    many_rows(x, x.len() / inputs, &Floats { weight, inputs })
}

/// Writes the rows `ids` of a weight to `rows`, `[n, inputs]`, as far as they lie in its part `w`.
///
/// # Panics
/// When an id is not in the weight at all.
pub fn gather(ids: &[i32], w: &Blocks, spec: &Rows, rows: &mut [f32]) {
    for (&id, line) in ids.iter().zip(rows.chunks_exact_mut(w.inputs)) {
        let row = usize::try_from(id).ok().filter(|&row| row < spec.out);
        let row = row.unwrap_or_else(|| panic!("row {id} of a weight with {} rows", spec.out));
        let Some(row) = row.checked_sub(spec.start).filter(|&row| row < w.out) else { continue };
        for (block, (words, line)) in w.row(row).iter().zip(line.chunks_mut(BLOCK)).enumerate() {
            let s = w.scale(row, block);
            let q: [i8; BLOCK] = bytemuck::cast(*words);
            for (to, q) in line.iter_mut().zip(q) {
                *to = f32::from(q) * s;
            }
        }
    }
}

fn many_rows(x: &[f32], rows: usize, w: &impl Panels) -> Vec<f32> {
    let x = interleave(x, rows, w.inputs());
    let row_groups = rows.div_ceil(ROWS);
    let panels = w.out().div_ceil(OUTS);
    let threads = threads_for(rows * w.inputs() * w.out());

    // Tiles first land panel by panel, `[panel][row group][ROWS][OUTS]`, so that threads write to separate places; a
    // few panels at a time, so that the detour stays in the cache for any number of outputs.
    let tile = row_groups * ROWS * OUTS;
    let at_once = (STAGED / tile).max(2 * threads).min(panels);
    let mut staged = vec![0f32; at_once * tile];
    let mut y = vec![0f32; rows * w.out()];
    for first in (0..panels).step_by(at_once) {
        let here = at_once.min(panels - first);
        each_chunk(threads, &mut staged[..here * tile], tile, |panel, sums| {
            sums.fill(0.0);
            one_panel(&x, (first + panel) * OUTS, w, sums.as_chunks_mut().0);
        });
        let (out0, staged) = (first * OUTS, &staged);
        each_chunk(threads, &mut y, w.out(), |row, line| {
            let line = &mut line[out0..w.out().min(out0 + here * OUTS)];
            for (panel, part) in line.chunks_mut(OUTS).enumerate() {
                let from = panel * tile + row * OUTS;
                part.copy_from_slice(&staged[from..from + part.len()]);
            }
        });
    }
    y
}

/// `x [rows, inputs]` as `[row group][inputs][ROWS]`, the last group filled up with zeros.
fn interleave(x: &[f32], rows: usize, inputs: usize) -> Vec<[f32; ROWS]> {
    let mut groups = vec![[0f32; ROWS]; rows.div_ceil(ROWS) * inputs];
    for (row, line) in x.chunks_exact(inputs).enumerate() {
        let group = &mut groups[row / ROWS * inputs..][..inputs];
        for (to, &from) in group.iter_mut().zip(line) {
            to[row % ROWS] = from;
        }
    }
    groups
}

/// Adds the outputs `out0..out0 + OUTS` for all rows to `sums`, `[row][OUTS]`. Outputs past the end stay 0.
fn one_panel(x: &[[f32; ROWS]], out0: usize, w: &impl Panels, sums: &mut [[f32; OUTS]]) {
    let mut panel = [[0f32; OUTS]; PANEL];
    for start in (0..w.inputs()).step_by(PANEL) {
        let width = PANEL.min(w.inputs() - start);
        w.decode(out0, start, width, &mut panel);
        for (group, sums) in x.chunks_exact(w.inputs()).zip(sums.as_chunks_mut::<ROWS>().0) {
            tile(&group[start..start + width], &panel[..width], sums);
        }
    }
}

/// A weight that can be cut into panels.
trait Panels: Sync {
    /// Rows.
    fn out(&self) -> usize;

    /// Inputs a row.
    fn inputs(&self) -> usize;

    /// Writes `width` inputs from `start` (a multiple of [`PANEL`]) of the outputs `out0..out0 + OUTS` to `panel`,
    /// `[input][OUTS]`; past the last output, anything.
    fn decode(&self, out0: usize, start: usize, width: usize, panel: &mut [[f32; OUTS]; PANEL]);
}

impl Panels for Blocks<'_> {
    fn out(&self) -> usize {
        self.out
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn decode(&self, out0: usize, start: usize, width: usize, panel: &mut [[f32; OUTS]; PANEL]) {
        decode(self, out0, start / BLOCK, width.div_ceil(BLOCK), panel);
    }
}

/// A weight `[out, inputs]` in f32.
struct Floats<'a> {
    weight: &'a [f32],
    inputs: usize,
}

impl Panels for Floats<'_> {
    fn out(&self) -> usize {
        self.weight.len() / self.inputs
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn decode(&self, out0: usize, start: usize, width: usize, panel: &mut [[f32; OUTS]; PANEL]) {
        for (out, row) in self.weight.chunks_exact(self.inputs).skip(out0).take(OUTS).enumerate() {
            for (to, &from) in panel.iter_mut().zip(&row[start..start + width]) {
                to[out] = from;
            }
        }
    }
}

/// Decodes `count` blocks from `block0` of the outputs `out0..out0 + OUTS` into `panel`, `[input][OUTS]`.
fn decode(w: &Blocks, out0: usize, block0: usize, count: usize, panel: &mut [[f32; OUTS]; PANEL]) {
    let outs = OUTS.min(w.out - out0);
    // Past the last output the last row is decoded again: harmless, and free of a special case in the loop below.
    let rows: [&[[i32; BLOCK_WORDS]]; OUTS] = std::array::from_fn(|j| w.row(out0 + j.min(outs - 1)));
    for (block, inputs) in panel.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate().take(count) {
        let words: [&[i32; BLOCK_WORDS]; OUTS] = std::array::from_fn(|j| &rows[j][block0 + block]);
        let scale: [f32; OUTS] = std::array::from_fn(|j| w.scale(out0 + j.min(outs - 1), block0 + block));
        for (word, four) in inputs.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let bits: [i32; OUTS] = std::array::from_fn(|j| words[j][word]);
            for (byte, to) in four.iter_mut().enumerate() {
                for j in 0..OUTS {
                    // Up to the top, then down again with the sign.
                    to[j] = ((bits[j] << (24 - 8 * byte)) >> 24) as f32 * scale[j];
                }
            }
        }
    }
}

/// `sums[r][j] += Σₖ x[k][r] · panel[k][j]`.
#[inline(always)]
fn tile(x: &[[f32; ROWS]], panel: &[[f32; OUTS]], sums: &mut [[f32; OUTS]; ROWS]) {
    let mut acc = [[0f32; OUTS]; ROWS];
    for (x, p) in x.iter().zip(panel) {
        for r in 0..ROWS {
            for j in 0..OUTS {
                acc[r][j] = multiply_add(x[r], p[j], acc[r][j]);
            }
        }
    }
    for r in 0..ROWS {
        for j in 0..OUTS {
            sums[r][j] += acc[r][j];
        }
    }
}

fn few_rows(x: &[f32], rows: usize, w: &Blocks) -> Vec<f32> {
    // Whole blocks, so that the loop has no tail. Three rows go as four: the compiler makes poor code of three.
    let width = w.blocks * BLOCK;
    let mut padded = vec![0f32; rows.next_power_of_two() * width];
    for (to, from) in padded.chunks_exact_mut(width).zip(x.chunks_exact(w.inputs)) {
        to[..w.inputs].copy_from_slice(from);
    }
    let mut y = match rows {
        0 | 1 => dots::<1>(&padded, w),
        2 => dots::<2>(&padded, w),
        _ => dots::<4>(&padded, w),
    };
    y.truncate(rows * w.out);
    y
}

/// [`linear_q8`] for exactly `R` rows of whole blocks.
fn dots<const R: usize>(x: &[f32], w: &Blocks) -> Vec<f32> {
    let width = w.blocks * BLOCK;
    let x: [&[[f32; BLOCK]]; R] = std::array::from_fn(|r| x[r * width..][..width].as_chunks().0);
    let mut transposed = vec![0f32; w.out * R];
    let threads = threads_for(R * w.inputs * w.out);
    each_chunk(threads, &mut transposed, FEW_OUTS * R, |chunk, sums| {
        for (at, sums) in sums.as_chunks_mut::<R>().0.iter_mut().enumerate() {
            *sums = dot(&x, w, chunk * FEW_OUTS + at);
        }
    });
    if R == 1 {
        return transposed;
    }
    (0..R * w.out).map(|i| transposed[i % w.out * R + i / w.out]).collect()
}

/// `R` rows times one row of the weight, each block decoded once.
#[inline(always)]
fn dot<const R: usize>(x: &[&[[f32; BLOCK]]; R], w: &Blocks, out: usize) -> [f32; R] {
    let mut sums = [[0f32; LANES]; R];
    for (block, words) in w.row(out).iter().enumerate() {
        let s = w.scale(out, block);
        let q: [i8; BLOCK] = bytemuck::cast(*words);
        let mut weights = [0f32; BLOCK];
        for i in 0..BLOCK {
            weights[i] = f32::from(q[i]) * s;
        }
        for r in 0..R {
            let x = &x[r][block];
            #[allow(clippy::needless_range_loop)] // indexing keeps the sums in registers
            for lane in 0..LANES {
                let mut sum = sums[r][lane];
                for i in (lane..BLOCK).step_by(LANES) {
                    sum = multiply_add(weights[i], x[i], sum);
                }
                sums[r][lane] = sum;
            }
        }
    }
    sums.map(|lanes| lanes.iter().sum())
}

/// What follows a product: `activation(y + bias) + residual` for `y [rows, out]`, laid out as `spec.plane` says.
pub fn after(mut y: Vec<f32>, bias: &[f32], residual: &[f32], spec: &Spec) -> Vec<f32> {
    let out = spec.out;
    if spec.bias || spec.activation != Activation::None {
        each_chunk(threads_for(y.len() * spec.activation.cost()), &mut y, out, |_, row| {
            if spec.bias {
                row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
            }
            spec.activation.apply(row);
        });
    }
    if let Some(pixels) = spec.plane {
        let mut planes = vec![0.0; y.len()];
        for (picture, planes) in planes.chunks_exact_mut(out * pixels).enumerate() {
            let rows = &y[picture * out * pixels..][..out * pixels];
            for (channel, plane) in planes.chunks_exact_mut(pixels).enumerate() {
                for (to, from) in plane.iter_mut().zip(rows.iter().skip(channel).step_by(out)) {
                    *to = *from;
                }
            }
        }
        y = planes;
    }
    if spec.residual {
        y.iter_mut().zip(residual).for_each(|(y, r)| *y += r);
    }
    y
}

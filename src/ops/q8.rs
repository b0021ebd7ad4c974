//! [`Q8Tensor`]: int8 blocks on a burn device.

use burn::module::Module;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use half::f16;

use super::{gather, uploaded};
use crate::bundle::block::{self, BLOCK, QuantError, Quantized};

// Words are made of bytes as they lie: the first value is in the lowest byte.
const _: () = assert!(cfg!(target_endian = "little"));

/// 32-bit words that hold one block's 32 values.
pub(crate) const BLOCK_WORDS: usize = BLOCK / 4;

/// Bytes of packed values that lie in one buffer at most. WebGPU promises 128 MiB, but a browser's memory is the
/// narrower place: a part is put together there before it goes to the device.
pub const PART_BYTES: u64 = 16 << 20;

/// A weight `[out, inputs]` as int8 blocks on a device: about 1.06 bytes a value, never a floating-point copy.
///
/// A large weight lies there in several parts, each some of its rows, so that it neither needs a buffer that the device
/// does not give nor has to be held in memory whole before it is there.
///
/// The integer tensors carry bits, not numbers: burn has no portable 8-bit storage on WebGPU. Their fields are
/// constants to [`Module`] (not visited, not recorded, not trained); they follow `to_device`.
#[derive(Module, Debug)]
pub struct Q8Tensor {
    /// In the order of the rows; at least one.
    parts: Vec<Q8Part>,
    out: usize,
    inputs: usize,
}

/// Neighbouring rows of a [`Q8Tensor`].
#[derive(Module, Debug)]
pub(crate) struct Q8Part {
    /// `[rows, 8 · blocks]` i32: four int8 a word, the first in the lowest byte; rows padded with zeros to whole blocks.
    pub(crate) packed: Tensor<2, Int>,
    /// `[rows, ceil(blocks / 2)]` i32: two f16 a word, the first in the lower half.
    pub(crate) scale: Tensor<2, Int>,
    /// The first row, counted over the whole weight.
    pub(crate) start: usize,
}

impl Q8Part {
    /// Rows of this part.
    pub(crate) fn rows(&self) -> usize {
        self.packed.dims()[0]
    }
}

impl Q8Tensor {
    /// Uploads blocks: `q` is `[out, inputs]`, `scale` is `[out, ceil(inputs / 32)]`, both row by row.
    ///
    /// # Errors
    /// What [`block::check`] refuses: wrong lengths, −128, scales that are negative or not finite.
    pub fn new(q: &[i8], scale: &[f16], out: usize, inputs: usize, device: &Device) -> Result<Self, QuantError> {
        block::check(q, scale, out, inputs)?;
        let mut builder = Q8Builder::new(out, inputs, PART_BYTES, device)?;
        builder.values(q);
        builder.scales(scale);
        builder.finish()
    }

    /// Uploads what [`block::quantize`] made.
    ///
    /// # Errors
    /// As [`Q8Tensor::new`]; a value of [`block::quantize`] is never refused.
    pub fn from_quantized(weight: &Quantized, device: &Device) -> Result<Self, QuantError> {
        Self::new(&weight.q, &weight.scale, weight.out, weight.inputs, device)
    }

    /// Rows of the weight: outputs of the linear layer, entries of the embedding table.
    pub fn out(&self) -> usize {
        self.out
    }

    /// Inputs a row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Where the blocks are.
    pub fn device(&self) -> Device {
        self.parts[0].packed.device()
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> usize {
        let words = |t: &Tensor<2, Int>| t.dims().iter().product::<usize>();
        self.parts.iter().map(|part| 4 * (words(&part.packed) + words(&part.scale))).sum()
    }

    /// The parts, for the kernels.
    pub(crate) fn parts(&self) -> &[Q8Part] {
        &self.parts
    }

    /// The rows `ids` (`[n]`) in f32, `[n, inputs]`: an embedding look-up. Only these rows are decoded.
    ///
    /// # Panics
    /// On the CPU when an id is not in `0..out`. A GPU kernel cannot report: there the id is clamped to the last row.
    pub fn gather_rows(&self, ids: Tensor<1, Int>) -> Tensor<2> {
        gather(ids, self)
    }

    /// The rows of `range` as a weight of their own, still int8: for instance only the codebook's rows of an output
    /// head. On a GPU this copies them, so slice once and keep the result.
    ///
    /// # Panics
    /// When `range` is empty or ends beyond `out`.
    pub fn slice_rows(&self, range: std::ops::Range<usize>) -> Self {
        assert!(range.start < range.end && range.end <= self.out, "rows {range:?} of a weight with {} rows", self.out);
        let parts = self.parts.iter().filter_map(|part| {
            let from = range.start.max(part.start);
            let to = range.end.min(part.start + part.rows());
            (from < to).then(|| {
                let within = from - part.start..to - part.start;
                Q8Part {
                    packed: part.packed.clone().slice([within.clone()]),
                    scale: part.scale.clone().slice([within]),
                    start: from - range.start,
                }
            })
        });
        Self { parts: parts.collect(), out: range.len(), inputs: self.inputs }
    }

    /// The whole weight in f32, `[out, inputs]`. For tests: an engine that calls this has lost what int8 is for.
    pub fn dequantize(&self) -> Tensor<2> {
        self.gather_rows(Tensor::arange(0..self.out as i64, &self.device()))
    }
}

/// A [`Q8Tensor`] in the making: rows are taken as they come and uploaded a part at a time, so that no more than a part
/// is ever held in memory.
pub struct Q8Builder {
    packed: Rows,
    scale: Rows,
    out: usize,
    inputs: usize,
    device: Device,
}

impl Q8Builder {
    /// A builder of a weight `[out, inputs]`; no buffer of it takes more than `part_bytes`.
    ///
    /// # Errors
    /// [`QuantError::Shape`]; [`QuantError::Row`] where a single row takes more.
    pub fn new(out: usize, inputs: usize, part_bytes: u64, device: &Device) -> Result<Self, QuantError> {
        block::check_shape(out, inputs)?;
        let blocks = block::blocks(inputs);
        let row_bytes = blocks * BLOCK;
        let rows = usize::try_from(part_bytes).unwrap_or(usize::MAX) / row_bytes;
        if rows == 0 {
            return Err(QuantError::Row { bytes: row_bytes, most: part_bytes });
        }
        let rows = rows.min(out);
        Ok(Self {
            packed: Rows::new(inputs, row_bytes, rows),
            scale: Rows::new(2 * blocks, 4 * blocks.div_ceil(2), rows),
            out,
            inputs,
            device: device.clone(),
        })
    }

    /// The next whole rows of values, `[rows, inputs]`.
    pub fn values(&mut self, q: &[i8]) {
        self.packed.take(bytemuck::cast_slice(q), &self.device);
    }

    /// The next whole rows of scales, `[rows, ceil(inputs / 32)]`.
    pub fn scales(&mut self, scale: &[f16]) {
        self.scale.take(bytemuck::cast_slice(scale), &self.device);
    }

    /// The weight.
    ///
    /// # Errors
    /// [`QuantError::Length`] when rows are missing, or more came than the weight has.
    pub fn finish(mut self) -> Result<Q8Tensor, QuantError> {
        let Self { out, inputs, .. } = self;
        self.packed.upload(&self.device);
        self.scale.upload(&self.device);
        block::check_length("q", self.packed.rows_seen() * inputs, out * inputs, out, inputs)?;
        let blocks = block::blocks(inputs);
        block::check_length("scale", self.scale.rows_seen() * blocks, out * blocks, out, inputs)?;
        let mut start = 0;
        let parts = self.packed.parts.into_iter().zip(self.scale.parts).map(|(packed, scale)| {
            let part = Q8Part { packed, scale, start };
            start += part.rows();
            part
        });
        Ok(Q8Tensor { parts: parts.collect(), out, inputs })
    }
}

/// Rows of bytes, each padded with zeros to whole words.
struct Rows {
    /// Bytes of a row as it comes.
    from: usize,
    /// Bytes of a row on the device.
    to: usize,
    /// Rows of a part.
    rows: usize,
    /// The part in the making.
    words: Vec<i32>,
    /// Rows in it.
    filled: usize,
    parts: Vec<Tensor<2, Int>>,
}

impl Rows {
    fn new(from: usize, to: usize, rows: usize) -> Self {
        Self { from, to, rows, words: Vec::new(), filled: 0, parts: Vec::new() }
    }

    fn rows_seen(&self) -> usize {
        self.parts.iter().map(|part| part.dims()[0]).sum()
    }

    fn take(&mut self, mut bytes: &[u8], device: &Device) {
        while bytes.len() >= self.from {
            let count = (bytes.len() / self.from).min(self.rows - self.filled);
            let (now, later) = bytes.split_at(count * self.from);
            let width = self.to / 4;
            // Reserved whole at once: a vector that grows holds everything twice while it moves.
            self.words.reserve_exact(self.rows * width - self.words.len());
            let at = self.words.len();
            self.words.resize(at + count * width, 0);
            let target: &mut [u8] = bytemuck::cast_slice_mut(&mut self.words[at..]);
            if self.from == self.to {
                target.copy_from_slice(now);
            } else {
                for (to, from) in target.chunks_exact_mut(self.to).zip(now.chunks_exact(self.from)) {
                    to[..self.from].copy_from_slice(from);
                }
            }
            self.filled += count;
            bytes = later;
            if self.filled == self.rows {
                self.upload(device);
            }
        }
    }

    fn upload(&mut self, device: &Device) {
        if self.filled == 0 {
            return;
        }
        let words = std::mem::take(&mut self.words);
        let bytes = 4 * words.len();
        let data = TensorData::new(words, [std::mem::take(&mut self.filled), self.to / 4]);
        // The dtype is named because the CPU backend's own integer is 64 bits wide.
        self.parts.push(Tensor::from_data(data, (device, DType::I32)));
        uploaded(device, bytes);
    }
}

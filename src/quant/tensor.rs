//! [`Q8Tensor`]: int8 blocks on a burn device.

use burn::module::Module;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use half::f16;

use super::block::{self, BLOCK, QuantError, Quantized};
use crate::ops;

/// 32-bit words that hold one block's 32 values.
pub(crate) const BLOCK_WORDS: usize = BLOCK / 4;

/// A weight `[out, inputs]` as int8 blocks on a device: about 1.06 bytes a value, never a floating-point copy.
///
/// The integer tensors carry bits, not numbers: burn has no portable 8-bit storage on WebGPU. Their fields are
/// constants to [`Module`] (not visited, not recorded, not trained); they follow `to_device`.
#[derive(Module, Debug)]
pub struct Q8Tensor {
    /// `[out, 8 · blocks]` i32: four int8 a word, the first in the lowest byte; rows padded with zeros to whole blocks.
    packed: Tensor<2, Int>,
    /// `[out, ceil(blocks / 2)]` i32: two f16 a word, the first in the lower half.
    scale: Tensor<2, Int>,
    out: usize,
    inputs: usize,
}

impl Q8Tensor {
    /// Uploads blocks: `q` is `[out, inputs]`, `scale` is `[out, ceil(inputs / 32)]`, both row by row.
    ///
    /// # Errors
    /// What [`block::check`] refuses: wrong lengths, −128, scales that are negative or not finite.
    pub fn new(q: &[i8], scale: &[f16], out: usize, inputs: usize, device: &Device) -> Result<Self, QuantError> {
        block::check(q, scale, out, inputs)?;
        let blocks = block::blocks(inputs);
        let scale_words = blocks.div_ceil(2);

        let mut packed = Vec::with_capacity(out * blocks * BLOCK_WORDS);
        for row in q.chunks_exact(inputs) {
            let words = row.chunks(4).map(|part| {
                let mut bytes = [0u8; 4];
                for (byte, &q) in bytes.iter_mut().zip(part) {
                    *byte = q as u8;
                }
                i32::from_le_bytes(bytes)
            });
            packed.extend(words);
            packed.resize(packed.len().next_multiple_of(blocks * BLOCK_WORDS), 0);
        }
        let mut scales = Vec::with_capacity(out * scale_words);
        for row in scale.chunks_exact(blocks) {
            scales.extend(row.chunks(2).map(|pair| {
                let high = pair.get(1).map_or(0, |s| u32::from(s.to_bits()));
                (u32::from(pair[0].to_bits()) | high << 16) as i32
            }));
        }

        // The dtype is named because the CPU backend's own integer is 64 bits wide.
        let upload =
            |words: Vec<i32>, width| Tensor::from_data(TensorData::new(words, [out, width]), (device, DType::I32));
        Ok(Self { packed: upload(packed, blocks * BLOCK_WORDS), scale: upload(scales, scale_words), out, inputs })
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
        self.packed.device()
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> usize {
        let words = |t: &Tensor<2, Int>| t.dims().iter().product::<usize>();
        4 * (words(&self.packed) + words(&self.scale))
    }

    /// The packed values `[out, 8 · blocks]` and scales `[out, ceil(blocks / 2)]`, for the kernels.
    pub(crate) fn parts(&self) -> (Tensor<2, Int>, Tensor<2, Int>) {
        (self.packed.clone(), self.scale.clone())
    }

    /// The rows `ids` (`[n]`) in f32, `[n, inputs]`: an embedding look-up. Only these rows are decoded.
    ///
    /// # Panics
    /// On the CPU when an id is not in `0..out`. A GPU kernel cannot report: there the id is clamped to the last row.
    pub fn gather_rows(&self, ids: Tensor<1, Int>) -> Tensor<2> {
        ops::gather(ids, self)
    }

    /// The rows of `range` as a weight of their own, still int8: for instance only the codebook's rows of an output
    /// head. On a GPU this copies them, so slice once and keep the result.
    ///
    /// # Panics
    /// When `range` is empty or ends beyond `out`.
    pub fn slice_rows(&self, range: std::ops::Range<usize>) -> Self {
        assert!(range.start < range.end && range.end <= self.out, "rows {range:?} of a weight with {} rows", self.out);
        Self {
            out: range.len(),
            inputs: self.inputs,
            packed: self.packed.clone().slice([range.clone()]),
            scale: self.scale.clone().slice([range]),
        }
    }

    /// The whole weight in f32, `[out, inputs]`. For tests: an engine that calls this has lost what int8 is for.
    pub fn dequantize(&self) -> Tensor<2> {
        self.gather_rows(Tensor::arange(0..self.out as i64, &self.device()))
    }
}

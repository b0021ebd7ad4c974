//! burn's CPU backend: its tensors handed to the loops over slices.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::TensorData;

use crate::ops::attention::cpu::{Keys, attention};
use crate::ops::conv::cpu::unroll;
use crate::ops::linear::cpu::{Blocks, after, gather, linear_q8};
use crate::ops::linear::{Rows, Spec};
use crate::ops::norm::cpu::norm;
use crate::ops::rotate::cpu::rotate;
use crate::ops::sample::cpu::{sample_counted, sample_given};
use crate::ops::{Attention, Norm, Ops, Rotate, Unroll};

impl Ops for Flex {
    fn linear_q8_op(
        x: FloatTensor<Self>,
        packed: IntTensor<Self>,
        scale: IntTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        spec: Spec,
    ) -> FloatTensor<Self> {
        let (x, packed, scale) = (x.to_contiguous(), packed.to_contiguous(), scale.to_contiguous());
        let weight = Blocks::new(slice(&packed), slice(&scale), spec.inputs);
        finish(linear_q8(slice(&x), &weight), &bias, &residual, &spec)
    }

    fn linear_f32_op(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        spec: Spec,
    ) -> FloatTensor<Self> {
        // In a browser burn's own product would be a megabyte of code for a few small layers.
        #[cfg(target_arch = "wasm32")]
        let y =
            crate::ops::linear::cpu::linear_f32(slice(&x.to_contiguous()), slice(&weight.to_contiguous()), spec.inputs);
        #[cfg(not(target_arch = "wasm32"))]
        let y = {
            use burn::backend::ops::FloatTensorOps;
            slice::<f32>(&Self::float_matmul(x, Self::float_transpose(weight)).to_contiguous()).to_vec()
        };
        finish(y, &bias, &residual, &spec)
    }

    fn gather_q8_op(
        into: FloatTensor<Self>,
        ids: IntTensor<Self>,
        packed: IntTensor<Self>,
        scale: IntTensor<Self>,
        spec: Rows,
    ) -> FloatTensor<Self> {
        let [into, ids, packed, scale] = [into, ids, packed, scale].map(|tensor| tensor.to_contiguous());
        let weight = Blocks::new(slice(&packed), slice(&scale), spec.inputs);
        let mut rows = slice(&into).to_vec();
        gather(slice(&ids), &weight, &spec, &mut rows);
        tensor(rows, shape(&into))
    }

    fn unroll_op(x: FloatTensor<Self>, spec: Unroll) -> FloatTensor<Self> {
        let rows = unroll(slice(&x.to_contiguous()), &spec);
        let width = rows.len() / spec.count;
        tensor(rows, vec![spec.count, width])
    }

    fn attention_op(
        q: FloatTensor<Self>,
        past_k: FloatTensor<Self>,
        past_v: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: Attention,
    ) -> FloatTensor<Self> {
        let [q, past_k, past_v, k, v, bias] = [q, past_k, past_v, k, v, bias].map(|tensor| tensor.to_contiguous());
        let past = Keys { k: slice(&past_k), v: slice(&past_v), tokens: spec.past };
        let new = Keys { k: slice(&k), v: slice(&v), tokens: spec.columns };
        let y = attention(slice(&q), &past, &new, slice(&bias), &spec);
        tensor(y, vec![spec.batch, spec.rows, spec.heads * spec.head])
    }

    fn norm_op(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: Norm,
    ) -> FloatTensor<Self> {
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.to_contiguous());
        let y = norm(slice(&x), slice(&weight), slice(&bias), &spec);
        tensor(y, shape(&x))
    }

    fn rotate_op(
        x: FloatTensor<Self>,
        table: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: Rotate,
    ) -> FloatTensor<Self> {
        let [x, table, weight, bias] = [x, table, weight, bias].map(|tensor| tensor.to_contiguous());
        let y = rotate(slice(&x), slice(&table), slice(&weight), slice(&bias), &spec);
        tensor(y, shape(&x))
    }

    fn sample_given_op(
        logits: FloatTensor<Self>,
        noise: FloatTensor<Self>,
        tokens: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        let (logits, noise, tokens) = (logits.to_contiguous(), noise.to_contiguous(), tokens.to_contiguous());
        let candidates = shape(&noise)[0];
        let tokens: &[i32] = slice(&tokens);
        tensor(sample_given(slice(&logits), slice(&noise), tokens), vec![2, candidates, tokens.len()])
    }

    fn sample_counted_op(
        logits: FloatTensor<Self>,
        keys: IntTensor<Self>,
        tokens: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        let (logits, keys, tokens) = (logits.to_contiguous(), keys.to_contiguous(), tokens.to_contiguous());
        let candidates = shape(&keys)[0];
        let tokens: &[i32] = slice(&tokens);
        tensor(sample_counted(slice(&logits), slice(&keys), tokens), vec![2, candidates, tokens.len()])
    }
}

/// The product with what follows it.
fn finish(y: Vec<f32>, bias: &FlexTensor, residual: &FlexTensor, spec: &Spec) -> FlexTensor {
    let (bias, residual) = (bias.to_contiguous(), residual.to_contiguous());
    let rows = y.len() / spec.out;
    tensor(after(y, slice(&bias), slice(&residual), spec), vec![rows, spec.out])
}

pub fn tensor(values: Vec<f32>, shape: Vec<usize>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

pub fn shape(tensor: &FlexTensor) -> Vec<usize> {
    tensor.layout().shape().iter().copied().collect()
}

/// The elements of a contiguous tensor, which may be a window into a larger buffer (a slice of rows).
pub fn slice<E: burn::tensor::Element + bytemuck::Pod>(tensor: &FlexTensor) -> &[E] {
    let (start, end) = tensor.layout().contiguous_offsets().expect("made contiguous by the caller");
    &tensor.storage::<E>()[start..end]
}

//! burn's CPU backend: its tensors handed to the plain-slice kernels of [`cpu`].

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::TensorData;

use super::{Q8Ops, cpu};
use crate::quant::conv::Unroll;

impl Q8Ops for Flex {
    fn q8_linear_op(
        x: FloatTensor<Self>,
        packed: IntTensor<Self>,
        scale: IntTensor<Self>,
        inputs: usize,
    ) -> FloatTensor<Self> {
        let (x, packed, scale) = (x.to_contiguous(), packed.to_contiguous(), scale.to_contiguous());
        let weight = cpu::Weight::new(contiguous(&packed), contiguous(&scale), inputs);
        let y = cpu::linear(contiguous(&x), &weight);
        let shape = [y.len() / weight.out, weight.out];
        FlexTensor::from_data(TensorData::new(y, shape))
    }

    fn q8_gather_op(
        ids: IntTensor<Self>,
        packed: IntTensor<Self>,
        scale: IntTensor<Self>,
        inputs: usize,
    ) -> FloatTensor<Self> {
        let (ids, packed, scale) = (ids.to_contiguous(), packed.to_contiguous(), scale.to_contiguous());
        let weight = cpu::Weight::new(contiguous(&packed), contiguous(&scale), inputs);
        let ids: &[i32] = contiguous(&ids);
        FlexTensor::from_data(TensorData::new(cpu::gather(ids, &weight), [ids.len(), inputs]))
    }

    fn q8_unroll_op(x: FloatTensor<Self>, unroll: Unroll) -> FloatTensor<Self> {
        let rows = cpu::unroll(contiguous(&x.to_contiguous()), &unroll);
        let width = rows.len() / unroll.count;
        FlexTensor::from_data(TensorData::new(rows, [unroll.count, width]))
    }
}

/// The elements of a contiguous tensor, which may be a window into a larger buffer (a slice of rows).
fn contiguous<E: burn::tensor::Element + bytemuck::Pod>(tensor: &FlexTensor) -> &[E] {
    let (start, end) = tensor.layout().contiguous_offsets().expect("made contiguous by the caller");
    &tensor.storage::<E>()[start..end]
}

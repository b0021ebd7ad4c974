//! `y = x · wᵀ` and row look-up over int8 blocks, as operations of our own beside burn's.
//!
//! Each backend decodes the blocks where it multiplies: [`cpu`] into a panel that stays in the first-level cache,
//! the GPU kernels (`wgsl`) into registers. Nowhere does a whole weight exist in floating point.

pub mod cpu;
mod flex;
#[cfg(any(target_arch = "wasm32", feature = "webgpu"))]
mod gpu;
#[cfg(any(target_arch = "wasm32", feature = "webgpu"))]
mod wgsl;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Int, IntDType, Tensor};

use super::conv::Unroll;
use super::tensor::Q8Tensor;

/// The two operations a backend has to bring. `packed` and `scale` are laid out as in [`Q8Tensor`], `inputs` is the
/// width of a row before padding. Callers have checked shapes and dtypes.
#[backend_extension(Flex, Cube: cfg(any(target_arch = "wasm32", feature = "webgpu")))]
pub trait Q8Ops: Backend {
    /// `x [rows, inputs]` times the transposed weight: `[rows, out]`.
    fn q8_linear_op(
        x: FloatTensor<Self>,
        packed: IntTensor<Self>,
        scale: IntTensor<Self>,
        inputs: usize,
    ) -> FloatTensor<Self>;

    /// The rows `ids [n]` (i32) of the weight: `[n, inputs]`.
    fn q8_gather_op(
        ids: IntTensor<Self>,
        packed: IntTensor<Self>,
        scale: IntTensor<Self>,
        inputs: usize,
    ) -> FloatTensor<Self>;

    /// Windows of a picture `x [batch, channels, height, width]` as rows, `[count, channels · kh · kw]`; zeros where
    /// a window hangs over the edge.
    fn q8_unroll_op(x: FloatTensor<Self>, unroll: Unroll) -> FloatTensor<Self>;
}

/// `x · wᵀ`: `x` is `[rows, inputs]` in f32, `w` is `[out, inputs]`, the result `[rows, out]` in f32.
///
/// Runs where `x` and `w` are. Inference only: no gradient flows through it.
///
/// # Panics
/// When the widths differ, when `x` is not f32, when `x` and `w` are on different devices, or when `x` is on an
/// autodiff device (take `x.inner()` or the model's `valid()`).
pub fn q8_linear(x: Tensor<2>, w: &Q8Tensor) -> Tensor<2> {
    let [rows, width] = x.dims();
    assert_eq!(width, w.inputs(), "q8_linear: x is [{rows}, {width}], the weight [{}, {}]", w.out(), w.inputs());
    assert_eq!(x.dtype(), DType::F32, "q8_linear: x must be f32");
    assert!(!x.device().is_autodiff(), "q8_linear has no gradient: call it on the tensor without autodiff");
    if rows == 0 {
        return Tensor::zeros([0, w.out()], &x.device());
    }
    let (packed, scale) = w.parts();
    let (packed, scale) = (packed.into_dispatch(), scale.into_dispatch());
    Tensor::from_dispatch(Dispatch::q8_linear_op(x.into_dispatch(), packed, scale, width))
}

/// [`q8_linear`] over the last dimension of `x`: `[…, inputs]` becomes `[…, out]`.
///
/// # Panics
/// As [`q8_linear`].
pub fn q8_linear_nd<const D: usize>(x: Tensor<D>, w: &Q8Tensor) -> Tensor<D> {
    let mut dims = x.dims();
    let width = dims[D - 1];
    let rows: usize = dims[..D - 1].iter().product();
    dims[D - 1] = w.out();
    q8_linear(x.reshape([rows, width]), w).reshape(dims)
}

/// The rows `ids` (`[n]`) of `w` in f32: `[n, inputs]`.
pub(crate) fn q8_gather(ids: Tensor<1, Int>, w: &Q8Tensor) -> Tensor<2> {
    let (packed, scale) = w.parts();
    if ids.dims()[0] == 0 {
        return Tensor::zeros([0, w.inputs()], &w.device());
    }
    let ids = ids.cast(IntDType::I32).into_dispatch();
    let (packed, scale) = (packed.into_dispatch(), scale.into_dispatch());
    Tensor::from_dispatch(Dispatch::q8_gather_op(ids, packed, scale, w.inputs()))
}

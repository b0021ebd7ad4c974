//! Operations of our own beside burn's: one kernel where burn would launch five to fifteen.
//!
//! On a GPU every launch costs the host more than such small tensors cost the device, and a product of int8 weights
//! does not exist there at all. Each operation is a folder: its contract (`mod.rs`), plain loops (`cpu.rs`), WGSL
//! (`gpu.wgsl`), and for training its gradient (`gradient.rs`), which is another function of the same numbers:
//! `train/tests/reference_parity.rs` holds both to them. Each is a method of [`Ops`], which has no gradient.
//!
//! | file | its one idea |
//! |---|---|
//! | [`linear`](mod@linear) | `x · wᵀ` and what follows it, with int8 blocks or floats; look-up of rows |
//! | [`conv`] | convolution: windows of a picture as rows, then the product |
//! | [`attention`](mod@attention), [`norm`](mod@norm), [`rotate`](mod@rotate), [`sample`](mod@sample) | one operation each |
//! | `activation/` | functions of one number, which follow the others |
//! | `q8.rs` | [`Q8Tensor`]: int8 blocks on a device |
//! | `cpu/` | what the loops share, and burn's CPU backend |
//! | `gpu/` | how a kernel's text is made, the table of all kernels, burn's GPU backend |
//! | [`gradient`] | what the gradients share: the backends, burn's graph, products in bfloat16, PyTorch's kernels |

// The tests read every kernel's text, also where nothing can launch it.
#![cfg_attr(all(test, not(feature = "webgpu")), allow(dead_code))]

mod activation;
pub mod attention;
pub mod conv;
mod cpu;
#[cfg(any(test, target_arch = "wasm32", feature = "webgpu"))]
mod gpu;
#[cfg(not(target_arch = "wasm32"))]
pub mod gradient;
pub mod linear;
pub mod norm;
mod q8;
pub mod rotate;
pub mod sample;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Device;

pub use activation::Activation;
pub use attention::{Attention, Qkv, attention};
pub use conv::{Unroll, Windows, conv2d, conv2d_rows};
pub use linear::{After, Weight, gather, linear};
pub use norm::{Norm, norm};
pub use q8::{PART_BYTES, Q8Builder, Q8Tensor};
pub use rotate::{Rotate, rotate};
pub use sample::{Noise, sample};

/// What a backend has to bring. Shapes are those of the functions around, which have checked them; a tensor that a
/// specification declares absent is some other tensor and is not read.
#[backend_extension(Flex, Cube: cfg(any(target_arch = "wasm32", feature = "webgpu")))]
pub trait Ops: Backend {
    /// [`linear()`] with int8 blocks laid out as in [`Q8Tensor`](Q8Tensor).
    fn linear_q8_op(
        x: FloatTensor<Self>,
        packed: IntTensor<Self>,
        scale: IntTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        spec: linear::Spec,
    ) -> FloatTensor<Self>;

    /// [`linear()`] with a floating-point weight `[out, inputs]`.
    fn linear_f32_op(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        spec: linear::Spec,
    ) -> FloatTensor<Self>;

    /// Writes the rows `ids [n]` (i32) of a weight into `into [n, inputs]`, as far as they lie in this part of it.
    fn gather_q8_op(
        into: FloatTensor<Self>,
        ids: IntTensor<Self>,
        packed: IntTensor<Self>,
        scale: IntTensor<Self>,
        spec: linear::Rows,
    ) -> FloatTensor<Self>;

    /// Windows of a picture `x [batch, channels, height, width]` as rows, `[count, channels · kh · kw]`; zeros where
    /// a window hangs over the edge.
    fn unroll_op(x: FloatTensor<Self>, unroll: Unroll) -> FloatTensor<Self>;

    /// [`attention()`].
    fn attention_op(
        q: FloatTensor<Self>,
        past_k: FloatTensor<Self>,
        past_v: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: Attention,
    ) -> FloatTensor<Self>;

    /// [`norm()`].
    fn norm_op(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: Norm,
    ) -> FloatTensor<Self>;

    /// [`rotate()`].
    fn rotate_op(
        x: FloatTensor<Self>,
        table: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: Rotate,
    ) -> FloatTensor<Self>;

    /// [`sample()`] with noise that lies there: `[2, candidates, positions]`, codes and log-probabilities.
    fn sample_given_op(
        logits: FloatTensor<Self>,
        noise: FloatTensor<Self>,
        tokens: IntTensor<Self>,
    ) -> FloatTensor<Self>;

    /// [`sample()`] with noise that is made of keys.
    fn sample_counted_op(
        logits: FloatTensor<Self>,
        keys: IntTensor<Self>,
        tokens: IntTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// Whether these operations run on `device`: everywhere but where gradients are recorded, and on LibTorch's devices, which
/// have [`gradient`]'s for both.
#[must_use]
pub fn available(device: &Device) -> bool {
    #[cfg(all(feature = "libtorch", not(target_arch = "wasm32")))]
    if gradient::torch::is_torch(device) {
        return false;
    }
    !device.is_autodiff()
}

/// Uploads of at least this many bytes go to the device at once.
const LARGE_UPLOAD: usize = 256 << 10;

/// To be called after an upload. A GPU's queue keeps what is to be written in this program's memory until dozens of
/// writes have come together; of large ones that would be hundreds of megabytes.
pub(crate) fn uploaded(device: &Device, bytes: usize) {
    if bytes >= LARGE_UPLOAD {
        // A device that fails here fails again where its results are read, and that is where it is said.
        let _ = device.flush();
    }
}

/// The dispatched form of a tensor that may be absent.
fn or_else<const D: usize>(
    tensor: Option<burn::tensor::Tensor<D>>,
    stand_in: &FloatTensor<Dispatch>,
) -> FloatTensor<Dispatch> {
    tensor.map_or_else(|| stand_in.clone(), burn::tensor::Tensor::into_dispatch)
}

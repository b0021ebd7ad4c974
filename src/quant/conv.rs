//! 2-D convolution over int8 blocks: windows of the picture as rows, then [`q8_linear`].

use burn::backend::Dispatch;
use burn::tensor::{DType, Tensor};

use super::linear::{Q8Ops, q8_linear};
use super::tensor::Q8Tensor;

/// Floats of windows unrolled at once (32 MiB). A 512 × 512 picture of 128 channels under a 3 × 3 kernel would
/// otherwise need 1.2 GB.
const UNROLLED: usize = 8 << 20;

/// The geometry of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Height and width of the kernel, in pixels.
    pub kernel: [usize; 2],
    /// Pixels between windows, down and across.
    pub stride: [usize; 2],
    /// Zeros around the picture, in pixels: top, bottom, left, right.
    pub padding: [usize; 4],
}

impl Windows {
    /// A square kernel of odd size, stride 1, padded so that height and width stay.
    pub const fn same(kernel: usize) -> Self {
        let half = kernel / 2;
        Self { kernel: [kernel; 2], stride: [1; 2], padding: [half; 4] }
    }

    /// Height and width of the result for a picture of `height` × `width`, or `None` when no window fits.
    pub fn output(&self, height: usize, width: usize) -> Option<[usize; 2]> {
        let [top, bottom, left, right] = self.padding;
        let along = |size: usize, kernel: usize, stride: usize| Some(size.checked_sub(kernel)? / stride + 1);
        Some([
            along(height + top + bottom, self.kernel[0], self.stride[0])?,
            along(width + left + right, self.kernel[1], self.stride[1])?,
        ])
    }
}

/// Some of the windows of a picture, as the backends' `q8_unroll_op` takes them. Windows are counted over
/// `[batch, out height, out width]`.
#[derive(Debug, Clone, Copy)]
pub struct Unroll {
    /// `[batch, channels, height, width]` of the picture.
    pub(crate) picture: [usize; 4],
    /// Height and width of the result.
    pub(crate) output: [usize; 2],
    /// The geometry.
    pub(crate) windows: Windows,
    /// First window.
    pub(crate) start: usize,
    /// Number of windows.
    pub(crate) count: usize,
}

/// [`q8_conv2d_windows`] with a square kernel: `kernel`, `stride` and `padding` (on every side) in pixels.
///
/// # Panics
/// As [`q8_conv2d_windows`].
pub fn q8_conv2d(x: Tensor<4>, w: &Q8Tensor, kernel: usize, stride: usize, padding: usize) -> Tensor<4> {
    q8_conv2d_windows(x, w, Windows { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 4] })
}

/// Convolution without bias: `x [batch, channels, height, width]` in f32, `w` `[out, channels · kh · kw]` (PyTorch's
/// OIHW, flattened); the result is `[batch, out, height', width']`.
///
/// Needs at most 32 MiB beside the result for any size of picture (or one window, if that is larger).
///
/// # Panics
/// When the channels do not fit the weight, when no window fits the picture, or as [`q8_linear`].
pub fn q8_conv2d_windows(x: Tensor<4>, w: &Q8Tensor, windows: Windows) -> Tensor<4> {
    let picture @ [batch, channels, height, width] = x.dims();
    let [kh, kw] = windows.kernel;
    let unrolled = channels * kh * kw;
    assert_eq!(unrolled, w.inputs(), "q8_conv2d: {channels} channels under {kh} x {kw}, the weight has other inputs");
    assert_eq!(x.dtype(), DType::F32, "q8_conv2d: x must be f32");
    assert!(!x.device().is_autodiff(), "q8_conv2d has no gradient: call it on the tensor without autodiff");
    let output = windows.output(height, width);
    let output @ [out_h, out_w] =
        output.unwrap_or_else(|| panic!("q8_conv2d: no window of {kh} x {kw} fits {height} x {width}"));

    let total = batch * out_h * out_w;
    let at_once = (UNROLLED / unrolled).max(1);
    let mut parts = Vec::with_capacity(total.div_ceil(at_once));
    for start in (0..total).step_by(at_once) {
        let count = at_once.min(total - start);
        let unroll = Unroll { picture, output, windows, start, count };
        let rows = Tensor::from_dispatch(Dispatch::q8_unroll_op(x.clone().into_dispatch(), unroll));
        parts.push(q8_linear(rows, w));
    }
    let rows: Tensor<2> = if parts.len() == 1 { parts.swap_remove(0) } else { Tensor::cat(parts, 0) };
    rows.reshape([batch, out_h * out_w, w.out()]).swap_dims(1, 2).reshape([batch, w.out(), out_h, out_w])
}

//! 2-D convolution: windows of the picture as rows, then [`linear`].
//!
//! | file | its one idea |
//! |---|---|
//! | `mod.rs` | the contract: [`Windows`] and [`conv2d`], by parts that fit into memory |
//! | `cpu.rs` | windows of a picture as rows: the loops |
//! | `gpu.rs`, `gpu.wgsl` | the same as a kernel |

pub(super) mod cpu;
#[cfg(any(test, feature = "webgpu", target_arch = "wasm32"))]
pub(super) mod gpu;

use burn::backend::Dispatch;
use burn::tensor::{DType, Tensor};

use super::Ops;
use super::linear::{After, Weight, linear};

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
    /// How often every pixel is repeated in both directions before the windows are cut: nearest-neighbour enlargement.
    pub enlarge: usize,
}

impl Windows {
    /// A square kernel of odd size, stride 1, padded so that height and width stay.
    pub const fn same(kernel: usize) -> Self {
        let half = kernel / 2;
        Self::square(kernel, 1, half)
    }

    /// A square kernel; `stride` and `padding` (on every side) in pixels.
    pub const fn square(kernel: usize, stride: usize, padding: usize) -> Self {
        Self { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 4], enlarge: 1 }
    }

    /// Height and width of the result for a picture of `height` × `width`, or `None` when no window fits.
    pub fn output(&self, height: usize, width: usize) -> Option<[usize; 2]> {
        let [top, bottom, left, right] = self.padding;
        let along = |size: usize, kernel: usize, stride: usize| Some(size.checked_sub(kernel)? / stride + 1);
        Some([
            along(height * self.enlarge + top + bottom, self.kernel[0], self.stride[0])?,
            along(width * self.enlarge + left + right, self.kernel[1], self.stride[1])?,
        ])
    }
}

/// Some of the windows of a picture, as the backends' `unroll_op` takes them. Windows are counted over
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

/// Convolution: `x [batch, channels, height, width]` in f32, `w` `[out, channels · kh · kw]` (PyTorch's OIHW,
/// flattened); `bias` `[out]`; `residual` as the result, which is `[batch, out, height', width']`.
///
/// Needs at most 32 MiB beside the result for any size of picture (or one window, if that is larger).
///
/// # Panics
/// When the channels do not fit the weight, when no window fits the picture, or as [`linear`].
#[must_use]
pub fn conv2d(
    x: Tensor<4>,
    w: &Weight<'_>,
    windows: Windows,
    bias: Option<Tensor<1>>,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    let geometry = Geometry::of(&x, w, windows);
    let Geometry { batch, out, output: [out_h, out_w], .. } = geometry;
    let (total, pixels) = (batch * out_h * out_w, out_h * out_w);
    if geometry.at_once() >= total {
        let residual = residual.map(|residual| residual.reshape([total, out]));
        let rows = geometry.unroll(x, 0, total);
        let after = After { bias, residual, plane: Some(pixels), ..After::default() };
        return linear(rows, w.clone(), after).reshape([batch, out, out_h, out_w]);
    }
    let rows = geometry.rows(x, w, bias);
    let y = rows.reshape([batch, pixels, out]).swap_dims(1, 2).reshape([batch, out, out_h, out_w]);
    match residual {
        Some(residual) => y + residual,
        None => y,
    }
}

/// As [`conv2d`], laid out `[batch, height' · width', out]`: a row a pixel.
///
/// # Panics
/// As [`conv2d`].
#[must_use]
pub fn conv2d_rows(x: Tensor<4>, w: &Weight<'_>, windows: Windows, bias: Option<Tensor<1>>) -> Tensor<3> {
    let geometry = Geometry::of(&x, w, windows);
    let Geometry { batch, out, output: [out_h, out_w], .. } = geometry;
    geometry.rows(x, w, bias).reshape([batch, out_h * out_w, out])
}

struct Geometry {
    picture: [usize; 4],
    batch: usize,
    out: usize,
    /// Values of a window.
    unrolled: usize,
    output: [usize; 2],
    windows: Windows,
}

impl Geometry {
    fn of(x: &Tensor<4>, w: &Weight<'_>, windows: Windows) -> Self {
        let picture @ [batch, channels, height, width] = x.dims();
        let [kh, kw] = windows.kernel;
        let unrolled = channels * kh * kw;
        let [out, inputs] = w.dims();
        assert_eq!(unrolled, inputs, "conv2d: {channels} channels under {kh} x {kw}, the weight has other inputs");
        assert_eq!(x.dtype(), DType::F32, "conv2d: x must be f32");
        assert!(!x.device().is_autodiff(), "conv2d has no gradient: call it on the tensor without autodiff");
        let output = windows.output(height, width);
        let output = output.unwrap_or_else(|| panic!("conv2d: no window of {kh} x {kw} fits {height} x {width}"));
        Self { picture, batch, out, unrolled, output, windows }
    }

    /// Windows that are unrolled at once.
    fn at_once(&self) -> usize {
        (UNROLLED / self.unrolled).max(1)
    }

    fn unroll(&self, x: Tensor<4>, start: usize, count: usize) -> Tensor<2> {
        let unroll = Unroll { picture: self.picture, output: self.output, windows: self.windows, start, count };
        Tensor::from_dispatch(Dispatch::unroll_op(x.into_dispatch(), unroll))
    }

    /// `[batch · out height · out width, out]`.
    fn rows(&self, x: Tensor<4>, w: &Weight<'_>, bias: Option<Tensor<1>>) -> Tensor<2> {
        let total = self.batch * self.output[0] * self.output[1];
        let mut parts = Vec::with_capacity(total.div_ceil(self.at_once()));
        for start in (0..total).step_by(self.at_once()) {
            let rows = self.unroll(x.clone(), start, self.at_once().min(total - start));
            parts.push(linear(rows, w.clone(), After { bias: bias.clone(), ..After::default() }));
        }
        if parts.len() == 1 { parts.swap_remove(0) } else { Tensor::cat(parts, 0) }
    }
}

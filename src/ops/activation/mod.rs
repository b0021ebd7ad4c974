//! Functions of one number, which follow a product or a normalization.
//!
//! | file | its one idea |
//! |---|---|
//! | `cpu.rs` | the loops |
//! | `gpu.rs`, `gpu.wgsl` | the function `activate`, for the kernels that end with one |
//! | `gradient.rs` | with a gradient, for training |

pub(super) mod cpu;
#[cfg(any(test, feature = "webgpu", target_arch = "wasm32"))]
pub(super) mod gpu;
#[cfg(not(target_arch = "wasm32"))]
pub(super) mod gradient;

/// A function of one number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Activation {
    /// `x`.
    #[default]
    None,
    /// GELU in its tanh form, as `x·σ(2√(2/π)(x + 0.044715x³))`.
    GeluNew,
    /// `x·σ(1.702x)`.
    QuickGelu,
    /// `x·σ(x)`.
    Swish,
}

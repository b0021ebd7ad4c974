//! The networks, one file each, to the reference implementations' layout and tensor names.
//!
//! No decoding logic lives here: a network maps tensors to tensors. The same modules run natively and in the
//! browser, and `train` differentiates through them.

pub mod clip;
pub mod convolution;
#[cfg(not(target_arch = "wasm32"))]
pub mod differentiable;
mod error;
mod filling;
pub mod layers;
pub mod magvit;
mod parameters;
pub mod preview;
pub mod reward;
pub mod showo;
pub mod weights;

pub use error::ModelError;
pub use weights::Weights;

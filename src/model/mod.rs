//! The networks, one file each, to the reference implementations' layout and tensor names.
//!
//! No decoding logic lives here: a network maps tensors to tensors. The same modules run natively and in the
//! browser, and `train` differentiates through them.
//!
//! | file | its one idea |
//! |---|---|
//! | `showo.rs` | Show-o: the generator |
//! | `magvit.rs`, `magvit/blocks.rs` | MAGVIT-v2, the image tokenizer; what its two halves are made of |
//! | `preview.rs` | the small decoder that shows candidates |
//! | `reward.rs` | the reward network: PARM, PRM and ORM |
//! | `clip.rs` | CLIP, and CLIPScore |
//! | `layers.rs`, `convolution.rs` | the layers that networks share |
//! | `differentiable.rs` (native) | what layers compute with where gradients are recorded |
//! | `weights.rs`, `filling.rs` | a set of tensors: taken by name while a network is built; filled as they come |
//! | `aside.rs` | copies of a few rows of a tensor, taken while it comes |
//! | `parameters.rs` | a network's parameters by name, to be saved |
//! | `error.rs` | why a network could not be built |

mod aside;
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

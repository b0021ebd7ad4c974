//! What a bundle's manifest says of its models: the configuration of each network.
//!
//! The field names are the reference's, so that a public `config.json` reads as it is.
//!
//! | file | its one idea |
//! |---|---|
//! | `config/showo.rs` | the generator |
//! | `config/magvit.rs` | the image tokenizer |
//! | `config/preview.rs` | the preview decoder |
//! | `config/reward.rs` | reward networks, their labels and the questions they are asked |
//! | `config/clip.rs` | CLIP |

mod clip;
mod magvit;
mod preview;
mod reward;
mod showo;

pub use clip::{ClipConfig, ClipResize, ClipTowerConfig, clip_mean, clip_std};
pub use magvit::MagvitConfig;
pub use preview::PreviewConfig;
pub use reward::{RewardConfig, RewardLabel, RewardQuestion};
pub use showo::{ShowoConfig, SpecialTokens};

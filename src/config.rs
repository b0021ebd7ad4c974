//! What a bundle's manifest says of its models: the configuration of each network.
//!
//! The field names are the reference's, so that a public `config.json` reads as it is.

mod clip;
mod magvit;
mod preview;
mod reward;
mod showo;

pub use clip::{ClipConfig, ClipTowerConfig, clip_mean, clip_std};
pub use magvit::MagvitConfig;
pub use preview::PreviewConfig;
pub use reward::{RewardConfig, RewardLabel, RewardQuestion};
pub use showo::{ShowoConfig, SpecialTokens};

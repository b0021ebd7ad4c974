//! The function that kernels end with.

use super::Activation;

/// The function `activate`, which takes an activation's number.
pub const TEXT: &str = include_str!("gpu.wgsl");

impl Activation {
    /// A number that names it in shaders.
    pub fn number(self) -> u32 {
        match self {
            Self::None => 0,
            Self::GeluNew => 1,
            Self::QuickGelu => 2,
            Self::Swish => 3,
        }
    }
}

//! The kernel's variants and sizes.

use super::Rotate;
use crate::ops::gpu::Variant;
use crate::ops::gpu::sizes::sizes;
use crate::ops::gpu::text::Setting::Flag;
use crate::ops::gpu::text::write;

/// The rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Turn {
    /// Whether each head is normalized first.
    normalize: bool,
}

sizes! {
    /// What it reads.
    pub struct Sizes {
        pub threads: u32,
        pub tokens: u32,
        pub heads: u32,
        pub head: u32,
        pub rotary: u32,
        pub epsilon: f32,
    }
}

impl Sizes {
    /// Of so many threads, one a head.
    pub fn new(threads: usize, spec: &Rotate) -> Self {
        let &Rotate { tokens, heads, head, rotary, epsilon } = spec;
        Self {
            threads: threads as u32,
            tokens: tokens as u32,
            heads: heads as u32,
            head: head as u32,
            rotary: rotary as u32,
            epsilon: epsilon.unwrap_or_default(),
        }
    }
}

impl From<&Rotate> for Turn {
    fn from(spec: &Rotate) -> Self {
        Self { normalize: spec.epsilon.is_some() }
    }
}

impl Variant for Turn {
    const NAME: &'static str = "rotate";

    type Sizes = Sizes;

    #[cfg(test)]
    fn every() -> Vec<Self> {
        [false, true].map(|normalize| Self { normalize }).into()
    }

    fn text(self) -> String {
        write(&[include_str!("gpu.wgsl")], &[("NORMALIZE", Flag(self.normalize))])
    }
}

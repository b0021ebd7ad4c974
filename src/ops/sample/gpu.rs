//! The kernel and its sizes.

use crate::ops::gpu::Variant;
use crate::ops::gpu::sizes::sizes;
use crate::ops::gpu::text::write;

/// Gumbel-argmax; it wants one group for every candidate and position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Draw {
    /// With noise that lies there.
    Given,
    /// With noise that is made of keys.
    Counted,
}

sizes! {
    /// What it reads.
    pub struct Sizes {
        pub candidates: u32,
        pub positions: u32,
        pub codes: u32,
    }
}

impl From<[usize; 3]> for Sizes {
    fn from(sizes: [usize; 3]) -> Self {
        let [candidates, positions, codes] = sizes.map(|size| size as u32);
        Self { candidates, positions, codes }
    }
}

impl Variant for Draw {
    const NAME: &'static str = "sample";

    type Sizes = Sizes;

    #[cfg(test)]
    fn every() -> Vec<Self> {
        vec![Self::Given, Self::Counted]
    }

    fn text(self) -> String {
        let noise = match self {
            Self::Given => include_str!("given.wgsl"),
            Self::Counted => include_str!("counted.wgsl"),
        };
        write(&[noise, include_str!("gpu.wgsl")], &[])
    }
}

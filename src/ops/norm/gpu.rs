//! The kernel's variants and sizes.

use super::Norm;
use crate::ops::activation;
use crate::ops::gpu::sizes::sizes;
use crate::ops::gpu::text::Setting::Flag;
use crate::ops::gpu::text::write;
use crate::ops::gpu::{Variant, rows, spread};

/// Runs up to this long are one thread's: the sums of a group cost more than they save.
const SHORT: usize = 512;

/// Normalization of runs of a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Normalize {
    /// Whether a whole group takes a run.
    long: bool,
}

sizes! {
    /// What it reads.
    pub struct Sizes {
        pub runs: u32,
        pub length: u32,
        pub inner: u32,
        pub channels: u32,
        pub epsilon: f32,
        pub activation: u32,
    }
}

impl Sizes {
    /// Of so many runs.
    pub fn new(runs: usize, spec: &Norm) -> Self {
        Self {
            runs: runs as u32,
            length: spec.length as u32,
            inner: spec.inner as u32,
            channels: spec.channels as u32,
            epsilon: spec.epsilon,
            activation: spec.activation.number(),
        }
    }
}

impl From<&Norm> for Normalize {
    fn from(spec: &Norm) -> Self {
        Self { long: spec.length > SHORT }
    }
}

impl Normalize {
    /// Groups for so many runs.
    pub fn groups(self, runs: usize) -> [u32; 2] {
        if self.long { rows(runs) } else { spread(runs) }
    }
}

impl Variant for Normalize {
    const NAME: &'static str = "norm";

    type Sizes = Sizes;

    #[cfg(test)]
    fn every() -> Vec<Self> {
        [false, true].map(|long| Self { long }).into()
    }

    fn text(self) -> String {
        write(&[activation::gpu::TEXT, include_str!("gpu.wgsl")], &[("LONG", Flag(self.long))])
    }
}

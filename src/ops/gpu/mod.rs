//! The GPU: WGSL of our own, launched through cubecl like burn's kernels, on burn's buffers. The texts are each operation's
//! own (its `gpu.wgsl`); here is how a text is made ready, and the table of all of them.
//!
//! The texts use no subgroups and no f16 arithmetic, and workgroup memory only where a whole group sums, so that they
//! run on every WebGPU, software ones included.
//!
//! | file | its one idea |
//! |---|---|
//! | `mod.rs` | the table of kernels, and how threads are spread |
//! | `text.rs` | a variant's text: constants, lines that stay, loops written out |
//! | `sizes.rs` | the sizes that a kernel reads, named alike in Rust and in WGSL |
//! | `cube.rs` | burn's GPU backend: what is bound and launched |
//! | `tests.rs` | every text in every variant, read by naga |

#[cfg(any(feature = "webgpu", target_arch = "wasm32"))]
mod cube;
pub mod sizes;
#[cfg(test)]
mod tests;
pub mod text;

use std::fmt::Debug;
use std::hash::Hash;

use self::sizes::Sizes;
use super::{attention, conv, linear, norm, rotate, sample};

/// Threads in a group of the kernels that have one thread an element.
pub const SPREAD: u32 = 64;

/// WebGPU's limit on groups along one dimension.
pub const MAX_GROUPS: usize = 65_535;

/// A kernel: everything that changes its text is in the value, by which cubecl keeps what it has compiled.
pub trait Variant: Copy + Debug + Eq + Hash {
    /// Its name, for caches and logs.
    const NAME: &'static str;

    /// What it reads as `sizes`.
    type Sizes: Sizes;

    /// Every variant that can be launched, or, where these are without end, at least one of every form.
    #[cfg(test)]
    fn every() -> Vec<Self>;

    /// Threads in a group.
    fn group(self) -> [u32; 2] {
        [SPREAD, 1]
    }

    /// The text, as of [`text::write`].
    fn text(self) -> String;
}

/// The table of kernels: only what stands in it can be launched, and all of it is read by the test.
macro_rules! kernels {
    ($($name:ident: $variant:ty,)*) => {
        /// A kernel in one of its variants.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)] // documented where they are defined
        pub enum Kernel {
            $($name($variant),)*
        }

        $(impl From<$variant> for Kernel {
            fn from(variant: $variant) -> Self {
                Self::$name(variant)
            }
        })*

        impl Kernel {
            /// Its name, for caches and logs.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name(_) => <$variant>::NAME,)*
                }
            }

            /// Threads in a group.
            pub fn group(self) -> [u32; 2] {
                match self {
                    $(Self::$name(variant) => variant.group(),)*
                }
            }

            fn text(self) -> String {
                match self {
                    $(Self::$name(variant) => variant.text(),)*
                }
            }

            /// Every kernel in every variant.
            #[cfg(test)]
            fn every() -> Vec<Self> {
                let mut all = Vec::new();
                $(all.extend(<$variant>::every().into_iter().map(Self::$name));)*
                all
            }

            /// The fields of its sizes: names and types.
            #[cfg(test)]
            fn fields(self) -> &'static [(&'static str, &'static str)] {
                match self {
                    $(Self::$name(_) => <<$variant as Variant>::Sizes as Sizes>::FIELDS,)*
                }
            }
        }
    };
}

kernels! {
    Product: linear::gpu::Product,
    Gather: linear::gpu::Gather,
    Unroll: conv::gpu::Unrolled,
    Attention: attention::gpu::Attend,
    Norm: norm::gpu::Normalize,
    Rotate: rotate::gpu::Turn,
    Sample: sample::gpu::Draw,
}

impl Kernel {
    /// The text for a device on which buffers may be `shared`: on native devices cubecl may place two tensors in one
    /// buffer, and a buffer must not be bound for reading and for writing at once; in a browser every tensor has its own.
    pub fn source(self, shared: bool) -> String {
        let text = self.text();
        // The sizes, in a buffer of their own, are declared without a mode, which is for reading, and stay so.
        if shared { text.replace("var<storage, read>", "var<storage, read_write>") } else { text }
    }
}

/// Groups for `threads` threads of a kernel with one thread an element; the surplus threads of the last row return.
pub fn spread(threads: usize) -> [u32; 2] {
    rows(threads.div_ceil(SPREAD as usize))
}

/// `count` groups, in rows that WebGPU allows; the surplus groups of the last row return.
pub fn rows(count: usize) -> [u32; 2] {
    let x = count.clamp(1, MAX_GROUPS);
    [x as u32, count.div_ceil(x) as u32]
}

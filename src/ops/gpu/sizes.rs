//! The sizes that a kernel reads: a struct in Rust, and one of the same names and types in WGSL, `Sizes`. `tests.rs` compares
//! the two.

use bytemuck::Pod;

/// A struct of `u32` and `f32`, as a kernel's `Sizes` has it. Made by [`sizes!`].
pub trait Sizes: Pod {
    /// Names and types, in order.
    #[cfg(test)]
    const FIELDS: &'static [(&'static str, &'static str)];

    /// The bytes in words of 64 bits, the last filled up with zeros: as cubecl takes them.
    fn words(&self) -> Vec<u64> {
        let fours: &[u32] = bytemuck::cast_slice(std::slice::from_ref(self));
        let word = |two: &[u32]| u64::from(two[0]) | two.get(1).map_or(0, |&high| u64::from(high) << 32);
        fours.chunks(2).map(word).collect()
    }
}

/// Declares a struct of sizes.
macro_rules! sizes {
    ($(#[$about:meta])* pub struct $name:ident { $($(#[$doc:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
        pub struct $name {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl $crate::ops::gpu::sizes::Sizes for $name {
            #[cfg(test)]
            const FIELDS: &'static [(&'static str, &'static str)] = &[$((stringify!($field), stringify!($type)),)*];
        }
    };
}
pub(crate) use sizes;

//! The kernel and its sizes.

use super::Unroll;
use crate::ops::gpu::Variant;
use crate::ops::gpu::sizes::sizes;
use crate::ops::gpu::text::write;

/// Windows of a picture as rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Unrolled;

sizes! {
    /// What it reads.
    pub struct Sizes {
        pub count: u32,
        pub start: u32,
        pub channels: u32,
        pub height: u32,
        pub width: u32,
        pub out_height: u32,
        pub out_width: u32,
        pub kernel_height: u32,
        pub kernel_width: u32,
        pub stride_down: u32,
        pub stride_across: u32,
        pub top: u32,
        pub left: u32,
        pub enlarge: u32,
    }
}

impl From<&Unroll> for Sizes {
    fn from(unroll: &Unroll) -> Self {
        let &Unroll { picture: [_, channels, height, width], output, windows, start, count } = unroll;
        let [kernel_height, kernel_width] = windows.kernel;
        let [stride_down, stride_across] = windows.stride;
        let [top, _, left, _] = windows.padding;
        Self {
            count: count as u32,
            start: start as u32,
            channels: channels as u32,
            height: height as u32,
            width: width as u32,
            out_height: output[0] as u32,
            out_width: output[1] as u32,
            kernel_height: kernel_height as u32,
            kernel_width: kernel_width as u32,
            stride_down: stride_down as u32,
            stride_across: stride_across as u32,
            top: top as u32,
            left: left as u32,
            enlarge: windows.enlarge as u32,
        }
    }
}

impl Variant for Unrolled {
    const NAME: &'static str = "unroll";

    type Sizes = Sizes;

    #[cfg(test)]
    fn every() -> Vec<Self> {
        vec![Self]
    }

    fn text(self) -> String {
        write(&[include_str!("gpu.wgsl")], &[])
    }
}

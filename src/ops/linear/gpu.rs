//! The kernels' variants and sizes: how a product is cut into tiles.

use super::{Rows, Spec};
use crate::bundle::block::blocks;
use crate::ops::activation;
use crate::ops::gpu::sizes::sizes;
use crate::ops::gpu::text::Setting::{Count, Flag, Type};
use crate::ops::gpu::text::write;
use crate::ops::gpu::{MAX_GROUPS, Variant};
use crate::ops::q8::BLOCK_WORDS;

/// The function `unpack`.
const UNPACK: &str = include_str!("unpack.wgsl");

/// What the weight is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// int8 blocks.
    Q8,
    /// f32, the width of a row a multiple of 4.
    F32x4,
    /// f32 of any width.
    F32,
}

/// How the product is cut: what one thread sums, and the threads of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Tile {
    rows: u32,
    outs: u32,
    group: [u32; 2],
}

/// Tiles for products of at most so many rows.
///
/// Measured on SwiftShader at 512 × 2048: 8 × 8 sums a thread are the fastest from 8 rows on (4 × 4 does a third); below,
/// smaller tiles, because sums of rows that do not exist cost as much as real ones. Few rows get groups that are wide
/// along the outputs, so that no thread of a group is without work.
const TILES: [(usize, Tile); 5] = [
    (1, Tile { rows: 1, outs: 1, group: [64, 1] }),
    (2, Tile { rows: 2, outs: 4, group: [64, 1] }),
    (4, Tile { rows: 4, outs: 4, group: [64, 1] }),
    (8, Tile { rows: 8, outs: 8, group: [64, 1] }),
    (usize::MAX, Tile { rows: 8, outs: 8, group: [16, 4] }),
];

/// The product, for one kind of weight in one kind of tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Product {
    kind: Kind,
    tile: Tile,
}

sizes! {
    /// What the product reads.
    pub struct ProductSizes {
        pub rows: u32,
        pub out: u32,
        pub width: u32,
        pub blocks: u32,
        pub scale_words: u32,
        pub pixels: u32,
        pub biased: u32,
        pub added: u32,
        pub activation: u32,
    }
}

impl Product {
    /// For a product of `rows` rows.
    pub fn new(kind: Kind, rows: usize) -> Self {
        let [.., (_, large)] = TILES;
        let tile = TILES.iter().find(|(most, _)| rows <= *most).map_or(large, |(_, tile)| *tile);
        Self { kind, tile }
    }

    /// Groups that cover `rows` × `out` sums: along the outputs, along the rows.
    ///
    /// # Panics
    /// Beyond WebGPU's 65,535 groups along a dimension, which takes over 4 million rows or outputs.
    pub fn groups(self, rows: usize, out: usize) -> [u32; 2] {
        let along = |size: usize, tile: u32, group: u32| {
            let groups = size.div_ceil((tile * group) as usize);
            assert!(groups <= MAX_GROUPS, "linear: [{rows}, {out}] is more than WebGPU can be asked for at once");
            groups as u32
        };
        let Tile { rows: tall, outs: wide, group: [across, down] } = self.tile;
        [along(out, wide, across), along(rows, tall, down)]
    }

    /// For `rows` rows. What follows the product is no part of the text: each text costs a software adapter half a second
    /// and more before the first step.
    pub fn sizes(self, rows: usize, spec: &Spec) -> ProductSizes {
        let blocks = blocks(spec.inputs);
        let width = match self.kind {
            Kind::Q8 | Kind::F32x4 => spec.inputs.div_ceil(4),
            Kind::F32 => spec.inputs,
        };
        ProductSizes {
            rows: rows as u32,
            out: spec.out as u32,
            width: width as u32,
            blocks: blocks as u32,
            scale_words: blocks.div_ceil(2) as u32,
            pixels: spec.plane.unwrap_or(1) as u32,
            biased: spec.bias.into(),
            added: spec.residual.into(),
            activation: spec.activation.number(),
        }
    }
}

impl Variant for Product {
    const NAME: &'static str = "linear";

    type Sizes = ProductSizes;

    #[cfg(test)]
    fn every() -> Vec<Self> {
        let kinds = [Kind::Q8, Kind::F32x4, Kind::F32];
        kinds.into_iter().flat_map(|kind| TILES.map(|(_, tile)| Self { kind, tile })).collect()
    }

    fn group(self) -> [u32; 2] {
        self.tile.group
    }

    fn text(self) -> String {
        let Self { kind, tile: Tile { rows, outs, group: [across, down] } } = self;
        let four = kind != Kind::F32;
        let settings = [
            ("ROWS", Count(rows)),
            ("OUTS", Count(outs)),
            ("ACROSS", Count(across)),
            ("DOWN", Count(down)),
            ("Q8", Flag(kind == Kind::Q8)),
            ("FOUR", Flag(four)),
            ("Values", Type(if four { "vec4<f32>" } else { "f32" })),
        ];
        write(&[UNPACK, activation::gpu::TEXT, include_str!("gpu.wgsl")], &settings)
    }
}

/// Row look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gather;

sizes! {
    /// What the look-up reads.
    pub struct GatherSizes {
        pub count: u32,
        pub out: u32,
        pub inputs: u32,
        pub row_words: u32,
        pub scale_words: u32,
        pub start: u32,
        pub rows: u32,
    }
}

impl GatherSizes {
    /// Of `count` ids in a part of `rows` rows.
    pub fn new(count: usize, rows: usize, spec: &Rows) -> Self {
        let &Rows { inputs, out, start } = spec;
        let blocks = blocks(inputs);
        Self {
            count: count as u32,
            out: out as u32,
            inputs: inputs as u32,
            row_words: (blocks * BLOCK_WORDS) as u32,
            scale_words: blocks.div_ceil(2) as u32,
            start: start as u32,
            rows: rows as u32,
        }
    }
}

impl Variant for Gather {
    const NAME: &'static str = "q8_gather";

    type Sizes = GatherSizes;

    #[cfg(test)]
    fn every() -> Vec<Self> {
        vec![Self]
    }

    fn text(self) -> String {
        write(&[UNPACK, include_str!("gather.wgsl")], &[])
    }
}

//! The kernel's variants and sizes: how a head is cut.

use super::Attention;
use crate::ops::gpu::Variant;
use crate::ops::gpu::sizes::sizes;
use crate::ops::gpu::text::Setting::{Count, Flag, Number, Type};
use crate::ops::gpu::text::write;

/// Channels of the result that a thread keeps. A wider head is cut, and each part computes the scores again.
const CHUNK: u32 = 64;

/// Attention of heads of one width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attend {
    /// Channels of a head.
    head: u32,
    /// Whether there are keys of the past.
    past: bool,
    /// Whether there is a bias.
    biased: bool,
}

sizes! {
    /// What it reads.
    pub struct Sizes {
        pub batch: u32,
        pub rows: u32,
        pub heads: u32,
        pub tokens0: u32,
        pub tokens1: u32,
        pub by_sequence: u32,
        pub by_row: u32,
    }
}

impl From<&Attention> for Sizes {
    fn from(spec: &Attention) -> Self {
        let [by_sequence, by_row] = spec.bias.unwrap_or_default();
        let [tokens0, tokens1] = if spec.past > 0 { [spec.past, spec.columns] } else { [spec.columns, 0] };
        Self {
            batch: spec.batch as u32,
            rows: spec.rows as u32,
            heads: spec.heads as u32,
            tokens0: tokens0 as u32,
            tokens1: tokens1 as u32,
            by_sequence: by_sequence as u32,
            by_row: by_row as u32,
        }
    }
}

impl From<&Attention> for Attend {
    fn from(spec: &Attention) -> Self {
        Self { head: spec.head as u32, past: spec.past > 0, biased: spec.bias.is_some() }
    }
}

impl Attend {
    /// Channels that are read at once: the widest vector that divides a head.
    fn lanes(self) -> u32 {
        [4, 2].into_iter().find(|&lanes| self.head.is_multiple_of(lanes)).unwrap_or(1)
    }

    /// Channels of the result that a thread keeps.
    fn chunk(self) -> u32 {
        let lanes = self.lanes();
        let fits = |chunk: &u32| chunk.is_multiple_of(lanes) && self.head.is_multiple_of(*chunk);
        (lanes..=CHUNK.min(self.head)).rev().find(fits).unwrap_or(lanes)
    }

    /// Into how many threads each query is cut.
    pub fn cut(self) -> usize {
        (self.head / self.chunk()) as usize
    }
}

impl Variant for Attend {
    const NAME: &'static str = "attention";

    type Sizes = Sizes;

    /// Heads in one part and in several, in vectors of 4, of 2, and in none.
    #[cfg(test)]
    fn every() -> Vec<Self> {
        const HEADS: [u32; 18] = [1, 2, 3, 4, 7, 8, 10, 12, 16, 24, 32, 48, 64, 66, 80, 96, 127, 128];
        let both = [false, true];
        let ways = || both.into_iter().flat_map(|past| both.map(|biased| (past, biased)));
        HEADS.into_iter().flat_map(|head| ways().map(move |(past, biased)| Self { head, past, biased })).collect()
    }

    fn text(self) -> String {
        let Self { head, past, biased } = self;
        let (lanes, chunk) = (self.lanes(), self.chunk());
        let settings = [
            ("WORDS", Count(head / lanes)),
            ("PARTS", Count(chunk / lanes)),
            ("CUT", Count(head / chunk)),
            ("GROUPS", Count(1 + u32::from(past))),
            ("SCALE", Number((head as f32).powf(-0.5))),
            ("HELD", Flag(head == chunk)),
            ("BIASED", Flag(biased)),
            ("FOUR", Flag(lanes == 4)),
            ("TWO", Flag(lanes == 2)),
            ("ONE", Flag(lanes == 1)),
            ("Channels", Type(["f32", "vec2<f32>", "vec4<f32>"][lanes as usize / 2])),
        ];
        write(&[include_str!("gpu.wgsl")], &settings)
    }
}

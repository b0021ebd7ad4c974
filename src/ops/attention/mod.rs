//! Scaled dot-product attention over cached and new keys, heads side by side as the projections leave them.
//!
//! | file | its one idea |
//! |---|---|
//! | `mod.rs` | the contract: [`Qkv`] and [`attention()`] |
//! | `cpu.rs` | the loops |
//! | `gpu.rs`, `gpu.wgsl` | the kernel and its sizes |
//! | `gradient.rs` | with a gradient, for training |
//! | `product.rs`, `product/` | products of matrices that lie among other numbers, as a head among the heads |

pub(super) mod cpu;
#[cfg(any(test, feature = "webgpu", target_arch = "wasm32"))]
pub(super) mod gpu;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod gradient;
#[cfg(not(target_arch = "wasm32"))]
mod product;

use burn::backend::Dispatch;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Tensor;

use super::{Ops, or_else};

/// Sizes of one attention.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Sequences.
    pub(crate) batch: usize,
    /// Queries of a sequence.
    pub(crate) rows: usize,
    /// Cached keys of a sequence, seen before the new ones.
    pub(crate) past: usize,
    /// New keys of a sequence.
    pub(crate) columns: usize,
    /// Heads.
    pub(crate) heads: usize,
    /// Channels of a head.
    pub(crate) head: usize,
    /// Steps of the bias from sequence to sequence and from row to row, 0 where it is the same for all; `None`
    /// without a bias.
    pub(crate) bias: Option<[usize; 2]>,
    /// Whether products are of numbers rounded to bfloat16 ([`gradient::in_bf16`](super::gradient::in_bf16)): training's alone.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) bf16: bool,
}

/// What attends, and to what: heads lie side by side in the last dimension, `width = heads · head`.
#[derive(Debug, Clone)]
pub struct Qkv {
    /// Queries, `[batch, rows, width]`.
    pub q: Tensor<3>,
    /// Cached keys and values, seen before the new ones, `[batch, past, width]` each.
    pub past: Option<(Tensor<3>, Tensor<3>)>,
    /// New keys, `[batch, columns, width]`.
    pub k: Tensor<3>,
    /// Their values, shaped alike.
    pub v: Tensor<3>,
    /// `[1 or batch, 1, 1 or rows, past + columns]`: 0 where attention is allowed, a large negative number elsewhere.
    pub bias: Option<Tensor<4>>,
    /// Heads.
    pub heads: usize,
}

impl Qkv {
    /// What a backend is handed: `[q, past_k, past_v, k, v]`, the bias, each `q` once more where it is absent, and the sizes.
    ///
    /// # Panics
    /// When the shapes do not fit together.
    #[must_use]
    pub(crate) fn operands(self) -> ([FloatTensor<Dispatch>; 5], FloatTensor<Dispatch>, Attention) {
        let spec = self.sizes();
        let [q, k, v] = [self.q, self.k, self.v].map(Tensor::into_dispatch);
        let (past_k, past_v) = self.past.unzip();
        let (past_k, past_v, bias) = (or_else(past_k, &q), or_else(past_v, &q), or_else(self.bias, &q));
        ([q, past_k, past_v, k, v], bias, spec)
    }

    fn sizes(&self) -> Attention {
        let Self { q, past, k, v, bias, heads } = self;
        let ([batch, rows, width], heads) = (q.dims(), *heads);
        let columns = k.dims()[1];
        let before = past.as_ref().map_or(0, |(k, _)| k.dims()[1]);
        assert!(heads > 0 && width.is_multiple_of(heads), "attention: {width} channels in {heads} heads");
        assert_eq!(k.dims(), [batch, columns, width], "attention: keys");
        assert_eq!(v.dims(), k.dims(), "attention: values");
        if let Some((k, v)) = past {
            assert_eq!((k.dims(), v.dims()), ([batch, before, width], [batch, before, width]), "attention: the past");
        }
        let bias = bias.as_ref().map(|bias| {
            let [sequences, one, lines, all] = bias.dims();
            let fits = (sequences == 1 || sequences == batch) && one == 1 && (lines == 1 || lines == rows);
            assert!(fits && all == before + columns, "attention: a bias {:?}", bias.dims());
            [if sequences == 1 { 0 } else { lines * all }, if lines == 1 { 0 } else { all }]
        });
        Attention {
            batch,
            rows,
            past: before,
            columns,
            heads,
            head: width / heads,
            bias,
            #[cfg(not(target_arch = "wasm32"))]
            bf16: false,
        }
    }
}

/// `softmax(QKᵀ/√head + bias)·V`, `[batch, rows, heads·head]`.
///
/// # Panics
/// When the shapes do not fit together.
#[must_use]
pub fn attention(qkv: Qkv) -> Tensor<3> {
    let ([q, past_k, past_v, k, v], bias, spec) = qkv.operands();
    Tensor::from_dispatch(Dispatch::attention_op(q, past_k, past_v, k, v, bias, spec))
}

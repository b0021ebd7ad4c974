//! Gumbel-argmax over the codes of every position, for all candidates at once.
//!
//! | file | its one idea |
//! |---|---|
//! | `mod.rs` | the contract: [`sample()`] |
//! | `counted.rs` | noise as a function of (key, code) |
//! | `cpu.rs` | the loops |
//! | `gpu.rs`, `gpu.wgsl` | the kernel and its sizes; `given.wgsl`, `counted.wgsl`: where its noise comes from |

pub mod counted;
pub(super) mod cpu;
#[cfg(any(test, feature = "webgpu", target_arch = "wasm32"))]
pub(super) mod gpu;

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

use super::Ops;

/// Where Gumbel noise comes from.
#[derive(Debug, Clone)]
pub enum Noise {
    /// It is there: `[candidates, positions, codes]`.
    Given(Tensor<3>),
    /// Made where it is needed: `[candidates, positions, 2]` i32, the halves of each position's key as [`counted`] takes them.
    Counted(Tensor<3, Int>),
}

/// Draws a code for each candidate and position: `argmax(log softmax(logits) + noise)`, the known code where there is
/// one, and its log-probability.
///
/// `logits` `[positions, codes]`; `tokens` `[positions]` i32, negative where masked. The result `[2, candidates, positions]`
/// holds codes (as floats, which are exact for any codebook) and log-probabilities, so that one read-back brings both. Of equal
/// sums the lowest code wins.
///
/// # Panics
/// When the shapes do not fit together.
#[must_use]
pub fn sample(logits: Tensor<2>, noise: Noise, tokens: Tensor<1, Int>) -> Tensor<3> {
    let [positions, codes] = logits.dims();
    let (dims, last) = match &noise {
        Noise::Given(noise) => (noise.dims(), codes),
        Noise::Counted(keys) => (keys.dims(), 2),
    };
    let candidates = dims[0];
    assert_eq!(dims, [candidates, positions, last], "sample: noise");
    assert_eq!(tokens.dims(), [positions], "sample: tokens");
    if candidates * positions == 0 {
        return Tensor::zeros([2, candidates, positions], &logits.device());
    }
    let (logits, tokens) = (logits.into_dispatch(), tokens.into_dispatch());
    Tensor::from_dispatch(match noise {
        Noise::Given(noise) => Dispatch::sample_given_op(logits, noise.into_dispatch(), tokens),
        Noise::Counted(keys) => Dispatch::sample_counted_op(logits, keys.into_dispatch(), tokens),
    })
}

//! Gumbel-argmax over the codes of every position, for all candidates at once.
//!
//! | file | its one idea |
//! |---|---|
//! | `mod.rs` | the contract: [`sample()`] |
//! | `cpu.rs` | the loops |
//! | `gpu.rs`, `gpu.wgsl` | the kernel and its sizes |

pub(super) mod cpu;
#[cfg(any(test, feature = "webgpu", target_arch = "wasm32"))]
pub(super) mod gpu;

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

use super::Ops;

/// Draws a code for each candidate and position: `argmax(log softmax(logits) + noise)`, the known code where there is
/// one, and its log-probability.
///
/// `logits` `[positions, codes]`; `noise` `[candidates, positions, codes]`; `tokens` `[positions]` i32, negative where
/// masked. The result `[2, candidates, positions]` holds codes (as floats, which are exact for any codebook) and
/// log-probabilities, so that one read-back brings both. Of equal sums the lowest code wins.
///
/// # Panics
/// When the shapes do not fit together.
#[must_use]
pub fn sample(logits: Tensor<2>, noise: Tensor<3>, tokens: Tensor<1, Int>) -> Tensor<3> {
    let [candidates, positions, codes] = noise.dims();
    assert_eq!(logits.dims(), [positions, codes], "sample: logits");
    assert_eq!(tokens.dims(), [positions], "sample: tokens");
    if candidates * positions == 0 {
        return Tensor::zeros([2, candidates, positions], &logits.device());
    }
    Tensor::from_dispatch(Dispatch::sample_op(logits.into_dispatch(), noise.into_dispatch(), tokens.into_dispatch()))
}

//! The training loop that every network shares: batches on two workers, one optimizer, checkpoints, a plot.
//!
//! Elementwise work runs on one core in burn's CPU backend, so a batch is cut into shards and each worker thread
//! differentiates its shard on its own copy of the parameters with a thread pool of one; gradients are summed. That
//! keeps every core busy from the first layer to the last.
//!
//! | file | its one idea |
//! |---|---|
//! | `config` | what a run is told: how long, how fast, from where |
//! | `task` | what a network brings: its data and its loss |
//! | `run` | begin, step, save, export |
//! | `batches` | where a step's examples come from |
//! | `gradients` | loss and gradients, a shard on each core |
//! | `optimizer`, `muon` | what a step changes, and what is remembered of it |
//! | `mean` | the running mean of the weights, which is exported |
//! | `step` | what a step measured |
//! | `pools` | work shared out over the cores |
//! | `torch` | the optimizer in PyTorch's operations, for a card |
//! | `tests`, `on_torch` | the loop on burn's devices, and on PyTorch's against burn's |

mod batches;
mod config;
mod gradients;
mod mean;
mod muon;
mod optimizer;
mod pools;
mod run;
mod step;
mod task;
#[cfg(feature = "libtorch")]
#[allow(deprecated)] // burn's own word on its backend
mod torch;

pub use config::{FitConfig, Start};
pub use run::{STOP, fit};
pub use task::{Loss, Task};

#[cfg(test)]
mod tests;

#[cfg(all(test, feature = "libtorch"))]
mod on_torch;

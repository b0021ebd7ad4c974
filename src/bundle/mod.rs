//! Bundles: a folder of `manifest.json`, `.safetensors` shards and `tokenizer.json`, all of it checked on the way in.
//!
//! Nothing in a bundle is trusted. The manifest is validated before anything is read by its word; every other file is
//! compared with the length and the SHA-256 that the manifest gives, every shard's header with the manifest's tensors.
//! What is refused is refused by name: the file, the tensor or the manifest's field.
//!
//! | file | its one idea |
//! |---|---|
//! | [`manifest`] | what the manifest says, as types |
//! | `validate.rs`, `unique.rs` | what makes a manifest acceptable; no name twice in an object |
//! | `judges.rs` | what a bundle judges with, and which of its models are asked |
//! | `kind.rs` | [`ModelKind`]: the kinds of model, and which of them a verifier asks |
//! | [`block`] | int8 blocks: encoded, decoded, their error measured |
//! | [`header`] | what a safetensors file says of itself |
//! | `reader.rs`, `folder.rs` | where the files come from: [`Reader`]; the browser brings its own |
//! | `load.rs` | [`Bundle`]: opened, and a model streamed into a [`TensorSink`], one shard in memory at a time |
//! | `shard.rs`, `parts.rs` | a shard taken apart; one that is too long to be held, in parts |
//! | `hex.rs` | hashes as text |
//! | `error.rs`, `write_error.rs` | what was refused, and how it is said; why nothing could be written |
//! | `writer.rs`, `copy.rs`, `partial.rs` (native) | [`BundleWriter`]: the only way that a bundle is made, of checkpoints or onto another bundle; a folder that appears whole or not at all |

pub mod block;
#[cfg(not(target_arch = "wasm32"))]
mod copy;
mod error;
#[cfg(not(target_arch = "wasm32"))]
mod folder;
pub mod header;
mod hex;
mod judges;
mod kind;
mod load;
pub mod manifest;
#[cfg(not(target_arch = "wasm32"))]
mod partial;
mod parts;
mod reader;
mod shard;
mod unique;
mod validate;
#[cfg(not(target_arch = "wasm32"))]
mod write_error;
#[cfg(not(target_arch = "wasm32"))]
mod writer;

pub use error::BundleError;
#[cfg(not(target_arch = "wasm32"))]
pub use folder::{FolderReader, block_on};
pub use kind::ModelKind;
pub use load::{Bundle, HELD_BYTES, LoadProgress, TensorSink};
pub use manifest::Manifest;
#[cfg(not(target_arch = "wasm32"))]
pub use partial::PartialFolder;
pub use parts::PartSink;
pub use reader::{MemoryReader, Reader};
#[cfg(not(target_arch = "wasm32"))]
pub use write_error::WriteError;
#[cfg(not(target_arch = "wasm32"))]
pub use writer::{About, BundleWriter, SHARD_BYTES, timestamp};

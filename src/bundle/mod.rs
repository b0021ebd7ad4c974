//! Bundles: a folder of `manifest.json`, `.safetensors` shards and `tokenizer.json`, all of it checked on the way in.
//!
//! Nothing in a bundle is trusted. The manifest is validated before anything is read by its word; every other file is
//! compared with the length and the SHA-256 that the manifest gives, every shard's header with the manifest's tensors.
//! What is refused is refused by name: the file, the tensor or the manifest's field.
//!
//! - [`manifest`]: what the manifest says, and what makes it acceptable;
//! - [`Reader`]: where the files come from ([`MemoryReader`], [`FolderReader`]; the browser brings its own);
//! - [`Bundle`]: opens a bundle and streams a model into a [`TensorSink`], one shard in memory at a time, and a shard
//!   that is too long for that in parts;
//! - [`header`]: what a safetensors file says of itself;
//! - [`BundleWriter`] (native): the only way that a bundle is made.

mod error;
#[cfg(not(target_arch = "wasm32"))]
mod folder;
pub mod header;
mod hex;
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

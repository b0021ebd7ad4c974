//! Why a bundle could not be written.

use std::io;
use std::path::{Path, PathBuf};

use super::BundleError;

/// A bundle that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Nothing is ever overwritten.
    #[error("{} exists already; choose another folder, or remove it first", .0.display())]
    Exists(PathBuf),
    /// The output path names no folder.
    #[error("{} cannot be a bundle's folder: it has no name", .0.display())]
    NoName(PathBuf),
    /// The disk refused: no space, no permission.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk refused a shard: most likely it is full.
    #[error("{}: {source}, in the shard of {tensors}", .path.display())]
    Shard {
        /// The shard.
        path: PathBuf,
        /// Which tensors it was to hold.
        tensors: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the bundle that is built on is not what its manifest says.
    #[error("{}: {problem}, as the manifest says; fetch that bundle again", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What differs.
        problem: String,
    },
    /// A tensor that no bundle may hold.
    #[error("{kind} tensor {tensor}: {problem}")]
    Tensor {
        /// The model's kind.
        kind: String,
        /// The tensor's name.
        tensor: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A model was begun twice, or a tensor came before any model.
    #[error("model {0}: begun twice, or not begun")]
    Model(String),
    /// What was written would be refused by the reader.
    #[error("the bundle would not be readable: {0}")]
    Unreadable(#[from] BundleError),
}

pub(super) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> WriteError {
    let path = path.to_path_buf();
    move |source| WriteError::Io { path, source }
}

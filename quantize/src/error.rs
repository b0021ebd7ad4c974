//! Why a conversion or a verification was refused.

use std::{io, path::PathBuf};

use showo::bundle::{BundleError, WriteError, header::HeaderError};

/// What the tool refuses, with the file's and the tensor's name.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The system refused a file.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A checkpoint that is not a sound file.
    #[error("{}: {source}", .path.display())]
    Header {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        source: HeaderError,
    },
    /// A checkpoint in a form that is not read.
    #[error("{}: {problem}", .path.display())]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// One tensor of a checkpoint, or its image in a bundle.
    #[error("{}: tensor {tensor}: {problem}", .path.display())]
    Tensor {
        /// The checkpoint.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A configuration or a tokenizer that is not what it should be.
    #[error("{}: {problem}", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// An option that makes no sense with the others.
    #[error("{option}: {problem}")]
    Option {
        /// The option, as typed.
        option: String,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// The output cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Models of one bundle that contradict each other.
    #[error("the models do not fit each other: {0}; convert those of one training run")]
    Mismatch(String),
    /// Nobody reads what is printed, or it cannot be written: `inspect … | head`, a full disk behind `>`.
    #[error("the output cannot be written: {0}")]
    Print(io::Error),
    /// Ctrl-C or SIGTERM.
    #[error("interrupted; nothing was left behind")]
    Interrupted,
    /// Signals cannot be listened to.
    #[error("cannot listen to Ctrl-C: {0}")]
    Signals(String),
    /// The bundle is refused.
    #[error("{}: {source}", .path.display())]
    Bundle {
        /// The bundle's folder.
        path: PathBuf,
        /// Why.
        source: BundleError,
    },
}

impl ToolError {
    /// For `map_err` on something that the system did with `path`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// For `map_err` on a bundle in `path`.
    pub fn bundle(path: impl Into<PathBuf>) -> impl FnOnce(BundleError) -> Self {
        let path = path.into();
        move |source| Self::Bundle { path, source }
    }
}

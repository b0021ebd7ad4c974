//! Why a bundle was refused.

/// A bundle that cannot be used: what is wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BundleError {
    /// The folder or the server does not have the file.
    #[error("{file} is not in the bundle: the folder is incomplete, or is not a bundle; copy or convert it again")]
    Missing {
        /// The file's name inside the bundle.
        file: String,
    },
    /// The file is there, or may be, but could not be read.
    #[error("{file} could not be read: {reason}")]
    Read {
        /// The file's name inside the bundle.
        file: String,
        /// What the disk or the network said.
        reason: String,
    },
    /// A bundle of another time.
    #[error(
        "manifest.json: format: version {found} is unknown, this program reads versions 1 to {known}; {}", if *.found > u64::from(*.known) {
            "the bundle was made by a later program: use that one (on a page, load it again), or convert the checkpoint with this one"
        } else {
            "there never was such a version: convert the checkpoint again"
        }
    )]
    Version {
        /// What the manifest says.
        found: u64,
        /// The newest that this program reads.
        known: u32,
    },
    /// The manifest contradicts itself, or says something that no bundle may say.
    #[error("manifest.json: {field}: {problem}")]
    Manifest {
        /// The field, as a path: `tensors["showo/lm_head.weight"].shape`.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of the wrong length: cut short, or replaced.
    #[error(
        "{file} is {found} bytes long, but the manifest says {expected}: it is truncated or was replaced; fetch or convert the bundle again"
    )]
    Length {
        /// The file's name inside the bundle.
        file: String,
        /// Bytes by the manifest.
        expected: u64,
        /// Bytes that were read.
        found: u64,
    },
    /// A file of the right length with other content.
    #[error(
        "{file} is damaged: its SHA-256 is {found}, but the manifest says {expected}; fetch or convert the bundle again"
    )]
    Hash {
        /// The file's name inside the bundle.
        file: String,
        /// SHA-256 by the manifest, 64 hexadecimal digits.
        expected: String,
        /// SHA-256 of what was read.
        found: String,
    },
    /// A file whose bytes are as promised, but whose content is not what a bundle holds.
    #[error("{file}: {problem}")]
    File {
        /// The file's name inside the bundle.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A tensor that is not what the manifest says, or holds values that no weight may have.
    #[error("{file}: tensor {tensor}: {problem}")]
    Tensor {
        /// The shard's name inside the bundle.
        file: String,
        /// The tensor's name inside the shard.
        tensor: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The bundle is sound, but lacks what was asked for.
    #[error("the bundle holds no model of kind {kind}, only {available}")]
    NoModel {
        /// What was asked for.
        kind: super::ModelKind,
        /// What there is.
        available: String,
    },
}

impl BundleError {
    /// An error of the manifest's own.
    pub(crate) fn manifest(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Manifest { field: field.into(), problem: problem.into() }
    }

    /// An error of one tensor in one shard.
    pub(crate) fn tensor(file: &str, tensor: &str, problem: impl Into<String>) -> Self {
        Self::Tensor { file: file.into(), tensor: tensor.into(), problem: problem.into() }
    }
}

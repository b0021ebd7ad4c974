//! What went wrong, and with which exit code the command ends.

use std::path::Path;
use std::process::ExitCode;

use showo::load::LoadError;
use showo::session::{AskError, BringError, SessionError};

/// A failure, for people.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file or folder.
    #[error("{path}: {why}")]
    File { path: String, why: String },
    /// The bundle.
    #[error(transparent)]
    Bundle(#[from] LoadError),
    /// The drawing.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A question about a picture.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// A picture that was brought.
    #[error(transparent)]
    Bring(#[from] BringError),
    /// The device.
    #[error("{0}")]
    Device(String),
    /// What was asked for contradicts itself, the prompts, or what is there already.
    #[error("{0}")]
    Refused(String),
    /// Ctrl-C.
    #[error("{0}")]
    Interrupted(String),
}

impl Failure {
    pub fn file(path: &Path, why: impl ToString) -> Self {
        Self::File { path: path.display().to_string(), why: why.to_string() }
    }

    pub fn code(&self) -> ExitCode {
        match self {
            Self::Session(SessionError::DeviceLost { .. } | SessionError::Picture(_))
            | Self::Ask(AskError::Device(_))
            | Self::Bring(BringError::Device(_))
            | Self::File { .. }
            | Self::Device(_) => ExitCode::from(1),
            Self::Session(_) | Self::Ask(_) | Self::Bring(_) | Self::Refused(_) => ExitCode::from(2),
            Self::Interrupted(_) => ExitCode::from(130),
            Self::Bundle(_) => ExitCode::from(3),
        }
    }
}

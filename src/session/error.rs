//! Why a drawing could not begin or go on.

use crate::decode::DeviceError;
use crate::decode::canvas::CanvasError;
use crate::picture::PictureError;
use crate::prompt::PromptError;
use crate::settings::{Judge, SettingsError, Tuning};
use crate::verify::VerifierMissing;

/// Why a drawing could not begin or go on: what was wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SessionError {
    /// A setting is outside its range.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The prompt cannot be read.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The bundle lacks what the verifier needs.
    #[error(transparent)]
    VerifierMissing(#[from] VerifierMissing),
    /// The bundle lacks these weights of the generator, or they were not loaded.
    #[error(
        "the generator's weights \"{}\" are not in this bundle or have not been loaded; usable now: {}",
        .asked,
        .available.iter().map(|tuning| tuning.word()).collect::<Vec<_>>().join(", ")
    )]
    GeneratorMissing {
        /// What was asked for.
        asked: Tuning,
        /// What can be used.
        available: Vec<Tuning>,
    },
    /// Reflection scores patches with CLIP, which is not there.
    #[error(
        "reflection needs the model \"clip\", which is not in this bundle or has not arrived yet; switch reflection off, or wait"
    )]
    ReflectionNeedsClip,
    /// The bundle does not judge with CLIP, whether or not it holds one.
    #[error(
        "reflection looks for weak patches with CLIP, which is not among what this bundle judges with ({}); switch reflection off",
        Judge::list(.0)
    )]
    ReflectionNotOffered(Vec<Judge>),
    /// The device is gone. The session holds what was drawn, and can go on with models on a new device.
    #[error("the device was lost or failed before step {}: {why}; what was drawn is kept, go on from there", .next_step + 1)]
    DeviceLost {
        /// The step that would have come next, from 0.
        next_step: u32,
        /// What the device said.
        why: String,
    },
    /// What is there already cannot be begun from.
    #[error("a drawing cannot begin from these tokens: {0}; bring a picture of this bundle's, of which some is masked")]
    Begin(String),
    /// The picture cannot be continued there.
    #[error(transparent)]
    Canvas(#[from] CanvasError),
    /// There is no drawing that could go on.
    #[error("there is no drawing to go on with; begin one")]
    NothingToResume,
    /// A recording contradicts itself, or the models.
    #[error("event {index} of the recording cannot be gone on with: {why}")]
    Recording {
        /// Which event, from 0.
        index: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A picture could not be written or read.
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// What can go wrong inside one step.
#[derive(Debug)]
pub(super) enum StepError {
    Device(DeviceError),
    Picture(PictureError),
}

impl From<DeviceError> for StepError {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}

impl From<PictureError> for StepError {
    fn from(error: PictureError) -> Self {
        Self::Picture(error)
    }
}

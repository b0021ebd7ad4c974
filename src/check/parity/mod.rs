//! The reference implementations' golden tensors, checked on any device: natively by a test, in a browser by the page's
//! own engine.
//!
//! The form of a case is described in the README of its folder in `tests/fixtures`. Nothing here reads a tensor synchronously.
//!
//! | file | its one idea |
//! |---|---|
//! | `case.rs` | a case's three files, read from memory |
//! | `findings.rs` | what was compared, and what disagrees |
//! | `showo.rs`, `magvit.rs`, `clip.rs` | what is compared of each network |
//! | `begun.rs` | what is compared of drawings that begin with something: inpainting, extrapolation |
//! | `clipscore.rs` | what is compared of a public CLIP, from texts and pictures |
//! | `mmu.rs` | what is compared of questions about pictures |

mod begun;
mod case;
mod clip;
mod clipscore;
mod findings;
mod magvit;
mod mmu;
mod showo;

pub use case::Case;
pub use findings::{Finding, Findings};

use burn::tensor::Device;

use crate::decode::DeviceError;
use crate::model::ModelError;

/// What a case is a case of: its name up to the first `_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Show-o over Phi.
    Showo,
    /// Show-o asked about pictures.
    Mmu,
    /// Show-o drawing a part of a picture again.
    Inpaint,
    /// Show-o continuing a picture beyond its edge.
    Extrapolate,
    /// MAGVIT-v2.
    Magvit,
    /// CLIP.
    Clip,
    /// CLIP with its own tokenizer, from texts and pictures.
    Clipscore,
    /// The loss of preference alignment. It belongs to the training code, which checks it.
    Dpo,
}

impl Kind {
    /// The kind of the case of that name.
    ///
    /// # Errors
    /// [`ParityError::UnknownKind`].
    pub fn of(name: &str) -> Result<Self, ParityError> {
        match name.split('_').next() {
            Some("showo") => Ok(Self::Showo),
            Some("mmu") => Ok(Self::Mmu),
            Some("inpaint") => Ok(Self::Inpaint),
            Some("extrapolate") => Ok(Self::Extrapolate),
            Some("magvit") => Ok(Self::Magvit),
            Some("clip") => Ok(Self::Clip),
            Some("clipscore") => Ok(Self::Clipscore),
            Some("dpo") => Ok(Self::Dpo),
            _ => Err(ParityError::UnknownKind(name.to_owned())),
        }
    }
}

/// How exactly a device must agree with the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// What the tolerances of logits are multiplied by.
    pub logits: f32,
    /// Codes and masks may differ where the two best candidates (or a confidence and the cut) are this near; 0 for
    /// never.
    pub tie: f32,
}

impl Tolerance {
    /// Of a CPU, which computes in f32 as the reference does.
    pub const CPU: Self = Self { logits: 1.0, tie: 0.0 };
    /// Of WebGPU, whose exponentials are less exact and whose sums run in another order.
    pub const WEBGPU: Self = Self { logits: 5.0, tie: 1e-3 };
}

/// Why a case could not be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum ParityError {
    /// A case of something else.
    #[error(
        "{0}: unknown kind of case; a name begins with showo_, mmu_, inpaint_, extrapolate_, magvit_, clip_, clipscore_ or dpo_ (tests/fixtures/*/README.md)"
    )]
    UnknownKind(String),
    /// The configuration cannot be used.
    #[error("{name}.json: {why}")]
    Config {
        /// The case.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The golden file cannot be used.
    #[error("{name}.golden.safetensors: {why}")]
    Golden {
        /// The case.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The network could not be built.
    #[error("{name}.weights.safetensors: {source}")]
    Weights {
        /// The case.
        name: String,
        /// Why.
        source: ModelError,
    },
    /// The check belongs to another crate.
    #[error("{0}: the loss belongs to the training code, which is native; this engine does not have it")]
    NotHere(String),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// Checks one case on one device: what was compared, and what of it disagrees.
///
/// # Errors
/// The case cannot be checked: damaged, of an unknown kind, or the device failed.
pub async fn check(case: &Case, device: &Device, tolerance: Tolerance) -> Result<Findings, ParityError> {
    match case.kind {
        Kind::Showo => showo::check(case, device, tolerance).await,
        Kind::Mmu => mmu::check(case, device, tolerance).await,
        Kind::Inpaint => begun::inpaint(case, device, tolerance).await,
        Kind::Extrapolate => begun::extrapolate(case, device, tolerance).await,
        Kind::Magvit => magvit::check(case, device).await,
        Kind::Clip => clip::check(case, device).await,
        Kind::Clipscore => clipscore::check(case, device).await,
        Kind::Dpo => Err(ParityError::NotHere(case.name.clone())),
    }
}

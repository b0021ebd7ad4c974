//! Masked parallel decoding (MaskGIT), exactly as `t2i_generate` in the reference.
//!
//! [`schedule`] says how many positions stay masked, [`noise`] gives counted random numbers, [`generator`] the guided
//! logits, [`sampling`] the draws, [`remask`] what is masked again;
//! [`step`] puts them together for k candidates.

pub mod generator;
pub mod noise;
pub mod remask;
pub mod sampling;
pub mod schedule;
pub mod step;

/// The device failed while computing or being read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the device was lost or failed: {0}")]
pub struct DeviceError(pub String);

//! Masked parallel decoding (MaskGIT), exactly as `t2i_generate` in the reference: docs/method.md, "Decoding" and "Randomness".
//!
//! | file | its one idea |
//! |---|---|
//! | [`step`] | one step for k candidates: puts the others together |
//! | [`canvas`] | where a drawing begins when some of it is there: a hole, the edge of a panorama |
//! | [`generator`] | the generator bound to prompts: guided logits |
//! | [`understanding`] | the generator asked about a picture: its odds of yes, its answer |
//! | [`sampling`] | draws on the device, and reading tensors back |
//! | [`schedule`] | how many positions stay masked, and how hot it is |
//! | [`remask`] | which positions are masked again |
//! | [`noise`] | counted random numbers |

pub mod canvas;
pub mod generator;
pub mod noise;
pub mod remask;
pub mod sampling;
pub mod schedule;
pub mod step;
pub mod understanding;

/// The device failed while computing or being read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the device was lost or failed: {0}")]
pub struct DeviceError(pub String);

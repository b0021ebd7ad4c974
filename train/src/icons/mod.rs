//! The world of things ([`scenes::icons`]): its tokenizer, its generator, and how they are measured.

pub mod clip;
pub mod commands;
pub mod decode;
pub mod decodes;
pub mod eval;
pub mod generator;
pub mod patches;
pub mod preview;
pub mod questions;
pub mod reward;
pub mod rollouts;
pub mod sheet;
pub mod vq;
pub mod world;

//! What others than the training commands use of the training code.

pub mod dpo;

//! Show-o with PARM verification and reflection: one engine, native and in the browser.
//!
//! Data flows one way: `bundle → ops → model → load → decode → verify → session → trace → web`.

// The large variants are built once and live long; boxing them would only cost a look-up.
#![allow(clippy::large_enum_variant)]

pub mod bundle;
pub mod check;
pub mod config;
pub mod decode;
pub mod load;
pub mod model;
pub mod ops;
pub mod picture;
pub mod prompt;
pub mod session;
pub mod settings;
pub mod trace;
pub mod verify;
#[cfg(target_arch = "wasm32")]
pub mod web;

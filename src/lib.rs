//! Show-o with PARM verification and reflection: one engine, native and in the browser.
//!
//! Data flows one way: `bundle → model → decode → verify → reflect → session → trace → web`.

pub mod bundle;
pub mod config;
pub mod decode;
pub mod model;
pub mod prompt;
pub mod quant;
pub mod settings;
pub mod trace;

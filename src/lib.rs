//! Show-o with PARM verification and reflection: one engine, native and in the browser.

pub mod bundle;
pub mod model;
pub mod quant;
pub mod settings;
pub mod trace;

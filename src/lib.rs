//! Show-o with PARM verification and reflection: one engine, native and in the browser.
//!
//! Rooms import one way: `bundle → ops → model → load → decode → verify → session → web`. `config`, `settings` and `trace` are
//! plain data that all may use. ARCHITECTURE.md walks through them.
//!
//! | room | its one idea |
//! |---|---|
//! | [`bundle`] | the format of a folder of weights: everything in it is checked before it is believed |
//! | [`ops`] | one folder an operation: loops, WGSL, gradient |
//! | [`model`] | one file a network; tensors in, tensors out |
//! | [`load`] | from a bundle to networks on a device |
//! | [`decode`] | one step of drawing: logits, draws, what is masked again |
//! | [`verify`] | who judges candidates, and by what they see |
//! | [`session`] | a drawing from its prompt to its verdict, which can be stopped and gone on with |
//! | `web` | the page's way in (wasm only) |
//! | [`check`] | what says that a device computes right |
//! | [`prompt`] | from words to sequences of tokens |
//! | [`picture`] | pixels to PNG in base64, and back |
//! | [`config`] | what a manifest says of each network |
//! | [`settings`] | what can be chosen for a drawing, with its ranges |
//! | [`signal`] | what one part raises and others wait for: a stop, a loss |
//! | [`trace`] | the events of a drawing: the only output |
//! | [`text`], [`stand_in`] | the text of a file that somebody hands over; what often lies in its place |

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
pub mod signal;
pub mod stand_in;
pub mod text;
pub mod trace;
pub mod verify;
#[cfg(target_arch = "wasm32")]
pub mod web;

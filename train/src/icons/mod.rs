//! The world of things ([`scenes::icons`]): its tokenizer, its generator, and how they are measured.
//!
//! | file | its one idea |
//! |---|---|
//! | `commands.rs` | each command: reads what it needs, trains or measures, writes its folder |
//! | `world.rs` | scenes as training examples, each a function of (seed, number) |
//! | `vq.rs`, `patches.rs` | the image tokenizer; its encoder as plain loops |
//! | `generator.rs`, `questions.rs` | the generator, which draws and answers; what it is asked |
//! | `preview.rs` | the preview decoder |
//! | `clip.rs` | CLIP over pictures and patches |
//! | `decode.rs`, `rollouts.rs` | many pictures at once; what becomes of partly decoded ones |
//! | `reward.rs` | one reward network for all questions |
//! | `decodes.rs`, `eval.rs` | what the tokenizer leaves of pictures; what the generator gets right |
//! | `sheet.rs` | sheets of pictures |

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

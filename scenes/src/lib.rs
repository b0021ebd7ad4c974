//! The shipped model's world, complete and without a network: what can be drawn ([`Scene`]), what can be asked for
//! ([`Spec`], and its prompts), how both are sampled, how a scene becomes pixels ([`render()`]) and an independent
//! checker that sees pixels only ([`detect()`], [`check()`]).
//!
//! Everything is deterministic, single-threaded and free of the file system, so it is the same natively and in a
//! browser.
//!
//! | file | its one idea |
//! |---|---|
//! | `world.rs`, `palette.rs` | what a picture can hold: shapes, colours, sizes, slots; colours as pixels |
//! | `spec.rs`, `grammar.rs`, `words.rs` | what a prompt asks for; how it is read and said; enums tied to words |
//! | `typed.rs` | what somebody typed, cut into words: the same rule for every world |
//! | `sample.rs`, `split.rs`, `near_miss.rs` | specs and scenes drawn at random; what training never shows; almost right ones |
//! | `render.rs`, `outline.rs` | scenes to pixels; what lies inside each shape |
//! | `segment.rs`, `fit.rs`, `detect.rs` | the checker: pixels to blobs, blobs to shapes, what a picture shows |
//! | `matching.rs`, `verdict.rs` | which thing stands for which wanted one; whether a picture shows what was asked |
//! | `world_api.rs`, `world_api/` | [`World`]: both worlds behind one interface: read, check, words, attribution |
//! | [`icons`] | the world of things |
//!
//! ```
//! use rng::Rng;
//! use scenes::{Spec, Split, check, render, sample_scene};
//! let spec = Spec::parse("a red circle left of a blue square")?;
//! let scene = sample_scene(&spec, Split::Train, &mut Rng::new(7));
//! assert!(scene.satisfies(&spec));
//! assert!(check(&render(&scene), &spec).accepted);
//! # Ok::<(), scenes::PromptError>(())
//! ```

mod detect;
mod fit;
mod grammar;
pub mod icons;
mod matching;
mod near_miss;
mod outline;
mod palette;
mod render;
mod sample;
mod segment;
mod spec;
mod split;
mod typed;
mod verdict;
mod words;
mod world;
mod world_api;

pub use detect::{Detection, detect};
pub use grammar::{PromptError, vocabulary};
pub use near_miss::near_miss;
pub use palette::{GROUND, rgb};
pub use render::{Picture, SIDE, render};
pub use sample::{all_specs, evaluation_prompts, sample_scene, sample_spec, sample_training_spec};
pub use spec::{Category, MAX_OBJECTS, ObjectSpec, Relation, Spec};
pub use split::{HELD_OUT, Split, held_out};
pub use typed::{TypedWord, typed_words};
pub use verdict::{Verdict, check, judge};
pub use words::WordError;
pub use world::{Colour, LATTICE, Object, SLOT, Scene, Shape, Size};
pub use world_api::{
    CheckError, Example, Judgement, Read, ReadError, UnknownWorld, World, WorldMismatch, give_atlas, has_atlas,
};

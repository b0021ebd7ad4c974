//! The world of things: GenEval's eighty classes as a picture book.
//!
//! | file | its one idea |
//! |---|---|
//! | `class.rs`, `alias.rs`, `plural.rs` | the eighty kinds and ten colours; what people call them; more than one |
//! | `spec.rs`, `position.rs` | what a prompt asks for; GenEval's rule of left, right, above, below |
//! | `grammar.rs`, `grammar/` | prompts as people type them: cut, read, understood |
//! | `prompt_error.rs`, `suggest.rs` | why a prompt was not understood; the nearest words |
//! | `prompt.rs`, `words.rs` | what a spec is called; all words of prompts and questions |
//! | `facts.rs`, `geneval.rs` | what GenEval asks for; its 553 prompts |
//! | `question.rs` | questions that yes or no answers |
//! | `sample.rs`, `split.rs`, `variety.rs`, `near_miss.rs` | prompts at random; what is held out; how wide the world is; near misses |
//! | `atlas.rs`, `index.rs`, `glyph.rs` | every drawing, in one PNG with an index; what is known of each |
//! | `tint.rs`, `ramp.rs`, `oklab.rs` | recolouring: what takes the colour; what colours look like; the space it is done in |
//! | `layout.rs`, `scene.rs` | where things go; a ground and the things on it |
//! | `ground.rs`, `sprite.rs`, `shadow.rs`, `render.rs`, `picture.rs` | scenes to pixels: grounds, things, shadows, all together |
//! | [`checker`] | what a picture shows, from its pixels alone |

mod alias;
mod atlas;
pub mod checker;
pub mod class;
mod facts;
mod geneval;
mod glyph;
mod grammar;
mod ground;
mod index;
mod layout;
mod near_miss;
mod oklab;
mod picture;
mod plural;
mod position;
mod prompt;
mod prompt_error;
mod question;
mod ramp;
mod render;
mod sample;
pub mod scene;
mod shadow;
pub mod spec;
mod split;
mod sprite;
mod suggest;
mod tint;
mod variety;
mod words;

pub use atlas::{Atlas, AtlasError, FEWEST_DRAWINGS, LICENCES};
pub use checker::{Checker, Seen, Sighting, Verdict, verdicts};
pub use class::{CLASSES, Class, Colour};
pub use geneval::geneval_prompts;
pub use glyph::{Attribution, Glyph, Style};
pub use grammar::{Reading, Taken};
pub use ground::{GROUNDS, ground, ground_name};
pub use layout::{extent, flies, sample_scene, satisfies};
pub use near_miss::{Change, near_miss, near_miss_by};
pub use picture::Picture;
pub use position::{Extent, lies};
pub use prompt_error::{MAX_PROMPT_CHARS, PromptError};
pub use question::{Question, prompt_question, sample_question};
pub use render::render;
pub use sample::{compositional_prompts, sample_spec, sample_training_spec, takes_colour};
pub use scene::{LATTICE_PX, Placed, SIDE, Scene};
pub use spec::{MAX_THINGS, Relation, Spec, Task, Wanted};
pub use split::{Split, colour_held_out_of, held_out_colour, held_out_pair};
pub use sprite::Sprite;
pub use variety::Variety;
pub use words::{question_words, vocabulary};

//! From a bundle to networks on a device.
//!
//! | file | its one idea |
//! |---|---|
//! | `place.rs` | a device, what it is called, and what it can hold |
//! | `uses.rs` | what models are loaded for beyond drawing from words |
//! | `sink.rs` | what takes a model's tensors from a bundle: onto the device, or into memory in f32 |
//! | `network.rs` | one kind of model: its network, its configuration, and how it is read |
//! | `models.rs` | all networks of one bundle on one device, as they arrive |
//! | `judging.rs` | which modes can be used: with what has arrived, and with what the bundle judges with |
//! | `fit.rs` | whether models fit each other |
//! | `error.rs` | why that failed |

mod error;
pub mod fit;
mod judging;
mod models;
mod network;
mod place;
mod sink;
mod uses;

pub use error::LoadError;
pub use judging::brings;
pub use models::{About, Arriving, Models};
pub use network::{ClipModel, Generator, ImageTokenizer, Network, PreviewModel, RewardModel, load_image_tokenizer};
pub use place::Place;
pub use sink::{F32Sink, WeightSink, named_tensors};
pub use uses::Uses;

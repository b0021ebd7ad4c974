//! What says that a device computes right.
//!
//! | file | its one idea |
//! |---|---|
//! | [`mod@self_test`] | every kernel against f64 loops: on the page and natively |
//! | [`parity`] | the reference implementations' golden tensors: whole networks and the decoding |
//! | [`probe`] | one forward of a bundle, to compare devices and builds by |
//! | [`trial`] | a moment's work: whether two devices agree, and which is faster |
//! | `noise.rs` | numbers to check with, the same everywhere |

pub(crate) mod noise;
pub mod parity;
pub mod probe;
pub mod self_test;
pub mod trial;

pub use self_test::{SelfTestRow, self_test};

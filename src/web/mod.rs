//! The page's way in: an [`Engine`] in a worker, over the same session as natively. Nothing is decided here.
//!
//! The contract is `www/README.md` and `www/app/contract.js`. All methods take `&self`, because `stop` is called while
//! `draw` runs; nothing is borrowed across an await.

mod device;
mod engine;
mod host;
mod javascript;
mod parity;
mod problem;
mod reader;

pub use engine::{Engine, self_test};
pub use parity::parity;

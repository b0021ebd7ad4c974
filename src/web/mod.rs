//! The page's way in: an [`Engine`] in a worker, over the same session as natively. Nothing is decided here.
//!
//! The contract is `www/README.md` and `www/app/contract.js`. All methods take `&self`, because `stop` is called while
//! `draw` runs; nothing is borrowed across an await.
//!
//! | file | its one idea |
//! |---|---|
//! | `engine.rs` | the class that the worker holds |
//! | `choice.rs` | which device draws: what is asked for, or what is faster |
//! | `facts.rs` | a bundle before anything large of it is fetched |
//! | `device.rs` | the devices of a browser, and whether they are still there |
//! | `reader.rs` | bundles from a server, through the page's cache |
//! | `host.rs` | the worker as a session's host |
//! | `problem.rs` | errors as the page reads them |
//! | `javascript.rs` | what is called in JavaScript |

mod choice;
mod device;
mod engine;
mod facts;
mod host;
mod javascript;
mod problem;
mod reader;

pub use engine::{Engine, self_test};

// For `tests/parity`, which checks the page's devices with a wasm of its own.
pub use device::{WebDevice, open};
pub use host::to_javascript;
pub use problem::Problem;

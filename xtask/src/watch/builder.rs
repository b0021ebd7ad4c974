//! The engine, built again when that is asked for, beside the server: the page goes on while cargo compiles.

use std::path::PathBuf;
use std::sync::mpsc::Receiver;

use anyhow::Result;

use super::live::Live;

/// Builds whenever it is asked to, as long as somebody can ask. What is asked during a build is one build after it. A build
/// that fails changes nothing: the page keeps the engine it has.
pub fn keep_built(requests: &Receiver<()>, mut build: impl FnMut() -> Result<PathBuf>, live: &Live) {
    while requests.recv().is_ok() {
        while requests.try_recv().is_ok() {}
        match build().and_then(|engine| live.use_engine(&engine)) {
            Ok(true) => println!("The engine is new: the page reloads"),
            Ok(false) => println!("The engine came out as it was"),
            Err(error) => eprintln!("error: {error:#}\nThe page goes on as it is; the next change is the next try."),
        }
    }
}

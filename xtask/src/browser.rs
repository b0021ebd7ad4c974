//! Node for the scripts of `tests/e2e`: told by environment variables where the browser and the built page are.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::program;
use crate::places::Places;
use crate::setup;

/// The scripts that drive a browser.
pub fn scripts(places: &Places) -> PathBuf {
    places.root.join("tests/e2e")
}

/// Node with everything that `tests/e2e/places.mjs` reads.
///
/// # Errors
/// When there is no built page or no Chromium, with the command that makes or brings it.
pub fn node(places: &Places) -> Result<Command> {
    let dist = places.dist();
    if !dist.join("index.html").is_file() {
        bail!("{} holds no page; build it with `cargo xtask build`", dist.display());
    }
    let chromium = setup::chromium()
        .context("no Chromium was found; run `cargo xtask setup`, or set CHROMIUM to its executable")?;
    let mut node = program(places, "node");
    node.env("CHROMIUM", chromium)
        .env("FIREFOX", setup::firefox().unwrap_or_default())
        .env("SHOWO_DIST", &dist)
        .env("SHOWO_XTASK", std::env::current_exe().context("cannot find this program")?)
        .env("SHOWO_NATIVE", places.target.join("release").join(format!("showo{}", std::env::consts::EXE_SUFFIX)))
        .env("SHOWO_NODE_MODULES", setup::npm::test_modules(places)?);
    Ok(node)
}

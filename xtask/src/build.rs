//! `build`: engine to wasm, wasm-bindgen, wasm-opt, the page's sources beside it, and what it all weighs.

pub mod folder;
mod last;
mod offline;
mod sizes;
mod wasm;

use std::env;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;
use clap::Args;

use crate::layout;
use crate::places::Places;
use crate::setup::{self, Scope};

pub use last::last_engine;

/// Build the page into dist/ and print the sizes of everything in it.
///
/// The wasm is compiled with the profile `wasm`, goes through wasm-bindgen and wasm-opt -Oz (kept in ~/.cache by the hash
/// of what went in), and www/ is copied beside it. Fails when the wasm is larger than 2.5 MB as brotli.
#[derive(Args, Clone)]
pub struct Options {
    /// Leave out wasm-opt: minutes quicker, several times larger, and no limit on the size.
    #[arg(long)]
    pub dev: bool,
    /// Where to build [default: dist, or trunk's staging folder when trunk calls].
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

/// The subcommand.
pub fn run(places: &Places, options: &Options) -> Result<()> {
    setup::ensure(places, Scope::Build)?;
    build(places, options)
}

/// Builds; everything it needs is there already.
///
/// # Errors
/// What failed; `dist` is then as it was.
pub fn build(places: &Places, options: &Options) -> Result<()> {
    folder::require_page(&places.www())?;
    let engine = engine(places, options.dev)?;
    let trunk = env::var_os("TRUNK_STAGING_DIR").map(PathBuf::from);
    let sources = layout::with_engine(places, &engine);
    let out = match (&options.out, trunk) {
        (Some(out), _) => out.clone(),
        // Trunk made this folder and moves it to dist/ itself.
        (None, Some(staging)) => {
            folder::fill(&staging, &sources)?;
            offline::write_list(&staging)?;
            return report(places, &staging, options.dev);
        }
        (None, None) => places.dist(),
    };
    folder::replace(&out, &sources)?;
    offline::write_list(&out)?;
    report(places, &out, options.dev)
}

/// Builds the engine alone and says in which folder it lies; where nothing has changed, that is the one from before.
///
/// # Errors
/// What cargo, wasm-bindgen or wasm-opt say; the engine that was built last is then as it was.
pub fn engine(places: &Places, dev: bool) -> Result<PathBuf> {
    let began = SystemTime::now();
    let engine = wasm::engine(places, dev)?;
    last::remember(places, &engine, began)?;
    Ok(engine)
}

/// The folder of the program that checks parity in a browser.
///
/// # Errors
/// What failed.
pub fn parity(places: &Places) -> Result<PathBuf> {
    wasm::parity(places)
}

fn report(places: &Places, out: &Path, dev: bool) -> Result<()> {
    let sizes = sizes::measure(places, out, dev)?;
    println!("{}", sizes::table(&sizes));
    if dev { Ok(()) } else { sizes::check_limit(&sizes) }
}

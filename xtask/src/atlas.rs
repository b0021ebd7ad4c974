//! `atlas`: the drawings of the icons world, made anew from the icon sets and our own.

use anyhow::Result;
use clap::Args;

use crate::command::{cargo, run as run_command};
use crate::places::Places;
use crate::setup::{self, npm};

/// Draw the atlas of the icons world anew: scenes/atlas/atlas.png and atlas.json.
///
/// Reads scenes/atlas/glyphs.json (which glyphs), scenes/atlas/own (our drawings) and the icon sets of
/// scenes/atlas/npm/package-lock.json, which it installs from npm into ~/.cache/showo-parm. The same input gives the
/// same bytes.
#[derive(Args)]
pub struct Options {}

/// The subcommand.
pub fn run(places: &Places, _: &Options) -> Result<()> {
    setup::ensure_icon_sets(places)?;
    // A package of its own, so that xtask itself needs no SVG library.
    let mut maker = cargo(places);
    maker.args(["run", "--quiet", "--release", "--package", "atlas-maker", "--", "--modules"]);
    run_command(maker.arg(npm::icon_modules(places)?).arg("--atlas").arg(places.root.join("scenes/atlas")))
}

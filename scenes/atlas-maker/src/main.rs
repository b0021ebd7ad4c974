//! Draws the atlas: `scenes/atlas/glyphs.json`, the icon sets it names and our own drawings in, `atlas.png` and
//! `atlas.json` out. The only place that knows SVG; renderer and checker scale what is drawn here.
//!
//! `cargo xtask atlas` installs the sets and runs this. The same input gives the same bytes.
//!
//! | file | its one idea |
//! |---|---|
//! | `list.rs`, `sets.rs`, `own.rs` | which drawings; the icon sets; our own |
//! | `draw.rs`, `cell.rs` | SVG to pixels; a cell and how a thing stands in it |
//! | `tones.rs`, `duotone.rs` | tones that tinting replaces; glyphs of one colour in two tones |
//! | `index.rs` | the atlas's two files |

mod cell;
mod draw;
mod duotone;
mod index;
mod list;
mod own;
mod sets;
mod tones;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::cell::{CELL, Cell, Stand};
use crate::index::Writer;
use crate::list::Entry;
use crate::sets::Sets;

/// Both files together may not be larger.
const LARGEST_BYTES: usize = 3_000_000;

/// Draw the atlas.
#[derive(Parser)]
struct Options {
    /// The `node_modules` that holds the icon sets.
    #[arg(long)]
    modules: PathBuf,
    /// The folder with `glyphs.json` and `own/`; the atlas is written there.
    #[arg(long)]
    atlas: PathBuf,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let entries = list::read(&options.atlas.join("glyphs.json"))?;
    let mut sets = Sets::new(&options.modules);
    let mut writer = Writer::default();
    for entry in &entries {
        let (picture, tones) =
            draw_one(entry, &options, &mut sets).with_context(|| format!("{entry}: it cannot be drawn"))?;
        writer.add(entry, &picture, tones);
    }
    let (png, json) = writer.finish(&sets)?;
    let bytes = png.len() + json.len();
    if bytes > LARGEST_BYTES {
        bail!(
            "the atlas takes {bytes} bytes, more than {LARGEST_BYTES}; leave glyphs out or make CELL ({CELL}) smaller"
        );
    }
    for (name, contents) in [("atlas.png", &png), ("atlas.json", &json)] {
        let path = options.atlas.join(name);
        fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))?;
    }
    println!("{} glyphs, {} bytes in {}", entries.len(), bytes, options.atlas.display());
    Ok(())
}

/// A glyph in its own colours and, where these are tones to replace, how much of each tone a pixel has.
fn draw_one(entry: &Entry, options: &Options, sets: &mut Sets) -> Result<(Cell, Option<(tones::Tones, Cell)>)> {
    let stand = Stand::of_class(&entry.class);
    if entry.set == list::OWN {
        let svg = own::read(&options.atlas.join("own"), &entry.id)?;
        let tones = tones::Tones::of_svg(&svg)?;
        let shares = own::shares(&svg, &tones, stand)?;
        return Ok((draw::icon(&svg, stand)?, Some((tones, shares))));
    }
    let svg = sets.svg(&entry.set, &entry.id)?;
    match &entry.duotone {
        None => Ok((draw::icon(&svg, stand)?, None)),
        Some(main) => {
            let tones = duotone::tones(main)?;
            let (picture, shares) = duotone::draw(&svg, &tones, stand)?;
            Ok((picture, Some((tones, shares))))
        }
    }
}

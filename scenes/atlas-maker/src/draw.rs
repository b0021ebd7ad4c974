//! SVG to pixels: what is drawn is cropped to, and its longer side fills the cell.

use anyhow::{Context, Result, bail};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use crate::cell::{self, Cell, FINE, Stand};

/// Side of the trial drawing in which the visible part is looked for.
const TRIAL: u32 = 768;

/// What is fainter does not count as drawn (0…255).
const FAINT: u8 = 8;

/// The visible part of a drawing, in its own units.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    left: f32,
    top: f32,
    width: f32,
    height: f32,
}

/// Draws an icon into a cell, straight alpha.
///
/// # Errors
/// When it is not SVG or shows nothing.
pub fn icon(svg: &str, stand: Stand) -> Result<Cell> {
    let tree = parse(svg)?;
    let fine = fine(&tree, extent(&tree)?, 0.0, stand)?;
    Ok(cell::straight(&cell::average(&fine)))
}

/// Reads a drawing.
///
/// # Errors
/// When it is not SVG.
pub fn parse(svg: &str) -> Result<Tree> {
    Tree::from_str(svg, &Options::default()).context("it is not an SVG document")
}

/// Finds the visible part.
///
/// # Errors
/// When there is none.
pub fn extent(tree: &Tree) -> Result<Extent> {
    let scale = TRIAL as f32 / tree.size().width().max(tree.size().height());
    let mut pixmap = Pixmap::new(TRIAL, TRIAL).context("no memory for a trial drawing")?;
    resvg::render(tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
    let seen = pixmap.pixels().iter().enumerate().filter(|(_, pixel)| pixel.alpha() > FAINT);
    let corners = seen.fold(None, |corners: Option<[u32; 4]>, (i, _)| {
        let (x, y) = (i as u32 % TRIAL, i as u32 / TRIAL);
        let [left, top, right, bottom] = corners.unwrap_or([x, y, x, y]);
        Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
    });
    let Some([left, top, right, bottom]) = corners else { bail!("nothing of it is visible") };
    let unit = |pixels: u32| pixels as f32 / scale;
    Ok(Extent { left: unit(left), top: unit(top), width: unit(right + 1 - left), height: unit(bottom + 1 - top) })
}

/// Draws the visible part as large as a margin of so many fine pixels leaves: `[FINE, FINE, 4]`, premultiplied, 0…255.
///
/// # Errors
/// When there is no memory.
pub fn fine(tree: &Tree, extent: Extent, margin: f32, stand: Stand) -> Result<Vec<[f32; 4]>> {
    let room = FINE as f32 - 2.0 * margin;
    let scale = room / extent.width.max(extent.height);
    let (width, height) = (extent.width * scale, extent.height * scale);
    let x = (FINE as f32 - width) / 2.0;
    let y = match stand {
        Stand::Foot => FINE as f32 - margin - height,
        Stand::Middle => (FINE as f32 - height) / 2.0,
    };
    let mut pixmap = Pixmap::new(FINE as u32, FINE as u32).context("no memory for a drawing")?;
    let transform = Transform::from_row(scale, 0.0, 0.0, scale, x - extent.left * scale, y - extent.top * scale);
    resvg::render(tree, transform, &mut pixmap.as_mut());
    let channels = |pixel: &resvg::tiny_skia::PremultipliedColorU8| {
        [pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()].map(f32::from)
    };
    Ok(pixmap.pixels().iter().map(channels).collect())
}

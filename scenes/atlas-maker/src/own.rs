//! Our own drawings, and how much of each tone a pixel has.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::cell::{self, Cell, Stand};
use crate::draw;
use crate::tones::Tones;

/// Reads a drawing.
///
/// # Errors
/// When there is no such file.
pub fn read(folder: &Path, id: &str) -> Result<String> {
    let path = folder.join(format!("{id}.svg"));
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// The share of main, dark, light and ink in each pixel, 255 for all of it. A picture is linear in the colours it is
/// drawn with, so drawing it with red for one tone and black for all else measures that tone's share.
///
/// # Errors
/// When it cannot be drawn.
pub fn shares(svg: &str, tones: &Tones, stand: Stand) -> Result<Cell> {
    let extent = draw::extent(&draw::parse(svg)?)?;
    let drawn = |colours: &dyn Fn(&str) -> &'static str| {
        let tree = draw::parse(&recoloured(svg, colours))?;
        anyhow::Ok(cell::average(&draw::fine(&tree, extent, 0.0, stand)?))
    };
    let three = drawn(&|colour| match colour {
        _ if colour == tones.main => "#FF0000",
        _ if colour == tones.dark => "#00FF00",
        _ if colour == tones.light => "#0000FF",
        _ => "#000000",
    })?;
    let ink = drawn(&|colour| if Some(colour) == tones.ink.as_deref() { "#FF0000" } else { "#000000" })?;
    let shares: Vec<[f32; 4]> =
        three.iter().zip(&ink).map(|(tones, ink)| [tones[0], tones[1], tones[2], ink[0]]).collect();
    Ok(cell::rounded(&shares))
}

/// Replaces every `"#RRGGBB"` that paints.
fn recoloured(svg: &str, colours: &dyn Fn(&str) -> &'static str) -> String {
    let mut parts = svg.split("\"#");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(6).unwrap_or((part, ""));
        out.push('"');
        out.push_str(colours(&format!("#{digits}")));
        out.push_str(rest);
    }
    out
}

//! Whether pictures are right, from the checker of the world that the bundle's models were trained on.

use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use rayon::prelude::*;
use showo::bundle::manifest::World;
use showo::picture::Rgb;

use super::gallery::{Gallery, Rolled};
use super::key::Key;
use super::labels::Labels;
use crate::fit::STOP;

/// Looks at every picture of the drawings, and at the previews that are there, on every core.
///
/// # Errors
/// A picture that cannot be read; one that the checker cannot judge; it was stopped.
pub fn look(world: World, gallery: &Gallery, rolled: &[Rolled]) -> Result<Labels> {
    let pictures: Vec<(Key, &str)> = rolled
        .iter()
        .flat_map(|rolled| {
            let previews = (0..rolled.states.sampled.len() as u32).map(|step| rolled.key.preview(step));
            let there = previews.filter(|&key| gallery.picture(key).exists());
            std::iter::once(rolled.key).chain(there).map(|key| (key, rolled.states.prompt.as_str()))
        })
        .collect();
    let bar = ProgressBar::new(pictures.len() as u64);
    let judge = |&(key, prompt): &(Key, &str)| {
        if STOP.load(Ordering::Relaxed) {
            bail!("stopped while the checker looked at the pictures");
        }
        let path = gallery.picture(key);
        let png = std::fs::read(&path).with_context(|| {
            format!("cannot read {}; the same `train rollouts` as before makes it again", path.display())
        })?;
        let Rgb { width, bytes, .. } = Rgb::from_png(&png).with_context(|| path.display().to_string())?;
        let judged = world.check(&bytes, width as usize, prompt).with_context(|| path.display().to_string())?;
        bar.inc(1);
        Ok((key, judged.accepted))
    };
    let labels = pictures.par_iter().map(judge).collect();
    bar.finish_and_clear();
    labels
}

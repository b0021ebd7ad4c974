//! `train --world icons decodes`: what is left of pictures after the image tokenizer, for eyes and for the checker.

use std::path::Path;

use anyhow::{Context, Result};
use burn::tensor::Device;
use indicatif::ProgressBar;
use rayon::prelude::*;
use scenes::icons::{Checker, Picture, SIDE, Scene, Seen, Sighting, Spec, verdicts};
use serde_json::json;
use showo::model::magvit::Magvit;

use super::sheet;
use super::vq::{self, UNSEEN};
use super::world::World;

/// What is measured.
pub struct Decodes<'a> {
    /// Whose scenes.
    pub world: &'a World,
    /// The image tokenizer.
    pub tokenizer: &'a Magvit,
    /// Who judges.
    pub checker: &'a Checker,
    /// Where the tokenizer computes.
    pub device: &'a Device,
}

/// Pictures that are on the sheet.
const SHOWN: usize = 64;

/// A scene, and what the checker sees in its decode.
struct Looked {
    spec: Spec,
    truth: Sighting,
    picture: Picture,
    decoded: Picture,
    seen: Sighting,
}

impl Decodes<'_> {
    /// Measures `count` unseen scenes; prints, and writes a sheet and the figures to `folder`.
    ///
    /// # Errors
    /// The tokenizer has no encoder; files cannot be written.
    pub fn run(&self, count: u64, folder: &Path, pictures: Option<&Path>) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let through = |pictures: &[Picture]| -> Result<Vec<Picture>> {
            Ok(vq::decode(self.tokenizer, &vq::codes(self.tokenizer, pictures, self.device)?, self.device))
        };
        let mut figures = vq::Figures::default();
        let mut looked = Vec::new();
        let bar = ProgressBar::new(count);
        for start in (0..count).step_by(32) {
            let asked: Vec<(Spec, Scene)> =
                (start..(start + 32).min(count)).map(|number| self.world.example(UNSEEN, number)).collect();
            let originals: Vec<Picture> = asked.iter().map(|(_, scene)| self.world.picture(scene)).collect();
            let decoded = through(&originals)?;
            for ((after, before), (_, scene)) in decoded.iter().zip(&originals).zip(&asked) {
                figures.add(after, before, &self.world.bare(scene));
            }
            let of = |(((spec, scene), picture), decoded): (((Spec, Scene), Picture), Picture)| Looked {
                spec,
                truth: Sighting::of_scene(&scene, self.world.atlas),
                seen: self.checker.see(&decoded),
                picture,
                decoded,
            };
            let all: Vec<_> = asked.into_iter().zip(originals).zip(decoded).collect();
            looked.extend(all.into_par_iter().map(of).collect::<Vec<_>>());
            bar.set_position(looked.len() as u64);
        }
        bar.finish_and_clear();
        println!("{figures}");
        let [things_db, ground_db] = figures.db();
        let kept =
            |of: fn((bool, bool)) -> bool| looked.iter().filter(|one| of(verdicts(&one.seen, &one.spec))).count();
        let (geneval, exact) = (kept(|verdict| verdict.0), kept(|verdict| verdict.1));
        println!("verdicts kept: as GenEval judges {geneval}, exact {exact} of {}", looked.len());
        self.things(&looked);
        let shown: Vec<&Looked> = looked.iter().take(SHOWN).collect();
        let rows = shown.chunks(8).flat_map(|row| {
            row.iter().map(|one| &one.picture).chain(row.iter().map(|one| &one.decoded)).cloned().collect::<Vec<_>>()
        });
        sheet::write(&folder.join("icons-decodes.png"), &rows.collect::<Vec<_>>(), 8, 1)?;
        if let Some(folder) = pictures {
            write_all(&looked, folder)?;
        }
        let document = json!({ "scenes": looked.len(), "things_db": things_db, "ground_db": ground_db,
            "geneval": geneval, "exact": exact });
        std::fs::write(folder.join("icons-decodes.json"), serde_json::to_vec_pretty(&document)?)?;
        Ok(())
    }

    /// How surely the things that are there are seen, and what else is.
    fn things(&self, looked: &[Looked]) {
        let (mut right, mut wrong) = (Vec::new(), Vec::new());
        for one in looked {
            for seen in one.seen.things.iter().filter(|seen| seen.is_something()) {
                let is_it = |thing: &Seen| {
                    let near = (thing.x - seen.x).abs().max((thing.y - seen.y).abs()) <= 8;
                    near && (thing.class, thing.colour) == (seen.class, seen.colour)
                };
                if one.truth.things.iter().any(is_it) { right.push(*seen) } else { wrong.push(*seen) }
            }
        }
        for (name, things) in [("rightly", &right), ("wrongly", &wrong)] {
            println!(
                "{} things seen {name}, {} of them surely",
                things.len(),
                things.iter().filter(|thing| thing.is_sure()).count()
            );
            for (what, of) in [
                ("score", (|thing| thing.score) as fn(&Seen) -> f32),
                ("worst part", |thing| thing.worst),
                ("gain", |thing| thing.gain),
            ] {
                let mut values: Vec<f32> = things.iter().map(of).collect();
                values.sort_by(f32::total_cmp);
                let at = |share: f64| values.get((values.len() as f64 * share) as usize).copied().unwrap_or(f32::NAN);
                println!(
                    "  {what:<10} 0.5 %: {:.2}  1 %: {:.2}  3 %: {:.2}  10 %: {:.2}  half: {:.2}  90 %: {:.2}  97 %: {:.2}",
                    at(0.005),
                    at(0.01),
                    at(0.03),
                    at(0.1),
                    at(0.5),
                    at(0.9),
                    at(0.97)
                );
            }
        }
    }
}

fn write_all(looked: &[Looked], folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let side = SIDE as u32;
    for (number, one) in looked.iter().enumerate() {
        let name = folder.join(format!("{number:04} {}.png", one.spec.prompt()));
        image::save_buffer(&name, &one.decoded.rgb, side, side, image::ColorType::Rgb8)
            .with_context(|| format!("cannot write {}", name.display()))?;
    }
    Ok(())
}

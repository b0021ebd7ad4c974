//! What a picture shows, from its pixels alone: analysis by synthesis.
//!
//! Which of the fixed grounds; then every glyph in every colour, plain and mirrored, at every size and place of the
//! lattice by one matrix product over cells of 8 × 8 pixels (`propose`); the most promising are stamped at half
//! resolution, moved and scaled until they fit best, and the best one is explained away (`search`). The rest of the
//! picture is looked at again until nothing is left to explain. What is seen is compared with a prompt twice: as
//! GenEval judges, and exactly (`judge`).
//!
//! | file | its one idea |
//! |---|---|
//! | `thresholds.rs` | every number that decides what is taken for a thing |
//! | `source.rs`, `templates.rs` | what is taken from the world; what every thing looks like at every size |
//! | `view.rs` | what is compared: luma and chroma at half resolution, means over cells |
//! | `propose.rs`, `basis.rs`, `product.rs` | which template might stand where; directions that make that quick; the product |
//! | `stamp.rs`, `canvas.rs` | a template at a place and size; the picture as explained so far |
//! | `search.rs` | look, explain away, repeat |
//! | `sight.rs`, `judge.rs`, `sentence.rs` | what is seen; two verdicts on it; both in English |

mod basis;
mod canvas;
mod judge;
mod product;
mod propose;
mod search;
mod sentence;
mod sight;
mod source;
mod stamp;
mod templates;
mod thresholds;
mod view;

pub use judge::{Verdict, relations, verdicts};
pub use sight::{Seen, Sighting};

use super::scene::{LATTICE_PX, SIDE};
use super::spec::Spec;
use super::{Atlas, Extent, Picture};
use search::Found;
use templates::{Look, Templates};
use view::View;

/// What a checker looks for. The default is everything; less is faster, and right only for pictures of a world that
/// shows no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Only these glyphs of the atlas.
    pub glyphs: Option<Vec<u16>>,
    /// Only things of about these sizes, in pixels: multiples of 8, 16 to 128.
    pub sizes: Option<Vec<u8>>,
    /// Mirrored things, too.
    pub mirrored: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { glyphs: None, sizes: None, mirrored: true }
    }
}

/// Sizes of things in layouts, in pixels.
const SIZES: [u8; 6] = [40, 48, 56, 64, 72, 80];

/// Recognises the things of the world in pictures. Making one takes seconds and some 100 MB: keep it.
#[derive(Debug, Clone)]
pub struct Checker {
    templates: Templates,
    grounds: Vec<(View, Vec<[f32; 3]>)>,
    names: Vec<String>,
}

impl Checker {
    /// A checker for the things of an atlas. Glyphs that the atlas lacks, and sizes that are no multiple of 8 from 16
    /// to 128, are left out.
    #[must_use]
    pub fn new(atlas: &Atlas, options: &Options) -> Self {
        let mut sizes: Vec<usize> =
            options.sizes.as_deref().unwrap_or(&SIZES).iter().map(|size| usize::from(*size)).collect();
        sizes.retain(|size| (16..=SIDE).contains(size) && size.is_multiple_of(LATTICE_PX));
        sizes.sort_unstable();
        sizes.dedup();
        let looks = source::looks(atlas, options);
        let (names, views): (Vec<String>, Vec<View>) = source::grounds().into_iter().unzip();
        let grounds = views.into_iter().map(|view| (view.clone(), view.cells())).collect();
        Self { templates: Templates::new(looks, &sizes), grounds, names }
    }

    /// What a picture shows.
    #[must_use]
    pub fn see(&self, picture: &Picture) -> Sighting {
        self.see_rgb(&picture.rgb)
    }

    /// Whether a picture shows what is asked for, in words too.
    #[must_use]
    pub fn check(&self, picture: &Picture, spec: &Spec) -> Verdict {
        self.judge(self.see(picture), spec)
    }

    /// What is seen in `[SIDE, SIDE, 3]` 8-bit sRGB.
    fn see_rgb(&self, rgb: &[u8]) -> Sighting {
        let finding = search::search(&View::of(rgb), &self.templates, &self.grounds);
        let things = finding.things.iter().map(|found| {
            let look = &self.templates.looks[found.look];
            Seen {
                class: look.class,
                glyph: look.glyph,
                colour: look.colour,
                tinted: look.tint.is_some(),
                mirrored: found.mirrored,
                x: found.spot.x as i16,
                y: found.spot.y as i16,
                size_px: found.spot.size as u8,
                extent: extent(look, found),
                score: found.share,
                worst: found.worst,
                edges: found.edges,
                gain: found.gain,
            }
        });
        Sighting { ground: finding.ground as u8, things: things.collect(), left: finding.left }
    }

    /// Compares a sighting with what is asked for: [`Self::check`] without the looking, for one picture and many
    /// prompts.
    #[must_use]
    pub fn judge(&self, seen: Sighting, spec: &Spec) -> Verdict {
        let ground = self.ground_name(&seen);
        judge::judge(seen, ground, spec)
    }

    /// What is seen, in a sentence.
    #[must_use]
    pub fn describe(&self, seen: &Sighting) -> String {
        sentence::sighting(seen, self.ground_name(seen), false)
    }

    fn ground_name(&self, seen: &Sighting) -> &str {
        self.names.get(usize::from(seen.ground)).map_or("a plain ground", String::as_str)
    }

    /// Bytes that its templates occupy.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.templates.bytes()
    }
}

/// The tight box of a thing found, in pixels.
fn extent(look: &Look, found: &Found) -> Extent {
    let [left, top, right, bottom] = look.extent;
    let (left, right) = if found.mirrored { (1.0 - right, 1.0 - left) } else { (left, right) };
    let (x, y, size) = (found.spot.x as f32, found.spot.y as f32, found.spot.size as f32);
    [x + left * size, y + top * size, x + right * size, y + bottom * size]
}

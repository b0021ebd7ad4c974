//! Whether a picture shows what a prompt asks for, whichever world it is of.

use std::sync::OnceLock;

use thiserror::Error;

use super::{ReadError, World};
use crate::icons::checker::{Checker, Options};
use crate::icons::{self, Atlas, AtlasError};
use crate::{Picture, Spec, check};

/// What a world's checker says of a picture, from its pixels alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Whether it shows what was asked for: as GenEval judges, where the world has that, which lets other things be there.
    pub accepted: bool,
    /// Whether it shows that and nothing else. The shapes know no other verdict.
    pub exact: bool,
    /// What is seen, where, and what is wrong, in plain English.
    pub sentence: String,
}

/// Why a picture could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckError {
    /// The prompt says nothing in the world.
    #[error(transparent)]
    Prompt(#[from] ReadError),
    /// A picture of another size than the world's.
    #[error("the checker of {world} judges pictures of {side} × {side} pixels; this one has {found} × {found} ({bytes} bytes): draw with a bundle of that world", side = world.side())]
    Size {
        /// The world.
        world: World,
        /// The side that was given.
        found: usize,
        /// Bytes that were given.
        bytes: usize,
    },
    /// The drawings that the checker compares with are not there.
    #[error(
        "the checker's drawings have not arrived; serve the folder “atlas” of the built page beside it, and draw again"
    )]
    NoAtlas,
}

impl World {
    /// Judges a picture, `[side, side, 3]` in 8-bit sRGB, by a prompt. The first time, the world of things makes its
    /// templates, which takes seconds.
    ///
    /// # Errors
    /// The prompt is not understood, the picture has another size, or there is nothing to compare with.
    pub fn check(self, rgb: &[u8], side: usize, prompt: &str) -> Result<Judgement, CheckError> {
        if side != self.side() || rgb.len() != side * side * 3 {
            return Err(CheckError::Size { world: self, found: side, bytes: rgb.len() });
        }
        match self {
            Self::Shapes => {
                let spec = Spec::parse(prompt).map_err(ReadError::from)?;
                let verdict = check(&Picture { rgb: rgb.to_vec() }, &spec);
                Ok(Judgement { accepted: verdict.accepted, exact: verdict.accepted, sentence: verdict.sentence })
            }
            Self::Icons => icons(rgb, prompt),
        }
    }
}

/// The drawings that were given, where the program holds none of its own or shall use others.
static GIVEN: OnceLock<Atlas> = OnceLock::new();

/// The drawings that pictures are compared with.
pub(super) fn atlas() -> Option<&'static Atlas> {
    #[cfg(feature = "atlas")]
    let shipped = || Some(Atlas::shipped());
    #[cfg(not(feature = "atlas"))]
    let shipped = || None;
    GIVEN.get().or_else(shipped)
}

/// Whether the checker of things has its drawings.
#[must_use]
pub fn has_atlas() -> bool {
    cfg!(feature = "atlas") || GIVEN.get().is_some()
}

/// Gives the checker of things its drawings: the bytes of an atlas's PNG and of its index. Once is enough; later ones are
/// checked and dropped.
///
/// # Errors
/// The atlas is damaged, of another format or world, or holds what may not be shown.
pub fn give_atlas(png: &[u8], json: &[u8]) -> Result<(), AtlasError> {
    let atlas = Atlas::from_parts(png, json)?;
    // The first stays: its checker may be made already.
    let _ = GIVEN.set(atlas);
    Ok(())
}

fn icons(rgb: &[u8], prompt: &str) -> Result<Judgement, CheckError> {
    static CHECKER: OnceLock<Checker> = OnceLock::new();
    let spec = icons::Spec::parse(prompt).map_err(ReadError::from)?.spec;
    let atlas = atlas().ok_or(CheckError::NoAtlas)?;
    let checker = CHECKER.get_or_init(|| Checker::new(atlas, &Options::default()));
    let verdict = checker.check(&icons::Picture { rgb: rgb.to_vec() }, &spec);
    let sentence = match verdict.why {
        Some(why) => format!("{}; {why}", verdict.sentence),
        None => verdict.sentence,
    };
    Ok(Judgement { accepted: verdict.geneval, exact: verdict.exact, sentence })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_another_world_is_not_judged() {
        for (world, other) in [(World::Shapes, World::Icons), (World::Icons, World::Shapes)] {
            let rgb = vec![0; other.side() * other.side() * 3];
            let error = world.check(&rgb, other.side(), world.examples()[0].prompt).expect_err("judged");
            let sentence = error.to_string();
            assert!(sentence.contains(world.name()) && sentence.contains("draw with a bundle"), "{sentence}");
        }
        let cut = World::Shapes.check(&[0; 7], World::Shapes.side(), "a circle");
        assert!(matches!(cut, Err(CheckError::Size { bytes: 7, .. })), "{cut:?}");
    }

    #[test]
    fn shapes_are_judged_as_ever() -> Result<(), Box<dyn std::error::Error>> {
        let spec = Spec::parse("a red circle left of a blue square")?;
        let scene = crate::sample_scene(&spec, crate::Split::Train, &mut rng::Rng::new(7));
        let rgb = crate::render(&scene).rgb;
        let right = World::Shapes.check(&rgb, crate::SIDE, &spec.prompt())?;
        assert!(right.accepted && right.exact, "{right:?}");
        let wrong = World::Shapes.check(&rgb, crate::SIDE, "two moons")?;
        assert!(!wrong.accepted && !wrong.exact && wrong.sentence.contains("missing"), "{wrong:?}");
        Ok(())
    }

    #[test]
    fn a_damaged_atlas_is_refused_with_the_remedy() {
        let error = give_atlas(b"no picture", b"{}").expect_err("taken").to_string();
        assert!(error.contains("cargo xtask atlas"), "{error}");
    }
}

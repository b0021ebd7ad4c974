//! Scenes of things as training examples, each a function of (seed, number).

use rng::Rng;
use scenes::icons::{Atlas, Picture, Scene, Spec, Variety, render, sample_scene, sample_training_spec};
use serde::{Deserialize, Serialize};
use showo::config::ShowoConfig;

use crate::data::{self, Words};

/// Room for the longest prompt of the grammar with `<bos>` and `<eos>`.
pub const MAX_TEXT_LEN: usize = 24;

/// Tokens of a picture.
pub const TOKENS: usize = 256;

/// How wide the world of a run is: one of the presets, or every choice by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Width {
    /// By name.
    Preset(Preset),
    /// Choice by choice.
    Chosen(Box<Variety>),
}

/// The presets of [`Variety`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// [`Variety::narrow`].
    Narrow,
    /// [`Variety::full`].
    Full,
}

impl Width {
    /// The choices.
    #[must_use]
    pub fn variety(&self) -> Variety {
        match self {
            Self::Preset(Preset::Narrow) => Variety::narrow(),
            Self::Preset(Preset::Full) => Variety::full(),
            Self::Chosen(variety) => (**variety).clone(),
        }
    }
}

/// A world to learn from.
pub struct World {
    /// Its glyphs.
    pub atlas: &'static Atlas,
    /// How wide it is.
    pub variety: Variety,
    /// Its words.
    pub words: Words,
}

impl World {
    /// The shipped atlas, as wide as asked for.
    #[must_use]
    pub fn new(width: &Width) -> Self {
        Self { atlas: Atlas::shipped(), variety: width.variety(), words: Words::icons() }
    }

    /// The scene numbered `number`: what it says and what it shows.
    #[must_use]
    pub fn example(&self, seed: u64, number: u64) -> (Spec, Scene) {
        let mut rng = Rng::keyed(&[seed, 0x0069_636f_6e73, number]);
        let spec = sample_training_spec(&mut rng);
        let scene = sample_scene(&spec, &self.variety, self.atlas, &mut rng);
        (spec, scene)
    }

    /// A scene's picture.
    #[must_use]
    pub fn picture(&self, scene: &Scene) -> Picture {
        render(scene, self.atlas)
    }

    /// A scene's ground without its things.
    #[must_use]
    pub fn bare(&self, scene: &Scene) -> Picture {
        render(&Scene { things: Vec::new(), ..scene.clone() }, self.atlas)
    }
}

/// The shape of a generator of this world: the real Show-o's grid, codes of `bits` bits.
#[must_use]
pub fn showo_config(words: &Words, width: usize, layers: usize, heads: usize, mlp: usize, bits: usize) -> ShowoConfig {
    ShowoConfig {
        num_vq_tokens: TOKENS,
        max_text_len: MAX_TEXT_LEN,
        ..data::showo_config(words, width, layers, heads, mlp, bits)
    }
}

//! What the user chooses for one drawing.
//!
//! | file | its one idea |
//! |---|---|
//! | `settings.rs` | the choices as types, what a bundle recommends, and what is refused |
//! | `settings/fields.rs` | [`FIELDS`]: every number once, with its range, default and meaning |
//! | `settings/judge.rs` | [`Judge`]: who judges, and in which modes |

mod fields;
mod judge;

use serde::{Deserialize, Serialize};

pub use fields::{FIELDS, Field, MOST_EXACT};
pub use judge::Judge;

/// How candidates are judged; each is a mode of docs/method.md, "Verifiers".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifierMode {
    /// One sample, nothing judged.
    None,
    /// CLIPScore over k finished pictures.
    BestOfK,
    /// The reward network trained on finished pictures, over k finished pictures.
    Orm,
    /// The reward network trained on previews, at every step.
    Prm,
    /// The reward network trained on potential, at every step.
    Parm,
    /// The same over k whole pictures: one that is no longer promising is given up on its way, and the best of those that
    /// were finished is picked (the paper's clarity judgement, potential assessment and best-of-N′).
    ParmPaths,
    /// The generator asked itself about k finished pictures: its own understanding instead of a network to judge with.
    #[serde(rename = "self-orm")]
    OwnOrm,
    /// The generator asked itself about the whole draws of every step, once the step is clear.
    #[serde(rename = "self")]
    Own,
}

impl VerifierMode {
    /// Every mode, those with a network to judge with first, each group cheapest first.
    pub const ALL: [Self; 8] =
        [Self::None, Self::BestOfK, Self::Orm, Self::Prm, Self::Parm, Self::ParmPaths, Self::OwnOrm, Self::Own];

    /// As it is written in settings, traces and commands.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::BestOfK => "best-of-k",
            Self::Orm => "orm",
            Self::Prm => "prm",
            Self::Parm => "parm",
            Self::ParmPaths => "parm-paths",
            Self::OwnOrm => "self-orm",
            Self::Own => "self",
        }
    }

    /// Whether k whole pictures are drawn and one of them is picked at the end.
    #[must_use]
    pub const fn draws_paths(self) -> bool {
        matches!(self, Self::BestOfK | Self::Orm | Self::ParmPaths | Self::OwnOrm)
    }

    /// Whether whole pictures are judged once they are finished, and not before.
    #[must_use]
    pub const fn judges_at_the_end(self) -> bool {
        matches!(self, Self::BestOfK | Self::Orm | Self::OwnOrm)
    }

    /// Whether a whole picture that is no longer promising is given up on its way.
    #[must_use]
    pub const fn gives_paths_up(self) -> bool {
        matches!(self, Self::ParmPaths)
    }

    /// Whether one of k candidates is picked at every step.
    #[must_use]
    pub const fn is_stepwise(self) -> bool {
        matches!(self, Self::Prm | Self::Parm | Self::Own)
    }

    /// Whether the generator is asked instead of a network of the verifier's own.
    #[must_use]
    pub const fn asks_itself(self) -> bool {
        matches!(self, Self::OwnOrm | Self::Own)
    }

    /// Whether a step is judged only once enough of it is known, where nobody has learnt to say that it is clear.
    #[must_use]
    pub const fn waits_for_clarity(self) -> bool {
        matches!(self, Self::ParmPaths | Self::Own)
    }

    /// Whether its score of a picture is a probability, as a reward network's is.
    #[must_use]
    pub const fn gives_odds(self) -> bool {
        matches!(self, Self::Orm | Self::Prm | Self::Parm | Self::ParmPaths | Self::OwnOrm | Self::Own)
    }
}

impl std::fmt::Display for VerifierMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

impl std::str::FromStr for VerifierMode {
    type Err = String;

    /// A mode by its word; `clip`, as the judge is called, is the one mode that CLIP judges in.
    fn from_str(word: &str) -> Result<Self, String> {
        let asked = if word == Judge::Clip.word() { Self::BestOfK.word() } else { word };
        Self::ALL.into_iter().find(|mode| mode.word() == asked).ok_or_else(|| {
            format!("no verifier is called \"{word}\"; there are {}", Self::ALL.map(Self::word).join(", "))
        })
    }
}

/// Which weights of the generator draw; all but the base are rows of docs/method.md, "Preferences".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tuning {
    /// Trained on pictures and their prompts, and on nothing else.
    #[default]
    Base,
    /// Aligned with preferences among the base model's pictures, ranked by the checker: initial DPO.
    Dpo,
    /// The same without a reference model.
    DpoFree,
    /// Aligned once more, with preferences among the aligned model's pictures: iterative DPO.
    DpoIterated,
    /// Iterative DPO with PARM's ranking and PARM's word in the loss.
    DpoParm,
}

impl Tuning {
    /// All, the base first.
    pub const ALL: [Self; 5] = [Self::Base, Self::Dpo, Self::DpoFree, Self::DpoIterated, Self::DpoParm];

    /// As it is written in settings, traces and commands.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Dpo => "dpo",
            Self::DpoFree => "dpo-free",
            Self::DpoIterated => "dpo-iterated",
            Self::DpoParm => "dpo-parm",
        }
    }
}

impl std::fmt::Display for Tuning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

impl std::str::FromStr for Tuning {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|tuning| tuning.word() == word).ok_or_else(|| {
            format!("no weights are called \"{word}\"; there are {}", Self::ALL.map(Self::word).join(", "))
        })
    }
}

/// When a round of reflection is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AcceptRule {
    /// Always, as the paper describes.
    Every,
    /// Only where the verifier's score of the whole picture does not fall.
    IfNotWorse,
    /// As [`AcceptRule::IfNotWorse`], and rounds are drawn only while a reward network gives the picture less than even
    /// odds.
    IfDoubted,
}

/// Options of the reflection loop (PARM++).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReflectionSettings {
    /// τ: patches below this score are redrawn.
    pub threshold: f32,
    /// ε: stop when the picture changes by less than this.
    pub epsilon: f32,
    /// R: at most this many rounds.
    pub rounds: u32,
    /// M: patches a side, at most the token grid's.
    pub patch_grid: u32,
    /// When a round is kept.
    pub accept: AcceptRule,
}

impl std::str::FromStr for AcceptRule {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "every" => Ok(Self::Every),
            "if-not-worse" => Ok(Self::IfNotWorse),
            "if-doubted" => Ok(Self::IfDoubted),
            _ => Err(format!("no rule is called \"{word}\"; there are every, if-not-worse and if-doubted")),
        }
    }
}

impl ReflectionSettings {
    /// Where nobody says otherwise. Measured on the CLIP of the shapes: patches of good pictures score 1.2 to 1.4, and the lowest
    /// patch of a rejected one 1.0 in the median.
    pub const DEFAULT: Self =
        Self { threshold: 1.1, epsilon: 0.01, rounds: 3, patch_grid: 4, accept: AcceptRule::IfNotWorse };
}

impl Default for ReflectionSettings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How a bundle's models are best drawn with, as its manifest says: what its figures were measured with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recommended {
    /// T.
    pub steps: u32,
    /// g.
    pub guidance_scale: f32,
    /// Temperature of the re-masking noise.
    pub temperature: f32,
    /// k.
    pub candidates: u32,
    /// How candidates are judged; one draw where the bundle cannot.
    pub verifier: VerifierMode,
}

impl Recommended {
    /// For a bundle that recommends nothing.
    pub const DEFAULT: Self =
        Self { steps: 18, guidance_scale: 2.0, temperature: 1.0, candidates: 4, verifier: VerifierMode::Parm };

    /// Settings of a picture drawn so.
    #[must_use]
    pub fn settings(self, prompt: &str, seed: u64) -> Settings {
        let Self { steps, guidance_scale, temperature, candidates, verifier } = self;
        let prompt = prompt.to_owned();
        Settings { prompt, seed, steps, guidance_scale, temperature, candidates, verifier, ..Settings::default() }
    }
}

/// Everything that decides a picture: the same settings give the same picture again on the same device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What to draw.
    pub prompt: String,
    /// Whether `<|soi|>`, `[PAD]` and the like in the prompt are the model's own tokens, instead of text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub control_tokens: bool,
    /// Whose weights draw.
    #[serde(default)]
    pub generator: Tuning,
    /// Seed of all randomness, at most 2^53 − 1 so that JavaScript holds it exactly.
    pub seed: u64,
    /// T.
    pub steps: u32,
    /// g in `(1+g)·cond − g·uncond`.
    pub guidance_scale: f32,
    /// Temperature of the re-masking noise.
    pub temperature: f32,
    /// k: candidates of a step, or whole pictures.
    pub candidates: u32,
    /// How candidates are judged.
    pub verifier: VerifierMode,
    /// PARM++; off when absent.
    pub reflection: Option<ReflectionSettings>,
    /// Whether every candidate is decoded for show.
    pub previews: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let Recommended { steps, guidance_scale, temperature, candidates, verifier } = Recommended::DEFAULT;
        Self {
            prompt: String::new(),
            control_tokens: false,
            generator: Tuning::Base,
            seed: 0,
            steps,
            guidance_scale,
            temperature,
            candidates,
            verifier,
            reflection: None,
            previews: true,
        }
    }
}

/// A setting outside its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{name} is {value}, but must be from {lowest} to {highest}")]
pub struct SettingsError {
    /// The setting's name.
    pub name: &'static str,
    /// What was given.
    pub value: f64,
    /// The lowest allowed value.
    pub lowest: f64,
    /// The highest allowed value.
    pub highest: f64,
}

impl Settings {
    /// Checks every range against a model whose token grid has `grid` positions a side.
    ///
    /// # Errors
    /// The first setting outside its range, by name.
    pub fn validate(&self, grid: u32) -> Result<(), SettingsError> {
        let in_range = |id: &str, value: f64| {
            let field = Field::of(id);
            let highest = if id == "patch-grid" { f64::from(grid) } else { field.highest };
            // Written so that NaN fails too.
            if value >= field.lowest && value <= highest {
                Ok(())
            } else {
                Err(SettingsError { name: field.name, value, lowest: field.lowest, highest })
            }
        };
        in_range("seed", self.seed as f64)?;
        in_range("steps", self.steps.into())?;
        in_range("guidance", self.guidance_scale.into())?;
        in_range("temperature", self.temperature.into())?;
        in_range("candidates", self.candidates.into())?;
        if let Some(reflection) = &self.reflection {
            in_range("tau", reflection.threshold.into())?;
            in_range("epsilon", reflection.epsilon.into())?;
            in_range("rounds", reflection.rounds.into())?;
            in_range("patch-grid", reflection.patch_grid.into())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages, links and recordings of before do not know of them.
    #[test]
    fn control_tokens_are_said_only_where_they_are_asked_for() -> serde_json::Result<()> {
        let text = serde_json::to_value(Settings::default())?;
        assert!(text.get("control_tokens").is_none());
        assert!(!serde_json::from_value::<Settings>(text)?.control_tokens);
        let asked = Settings { control_tokens: true, ..Settings::default() };
        assert_eq!(serde_json::from_value::<Settings>(serde_json::to_value(&asked)?)?, asked);
        Ok(())
    }
}

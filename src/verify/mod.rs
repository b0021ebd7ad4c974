//! Who judges the candidates: one trait, the modes of docs/method.md, "Verifiers", behind it.
//!
//! | mode | network | looks at | when |
//! |---|---|---|---|
//! | `best-of-k` | CLIP | the finished picture | at the end |
//! | `orm` | reward, label "outcome" | the finished codes | at the end |
//! | `prm` | reward, label "preview" | the whole draw, as the preview shows it | every step |
//! | `parm` | reward, label "potential" | the state after re-masking | every step |
//! | `parm-paths` | the same | the one state of every step of k paths | every step, once it is clear |
//! | `self-orm` | the generator itself | the finished codes | at the end |
//! | `self` | the same | the whole draw | every step, once it is clear |
//!
//! `none` is the absence of a verifier. Scores stay on the device until the session reads them.
//!
//! | file | its one idea |
//! |---|---|
//! | `mod.rs` | [`Verifier`], the verifier of a mode, and which score wins |
//! | `candidates.rs` | what a verifier is shown |
//! | `reward.rs` | PARM, PRM and ORM as verifiers |
//! | `own.rs` | the generator as the judge of its own pictures |
//! | `clip.rs` | CLIPScore of pictures and patches |
//! | `resample.rs`, `bicubic.rs` | patches at CLIP's size: at that of our own, at that of a public one |
//! | [`paths`] | which states are clear enough to be judged, and which path goes on |

mod bicubic;
mod candidates;
mod clip;
mod own;
pub mod paths;
mod resample;
mod reward;

use burn::tensor::Tensor;

pub use bicubic::bicubic;
pub use candidates::Candidates;
pub use clip::ClipVerifier;
pub use own::OwnVerifier;
pub use resample::resample;
pub use reward::{RewardVerifier, Sees};

use crate::bundle::ModelKind;
use crate::config::RewardLabel;
use crate::load::Models;
use crate::prompt::{PromptError, QuestionError};
use crate::settings::{Judge, VerifierMode};

/// When a verifier looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At the k candidates of every step.
    EveryStep,
    /// At whole pictures.
    Finished,
}

/// A prompt as verifiers read it.
#[derive(Debug, Clone, Copy)]
pub struct Wording<'a> {
    /// What is drawn, in words: for a network with a tokenizer of its own.
    pub text: &'a str,
    /// The generator's ids of it, without special tokens: for all the others.
    pub ids: &'a [u32],
}

/// Judges candidates for the prompt that it was made for.
pub trait Verifier {
    /// When it wants to be asked.
    fn when(&self) -> When;

    /// One score a candidate, `[candidates]`, higher is better: 0…1 from a reward network or the generator, 0…2.5 from CLIPScore.
    fn score(&self, look: &Candidates<'_>) -> Tensor<1>;

    /// The chance that the states of this step can be judged yet, `[1]`; nothing where the verifier has not learnt to say.
    fn clarity(&self, _: &Candidates<'_>) -> Option<Tensor<1>> {
        None
    }
}

/// The bundle lacks what a mode judges with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the verifier {mode} {needs}; usable now: {}", list(.available))]
pub struct VerifierMissing {
    /// What was asked for.
    pub mode: VerifierMode,
    /// What is lacking.
    pub needs: Needs,
    /// What can be used.
    pub available: Vec<VerifierMode>,
}

/// What a mode judges with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Needs {
    /// A kind of model in the bundle.
    #[error("needs the model \"{0}\", which is not in this bundle or has not arrived yet")]
    Model(ModelKind),
    /// A generator that can be asked about this prompt.
    #[error("asks the generator itself, which cannot be asked: {0}")]
    Answers(QuestionError),
    /// A prompt that the network's own tokenizer reads.
    #[error("reads the prompt by its own tokenizer, which fails: {0}")]
    Words(PromptError),
    /// A bundle that judges with it.
    #[error("is not among what this bundle judges with, which is {}", Judge::list(.0))]
    Judging(Vec<Judge>),
}

fn list(modes: &[VerifierMode]) -> String {
    modes.iter().map(|mode| mode.word()).collect::<Vec<_>>().join(", ")
}

/// The index of the highest score; the lowest index where several are highest. NaN never wins.
#[must_use]
pub fn best(scores: &[f32]) -> usize {
    let mut best = 0;
    for (index, &score) in scores.iter().enumerate() {
        let held = scores.get(best).copied().unwrap_or(f32::NAN);
        if score > held || (held.is_nan() && !score.is_nan()) {
            best = index;
        }
    }
    best
}

/// The verifier of a mode, for one prompt; `None` for the mode `none`.
///
/// # Errors
/// The bundle does not judge so; the model that the mode needs is not there; the generator cannot be asked, or the prompt not be read.
pub fn verifier(
    models: &Models,
    mode: VerifierMode,
    prompt: Wording<'_>,
) -> Result<Option<Box<dyn Verifier>>, VerifierMissing> {
    let missing = |needs| VerifierMissing { mode, needs, available: models.verifiers() };
    if Judge::of(mode).is_some_and(|judge| !models.may_judge(judge)) {
        return Err(missing(Needs::Judging(models.about.judges.clone().unwrap_or_default())));
    }
    let found = match mode {
        VerifierMode::None => None,
        VerifierMode::OwnOrm | VerifierMode::Own => {
            let own = own(models, mode, prompt.ids).map_err(|why| missing(Needs::Answers(why)))?;
            Some(boxed(own))
        }
        VerifierMode::BestOfK => clip(models, prompt).map_err(|why| missing(Needs::Words(why)))?.map(boxed),
        VerifierMode::Orm => reward(models, RewardLabel::Outcome, prompt.ids).map(boxed),
        VerifierMode::Prm => reward(models, RewardLabel::Preview, prompt.ids).map(boxed),
        VerifierMode::Parm | VerifierMode::ParmPaths => reward(models, RewardLabel::Potential, prompt.ids).map(boxed),
    };
    match (found, ModelKind::verifying(mode)) {
        (None, Some(kind)) => Err(missing(Needs::Model(kind))),
        (found, _) => Ok(found),
    }
}

/// Who scores whole pictures in reflection: the generator where the mode asks it, else the mode's own reward network, else whichever reward network there is
/// (the one trained on finished pictures first), else CLIPScore.
#[must_use]
pub fn whole_picture_verifier(models: &Models, mode: VerifierMode, prompt: Wording<'_>) -> Option<Box<dyn Verifier>> {
    if mode.asks_itself()
        && let Ok(verifier) = own(models, mode, prompt.ids)
    {
        return Some(boxed(verifier));
    }
    let own = match mode {
        VerifierMode::Prm => Some(RewardLabel::Preview),
        VerifierMode::Parm | VerifierMode::ParmPaths => Some(RewardLabel::Potential),
        _ => None,
    };
    let labels = own.into_iter().chain([RewardLabel::Outcome, RewardLabel::Potential, RewardLabel::Preview]);
    labels
        .filter_map(|label| reward(models, label, prompt.ids))
        .map(boxed)
        .next()
        // What the prompt is to CLIP was read before, for the patches.
        .or_else(|| clip(models, prompt).ok().flatten().map(boxed))
}

/// CLIP bound to a prompt, where the bundle has it and judges with it.
///
/// # Errors
/// CLIP's own tokenizer cannot read the prompt.
pub fn clip(models: &Models, prompt: Wording<'_>) -> Result<Option<ClipVerifier>, PromptError> {
    let Some(clip) = models.clip.as_ref().filter(|_| models.may_judge(Judge::Clip)) else { return Ok(None) };
    ClipVerifier::new(clip.clone(), &models.generator.config, prompt, models.device()).map(Some)
}

fn own(models: &Models, mode: VerifierMode, prompt_ids: &[u32]) -> Result<OwnVerifier, QuestionError> {
    let when = if mode.is_stepwise() { When::EveryStep } else { When::Finished };
    OwnVerifier::new(models, when, prompt_ids)
}

fn reward(models: &Models, label: RewardLabel, prompt_ids: &[u32]) -> Option<RewardVerifier> {
    let judge = match label {
        RewardLabel::Potential => Judge::Parm,
        RewardLabel::Preview => Judge::Prm,
        RewardLabel::Outcome => Judge::Orm,
    };
    let network = models.rewards.get(&label).filter(|_| models.may_judge(judge))?;
    Some(RewardVerifier::new(network.clone(), label, prompt_ids))
}

fn boxed<V: Verifier + 'static>(verifier: V) -> Box<dyn Verifier> {
    Box::new(verifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_score_wins_and_ties_go_to_the_first() {
        assert_eq!(best(&[0.1, 0.7, 0.3]), 1);
        assert_eq!(best(&[0.5, 0.5, 0.5]), 0);
        assert_eq!(best(&[f32::NAN, 0.1, f32::NAN]), 1);
        assert_eq!(best(&[f32::NAN; 2]), 0);
        assert_eq!(best(&[]), 0);
    }
}

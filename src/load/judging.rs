//! Which modes can be used: with the networks that have arrived, and with what the bundle says that it judges with.

use super::error::LoadError;
use super::models::Models;
use crate::bundle::{Bundle, LoadProgress, ModelKind, Reader};
use crate::config::RewardConfig;
use crate::settings::{Judge, Recommended, VerifierMode};

impl Models {
    /// Loads everything that the bundle judges with, besides its generator.
    ///
    /// # Errors
    /// As [`Models::fetch`]; what was loaded before stays.
    pub async fn load_verifiers<R: Reader>(
        &mut self,
        bundle: &Bundle<R>,
        on_progress: &mut dyn FnMut(LoadProgress<'_>),
    ) -> Result<(), LoadError> {
        for kind in bundle.manifest().judging_kinds() {
            let network = self.read_network(bundle, kind, &mut *on_progress).await?;
            self.add(network)?;
        }
        Ok(())
    }

    /// The modes that a bundle judges in, also with networks that are yet to be loaded.
    #[must_use]
    pub fn offered<R: Reader>(&self, bundle: &Bundle<R>) -> Vec<VerifierMode> {
        VerifierMode::ALL.into_iter().filter(|&mode| self.judges(mode, |kind| brings(bundle, kind))).collect()
    }

    /// The modes that can be used with what has arrived.
    #[must_use]
    pub fn verifiers(&self) -> Vec<VerifierMode> {
        VerifierMode::ALL.into_iter().filter(|&mode| self.judges(mode, |kind| self.has(kind))).collect()
    }

    /// Whether the bundle judges with this one, as far as it says; whether that one is there is another question.
    #[must_use]
    pub fn may_judge(&self, judge: Judge) -> bool {
        self.about.judges.as_ref().is_none_or(|judges| judges.contains(&judge))
    }

    /// Whether a mode can be used with networks of the kinds that are `there`.
    fn judges(&self, mode: VerifierMode, there: impl Fn(ModelKind) -> bool) -> bool {
        Judge::of(mode).is_none_or(|judge| self.may_judge(judge))
            && ModelKind::verifying(mode).is_none_or(there)
            && (!mode.asks_itself() || self.self_question(&[]).is_ok())
    }

    /// How the bundle recommends to draw, as far as it can: without its verifier, one draw that nobody judges.
    #[must_use]
    pub fn recommended(&self) -> Recommended {
        let decoding = self.about.decoding;
        let usable = self.judges(decoding.verifier, |kind| self.has(kind));
        Recommended { verifier: if usable { decoding.verifier } else { VerifierMode::None }, ..decoding }
    }
}

/// Whether a bundle has a network that judges as one of this kind does: a reward network may answer for several.
#[must_use]
pub fn brings<R: Reader>(bundle: &Bundle<R>, kind: ModelKind) -> bool {
    let ModelKind::Reward(label) = kind else { return bundle.has(kind) };
    let rewards = ModelKind::verifiers().filter(|&kind| matches!(kind, ModelKind::Reward(_)) && bundle.has(kind));
    rewards.filter_map(|kind| bundle.config::<RewardConfig>(kind).ok()).any(|config| config.labels().contains(&label))
}

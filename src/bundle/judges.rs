//! What a bundle judges with: as its manifest says, or with everything that it can.

use super::{BundleError, Manifest, ModelKind};
use crate::config::{RewardConfig, RewardLabel};
use crate::settings::Judge;

impl Manifest {
    /// Whether the bundle says that it judges with this one, or says nothing of that.
    #[must_use]
    pub fn may_judge(&self, judge: Judge) -> bool {
        self.judges.as_ref().is_none_or(|judges| judges.contains(&judge))
    }

    /// The models that the bundle judges with besides its generator, in the order in which they are loaded.
    pub fn judging_kinds(&self) -> impl Iterator<Item = ModelKind> {
        ModelKind::verifiers().filter(|&kind| {
            self.models.contains_key(&kind)
                && Judge::ALL.into_iter().any(|judge| self.may_judge(judge) && self.answers(kind, judge))
        })
    }

    /// Whether a model of the bundle can be asked what a judge is asked; one reward network may answer every question.
    fn answers(&self, kind: ModelKind, judge: Judge) -> bool {
        match (kind, ModelKind::judging(judge)) {
            (ModelKind::Reward(label), ModelKind::Reward(asked)) => self.labels(label).contains(&asked),
            (kind, asked) => kind == asked,
        }
    }

    /// What the reward network of a label can be asked. A configuration that cannot be read is refused when the network is loaded.
    fn labels(&self, label: RewardLabel) -> Vec<RewardLabel> {
        let model = self.models.get(&ModelKind::Reward(label));
        let config = model.and_then(|model| serde_json::from_value::<RewardConfig>(model.config.clone()).ok());
        config.map_or_else(|| vec![label], |config| config.labels())
    }
}

/// The judges must be there, each named once.
pub(super) fn check(manifest: &Manifest) -> Result<(), BundleError> {
    let Some(judges) = &manifest.judges else { return Ok(()) };
    if judges.is_empty() {
        return Err(BundleError::manifest(
            "judges",
            "names nobody; leave it out where the bundle judges with all it can",
        ));
    }
    for (at, &judge) in judges.iter().enumerate() {
        let refused = |problem: String| Err(BundleError::manifest(format!("judges[{at}]"), problem));
        if judges[..at].contains(&judge) {
            return refused(format!("\"{judge}\" is named twice"));
        }
        if !manifest.models.keys().any(|&kind| manifest.answers(kind, judge)) {
            return refused(format!(
                "\"{judge}\" needs the model \"{}\", which the bundle does not hold",
                ModelKind::judging(judge)
            ));
        }
    }
    match manifest.decoding.and_then(|decoding| Judge::of(decoding.verifier)).filter(|judge| !judges.contains(judge)) {
        Some(judge) => {
            let problem = format!("\"{judge}\" is not among the judges, which are {}", Judge::list(judges));
            Err(BundleError::manifest("decoding.verifier", problem))
        }
        None => Ok(()),
    }
}

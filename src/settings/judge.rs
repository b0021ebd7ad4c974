//! Who judges: what `quantize convert --judge` records, and which modes each of them serves.

use serde::{Deserialize, Serialize};

use super::VerifierMode;

/// Somebody who can judge pictures: a network of a bundle, or its generator itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Judge {
    /// The generator, asked about its own pictures.
    #[serde(rename = "self")]
    Own,
    /// CLIP: whole pictures, and the patches that reflection looks at.
    Clip,
    /// The reward network trained on finished pictures.
    Orm,
    /// The reward network trained on previews.
    Prm,
    /// The reward network trained on potential.
    Parm,
}

impl Judge {
    /// Every judge.
    pub const ALL: [Self; 5] = [Self::Own, Self::Clip, Self::Orm, Self::Prm, Self::Parm];

    /// As manifests and commands write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Own => "self",
            Self::Clip => "clip",
            Self::Orm => "orm",
            Self::Prm => "prm",
            Self::Parm => "parm",
        }
    }

    /// Who judges in a mode; nobody in `none`.
    #[must_use]
    pub const fn of(mode: VerifierMode) -> Option<Self> {
        match mode {
            VerifierMode::None => None,
            VerifierMode::BestOfK => Some(Self::Clip),
            VerifierMode::Orm => Some(Self::Orm),
            VerifierMode::Prm => Some(Self::Prm),
            VerifierMode::Parm | VerifierMode::ParmPaths => Some(Self::Parm),
            VerifierMode::OwnOrm | VerifierMode::Own => Some(Self::Own),
        }
    }

    /// Judges as they are listed: `self, clip`.
    #[must_use]
    pub fn list(judges: &[Self]) -> String {
        judges.iter().map(|judge| judge.word()).collect::<Vec<_>>().join(", ")
    }
}

impl std::fmt::Display for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

impl std::str::FromStr for Judge {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|judge| judge.word() == word)
            .ok_or_else(|| format!("no judge is called \"{word}\"; there are {}", Self::list(&Self::ALL)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_judge_is_found_by_its_word_and_serves_a_mode() {
        for judge in Judge::ALL {
            assert_eq!(judge.word().parse(), Ok(judge));
            assert_eq!(serde_json::to_string(&judge).ok(), Some(format!("\"{judge}\"")));
            assert!(VerifierMode::ALL.into_iter().any(|mode| Judge::of(mode) == Some(judge)), "{judge}");
        }
        assert!("oracle".parse::<Judge>().is_err_and(|why| why.contains("self, clip, orm, prm, parm")));
    }
}

//! The kinds of model that a bundle can hold.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::RewardLabel;
use crate::settings::{Judge, Tuning, VerifierMode};

/// What a model of a bundle is, and what it was trained for.
///
/// Ordered as its word is, so that a manifest lists its models by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelKind {
    /// The generator, with one of its sets of weights.
    Showo(Tuning),
    /// The image tokenizer, MAGVIT-v2.
    Magvit,
    /// The preview decoder.
    Preview,
    /// CLIP.
    Clip,
    /// A reward network, by its label.
    Reward(RewardLabel),
}

impl ModelKind {
    /// The generator with its base weights.
    pub const SHOWO: Self = Self::Showo(Tuning::Base);

    /// Every kind, in the order in which they are loaded: what draws comes first, then what verifies, the default mode's first.
    pub const ALL: [Self; 11] = [
        Self::SHOWO,
        Self::Magvit,
        Self::Preview,
        Self::Reward(RewardLabel::Potential),
        Self::Clip,
        Self::Reward(RewardLabel::Preview),
        Self::Reward(RewardLabel::Outcome),
        Self::Showo(Tuning::Dpo),
        Self::Showo(Tuning::DpoFree),
        Self::Showo(Tuning::DpoIterated),
        Self::Showo(Tuning::DpoParm),
    ];

    /// As a manifest writes it: the network, and behind a colon what it was trained for.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Showo(Tuning::Base) => "showo",
            Self::Showo(Tuning::Dpo) => "showo:dpo",
            Self::Showo(Tuning::DpoFree) => "showo:dpo-free",
            Self::Showo(Tuning::DpoIterated) => "showo:dpo-iterated",
            Self::Showo(Tuning::DpoParm) => "showo:dpo-parm",
            Self::Magvit => "magvit",
            Self::Preview => "preview",
            Self::Clip => "clip",
            Self::Reward(RewardLabel::Potential) => "reward:parm",
            Self::Reward(RewardLabel::Preview) => "reward:prm",
            Self::Reward(RewardLabel::Outcome) => "reward:orm",
        }
    }

    /// The network that a mode brings to score with; nothing where nothing is scored, or the generator asks itself.
    #[must_use]
    pub const fn verifying(mode: VerifierMode) -> Option<Self> {
        match Judge::of(mode) {
            None | Some(Judge::Own) => None,
            Some(judge) => Some(Self::judging(judge)),
        }
    }

    /// The model that a judge is.
    #[must_use]
    pub const fn judging(judge: Judge) -> Self {
        match judge {
            Judge::Own => Self::SHOWO,
            Judge::Clip => Self::Clip,
            Judge::Orm => Self::Reward(RewardLabel::Outcome),
            Judge::Prm => Self::Reward(RewardLabel::Preview),
            Judge::Parm => Self::Reward(RewardLabel::Potential),
        }
    }

    /// Those that verify, in the order in which they are loaded.
    pub fn verifiers() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| matches!(kind, Self::Clip | Self::Reward(_)))
    }
}

impl Ord for ModelKind {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.word().cmp(other.word())
    }
}

impl PartialOrd for ModelKind {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for ModelKind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.word() == word).ok_or_else(|| {
            let known = Self::ALL.map(Self::word).join(", ");
            format!("the kind {word:?} is unknown; the kinds are {known}")
        })
    }
}

impl Serialize for ModelKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for ModelKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_word_and_in_the_order_of_words() {
        for kind in ModelKind::ALL {
            assert_eq!(kind.word().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).ok(), Some(format!("\"{kind}\"")));
        }
        let mut kinds = ModelKind::ALL;
        kinds.sort();
        assert!(kinds.map(ModelKind::word).is_sorted());
        assert!("showo:other".parse::<ModelKind>().is_err_and(|why| why.contains("reward:orm")));
    }
}

//! What a prompt was understood as.

use serde::{Deserialize, Serialize};

use super::super::spec::Spec;

/// What a prompt was understood as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// What it asks for.
    pub spec: Spec,
    /// The words that were taken for others, in their order, once each.
    pub taken: Vec<Taken>,
}

/// A word that was taken for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The word, in lower case.
    pub said: String,
    /// What it was taken for.
    pub meant: String,
}

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "“{}” is read as “{}”", self.said, self.meant)
    }
}

impl Reading {
    /// What was taken for what, as a sentence without a full stop: `“sofa” is read as “couch”, “tv” …`. Empty where
    /// nothing was.
    #[must_use]
    pub fn remark(&self) -> String {
        self.taken.iter().map(Taken::to_string).collect::<Vec<_>>().join(", ")
    }
}

//! One way to tie an enum to the words it is written with.

use thiserror::Error;

/// A word that names no member of an enum.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{word:?} is not a {kind}; known: {known}")]
pub struct WordError {
    /// What was read.
    pub word: String,
    /// What it should have named, for example `shape`.
    pub kind: &'static str,
    /// The words that would have been understood, separated by commas.
    pub known: String,
}

/// Gives an enum `ALL`, `word()`, `Display` and `FromStr` from one table, so that the four cannot disagree.
macro_rules! worded {
    ($name:ident, $kind:literal, { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $name {
            /// Every member, in a fixed order that seeds and tokenizers may rely on.
            pub const ALL: [$name; [$($word),+].len()] = [$($name::$variant),+];

            /// The word or words it is written with.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::words::WordError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.into_iter().find(|member| member.word() == text).ok_or_else(|| $crate::words::WordError {
                    word: text.to_owned(),
                    kind: $kind,
                    known: Self::ALL.map(Self::word).join(", "),
                })
            }
        }
    };
}
pub(crate) use worded;

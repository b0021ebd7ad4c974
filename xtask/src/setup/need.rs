//! One tool that is needed.

use anyhow::Result;

use crate::places::Places;

/// A tool: how to find it and how to get it.
pub struct Need {
    /// What it is called.
    pub name: &'static str,
    /// What goes without it.
    pub why: String,
    /// Whether everything still works without it, only less of it.
    pub optional: bool,
    /// What was found, in a few words; `None` when it is missing.
    pub find: Box<dyn Fn(&Places) -> Option<String>>,
    /// How to get it.
    pub fix: Fix,
}

/// How a missing tool is got.
pub enum Fix {
    /// By us.
    Install {
        /// The command, as one would type it.
        line: String,
        /// Runs it.
        run: Box<dyn Fn(&Places) -> Result<()>>,
    },
    /// By the user: this is what to do.
    Tell(String),
}

impl Fix {
    /// The command, as one would type it.
    pub fn line(&self) -> &str {
        match self {
            Self::Install { line, .. } | Self::Tell(line) => line,
        }
    }
}

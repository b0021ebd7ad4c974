//! One tool that is needed.

use anyhow::Result;

use crate::places::Places;

/// Looks for a tool and says in a few words what it found; `None` when it is missing.
pub type Find = Box<dyn Fn(&Places) -> Option<String>>;
/// Installs a tool.
pub type Install = Box<dyn Fn(&Places) -> Result<()>>;

/// A tool: how to find it and how to get it.
pub struct Need {
    /// What it is called.
    pub name: &'static str,
    /// What goes without it.
    pub why: String,
    /// Whether everything still works without it, only less of it.
    pub optional: bool,
    /// How to find it.
    pub find: Find,
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
        run: Install,
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

//! Where things lie: the checkout, and one folder under the user's cache for everything that is not source.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folders that every task works with.
pub struct Places {
    /// The repository's root.
    pub root: PathBuf,
    /// Ours alone under the user's cache, shared by all checkouts: `~/.cache/showo-parm`.
    pub cache: PathBuf,
    /// Cargo's target folder for everything but xtask itself: outside the checkout, so that a fresh clone builds warm.
    pub target: PathBuf,
}

impl Places {
    /// Reads the environment: `CARGO_TARGET_DIR` wins over the cache's `target`, `XDG_CACHE_HOME` over `~/.cache`.
    ///
    /// # Errors
    /// When neither `XDG_CACHE_HOME` nor `HOME` says where the user's cache is.
    pub fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies outside the repository")?;
        let cache = match absolute_variable("XDG_CACHE_HOME") {
            Some(folder) => folder,
            None => absolute_variable("HOME")
                .context("neither HOME nor XDG_CACHE_HOME is set; set one of them")?
                .join(".cache"),
        }
        .join("showo-parm");
        // A relative CARGO_TARGET_DIR is relative to where cargo was called; xtask's children run in the root.
        let target = match env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty()) {
            Some(folder) => {
                env::current_dir().context("the current folder is gone; change to one that exists")?.join(folder)
            }
            None => cache.join("target"),
        };
        Ok(Self { root: root.to_path_buf(), cache, target })
    }

    /// Where private tools are installed: `bin/` by `cargo install --root`, `npm-…/` by `npm ci`.
    pub fn tools(&self) -> PathBuf {
        self.cache.join("tools")
    }

    /// The built page.
    pub fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }

    /// The drawings of the world of things, and what they are made of.
    pub fn atlas(&self) -> PathBuf {
        self.root.join("scenes/atlas")
    }

    /// The page's sources.
    pub fn www(&self) -> PathBuf {
        self.root.join("www")
    }
}

fn absolute_variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

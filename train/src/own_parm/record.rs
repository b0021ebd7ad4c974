//! What all pictures of a gallery were drawn with, so that nothing else is mixed in.

use std::path::Path;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use showo::bundle::Bundle;

/// What all pictures of a gallery were drawn with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The bundle's name and the hash of its manifest.
    pub bundle: String,
    /// Whose weights of it.
    pub generator: String,
    /// T.
    pub steps: usize,
    /// g.
    pub guidance_scale: f32,
    /// Temperature of the re-masking noise before the first step.
    pub temperature: f32,
    /// The seed of every prompt's first picture; the next has the next.
    pub seed: u64,
}

/// What tells bundles apart: the name, and the hash of the manifest, which holds every file's.
#[must_use]
pub fn name_of<R: showo::bundle::Reader>(bundle: &Bundle<R>) -> String {
    format!("{} {}", bundle.manifest().name, bundle.sha256())
}

impl Record {
    /// Compares what a folder was begun with (this) with what is asked for now.
    ///
    /// # Errors
    /// The first that differs, by its name.
    pub fn expect(&self, now: &Self, folder: &Path) -> Result<()> {
        let (was, is) = (serde_json::to_value(self)?, serde_json::to_value(now)?);
        for (name, was) in was.as_object().into_iter().flatten() {
            let is = &is[name];
            ensure!(
                was == is,
                "the pictures in {} were begun with {name} {was}, but now it is {is}; go on with what they were begun with, or \
                 give another --out",
                folder.display()
            );
        }
        Ok(())
    }
}

//! Which engine was built last in this checkout: the cache holds those of all checkouts.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::places::Places;

/// The engine that was built last.
pub struct Last {
    /// Its folder, with `showo.js` and `showo_bg.wasm`.
    pub folder: PathBuf,
    /// When that build began: what was written later may be no part of it.
    pub began: SystemTime,
}

/// The engine that was built last in this checkout, if it is still there.
pub fn last_engine(places: &Places) -> Option<Last> {
    let note = note(places);
    let folder = PathBuf::from(fs::read_to_string(&note).ok()?);
    let began = note.metadata().and_then(|data| data.modified()).ok()?;
    folder.is_dir().then_some(Last { folder, began })
}

/// Makes `folder`, whose build began at `began`, the one that [`last_engine`] answers.
///
/// # Errors
/// When the cache cannot be written.
pub fn remember(places: &Places, folder: &Path, began: SystemTime) -> Result<()> {
    let note = note(places);
    let write = || {
        fs::create_dir_all(places.cache.join("last"))?;
        let mut file = File::create(&note)?;
        file.write_all(folder.to_string_lossy().as_bytes())?;
        // Its date says when the build began.
        file.set_modified(began)
    };
    write().with_context(|| format!("cannot write {}", note.display()))
}

/// One note a checkout, named by its path's hash.
fn note(places: &Places) -> PathBuf {
    // The same note whichever link led here.
    let root = places.root.canonicalize().unwrap_or_else(|_| places.root.clone());
    let hash = Sha256::digest(root.to_string_lossy().as_bytes());
    let name: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    places.cache.join("last").join(name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_checkout_has_its_own() -> Result<()> {
        let place = tempfile::tempdir()?;
        let places = |root: &str| Places { root: root.into(), cache: place.path().into(), target: PathBuf::new() };
        let engine = place.path().join("wasm");
        fs::create_dir(&engine)?;
        assert!(last_engine(&places("/a")).is_none());
        let began = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        remember(&places("/a"), &engine, began)?;
        let last = last_engine(&places("/a")).expect("it is there");
        assert_eq!(last.folder, engine);
        assert_eq!(last.began, began);
        assert!(last_engine(&places("/b")).is_none());
        fs::remove_dir(&engine)?;
        assert!(last_engine(&places("/a")).is_none(), "it was cleared away");
        Ok(())
    }
}

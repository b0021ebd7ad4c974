//! What changes on the disk, a batch at a time.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context, Result};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

/// A batch ends when nothing has changed for so long: an editor writes a file in several steps, git writes many files.
const QUIET: Duration = Duration::from_millis(100);

/// Folders that are being watched.
pub struct Files {
    folders: Vec<PathBuf>,
    events: Receiver<notify::Result<Event>>,
    // Watching ends with it.
    _watcher: RecommendedWatcher,
}

impl Files {
    /// Watches these folders, and what lies deeper where it says so.
    ///
    /// # Errors
    /// Names the folder that cannot be watched.
    pub fn watch(folders: &[(PathBuf, bool)]) -> Result<Self> {
        let (sender, events) = channel();
        let mut watcher = notify::recommended_watcher(sender).context("cannot watch files on this system")?;
        for (folder, deep) in folders {
            let mode = if *deep { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            watcher.watch(folder, mode).with_context(|| format!("cannot watch {}", folder.display()))?;
        }
        Ok(Self { folders: folders.iter().map(|(folder, _)| folder.clone()).collect(), events, _watcher: watcher })
    }

    /// Waits for a change, and for what changes with it; each path once.
    ///
    /// # Errors
    /// When the system's watching has ended.
    pub fn next(&self) -> Result<BTreeSet<PathBuf>> {
        let mut changed = BTreeSet::new();
        while changed.is_empty() {
            self.add(self.events.recv().context("files are watched no more; start again")?, &mut changed);
        }
        while let Ok(event) = self.events.recv_timeout(QUIET) {
            self.add(event, &mut changed);
        }
        Ok(changed)
    }

    fn add(&self, event: notify::Result<Event>, changed: &mut BTreeSet<PathBuf>) {
        match event {
            // Reading is an event, too, and both the server and cargo read what is watched here. (Why there is no
            // ready-made debouncer: the small one hands on paths alone, and every answer would make the page reload.)
            Ok(event) if event.kind.is_access() => {}
            // More has changed than the system could tell: that may be anything.
            Ok(event) if event.need_rescan() => changed.extend(self.folders.iter().cloned()),
            Ok(event) => changed.extend(event.paths),
            Err(error) => eprintln!("error: a change was not seen: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn writing_is_a_change_and_reading_is_none() {
        let place = tempfile::tempdir().unwrap();
        // As the system names it, also where the folder for such things is a link.
        let root = place.path().canonicalize().unwrap();
        let (deep, flat) = (root.join("deep"), root.join("flat"));
        for folder in [deep.join("in"), flat.join("in")] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(deep.join("in/read"), "r").unwrap();
        let files = Files::watch(&[(deep.clone(), true), (flat.clone(), false)]).unwrap();
        fs::read(deep.join("in/read")).unwrap();
        fs::write(flat.join("in/unseen"), "u").unwrap();
        fs::write(deep.join("in/written"), "w").unwrap();
        fs::write(deep.join("in/written"), "w again").unwrap();
        // As many editors save.
        fs::write(flat.join(".new"), "n").unwrap();
        fs::rename(flat.join(".new"), flat.join("Cargo.toml")).unwrap();
        let changed = files.next().unwrap();
        for seen in [deep.join("in/written"), flat.join("Cargo.toml")] {
            assert!(changed.contains(&seen), "{} in {changed:?}", seen.display());
        }
        for unseen in [deep.join("in/read"), flat.join("in/unseen")] {
            assert!(!changed.contains(&unseen), "{} in {changed:?}", unseen.display());
        }
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let error = Files::watch(&[("/nowhere".into(), true)]).err().unwrap();
        assert!(error.to_string().contains("/nowhere"), "{error}");
    }
}

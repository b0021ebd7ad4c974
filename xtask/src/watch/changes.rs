//! What a changed file means.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::build::folder;
use crate::layout;
use crate::places::Places;

/// What the engine in the browser is compiled from.
const ENGINE: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    ".cargo/config.toml",
    "src",
    "rng/Cargo.toml",
    "rng/src",
    "scenes/Cargo.toml",
    "scenes/src",
];

/// What has to be done about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The page is served as it lies: it only has to be loaded again.
    Page,
    /// The engine is compiled from this.
    Engine,
}

impl Change {
    /// What a change of `path` means; `None` where neither page nor engine depends on it.
    pub fn of(places: &Places, path: &Path) -> Option<Self> {
        let inside = path.strip_prefix(&places.root).ok()?;
        if ENGINE.iter().any(|source| inside.starts_with(source)) {
            let ours = inside.starts_with(".cargo") || !is_passing(inside);
            return ours.then_some(Self::Engine);
        }
        let of_page = layout::without_engine(places)
            .iter()
            .any(|source| path.strip_prefix(&source.folder).is_ok_and(|inside| source.gives(inside)));
        (of_page && !is_passing(inside)).then_some(Self::Page)
    }
}

/// What to watch, and whether with all folders in it. Single files are watched by their folder: an editor that saves by
/// renaming puts another file in their place.
pub fn watched(places: &Places) -> Vec<(PathBuf, bool)> {
    let mut watched: Vec<(PathBuf, bool)> =
        [("", false), (".cargo", false), ("src", true), ("rng", true), ("scenes", false), ("scenes/src", true)]
            .map(|(folder, deep)| (places.root.join(folder), deep))
            .into();
    watched.push((places.www(), true));
    watched.push((places.atlas(), false));
    watched
}

/// When a source of the engine was last written.
pub fn newest_of_the_engine(places: &Places) -> Option<SystemTime> {
    let files = ENGINE.iter().flat_map(|source| {
        let source = places.root.join(source);
        if source.is_dir() { folder::files(&source).unwrap_or_default() } else { vec![source] }
    });
    let files = files.filter(|file| Change::of(places, file) == Some(Change::Engine));
    files.filter_map(|file| file.metadata().ok()?.modified().ok()).max()
}

/// Whether it is a file that an editor makes for itself.
fn is_passing(inside: &Path) -> bool {
    inside.iter().any(|part| {
        let part = part.to_string_lossy();
        part.starts_with('.') || part.ends_with('~')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str) -> Option<Change> {
        let places = Places { root: "/r".into(), cache: PathBuf::new(), target: PathBuf::new() };
        Change::of(&places, &Path::new("/r").join(path))
    }

    #[test]
    fn what_is_served_as_it_lies_reloads() {
        for path in [
            "www/index.html",
            "www/app/main.js",
            "www/styles/base.css",
            "www/models/scenes/manifest.json",
            "www/app/tests/x.js",
            "scenes/atlas/atlas.png",
        ] {
            assert_eq!(change(path), Some(Change::Page), "{path}");
        }
    }

    #[test]
    fn what_the_engine_is_compiled_from_rebuilds() {
        for path in [
            "src/lib.rs",
            "src/ops/linear/gpu.wgsl",
            "scenes/src/world.rs",
            "scenes/Cargo.toml",
            "Cargo.toml",
            "Cargo.lock",
            ".cargo/config.toml",
        ] {
            assert_eq!(change(path), Some(Change::Engine), "{path}");
        }
    }

    #[test]
    fn everything_else_is_left_alone() {
        for path in [
            "www/tests/page_model.test.mjs",
            "www/README.md",
            "www/jsconfig.json",
            "www/app/.main.js.swp",
            "www/app/main.js~",
            "scenes/atlas/glyphs.json",
            "scenes/atlas/own/dog.svg",
            "scenes/tests/world.rs",
            "cli/src/main.rs",
            "src/.#lib.rs",
            "train/src/main.rs",
            "xtask/src/main.rs",
            "dist/index.html",
            "README.md",
            ".git/index",
            "Cargo.toml.orig",
        ] {
            assert_eq!(change(path), None, "{path}");
        }
        let places = Places { root: "/r".into(), cache: PathBuf::new(), target: PathBuf::new() };
        assert_eq!(Change::of(&places, Path::new("/elsewhere/src/lib.rs")), None);
    }

    #[test]
    fn everything_that_means_something_is_watched() {
        let places = Places { root: "/r".into(), cache: PathBuf::new(), target: PathBuf::new() };
        let watched = watched(&places);
        let is_watched = |path: &Path| {
            watched
                .iter()
                .any(|(folder, deep)| if *deep { path.starts_with(folder) } else { path.parent() == Some(folder) })
        };
        for source in ENGINE {
            let source = places.root.join(source);
            assert!(is_watched(&source) || is_watched(&source.join("x")), "{}", source.display());
        }
        for source in layout::without_engine(&places) {
            assert!(is_watched(&source.folder.join("x")), "{}", source.folder.display());
        }
    }
}

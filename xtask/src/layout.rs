//! Which folders make up the page, and where each goes in it. `build` copies them together; `demo --watch` serves them as
//! they lie.

use std::path::{Path, PathBuf};

use crate::places::Places;

/// What lies in www/ for its developers, not for its visitors.
const NOT_SERVED: &[&str] = &["tests", "jsconfig.json", "README.md"];
/// And what lies beside the atlas: what it is made of.
const NOT_THE_ATLAS: &[&str] = &["glyphs.json", "npm", "own"];

/// A folder whose contents belong into the page.
#[derive(Clone)]
pub struct Source {
    /// The folder.
    pub folder: PathBuf,
    /// Where its contents go in the page; empty for the top.
    pub under: &'static str,
    /// What stays behind at its top.
    pub without: &'static [&'static str],
}

impl Source {
    /// All of `folder`, at the page's top.
    pub fn whole(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), under: "", without: &[] }
    }

    /// Whether `inside`, a path relative to the folder, is part of the page.
    pub fn gives(&self, inside: &Path) -> bool {
        !inside.iter().next().is_some_and(|first| self.without.iter().any(|other| first == *other))
    }
}

/// Everything but the engine: the page's sources, and the checker's drawings, which the engine fetches once it judges.
pub fn without_engine(places: &Places) -> [Source; 2] {
    [
        Source { folder: places.www(), under: "", without: NOT_SERVED },
        Source { folder: places.atlas(), under: "atlas", without: NOT_THE_ATLAS },
    ]
}

/// The whole page, with the engine in `engine`. Where two hold the same file, the later one's is taken.
pub fn with_engine(places: &Places, engine: &Path) -> [Source; 3] {
    let [page, atlas] = without_engine(places);
    [page, atlas, Source::whole(engine)]
}

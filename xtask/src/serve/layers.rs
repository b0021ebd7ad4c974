//! Folders laid over each other, served as one.

use anyhow::{Context, Result};

use super::resource::{Refusal, Resource, inside};
use crate::layout::Source;

/// Folders laid over each other: of a file that two of them hold, the later one's is served.
#[derive(Clone)]
pub struct Layers(Vec<Source>);

impl Layers {
    /// These folders; files that come into them later are found, too.
    ///
    /// # Errors
    /// Names the folder that is missing.
    pub fn of(sources: impl IntoIterator<Item = Source>) -> Result<Self> {
        let canonical = |source: Source| {
            let folder = source.folder.canonicalize().ok().filter(|folder| folder.is_dir());
            let folder = folder.with_context(|| format!("there is no folder {}", source.folder.display()))?;
            Ok(Source { folder, ..source })
        };
        Ok(Self(sources.into_iter().map(canonical).collect::<Result<_>>()?))
    }

    /// The file that `url` (`/models/scenes/manifest.json?x`) names. A folder is its `index.html`.
    ///
    /// # Errors
    /// When it is not a path inside the page, also by way of a link, or nothing is there.
    pub fn find(&self, url: &str) -> Result<Resource, Refusal> {
        let path = inside(url)?;
        for source in self.0.iter().rev() {
            let Ok(path) = path.strip_prefix(source.under) else { continue };
            if source.gives(path) {
                match Resource::find(&source.folder, path) {
                    Err(Refusal::Missing) => {}
                    found => return found,
                }
            }
        }
        Err(Refusal::Missing)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_later_folder_lies_over_the_earlier() {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = place.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("www/index.html", "page");
        write("www/showo.js", "left over");
        write("www/tests/a.mjs", "for developers");
        write("www/app/tests/a.js", "for visitors");
        write("www/models/manifest.json", "{}");
        write("engine/showo.js", "glue");
        write("art/atlas.png", "pixels");
        write("art/own/dog.svg", "<svg/>");
        let folder = |name: &str| place.path().join(name);
        let layers = Layers::of([
            Source { folder: folder("www"), under: "", without: &["tests"] },
            Source { folder: folder("art"), under: "atlas", without: &["own"] },
            Source::whole(folder("engine")),
        ])
        .unwrap();
        let text = |url| layers.find(url).map(|resource| fs::read_to_string(resource.path).unwrap());
        for (url, content) in [
            ("/", "page"),
            ("/showo.js", "glue"),
            ("/app/tests/a.js", "for visitors"),
            ("/models/manifest.json", "{}"),
            ("/atlas/atlas.png", "pixels"),
        ] {
            assert_eq!(text(url).as_deref(), Ok(content), "{url}");
        }
        for url in ["/tests/a.mjs", "/%74ests/a.mjs", "/atlas/own/dog.svg", "/atlas.png", "/art/atlas.png", "/models"] {
            assert_eq!(text(url), Err(Refusal::Missing), "{url}");
        }
        assert_eq!(text("/atlas/../index.html"), Err(Refusal::BadPath));
        write("www/app/new.js", "new");
        assert_eq!(text("/app/new.js").as_deref(), Ok("new"));
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = Layers::of([Source::whole(Path::new("/nowhere"))]).err().unwrap();
        assert!(error.to_string().contains("/nowhere"), "{error}");
    }
}

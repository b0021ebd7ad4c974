//! Putting a folder together.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Refuses a page without its first file.
///
/// # Errors
/// When `page` has no `index.html`.
pub fn require_page(page: &Path) -> Result<()> {
    if !page.join("index.html").is_file() {
        bail!(
            "{} has no index.html; the page's sources are missing: restore them with `git checkout -- www`",
            page.display()
        );
    }
    Ok(())
}

/// A folder whose contents belong into another.
pub struct Source<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// Where its contents go in the other; empty for the top.
    pub under: &'a str,
    /// What stays behind at its top.
    pub without: &'a [&'a str],
}

impl Source<'_> {
    /// Copies it to its place in `target`.
    ///
    /// # Errors
    /// Names the file that cannot be read or written.
    pub fn copy_into(&self, target: &Path) -> Result<()> {
        let target = if self.under.is_empty() { target.to_path_buf() } else { target.join(self.under) };
        copy_into(self.folder, &target, self.without)
    }
}

/// Makes `out` hold the contents of `sources` and nothing else. It is put together beside and swapped in, so that a
/// failure leaves the old one, and a server sees the old or the new.
///
/// # Errors
/// Names the file that cannot be read or written.
pub fn replace(out: &Path, sources: &[Source<'_>]) -> Result<()> {
    let beside = |suffix: &str| {
        let mut name = out.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let (partial, old) = (beside(".partial"), beside(".old"));
    remove(&partial)?;
    remove(&old)?;
    for source in sources {
        source.copy_into(&partial)?;
    }
    if out.exists() {
        fs::rename(out, &old).with_context(|| format!("cannot move {} out of the way", out.display()))?;
    }
    fs::rename(&partial, out).with_context(|| format!("cannot make {}", out.display()))?;
    remove(&old)
}

/// Copies the contents of `source` into `target`, which is made when missing. Names that start with a dot stay
/// behind, and at the top those in `without`.
///
/// # Errors
/// Names the file that cannot be read or written.
fn copy_into(source: &Path, target: &Path, without: &[&str]) -> Result<()> {
    fs::create_dir_all(target).with_context(|| format!("cannot make {}", target.display()))?;
    for from in entries(source)? {
        let Some(name) = from.file_name().filter(|name| without.iter().all(|other| *name != *other)) else { continue };
        let to = target.join(name);
        if from.is_dir() {
            copy_into(&from, &to, &[])?;
        } else {
            fs::copy(&from, &to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
        }
    }
    Ok(())
}

/// Every file under `folder`, in order of their paths.
///
/// # Errors
/// Names the folder that cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in entries(folder)? {
        if entry.is_dir() { found.extend(files(&entry)?) } else { found.push(entry) }
    }
    Ok(found)
}

/// What lies in `folder`, sorted, without dot files.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read =
        || -> io::Result<Vec<PathBuf>> { fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect() };
    let mut paths = read().with_context(|| format!("cannot read the folder {}", folder.display()))?;
    paths.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
    paths.sort();
    Ok(paths)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_leaves_nothing_of_the_old() -> Result<()> {
        let place = tempfile::tempdir()?;
        let (page, engine, out) = (place.path().join("www"), place.path().join("engine"), place.path().join("dist"));
        fs::create_dir_all(page.join("models/scenes"))?;
        fs::create_dir_all(&engine)?;
        fs::create_dir_all(&out)?;
        fs::write(page.join("index.html"), "page")?;
        fs::write(page.join("models/scenes/manifest.json"), "{}")?;
        fs::write(page.join(".swp"), "")?;
        fs::write(page.join("README.md"), "")?;
        fs::write(page.join("models/README.md"), "")?;
        fs::write(engine.join("showo.js"), "glue")?;
        fs::write(out.join("stale.js"), "")?;
        let atlas = place.path().join("atlas-and-more");
        fs::create_dir_all(atlas.join("own"))?;
        fs::write(atlas.join("atlas.png"), "pixels")?;
        fs::write(atlas.join("own/dog.svg"), "<svg/>")?;
        let source = |folder, under, without| Source { folder, under, without };
        let sources = [
            source(page.as_path(), "", &["README.md"][..]),
            source(engine.as_path(), "", &[]),
            source(atlas.as_path(), "atlas", &["own"]),
        ];
        replace(&out, &sources)?;
        let names: Vec<_> =
            files(&out)?.iter().map(|file| file.strip_prefix(&out).map(Path::to_path_buf)).collect::<Result<_, _>>()?;
        assert_eq!(
            names,
            ["atlas/atlas.png", "index.html", "models/README.md", "models/scenes/manifest.json", "showo.js"]
                .map(PathBuf::from)
        );
        assert_eq!(fs::read_dir(place.path())?.count(), 4, "nothing is left beside");
        Ok(())
    }

    #[test]
    fn a_failure_leaves_the_old() -> Result<()> {
        let place = tempfile::tempdir()?;
        let out = place.path().join("dist");
        fs::create_dir_all(&out)?;
        fs::write(out.join("kept"), "")?;
        let error = {
            let absent = place.path().join("absent");
            replace(&out, &[Source { folder: &absent, under: "", without: &[] }]).unwrap_err()
        };
        assert!(error.to_string().contains("absent"), "{error}");
        assert!(out.join("kept").exists());
        Ok(())
    }

    #[test]
    fn a_page_without_index_is_refused() {
        let error = require_page(Path::new("/nowhere")).unwrap_err().to_string();
        assert!(error.contains("/nowhere") && error.contains("index.html"), "{error}");
    }
}

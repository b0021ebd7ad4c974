//! Putting a folder together.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::layout::Source;

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

/// Copies each of `sources` to its place in `out`.
///
/// # Errors
/// Names the file that cannot be read or written.
pub fn fill(out: &Path, sources: &[Source]) -> Result<()> {
    for source in sources {
        let target = if source.under.is_empty() { out.to_path_buf() } else { out.join(source.under) };
        copy_into(&source.folder, &target, source.without)?;
    }
    Ok(())
}

/// Makes `out` hold the contents of `sources` and nothing else. It is put together beside and swapped in, so that a
/// failure leaves the old one, and a server sees the old or the new.
///
/// # Errors
/// Names the file that cannot be read or written.
pub fn replace(out: &Path, sources: &[Source]) -> Result<()> {
    let beside = |suffix: &str| {
        let mut name = out.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let (partial, old) = (beside(".partial"), beside(".old"));
    remove(&partial)?;
    remove(&old)?;
    fill(&partial, sources)?;
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
        let sources = [
            Source { folder: page, under: "", without: &["README.md"] },
            Source::whole(engine),
            Source { folder: atlas, under: "atlas", without: &["own"] },
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
        let error = replace(&out, &[Source::whole(place.path().join("absent"))]).unwrap_err();
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

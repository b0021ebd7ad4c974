//! Where a command's files go: tried before the long work, written after it.

use std::fs;
use std::path::Path;

use crate::failure::Failure;

/// Whether a file can be written there once there is something to write: hours of drawing are not thrown away for a
/// path that was wrong from the beginning. Nothing is made yet.
///
/// # Errors
/// It is a folder, it or its folder cannot be written to.
pub fn ready_file(path: &Path) -> Result<(), Failure> {
    let ends_as_folder = path.to_string_lossy().ends_with(std::path::is_separator);
    if path.as_os_str().is_empty() {
        return Err(Failure::Refused("the path to write to is empty; name a file".into()));
    }
    if path.is_dir() || ends_as_folder {
        return Err(Failure::file(path, format!("is a folder; name a file in it: {}", path.join("NAME").display())));
    }
    // A pipe or a device is opened once, when it is written to.
    if path.is_file() {
        fs::OpenOptions::new().append(true).open(path).map_err(|error| cannot(path, &error))?;
        return Ok(());
    }
    match path.parent() {
        _ if path.exists() => Ok(()),
        Some(folder) if !folder.as_os_str().is_empty() => ready_folder(folder),
        _ => ready_folder(Path::new(".")),
    }
}

/// Whether files can be written into a folder, which need not exist yet.
///
/// # Errors
/// It, or what stands above it, is a file, or cannot be written to.
pub fn ready_folder(path: &Path) -> Result<(), Failure> {
    let here = Path::new(".");
    let above = path.ancestors().map(|above| if above.as_os_str().is_empty() { here } else { above });
    // A link that leads nowhere is there, too, and no folder can be made in its place.
    let Some(there) = above.into_iter().find(|above| above.symlink_metadata().is_ok()) else { return Ok(()) };
    if !there.is_dir() {
        return Err(Failure::file(path, format!("{} is no folder; name another place", there.display())));
    }
    tempfile::tempfile_in(there).map_err(|error| cannot(there, &error))?;
    Ok(())
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    Failure::file(path, format!("cannot be written to: {error}; name another place"))
}

/// Writes a file, making the folders above it.
///
/// # Errors
/// As the system says.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::file(folder, error))?;
    }
    fs::write(path, bytes).map_err(|error| Failure::file(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_known_before() -> Result<(), Box<dyn std::error::Error>> {
        let room = tempfile::tempdir()?;
        let at = |name: &str| room.path().join(name);
        fs::write(at("file"), "kept")?;
        let told = |path: &Path| ready_file(path).err().map(|failure| failure.to_string()).unwrap_or_default();
        for folder in [room.path().to_owned(), at("new/"), at(".")] {
            assert!(told(&folder).contains("is a folder"), "{}", told(&folder));
        }
        for under in ["file/picture.png", "file/deeper/picture.png"] {
            assert!(told(&at(under)).contains("is no folder"), "{}", told(&at(under)));
        }
        assert!(ready_folder(&at("file")).is_err());
        assert!(told(Path::new("")).contains("empty"));
        for fine in ["file", "picture.png", "new/deeper/picture.png"] {
            ready_file(&at(fine))?;
        }
        ready_file(Path::new("picture-that-is-not-there.png"))?;
        ready_folder(&at("new/deeper"))?;
        // Nothing was made or changed.
        assert_eq!(fs::read_dir(room.path())?.count(), 1);
        assert_eq!(fs::read(at("file"))?, b"kept");
        write(&at("new/deeper/picture.png"), b"png")?;
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_is_no_folder() -> Result<(), Box<dyn std::error::Error>> {
        let room = tempfile::tempdir()?;
        std::os::unix::fs::symlink("nowhere", room.path().join("link"))?;
        assert!(ready_file(&room.path().join("link/picture.png")).is_err());
        Ok(())
    }
}

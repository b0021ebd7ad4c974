//! A folder that appears whole or not at all.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::write_error::{WriteError, io_error};

/// A hidden folder beside its target, `.NAME.partial-PID`, which takes the target's name as the last act. Dropped
/// before that, it is removed; killed before that, it stays hidden and says by its name that it is unfinished.
#[derive(Debug)]
pub struct PartialFolder {
    target: PathBuf,
    partial: PathBuf,
}

impl PartialFolder {
    /// Begins a folder that will appear at `target`.
    ///
    /// # Errors
    /// Where `target` exists or names no folder, or no folder can be made beside it.
    pub fn create(target: &Path) -> Result<Self, WriteError> {
        let name = target.file_name().ok_or_else(|| WriteError::NoName(target.into()))?;
        refuse_existing(target)?;
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(io_error(parent))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".partial-{}", std::process::id()));
        let partial = parent.join(hidden);
        fs::create_dir(&partial).map_err(io_error(&partial))?;
        Ok(Self { target: target.into(), partial })
    }

    /// Where the content is to be written.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Writes a small file.
    ///
    /// # Errors
    /// A name that is taken, a full disk.
    pub fn write(&self, file: &str, content: &[u8]) -> Result<(), WriteError> {
        let path = self.partial.join(file);
        let write = || -> io::Result<()> {
            let mut out = fs::File::create_new(&path)?;
            out.write_all(content)?;
            // The rename at the end must not overtake the content.
            out.sync_all()
        };
        write().map_err(io_error(&path))
    }

    /// Gives the folder its name.
    ///
    /// # Errors
    /// Something has appeared at the target; the disk refuses.
    pub fn finish(mut self) -> Result<(), WriteError> {
        // Renaming onto an empty folder would succeed on some systems.
        refuse_existing(&self.target)?;
        fs::rename(&self.partial, &self.target).map_err(io_error(&self.target))?;
        self.partial.clear();
        Ok(())
    }
}

impl Drop for PartialFolder {
    fn drop(&mut self) {
        if !self.partial.as_os_str().is_empty() {
            // The error that led here is the one to report; the folder's hidden name says that it is unfinished.
            let _ = fs::remove_dir_all(&self.partial);
        }
    }
}

fn refuse_existing(target: &Path) -> Result<(), WriteError> {
    // Not `exists`, which follows links: a dangling link is in the way, too.
    match target.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error(target)(error)),
        Ok(_) => Err(WriteError::Exists(target.into())),
    }
}

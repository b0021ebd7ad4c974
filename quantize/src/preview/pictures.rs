//! What the preview decoder learns from: pictures of a folder, or made ones.

use std::{
    fs,
    path::{Path, PathBuf},
};

use showo::{picture::Rgb, stand_in::StandIn};

use super::leaves;
use crate::error::ToolError;

/// Fewer pictures than this say nothing of others.
pub const FEWEST: usize = 16;

/// Pictures, by their numbers.
pub enum Pictures {
    /// PNG files.
    Files(Vec<PathBuf>),
    /// [`leaves::picture`].
    Made {
        /// How many.
        count: usize,
        /// What they are drawn from.
        seed: u64,
    },
}

impl Pictures {
    /// At most `most` pictures of a folder and the folders in it, evenly over the order of their names.
    ///
    /// # Errors
    /// The folder cannot be read, or holds fewer than [`FEWEST`].
    pub fn of_folder(folder: &Path, most: usize) -> Result<Self, ToolError> {
        let mut files = Vec::new();
        find(folder, &mut files)?;
        files.sort();
        let there = files.len();
        if there < FEWEST {
            let problem =
                format!("{there} PNG files are there; at least {FEWEST} are needed, a hundred and more are better");
            return Err(ToolError::Option { option: format!("--pictures {}", folder.display()), problem });
        }
        let count = there.min(most);
        Ok(Self::Files((0..count).map(|number| files[number * there / count].clone()).collect()))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        match self {
            Self::Files(files) => files.len(),
            Self::Made { count, .. } => *count,
        }
    }

    /// One of them, as the image tokenizer reads it: `[3, side, side]`, values in −1…1. Of a file it is the middle.
    ///
    /// # Errors
    /// A file that cannot be read or is no picture.
    pub fn read(&self, number: usize, side: usize) -> Result<Vec<f32>, ToolError> {
        match self {
            Self::Files(files) => from_file(&files[number], side),
            Self::Made { seed, .. } => Ok(leaves::picture(side, *seed, number as u64)),
        }
    }
}

/// PNG files below a folder. Links are not followed, so that none leads round in circles.
fn find(folder: &Path, into: &mut Vec<PathBuf>) -> Result<(), ToolError> {
    for entry in fs::read_dir(folder).map_err(ToolError::io(folder))? {
        let entry = entry.map_err(ToolError::io(folder))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(ToolError::io(folder))?);
        if kind.is_dir() {
            find(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
            into.push(path);
        }
    }
    Ok(())
}

fn from_file(path: &Path, side: usize) -> Result<Vec<f32>, ToolError> {
    let bytes = fs::read(path).map_err(ToolError::io(path))?;
    let refused = |problem: String| ToolError::Option { option: path.display().to_string(), problem };
    if let Some(stand_in) = StandIn::of(&bytes) {
        return Err(refused(stand_in.to_string()));
    }
    let picture = Rgb::from_png(&bytes).and_then(|picture| picture.fitted(side));
    Ok(picture.map_err(|error| refused(error.to_string()))?.to_signed())
}

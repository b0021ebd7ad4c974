//! The folder of one prompt.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use showo::picture::Rgb;
use tempfile::NamedTempFile;

use super::metadata::Line;
use crate::failure::Failure;

/// Black pixels around the pictures of a grid, as torchvision's `make_grid` leaves them.
const MARGIN: u32 = 2;

/// `00000/`: the metadata line, the samples, and all samples as one picture.
pub struct PromptFolder {
    folder: PathBuf,
    images: u32,
}

impl PromptFolder {
    pub fn new(out: &Path, index: usize, images: u32) -> Self {
        Self { folder: out.join(format!("{index:05}")), images }
    }

    fn sample(&self, image: u32) -> PathBuf {
        self.folder.join("samples").join(format!("{image:04}.png"))
    }

    /// Pictures that are not there yet.
    pub fn missing(&self) -> impl Iterator<Item = u32> {
        (0..self.images).filter(|&image| !self.sample(image).exists())
    }

    /// How many pictures are there.
    pub fn finished(&self) -> usize {
        self.images as usize - self.missing().count()
    }

    /// Makes the folder, with the line that the evaluator compares the pictures with.
    pub fn begin(&self, line: &Line) -> Result<(), Failure> {
        let samples = self.folder.join("samples");
        fs::create_dir_all(&samples).map_err(|error| Failure::file(&samples, error))?;
        let path = self.folder.join("metadata.jsonl");
        write_new(&path, format!("{}\n", line.json).as_bytes())
    }

    pub fn write_sample(&self, image: u32, png: &[u8]) -> Result<(), Failure> {
        write_whole(&self.sample(image), png)
    }

    /// `grid.png` from the samples, where it is not there yet.
    pub fn write_grid(&self) -> Result<(), Failure> {
        let path = self.folder.join("grid.png");
        if path.exists() {
            return Ok(());
        }
        let mut pictures = Vec::with_capacity(self.images as usize);
        for image in 0..self.images {
            let path = self.sample(image);
            let bytes = fs::read(&path).map_err(|error| Failure::file(&path, error))?;
            pictures.push(Rgb::from_png(&bytes).map_err(|error| Failure::file(&path, error))?);
        }
        let png = grid(&pictures).to_png().map_err(|error| Failure::file(&path, error))?;
        write_whole(&path, &png)
    }
}

/// Pictures of one size side by side in a square of rows.
fn grid(pictures: &[Rgb]) -> Rgb {
    let (side_x, side_y) = pictures.first().map_or((0, 0), |first| (first.width, first.height));
    let columns = (1..).find(|columns| columns * columns >= pictures.len()).unwrap_or(1);
    let rows = pictures.len().div_ceil(columns);
    let along = |count: usize, side: u32| count as u32 * (side + MARGIN) + MARGIN;
    let (width, height) = (along(columns, side_x), along(rows, side_y));
    let mut bytes = vec![0; 3 * width as usize * height as usize];
    for (at, picture) in pictures.iter().enumerate() {
        let left = (MARGIN + (at % columns) as u32 * (side_x + MARGIN)) as usize;
        let top = (MARGIN + (at / columns) as u32 * (side_y + MARGIN)) as usize;
        // Samples of another size are no part of this run; they are cut rather than spill over.
        let line = 3 * picture.width.min(side_x) as usize;
        let lines = picture.bytes.chunks_exact(3 * picture.width.max(1) as usize).take(side_y as usize);
        for (y, pixels) in lines.enumerate() {
            let to = 3 * ((top + y) * width as usize + left);
            bytes[to..to + line].copy_from_slice(&pixels[..line]);
        }
    }
    Rgb { width, height, bytes }
}

/// Writes a file beside its place, then renames it: nobody ever finds half of it.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let file = written_beside(path, bytes).map_err(|error| Failure::file(path, error))?;
    file.persist(path).map_err(|error| Failure::file(path, error.error))?;
    Ok(())
}

/// As [`write_whole`], but what is there already stays.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let file = written_beside(path, bytes).map_err(|error| Failure::file(path, error))?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != ErrorKind::AlreadyExists => Err(Failure::file(path, error.error)),
        _ => Ok(()),
    }
}

fn written_beside(path: &Path, bytes: &[u8]) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".unfinished-");
    // A temporary file is its owner's alone by default; these are for whoever evaluates them.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_pictures_fill_two_rows() {
        let picture = |value: u8| Rgb { width: 2, height: 1, bytes: vec![value; 6] };
        let grid = grid(&[picture(1), picture(2), picture(3)]);
        assert_eq!((grid.width, grid.height), (10, 8));
        let at = |x: usize, y: usize| grid.bytes[3 * (y * 10 + x)];
        assert_eq!([at(2, 2), at(3, 2), at(4, 2), at(6, 2), at(7, 2), at(2, 5)], [1, 1, 0, 2, 2, 3]);
        assert_eq!(grid.bytes.iter().map(|&value| u32::from(value)).sum::<u32>(), 6 * (1 + 2 + 3));
    }
}

//! The two files of the atlas: one PNG with all cells, and the index that says what each is.

use anyhow::{Context, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::cell::{CELL, Cell};
use crate::list::{Entry, OWN};
use crate::sets::{Attribution, Sets};
use crate::tones::Tones;

/// Cells beside each other: few, so that lines of one glyph lie near each other where the compressor looks.
const COLUMNS: usize = 4;

/// The index's layout; the reader refuses others.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    cell: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    tones: Option<ToneLine>,
}

#[derive(Serialize)]
struct ToneLine {
    cell: usize,
    #[serde(flatten)]
    tones: Tones,
}

/// Gathers the cells.
#[derive(Default)]
pub struct Writer {
    cells: Vec<Cell>,
    lines: Vec<String>,
}

impl Writer {
    /// Adds a glyph.
    pub fn add(&mut self, entry: &Entry, picture: &Cell, tones: Option<(Tones, Cell)>) {
        let cell = self.put(picture.clone());
        let tones = tones.map(|(tones, shares)| ToneLine { cell: self.put(shares), tones });
        // Strings, numbers and maps with string keys always serialize.
        self.lines.push(serde_json::to_string(&Line { entry, cell, tones }).unwrap_or_default());
    }

    fn put(&mut self, cell: Cell) -> usize {
        self.cells.push(cell);
        self.cells.len() - 1
    }

    /// The PNG's and the index's bytes.
    ///
    /// # Errors
    /// When they cannot be encoded.
    pub fn finish(self, sets: &Sets) -> Result<(Vec<u8>, Vec<u8>)> {
        let png = self.png().context("the cells cannot be written as PNG")?;
        let digest: String = Sha256::digest(&png).iter().map(|byte| format!("{byte:02x}")).collect();
        let ours = Attribution {
            set: OWN.into(),
            name: "Drawings of this project".into(),
            author: "the authors of this project".into(),
            url: env!("CARGO_PKG_REPOSITORY").into(),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        let sets = sets.attributions().chain([&ours]).map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        let json = format!(
            "{{\n\"format\": {FORMAT},\n\"cell_px\": {CELL},\n\"columns\": {COLUMNS},\n\"cells\": {},\n\"png_sha256\": \"{digest}\",\n\"sets\": [\n{}\n],\n\"glyphs\": [\n{}\n]\n}}\n",
            self.cells.len(),
            sets.join(",\n"),
            self.lines.join(",\n"),
        );
        Ok((png, json.into_bytes()))
    }

    fn png(&self) -> Result<Vec<u8>> {
        let rows = self.cells.len().div_ceil(COLUMNS);
        let (width, height) = (COLUMNS * CELL, rows * CELL);
        let mut pixels = vec![0; width * height * 4];
        for (number, cell) in self.cells.iter().enumerate() {
            let (left, top) = (number % COLUMNS * CELL, number / COLUMNS * CELL);
            for (row, line) in cell.chunks_exact(CELL).enumerate() {
                let at = ((top + row) * width + left) * 4;
                pixels[at..at + CELL * 4].copy_from_slice(line.as_flattened());
            }
        }
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        encoder.set_filter(png::Filter::Adaptive);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&pixels)?;
        writer.finish()?;
        Ok(bytes)
    }
}

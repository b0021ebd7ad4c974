//! The atlas: every drawing of the world as a master in one PNG, and an index that says what each is and whose.

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::class::{CLASSES, Class, Colour};
use super::glyph::{Attribution, Glyph, Style, Tones};
use super::index::{FORMAT, Index, Line};
use super::sprite::Sprite;
use super::tint::{self, Body};

/// Licences of glyphs that may be shown recoloured.
pub const LICENCES: [&str; 5] = ["Apache-2.0", "MIT", "CC-BY-4.0", "CC0-1.0", "MIT OR Apache-2.0"];

/// Every class has at least so many drawings, so that none is one picture.
pub const FEWEST_DRAWINGS: usize = 2;

/// Cells may not be larger, nor may there be more of them: what a foreign file may make us allocate.
const LARGEST_CELL: usize = 256;
const MOST_CELLS: usize = 4096;

/// Sprites are kept up to so many bytes; then all are dropped and made again as needed.
const KEPT_BYTES: usize = if cfg!(target_arch = "wasm32") { 48 << 20 } else { 512 << 20 };

/// Why an atlas is refused.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum AtlasError {
    #[error("the atlas's index is not what `cargo xtask atlas` writes ({0}); run that command again")]
    Index(#[from] serde_json::Error),
    #[error("the atlas has format {found}, and this program reads format {FORMAT}; run `cargo xtask atlas` again")]
    Format { found: u32 },
    #[error(
        "the atlas's picture is not the one that its index was written for; run `cargo xtask atlas`, which writes both"
    )]
    Damaged,
    #[error("the atlas's picture cannot be read as PNG ({0}); run `cargo xtask atlas` again")]
    Png(#[from] png::DecodingError),
    #[error(
        "the atlas's index says {what}, which its picture does not have; run `cargo xtask atlas`, which writes both"
    )]
    Layout { what: String },
    #[error(
        "the atlas's glyph {glyph} shows a `{class}`, which this world has not; take it out of scenes/atlas/glyphs.json"
    )]
    UnknownClass { glyph: String, class: String },
    #[error(
        "the atlas's glyph {glyph} has `{colour}` for a colour; use one of GenEval's ten in scenes/atlas/glyphs.json"
    )]
    UnknownColour { glyph: String, colour: String },
    #[error("the atlas's glyph {glyph} has no licence; name it in scenes/atlas/glyphs.json or take the glyph out")]
    NoLicence { glyph: String },
    #[error(
        "the atlas's glyph {glyph} is under {licence}, under which it may not be shown recoloured; take it out of scenes/atlas/glyphs.json"
    )]
    Licence { glyph: String, licence: String },
    #[error(
        "the atlas's glyph {glyph} is from the set `{set}`, for which nobody is named; run `cargo xtask atlas` again"
    )]
    NoAttribution { glyph: String, set: String },
    #[error(
        "the atlas has {found} drawings of a {class}, and needs {FEWEST_DRAWINGS}; add to scenes/atlas/glyphs.json and run `cargo xtask atlas`"
    )]
    TooFew { class: &'static str, found: usize },
}

/// What a sprite is made of: glyph, colour, side and whether it is mirrored.
type Key = (u16, Option<Colour>, u8, bool);

#[derive(Default)]
struct Kept {
    sprites: HashMap<Key, Arc<Sprite>>,
    bytes: usize,
}

/// Every drawing of the world.
pub struct Atlas {
    cell_px: usize,
    /// Each cell `[cell_px, cell_px]`, straight alpha.
    cells: Vec<Vec<[u8; 4]>>,
    glyphs: Vec<Glyph>,
    of_class: Vec<Vec<u16>>,
    sets: Vec<Attribution>,
    bodies: Vec<OnceLock<Body>>,
    kept: RwLock<Kept>,
}

impl std::fmt::Debug for Atlas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Atlas")
            .field("glyphs", &self.glyphs.len())
            .field("cell_px", &self.cell_px)
            .finish_non_exhaustive()
    }
}

impl Atlas {
    /// The atlas that this program was built with; read when it is first asked for.
    ///
    /// # Panics
    /// When the program was built with a damaged atlas, which a test of this package shows.
    #[cfg(feature = "atlas")]
    #[must_use]
    pub fn shipped() -> &'static Self {
        static ATLAS: OnceLock<Atlas> = OnceLock::new();
        ATLAS.get_or_init(|| {
            let (png, json) = Self::shipped_parts();
            Self::from_parts(png, json).unwrap_or_else(|error| panic!("{error}"))
        })
    }

    /// The two files of the shipped atlas: the PNG and the index.
    #[cfg(feature = "atlas")]
    #[must_use]
    pub const fn shipped_parts() -> (&'static [u8], &'static [u8]) {
        (include_bytes!("../../atlas/atlas.png"), include_bytes!("../../atlas/atlas.json"))
    }

    /// Reads an atlas: the bytes of its PNG and of its index.
    ///
    /// # Errors
    /// When it is damaged, of another format or world, or holds a glyph that may not be shown.
    pub fn from_parts(png: &[u8], json: &[u8]) -> Result<Self, AtlasError> {
        let index: Index = serde_json::from_slice(json)?;
        if index.format != FORMAT {
            return Err(AtlasError::Format { found: index.format });
        }
        let digest: String = Sha256::digest(png).iter().map(|byte| format!("{byte:02x}")).collect();
        if digest != index.png_sha256 {
            return Err(AtlasError::Damaged);
        }
        let cells = read_cells(png, &index)?;
        let glyphs = index.glyphs.iter().map(|line| read_glyph(line, &index)).collect::<Result<Vec<_>, _>>()?;
        if glyphs.len() > usize::from(u16::MAX) {
            return Err(AtlasError::Layout { what: format!("{} glyphs", glyphs.len()) });
        }
        let mut of_class = vec![Vec::new(); CLASSES.len()];
        for (number, glyph) in glyphs.iter().enumerate() {
            of_class[glyph.class.index()].push(number as u16);
        }
        if let Some(class) = Class::all().find(|class| of_class[class.index()].len() < FEWEST_DRAWINGS) {
            return Err(AtlasError::TooFew { class: class.name(), found: of_class[class.index()].len() });
        }
        let bodies = glyphs.iter().map(|_| OnceLock::new()).collect();
        Ok(Self { cell_px: index.cell_px, cells, glyphs, of_class, sets: index.sets, bodies, kept: RwLock::default() })
    }

    /// Every glyph; its place is the number by which scenes name it.
    #[must_use]
    pub fn glyphs(&self) -> &[Glyph] {
        &self.glyphs
    }

    /// The glyphs of a class, the best-looking first.
    #[must_use]
    pub fn of_class(&self, class: Class) -> &[u16] {
        &self.of_class[class.index()]
    }

    /// Whom the sets of glyphs are owed to.
    #[must_use]
    pub fn sets(&self) -> &[Attribution] {
        &self.sets
    }

    /// Side of a master in pixels: the largest size at which a glyph is sharp.
    #[must_use]
    pub const fn cell_px(&self) -> usize {
        self.cell_px
    }

    /// A glyph in a colour (`None`: its own) and size, kept for the next time. A glyph that the atlas has not is
    /// invisible; a side of 0 is taken for 1.
    #[must_use]
    pub fn sprite(&self, glyph: u16, colour: Option<Colour>, size_px: u8, mirrored: bool) -> Arc<Sprite> {
        let key = (glyph, colour, size_px, mirrored);
        // Sprites are only ever added whole, so what a panic elsewhere left behind is sound.
        if let Some(sprite) = self.kept.read().unwrap_or_else(PoisonError::into_inner).sprites.get(&key) {
            return Arc::clone(sprite);
        }
        let sprite = Arc::new(if mirrored {
            self.sprite(glyph, colour, size_px, false).mirrored()
        } else {
            Sprite::scaled(&self.tinted(glyph, colour), self.cell_px, usize::from(size_px.max(1)))
        });
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let bytes = sprite.pixels.len() * size_of::<[u8; 4]>();
        if kept.bytes + bytes > KEPT_BYTES {
            *kept = Kept::default();
        }
        if kept.sprites.insert(key, Arc::clone(&sprite)).is_none() {
            kept.bytes += bytes;
        }
        sprite
    }

    /// A glyph in a colour at the masters' size, not kept.
    #[must_use]
    pub fn tinted_master(&self, glyph: u16, colour: Option<Colour>) -> Sprite {
        Sprite::scaled(&self.tinted(glyph, colour), self.cell_px, self.cell_px)
    }

    /// The master in a colour: straight alpha, 0…255.
    fn tinted(&self, number: u16, colour: Option<Colour>) -> Vec<[f32; 4]> {
        let Some(glyph) = self.glyphs.get(usize::from(number)) else {
            return vec![[0.0; 4]; self.cell_px * self.cell_px];
        };
        let master = &self.cells[glyph.cell];
        match (colour, &glyph.tones) {
            (None, _) => master.iter().map(|pixel| pixel.map(f32::from)).collect(),
            (Some(colour), Some(tones)) => {
                tint::toned(master, &self.cells[tones.cell], tones.replaced, tones.ink, colour)
            }
            (Some(colour), None) => self.bodies[usize::from(number)]
                .get_or_init(|| Body::of(master, self.cell_px, glyph.rule))
                .tinted(master, colour),
        }
    }
}

fn read_cells(png: &[u8], index: &Index) -> Result<Vec<Vec<[u8; 4]>>, AtlasError> {
    let layout = |what: String| AtlasError::Layout { what };
    let side = index.cell_px;
    if !(1..=LARGEST_CELL).contains(&side)
        || !(1..=MOST_CELLS).contains(&index.cells)
        || index.columns == 0
        || index.columns > index.cells
    {
        return Err(layout(format!("{} cells of {side} pixels in {} columns", index.cells, index.columns)));
    }
    let (width, height) = (index.columns * side, index.cells.div_ceil(index.columns) * side);
    let mut reader = png::Decoder::new(Cursor::new(png)).read_info()?;
    let info = reader.info();
    let found = (info.width as usize, info.height as usize, info.color_type, info.bit_depth);
    if found != (width, height, png::ColorType::Rgba, png::BitDepth::Eight) {
        return Err(layout(format!("{width}×{height} pixels of 8-bit RGBA")));
    }
    let mut bytes = vec![0; width * height * 4];
    reader.next_frame(&mut bytes)?;
    let (pixels, _) = bytes.as_chunks::<4>();
    let cell = |number: usize| {
        let (left, top) = (number % index.columns * side, number / index.columns * side);
        (top..top + side).flat_map(|y| &pixels[y * width + left..y * width + left + side]).copied().collect()
    };
    Ok((0..index.cells).map(cell).collect())
}

fn read_glyph(line: &Line, index: &Index) -> Result<Glyph, AtlasError> {
    let name = || format!("{} {}/{}", line.class, line.set, line.id);
    let class = Class::named(&line.class)
        .ok_or_else(|| AtlasError::UnknownClass { glyph: name(), class: line.class.clone() })?;
    let own_colour = match &line.own_colour {
        None => None,
        Some(colour) => Some(
            Colour::named(colour).ok_or_else(|| AtlasError::UnknownColour { glyph: name(), colour: colour.clone() })?,
        ),
    };
    let licence = line.licence.clone().ok_or_else(|| AtlasError::NoLicence { glyph: name() })?;
    if !LICENCES.contains(&licence.as_str()) {
        return Err(AtlasError::Licence { glyph: name(), licence });
    }
    if !index.sets.iter().any(|set| set.set == line.set) {
        return Err(AtlasError::NoAttribution { glyph: name(), set: line.set.clone() });
    }
    let cell = |number: usize| {
        let what = || AtlasError::Layout { what: format!("that {} lies in cell {number}", name()) };
        if number < index.cells { Ok(number) } else { Err(what()) }
    };
    let tone =
        |hex: &str| rgb(hex).ok_or_else(|| AtlasError::Layout { what: format!("that {} has a tone `{hex}`", name()) });
    let tones = match &line.tones {
        None => None,
        Some(tones) => Some(Tones {
            cell: cell(tones.cell)?,
            replaced: [tone(&tones.main)?, tone(&tones.dark)?, tone(&tones.light)?],
            ink: tones.ink.as_deref().map(tone).transpose()?,
        }),
    };
    Ok(Glyph {
        class,
        set: line.set.clone(),
        id: line.id.clone(),
        own_colour,
        style: Style::of_set(&line.set),
        licence,
        cell: cell(line.cell)?,
        tones,
        rule: line.tint,
    })
}

/// `#RRGGBB`.
fn rgb(hex: &str) -> Option<[u8; 3]> {
    let digits = hex.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let number = u32::from_str_radix(digits, 16).ok()?;
    Some([16, 8, 0].map(|shift| (number >> shift) as u8))
}

//! Where a drawing begins when some of it is there already: a picture with a hole, or the edge of a panorama. Reference:
//! `inference_t2i.py` of showlab/Show-o, the modes `inpainting` and `extrapolation`.
//!
//! Codes lie row by row; [`MASK`] is what is to be drawn.

use crate::trace::MASK;

/// Why a drawing cannot begin there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanvasError {
    /// Nothing is to be drawn.
    #[error(
        "the mask covers no token of the picture, so nothing would be drawn; paint what is to be drawn again white, over half \
         of a token's square at least"
    )]
    EmptyMask,
    /// The mask belongs to another picture.
    #[error("the mask is for {mask} tokens, but the picture has {picture}; make both of one size")]
    OtherSize {
        /// Tokens of the mask.
        mask: usize,
        /// Tokens of the picture.
        picture: usize,
    },
    /// Nothing of the picture would be kept to go on from.
    #[error(
        "the offset is {offset}, but a picture of {grid} × {grid} tokens is continued from {most} at most; choose a smaller one"
    )]
    Offset {
        /// Tokens fewer than half of the grid.
        offset: usize,
        /// The grid's side.
        grid: usize,
        /// The largest offset.
        most: usize,
    },
    /// Half a grid is no number of tokens.
    #[error(
        "pictures of {0} × {0} tokens have no middle to be continued from; use a bundle with an even number a side"
    )]
    OddGrid(usize),
    /// The picture was continued along the other side before.
    #[error(
        "the picture is {columns} tokens wide and {rows} high, so it cannot be continued {direction}: that side must have \
         {grid}; go on along the side that has grown"
    )]
    OtherSide {
        /// Where to.
        direction: Direction,
        /// Tokens down.
        rows: usize,
        /// Tokens across.
        columns: usize,
        /// The grid's side.
        grid: usize,
    },
}

/// Where a picture is continued to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To its left.
    Left,
    /// To its right.
    Right,
    /// Above it.
    Up,
    /// Below it.
    Down,
}

impl Direction {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Left, Self::Right, Self::Up, Self::Down];

    /// As it is written in commands.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
            Self::Up => "up",
            Self::Down => "down",
        }
    }

    /// Whether the picture grows in height.
    const fn is_vertical(self) -> bool {
        matches!(self, Self::Up | Self::Down)
    }

    /// Whether what is new comes before what is there.
    const fn is_before(self) -> bool {
        matches!(self, Self::Left | Self::Up)
    }
}

impl std::fmt::Display for Direction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

impl std::str::FromStr for Direction {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|direction| direction.word() == word).ok_or_else(|| {
            format!("no direction is called \"{word}\"; there are {}", Self::ALL.map(Self::word).join(", "))
        })
    }
}

/// The codes of a picture, masked where `hole` says so.
///
/// # Errors
/// [`CanvasError::EmptyMask`], [`CanvasError::OtherSize`].
pub fn with_hole(codes: &[i32], hole: &[bool]) -> Result<Vec<i32>, CanvasError> {
    if hole.len() != codes.len() {
        return Err(CanvasError::OtherSize { mask: hole.len(), picture: codes.len() });
    }
    if !hole.contains(&true) {
        return Err(CanvasError::EmptyMask);
    }
    Ok(codes.iter().zip(hole).map(|(&code, &hole)| if hole { MASK } else { code }).collect())
}

/// A picture that may be wider or higher than what the model draws at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panorama {
    /// Tokens down.
    pub rows: usize,
    /// Tokens across.
    pub columns: usize,
    /// Row by row.
    pub codes: Vec<i32>,
}

impl Panorama {
    /// A picture of `grid` × `grid` codes, before it is continued.
    ///
    /// # Panics
    /// As many codes are not there.
    #[must_use]
    pub fn new(codes: Vec<i32>, grid: usize) -> Self {
        assert_eq!(codes.len(), grid * grid, "a panorama's codes");
        Self { rows: grid, columns: grid, codes }
    }

    /// h = ⌊grid/2⌋ − offset: how many columns or rows a round goes on from.
    ///
    /// # Errors
    /// [`CanvasError::OddGrid`], [`CanvasError::Offset`].
    pub fn kept(grid: usize, offset: usize) -> Result<usize, CanvasError> {
        if !grid.is_multiple_of(2) {
            return Err(CanvasError::OddGrid(grid));
        }
        match (grid / 2).checked_sub(offset) {
            Some(kept) if kept > 0 => Ok(kept),
            _ => Err(CanvasError::Offset { offset, grid, most: (grid / 2).saturating_sub(1) }),
        }
    }

    /// What a round draws: `grid` × `grid` tokens, `kept` columns or rows of them at this edge of the panorama, the others
    /// masked.
    ///
    /// # Errors
    /// [`CanvasError::OtherSide`].
    pub fn canvas(&self, grid: usize, kept: usize, direction: Direction) -> Result<Vec<i32>, CanvasError> {
        let along = self.lying(direction);
        if along.rows != grid {
            let Self { rows, columns, .. } = *self;
            return Err(CanvasError::OtherSide { direction, rows, columns, grid });
        }
        let masked = vec![MASK; grid - kept];
        let row = |row: &[i32]| match direction.is_before() {
            true => [&masked[..], &row[..kept]].concat(),
            false => [&row[row.len() - kept..], &masked[..]].concat(),
        };
        let codes = along.codes.chunks(along.columns).flat_map(row).collect();
        Ok(Self::new(codes, grid).lying(direction).codes)
    }

    /// With a round's `grid` × `grid` codes in the place of the columns or rows that it went on from.
    ///
    /// # Errors
    /// [`CanvasError::OtherSide`].
    ///
    /// # Panics
    /// As many codes are not there.
    pub fn extended(&self, grid: usize, kept: usize, direction: Direction, drawn: &[i32]) -> Result<Self, CanvasError> {
        self.canvas(grid, kept, direction)?;
        let (along, drawn) = (self.lying(direction), Self::new(drawn.to_vec(), grid).lying(direction));
        let row = |(there, new): (&[i32], &[i32])| match direction.is_before() {
            true => [new, &there[kept..]].concat(),
            false => [&there[..there.len() - kept], new].concat(),
        };
        let codes = along.codes.chunks(along.columns).zip(drawn.codes.chunks(grid)).flat_map(row).collect();
        Ok(Self { rows: grid, columns: along.columns + grid - kept, codes }.lying(direction))
    }

    /// Turned so that it grows along its rows: as it is, or with rows and columns exchanged.
    fn lying(&self, direction: Direction) -> Self {
        if !direction.is_vertical() {
            return self.clone();
        }
        let Self { rows, columns, codes } = self;
        let codes = (0..*columns).flat_map(|column| codes.iter().skip(column).step_by(*columns)).copied().collect();
        Self { rows: *columns, columns: *rows, codes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `r` rows of four columns, numbered 10·row + column.
    fn picture() -> Panorama {
        Panorama::new((0..16).map(|at| at / 4 * 10 + at % 4).collect(), 4)
    }

    #[test]
    fn each_direction_goes_on_from_its_own_edge() -> Result<(), CanvasError> {
        let drawn: Vec<i32> = (100..116).collect();
        let m = MASK;
        let first_row = |direction| picture().canvas(4, 1, direction).map(|canvas| canvas[..4].to_vec());
        assert_eq!(first_row(Direction::Left)?, [m, m, m, 0]);
        assert_eq!(first_row(Direction::Right)?, [3, m, m, m]);
        assert_eq!(first_row(Direction::Down)?, [30, 31, 32, 33]);
        assert_eq!(first_row(Direction::Up)?, [m; 4]);
        assert_eq!(picture().canvas(4, 1, Direction::Up)?[12..], [0, 1, 2, 3]);

        let of = |direction| picture().extended(4, 1, direction, &drawn);
        let (left, right, up, down) =
            (of(Direction::Left)?, of(Direction::Right)?, of(Direction::Up)?, of(Direction::Down)?);
        assert_eq!(left.codes[7..14], [104, 105, 106, 107, 11, 12, 13]);
        assert_eq!(right.codes[7..14], [10, 11, 12, 104, 105, 106, 107]);
        assert_eq!((left.rows, left.columns, up.rows, up.columns), (4, 7, 7, 4));
        assert_eq!(up.codes[12..20], [112, 113, 114, 115, 10, 11, 12, 13]);
        assert_eq!(down.codes[8..16], [20, 21, 22, 23, 100, 101, 102, 103]);
        Ok(())
    }

    #[test]
    fn what_cannot_be_continued_is_refused_with_a_remedy() -> Result<(), CanvasError> {
        assert_eq!(Panorama::kept(16, 0)?, 8);
        assert_eq!(Panorama::kept(16, 7)?, 1);
        let told = |error: Result<usize, CanvasError>| error.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told(Panorama::kept(16, 8)).contains("smaller"), "{}", told(Panorama::kept(16, 8)));
        assert!(told(Panorama::kept(5, 0)).contains("even"));
        let wide = picture().extended(4, 2, Direction::Right, &[0; 16])?;
        let told = wide.canvas(4, 2, Direction::Up).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.contains("continued up") && told.contains("side that has grown"), "{told}");
        Ok(())
    }

    #[test]
    fn a_mask_that_covers_nothing_or_another_picture_is_refused() {
        let told =
            |hole: &[bool]| with_hole(&[1, 2, 3, 4], hole).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told(&[false; 4]).contains("white"), "{}", told(&[false; 4]));
        assert!(told(&[true; 9]).contains("one size"), "{}", told(&[true; 9]));
        assert_eq!(with_hole(&[1, 2, 3, 4], &[false, true, false, false]), Ok(vec![1, MASK, 3, 4]));
    }
}

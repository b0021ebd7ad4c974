//! A cell of the atlas, and how a thing stands in it.

/// Side of a cell in pixels.
pub const CELL: usize = 96;

/// Drawn so many times larger, then averaged.
pub const FINER: usize = 3;

/// Side of what is averaged to a cell.
pub const FINE: usize = CELL * FINER;

/// Four channels of a cell, `[CELL, CELL, 4]`.
pub type Cell = Vec<[u8; 4]>;

/// Where a thing that does not fill its cell lies in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// Its foot on the lower edge.
    Foot,
    /// In the middle: it flies.
    Middle,
}

impl Stand {
    /// What a kind of thing does.
    pub fn of_class(class: &str) -> Self {
        if ["airplane", "kite", "bird", "frisbee"].contains(&class) { Self::Middle } else { Self::Foot }
    }
}

/// Averages squares of `FINER` pixels: `[FINE, FINE, 4]` with premultiplied colours to the same, smaller, in 0…255.
pub fn average(fine: &[[f32; 4]]) -> Vec<[f32; 4]> {
    let mut cell = vec![[0.0; 4]; CELL * CELL];
    for (i, pixel) in fine.iter().enumerate() {
        let at = i / FINE / FINER * CELL + i % FINE / FINER;
        for (sum, value) in cell[at].iter_mut().zip(pixel) {
            *sum += value / (FINER * FINER) as f32;
        }
    }
    cell
}

/// Rounds each channel.
pub fn rounded(values: &[[f32; 4]]) -> Cell {
    values.iter().map(|pixel| pixel.map(|value| value.round().clamp(0.0, 255.0) as u8)).collect()
}

/// Premultiplied to straight colours, rounded; what is invisible is zero, which compresses well.
pub fn straight(values: &[[f32; 4]]) -> Cell {
    let one = |&[r, g, b, a]: &[f32; 4]| {
        let alpha = a.round();
        if alpha < 1.0 { [0.0; 4] } else { [r / a * 255.0, g / a * 255.0, b / a * 255.0, alpha] }
    };
    rounded(&values.iter().map(one).collect::<Vec<_>>())
}

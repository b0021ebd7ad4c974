//! A glyph in a colour and size, ready to be put on a picture.

/// Pixels of one thing in its square box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sprite {
    /// Side of the box in pixels.
    pub side: usize,
    /// `[side, side]`: red, green and blue times alpha, and alpha, each in 0…255.
    pub pixels: Vec<[u8; 4]>,
    /// For each row the columns from the first visible pixel to past the last one.
    pub(crate) spans: Vec<(u8, u8)>,
}

impl Sprite {
    /// Scales a master (`[from, from]`, straight alpha, 0…255) to a box of `side` pixels.
    pub(crate) fn scaled(master: &[[f32; 4]], from: usize, side: usize) -> Self {
        let premultiplied: Vec<[f32; 4]> =
            master.iter().map(|&[r, g, b, a]| [r * a / 255.0, g * a / 255.0, b * a / 255.0, a]).collect();
        if side == from {
            return Self::new(&premultiplied, side);
        }
        let taps = taps(from, side);
        // Across first, then down; both read and write rows.
        let mut across = vec![[0.0; 4]; from * side];
        for (row, line) in across.chunks_exact_mut(side).zip(premultiplied.chunks_exact(from)) {
            for (value, (first, weights)) in row.iter_mut().zip(&taps) {
                *value = weighted(weights, |i| line[first + i]);
            }
        }
        let mut down = Vec::with_capacity(side * side);
        for (first, weights) in &taps {
            down.extend((0..side).map(|x| weighted(weights, |i| across[(first + i) * side + x])));
        }
        Self::new(&down, side)
    }

    fn new(premultiplied: &[[f32; 4]], side: usize) -> Self {
        let byte = |value: f32| value.round().clamp(0.0, 255.0) as u8;
        let pixels: Vec<[u8; 4]> = premultiplied
            .iter()
            .map(|&[r, g, b, a]| {
                let alpha = byte(a);
                // Sharpening may overshoot; a colour is never brighter than its alpha.
                [byte(r).min(alpha), byte(g).min(alpha), byte(b).min(alpha), alpha]
            })
            .collect();
        let spans = pixels
            .chunks_exact(side)
            .map(|row| {
                let first = row.iter().position(|pixel| pixel[3] > 0).unwrap_or(0);
                let end = row.iter().rposition(|pixel| pixel[3] > 0).map_or(0, |last| last + 1);
                (first as u8, end as u8)
            })
            .collect();
        Self { side, pixels, spans }
    }

    /// With left and right changed.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        let side = self.side as u8;
        Self {
            side: self.side,
            pixels: self.pixels.chunks_exact(self.side).flat_map(|row| row.iter().rev().copied()).collect(),
            spans: self
                .spans
                .iter()
                .map(|&(first, end)| (side - end, side - first))
                .map(|(a, b)| if a >= b { (0, 0) } else { (a, b) })
                .collect(),
        }
    }

    /// A pixel as numbers in 0…1: red, green and blue times alpha, and alpha. Nothing outside.
    #[must_use]
    pub fn rgba(&self, x: usize, y: usize) -> [f32; 4] {
        let pixel = if x < self.side { self.pixels.get(y * self.side + x).copied() } else { None };
        pixel.unwrap_or_default().map(|value| f32::from(value) / 255.0)
    }

    /// The tight box around what is more than half opaque: left, top, right and bottom, the last two exclusive. None
    /// where nothing is.
    #[must_use]
    pub fn content(&self) -> Option<[usize; 4]> {
        let solid = self.pixels.iter().enumerate().filter(|(_, pixel)| pixel[3] > 127);
        solid.fold(None, |found: Option<[usize; 4]>, (i, _)| {
            let (x, y) = (i % self.side, i / self.side);
            let [left, top, right, bottom] = found.unwrap_or([x, y, x + 1, y + 1]);
            Some([left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)])
        })
    }
}

fn weighted(weights: &[f32], value: impl Fn(usize) -> [f32; 4]) -> [f32; 4] {
    let mut sum = [0.0; 4];
    for (i, weight) in weights.iter().enumerate() {
        for (sum, value) in sum.iter_mut().zip(value(i)) {
            *sum += weight * value;
        }
    }
    sum
}

/// For each pixel of a smaller line the first pixel of the larger one that it sees, and their weights: the cubic of
/// Catmull and Rom, stretched so that nothing is skipped.
fn taps(from: usize, to: usize) -> Vec<(usize, Vec<f32>)> {
    let step = from as f32 / to as f32;
    let stretch = step.max(1.0);
    (0..to)
        .map(|i| {
            let centre = (i as f32 + 0.5) * step;
            let first = (centre - 2.0 * stretch).floor().max(0.0) as usize;
            let end = ((centre + 2.0 * stretch).ceil() as usize).min(from);
            let raw: Vec<f32> = (first..end).map(|j| cubic((j as f32 + 0.5 - centre) / stretch)).collect();
            let sum: f32 = raw.iter().sum();
            (first, raw.iter().map(|weight| weight / sum).collect())
        })
        .collect()
}

fn cubic(x: f32) -> f32 {
    let x = x.abs();
    if x < 1.0 {
        1.5 * x * x * x - 2.5 * x * x + 1.0
    } else if x < 2.0 {
        -0.5 * x * x * x + 2.5 * x * x - 4.0 * x + 2.0
    } else {
        0.0
    }
}

//! The fixed grounds that things stand on.

use std::sync::OnceLock;

use super::oklab::shown;
use super::scene::SIDE;

/// What a ground is like.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// One colour, lighter in the middle.
    Plain(f32),
    /// A wall, a skirting board and a floor.
    Room(f32),
    /// Dots on one colour.
    Dots(f32),
    /// Sky over grass.
    Sky,
    /// An evening.
    Dusk,
    /// Two lines of hills; the number shifts them.
    Hills(u8),
    /// One colour.
    Flat(f32),
}

/// Hues of walls and plain grounds, in degrees.
const HUES: [f32; 9] = [20.0, 60.0, 95.0, 150.0, 195.0, 235.0, 270.0, 310.0, 345.0];

/// How many grounds there are.
pub const GROUNDS: usize = 3 * HUES.len() + 2 + 8 + HUES.len();

/// Where the floor of a room and the grass begin, in pixels: at the edge of a token.
const FLOOR_PX: f32 = 88.0;

/// The ground's kind by its number: plain, room and dots for each hue, sky, dusk, hills, then one colour for each hue.
fn kind(number: usize) -> Kind {
    const LANDSCAPES: usize = 3 * HUES.len();
    match number {
        n if n < LANDSCAPES => [Kind::Plain, Kind::Room, Kind::Dots][n % 3](HUES[n / 3]),
        LANDSCAPES => Kind::Sky,
        n if n == LANDSCAPES + 1 => Kind::Dusk,
        n if n < LANDSCAPES + 10 => Kind::Hills((n - LANDSCAPES - 2) as u8),
        n => Kind::Flat(HUES[(n - LANDSCAPES - 10) % HUES.len()]),
    }
}

/// A ground's pixels, `[SIDE, SIDE]`, 8-bit sRGB. Numbers past the last ground begin again.
#[must_use]
pub fn ground(number: u8) -> &'static [[u8; 3]] {
    static ALL: OnceLock<Vec<Vec<[u8; 3]>>> = OnceLock::new();
    let all = ALL.get_or_init(|| (0..GROUNDS).map(|number| painted(kind(number))).collect());
    &all[usize::from(number) % GROUNDS]
}

/// What a ground is called in a sentence, for example `a room`.
#[must_use]
pub fn ground_name(number: u8) -> &'static str {
    match kind(usize::from(number) % GROUNDS) {
        Kind::Plain(_) | Kind::Flat(_) => "a plain ground",
        Kind::Room(_) => "the floor of a room",
        Kind::Dots(_) => "a dotted ground",
        Kind::Sky => "grass under the sky",
        Kind::Dusk => "the ground at dusk",
        Kind::Hills(_) => "grass before hills",
    }
}

type Rgb = [f32; 3];

fn mixed(a: Rgb, b: Rgb, share: f32) -> Rgb {
    std::array::from_fn(|c| a[c] + (b[c] - a[c]) * share.clamp(0.0, 1.0))
}

fn painted(kind: Kind) -> Vec<[u8; 3]> {
    let at: Box<dyn Fn(f32, f32) -> Rgb> = match kind {
        Kind::Flat(hue) => {
            let colour = shown(0.87, 0.05, hue);
            Box::new(move |_, _| colour)
        }
        Kind::Plain(hue) => {
            let (middle, edge) = (shown(0.88, 0.045, hue), shown(0.80, 0.055, hue));
            Box::new(move |x, y| {
                let (x, y) = (x / SIDE as f32 - 0.5, y / SIDE as f32 - 0.45);
                mixed(middle, edge, (x * x + y * y) * 1.6)
            })
        }
        Kind::Dots(hue) => {
            let (colour, dot) = (shown(0.87, 0.05, hue), shown(0.92, 0.035, hue));
            Box::new(move |x, y| {
                let (x, y) = (x % 16.0 - 8.0, y % 16.0 - 8.0);
                mixed(colour, dot, 2.8 - (x * x + y * y).sqrt())
            })
        }
        Kind::Room(hue) => {
            let (wall, floor, board) = (shown(0.87, 0.045, hue), shown(0.78, 0.05, 65.0), shown(0.94, 0.015, hue));
            Box::new(move |_, y| {
                if y >= FLOOR_PX {
                    floor
                } else if y >= FLOOR_PX - 3.0 {
                    board
                } else {
                    wall
                }
            })
        }
        Kind::Sky => {
            let (top, low, grass) = (shown(0.80, 0.075, 235.0), shown(0.91, 0.035, 220.0), shown(0.80, 0.085, 135.0));
            Box::new(move |_, y| if y >= FLOOR_PX { grass } else { mixed(top, low, y / SIDE as f32) })
        }
        Kind::Dusk => {
            let (top, low, land) = (shown(0.78, 0.075, 300.0), shown(0.88, 0.07, 50.0), shown(0.74, 0.05, 290.0));
            Box::new(move |_, y| if y >= FLOOR_PX + 8.0 { land } else { mixed(top, low, y / SIDE as f32) })
        }
        Kind::Hills(shift) => {
            let (top, low) = (shown(0.88, 0.05, 210.0), shown(0.93, 0.04, 90.0));
            let (far, near) = (shown(0.82, 0.06, 170.0), shown(0.77, 0.08, 140.0));
            let shift = f32::from(shift) * 0.785;
            Box::new(move |x, y| {
                let (x, y) = (x / SIDE as f32, y / SIDE as f32);
                let hill = |colour: Rgb, under: Rgb, height: f32, swing: f32, phase: f32| {
                    let line = height + swing * libm::sinf(x * 5.0 + phase);
                    mixed(under, colour, (y - line) * SIDE as f32 / 1.5)
                };
                let behind = hill(far, mixed(top, low, y), 0.55, 0.07, shift);
                hill(near, behind, 0.72, 0.06, shift + 2.0)
            })
        }
    };
    let pixel = |i: usize| at((i % SIDE) as f32, (i / SIDE) as f32).map(|value| (value * 255.0).round() as u8);
    (0..SIDE * SIDE).map(pixel).collect()
}

/// The number of a flat ground, a room and so on, by its place among its kind.
pub(super) const fn flat(hue: u8) -> u8 {
    3 * HUES.len() as u8 + 10 + hue
}

/// See [`flat`].
pub(super) const fn room(hue: u8) -> u8 {
    3 * hue + 1
}

/// See [`flat`].
pub(super) const fn dots(hue: u8) -> u8 {
    3 * hue + 2
}

/// The number of the sky.
pub(super) const SKY: u8 = 3 * HUES.len() as u8;

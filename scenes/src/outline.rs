//! What lies inside each shape, analytically; pixels are coverage, counted on a fine grid of samples.

use crate::world::Shape;

/// Whether a point lies inside a shape. `x` to the right and `y` down from the centre of the shape's box and `radius`,
/// half the side of that box, are in pixels: edges that run along the pixel grid snap to it where the radius is one
/// the renderer uses, so that squares and crosses are crisp.
pub(crate) fn inside(shape: Shape, x: f32, y: f32, radius: f32) -> bool {
    let (u, v) = (x / radius, y / radius);
    match shape {
        // Not the whole box: round shapes of equal extent look larger, and neighbours keep two dark pixels.
        Shape::Circle => disc(u, v, 0.94),
        Shape::Square => {
            let half = (radius * 0.83).round();
            x.abs() <= half && y.abs() <= half
        }
        Shape::Triangle => polygon(&[(0.0, -0.96), (1.0, 0.84), (-1.0, 0.84)], u, v),
        Shape::Star => polygon(&STAR, u, v),
        Shape::Heart => heart(u.abs(), v),
        // A disc less a disc, opening to the upper right.
        Shape::Moon => {
            let (u, v) = (u - 0.08, v + 0.05);
            disc(u, v, 0.95) && !disc(u - 0.42, v + 0.26, 0.70)
        }
        Shape::Ring => disc(u, v, 0.96) && !disc(u, v, 0.52),
        Shape::Cross => {
            let (arm, half) = (radius.floor(), (radius * 0.34).round());
            (x.abs() <= arm && y.abs() <= half) || (y.abs() <= arm && x.abs() <= half)
        }
    }
}

fn disc(x: f32, y: f32, radius: f32) -> bool {
    x * x + y * y <= radius * radius
}

/// Five points, a little fuller than a pentagram, which is too thin at twelve pixels.
const STAR: [(f32, f32); 10] = [
    (0.000, -1.000),
    (0.280, -0.315),
    (1.020, -0.261),
    (0.453, 0.217),
    (0.630, 0.938),
    (0.000, 0.546),
    (-0.630, 0.938),
    (-0.453, 0.217),
    (-1.020, -0.261),
    (-0.280, -0.315),
];

/// Two discs and the kite between them and the tip; `u` is already mirrored to the right half.
fn heart(u: f32, v: f32) -> bool {
    const LOBE: (f32, f32) = (0.47, -0.40);
    const LOBE_RADIUS: f32 = 0.50;
    disc(u - LOBE.0, v - LOBE.1, LOBE_RADIUS)
        // The outer edge is the tangent from the tip (0, 0.93) to the lobe.
        || polygon(&[(0.0, -0.42), LOBE, (0.852, -0.077), (0.0, 0.93)], u, v)
}

/// Even–odd rule.
fn polygon(corners: &[(f32, f32)], x: f32, y: f32) -> bool {
    let mut within = false;
    for (i, &(ax, ay)) in corners.iter().enumerate() {
        let (bx, by) = corners[(i + 1) % corners.len()];
        if (ay > y) != (by > y) && x < ax + (y - ay) / (by - ay) * (bx - ax) {
            within = !within;
        }
    }
    within
}

/// Fraction of every pixel of a `side`×`side` window that a shape covers, row by row, from `samples`² points a pixel.
/// The shape's centre lies at (`cx`, `cy`) in the window, in pixels.
pub(crate) fn coverage(shape: Shape, radius: f32, side: usize, (cx, cy): (f32, f32), samples: usize) -> Vec<f32> {
    let at = |pixel: usize, sample: usize| pixel as f32 + (sample as f32 + 0.5) / samples as f32;
    let mut mask = Vec::with_capacity(side * side);
    for row in 0..side {
        for col in 0..side {
            let hits = (0..samples * samples)
                .filter(|s| inside(shape, at(col, s % samples) - cx, at(row, s / samples) - cy, radius))
                .count();
            mask.push(hits as f32 / (samples * samples) as f32);
        }
    }
    mask
}

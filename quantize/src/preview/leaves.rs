//! Made pictures: discs and boxes that lie on each other ("dead leaves"), which have the edges, the flat parts and the spectrum of
//! photographs (Lee, Mumford and Huang, "Occlusion models for natural images", 2001).

use rng::Rng;

/// Tells this stream from others of the same seed.
const STREAM: u64 = 0x006c_6561_7665_7300;

/// One disc or box.
struct Leaf {
    /// Its middle, in pixels.
    at: [f32; 2],
    /// Half of its longer axis, in pixels.
    radius: f32,
    /// The shorter axis as a part of the longer.
    narrow: f32,
    /// Cosine and sine of its longer axis.
    along: [f32; 2],
    round: bool,
    colour: [f32; 3],
    /// How colours change from its middle to its edge, along its longer axis.
    shade: [f32; 3],
    /// Stripes: their height, and radians a pixel.
    stripes: [f32; 2],
}

impl Leaf {
    fn new(rng: &mut Rng, side: f32) -> Self {
        let angle = rng.unit() * std::f32::consts::TAU;
        // Radii of density r⁻³, cut off at what can be seen and at the whole picture.
        let (small, large) = (side / 40.0, side * 0.6);
        let radius = (small / (1.0 - rng.unit()).sqrt()).min(large);
        let mut colour = || [(); 3].map(|()| 2.0 * rng.unit() - 1.0);
        let (colour, towards) = (colour(), colour());
        let shaded = if rng.chance(0.5) { 0.3 } else { 0.0 };
        let striped = if rng.chance(0.3) { 0.25 } else { 0.0 };
        Self {
            at: [rng.unit() * side, rng.unit() * side],
            radius,
            narrow: 0.3 + 0.7 * rng.unit(),
            along: [angle.cos(), angle.sin()],
            round: rng.chance(0.5),
            colour,
            shade: towards.map(|value| value * shaded),
            stripes: [striped, (0.1 + 1.4 * rng.unit()) * 256.0 / side],
        }
    }

    /// Its colours at a pixel, where it covers it.
    fn at(&self, x: f32, y: f32) -> Option<[f32; 3]> {
        let (dx, dy) = (x - self.at[0], y - self.at[1]);
        let [cos, sin] = self.along;
        let (u, v) = ((dx * cos + dy * sin) / self.radius, (dy * cos - dx * sin) / (self.radius * self.narrow));
        let covers = if self.round { u * u + v * v < 1.0 } else { u.abs() < 1.0 && v.abs() < 1.0 };
        let [height, pace] = self.stripes;
        let wave = height * (u * self.radius * pace).sin();
        covers.then(|| std::array::from_fn(|channel| self.colour[channel] + self.shade[channel] * u + wave))
    }
}

/// Picture `number` of a seed: `[3, side, side]`, values in −1…1.
pub fn picture(side: usize, seed: u64, number: u64) -> Vec<f32> {
    let mut rng = Rng::keyed(&[seed, STREAM, number]);
    let ground: [f32; 3] = [(); 3].map(|()| 2.0 * rng.unit() - 1.0);
    // Few large leaves in some pictures, very many in others.
    let count = (4.0 * (rng.unit() * 4.0).exp()) as usize;
    let leaves: Vec<Leaf> = (0..count).map(|_| Leaf::new(&mut rng, side as f32)).collect();
    let mut pixels = vec![0.0; 3 * side * side];
    for at in 0..side * side {
        let (x, y) = ((at % side) as f32 + 0.5, (at / side) as f32 + 0.5);
        // The first is on top.
        let colour = leaves.iter().find_map(|leaf| leaf.at(x, y)).unwrap_or(ground);
        for (channel, value) in colour.into_iter().enumerate() {
            pixels[channel * side * side + at] = value.clamp(-1.0, 1.0);
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_picture_and_others_are_others() {
        let one = picture(32, 3, 5);
        assert_eq!(one, picture(32, 3, 5));
        assert!(one != picture(32, 3, 6) && one != picture(32, 4, 5));
    }

    /// What sets them apart from noise: most neighbours are nearly alike, and all colours occur.
    #[test]
    fn they_have_flat_parts_and_edges() {
        let side = 64;
        let (mut alike, mut edges, mut seen) = (0, 0, [0usize; 2]);
        for number in 0..40 {
            let pixels = picture(side, 1, number);
            for row in pixels.chunks(side) {
                let steps = row.windows(2).map(|pair| (pair[0] - pair[1]).abs());
                alike += steps.clone().filter(|step| *step < 0.1).count();
                edges += steps.filter(|step| *step > 0.5).count();
            }
            seen[0] += pixels.iter().filter(|value| **value < -0.5).count();
            seen[1] += pixels.iter().filter(|value| **value > 0.5).count();
        }
        let pairs = 40 * 3 * side * (side - 1);
        assert!(alike * 10 > pairs * 6, "{alike} of {pairs} are alike");
        assert!(edges * 50 > pairs && edges * 4 < pairs, "{edges} of {pairs} are edges");
        assert!(seen.iter().all(|count| count * 8 > 40 * 3 * side * side), "{seen:?}");
    }
}

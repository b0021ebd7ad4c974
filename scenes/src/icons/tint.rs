//! Recolouring: a thing's body takes the asked colour, its accents (wheels, leaves, eyes, windows) keep theirs.
//!
//! Pixels fall into groups by hue, and by lightness where they have none. The largest groups up to half the area are the
//! body; its lightness is mapped onto the colour's ramp, contrast squeezed into it. Our own drawings say which of their
//! tones are to be replaced.

use serde::{Deserialize, Serialize};

use super::class::Colour;
use super::oklab;
use super::ramp::Ramp;

/// How a glyph's body is found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TintRule {
    /// The body is at least so much of the visible area, 0…1.
    pub(crate) floor: f32,
    /// The group of this hue (degrees) comes first, however small.
    pub(crate) lead_hue: Option<f32>,
}

impl Default for TintRule {
    fn default() -> Self {
        Self { floor: 0.5, lead_hue: None }
    }
}

/// Less colourful pixels have no hue.
const COLOURFUL: f32 = 0.05;
/// Darker pixels have no hue either.
const TOO_DARK: f32 = 0.2;
/// Hues so far apart (degrees) are one group.
const SAME_HUE: f32 = 38.0;
/// Groups of hues are looked for while more than this share is in none.
const REST: f32 = 0.02;
/// Groups of hues at most.
const MOST_GROUPS: usize = 6;
/// Pixels that are more opaque belong to groups; fainter ones are a rim.
const OPAQUE: u8 = 127;
/// Steps of lightness for which a tint's colours are worked out.
const STEPS: usize = 256;

/// Which pixels of a master take the tint, and how light they are.
#[derive(Debug)]
pub(super) struct Body {
    /// Lightness of each pixel in 1/255; of those that keep their colour, none.
    lightness: Vec<Option<u8>>,
    /// The dark, middle and light of the body, 0…1.
    levels: [f32; 3],
}

/// Pixels of one kind.
struct Group {
    members: Vec<usize>,
    hue: Option<f32>,
    /// How readily it is body: dark ones are outlines, wheels and eyes.
    readiness: f32,
}

impl Body {
    /// Finds the body of a master: `[side, side]` pixels, straight alpha.
    pub(super) fn of(pixels: &[[u8; 4]], side: usize, rule: TintRule) -> Self {
        let labs: Vec<oklab::Lab> = pixels.iter().map(|&[r, g, b, _]| oklab::from_rgb([r, g, b])).collect();
        let opaque: Vec<usize> = (0..pixels.len()).filter(|&i| pixels[i][3] > OPAQUE).collect();
        let mut groups = grouped(&labs, &opaque);
        let leads = |group: &Group| {
            rule.lead_hue.zip(group.hue).is_some_and(|(lead, hue)| oklab::hue_distance(lead, hue) < SAME_HUE)
        };
        let score = |group: &Group| {
            group.members.len() as f32 * group.readiness + if leads(group) { opaque.len() as f32 } else { 0.0 }
        };
        groups.sort_by(|a, b| score(b).total_cmp(&score(a)));

        let mut lightness = vec![None; pixels.len()];
        let mut body = Vec::new();
        for group in groups {
            if body.len() as f32 >= rule.floor * opaque.len() as f32 {
                break;
            }
            body.extend(group.members);
        }
        for &i in &body {
            lightness[i] = Some(in_bytes(labs[i][0]));
        }
        let mut levels: Vec<f32> = body.iter().map(|&i| labs[i][0]).collect();
        levels.sort_by(f32::total_cmp);
        let level =
            |share: f32| levels.get((share * (levels.len().saturating_sub(1)) as f32).round() as usize).copied();
        let [low, middle, high] = [0.06, 0.5, 0.94].map(|share| level(share).unwrap_or(0.5));
        add_rim(&mut lightness, &labs, pixels, side);
        Self { lightness, levels: [low.min(middle - 0.04), middle, high.max(middle + 0.04)] }
    }

    /// The tinted master: straight alpha, colours in 0…255.
    pub(super) fn tinted(&self, pixels: &[[u8; 4]], colour: Colour) -> Vec<[f32; 4]> {
        let ramp = Ramp::of(colour);
        let [low, middle, high] = self.levels;
        let squeeze_down = (ramp.down / (middle - low)).min(1.0);
        let squeeze_up = (ramp.up / (high - middle)).min(1.0);
        let colours: Vec<[f32; 3]> = (0..STEPS)
            .map(|step| {
                let offset = step as f32 / (STEPS - 1) as f32 - middle;
                let squeezed = offset * if offset < 0.0 { squeeze_down } else { squeeze_up };
                ramp.at(squeezed).map(|value| value * 255.0)
            })
            .collect();
        let one = |(pixel, lightness): (&[u8; 4], &Option<u8>)| {
            let [r, g, b, a] = pixel.map(f32::from);
            match lightness {
                Some(step) => {
                    let [r, g, b] = colours[usize::from(*step)];
                    [r, g, b, a]
                }
                None => [r, g, b, a],
            }
        };
        pixels.iter().zip(&self.lightness).map(one).collect()
    }
}

fn in_bytes(lightness: f32) -> u8 {
    (lightness * 255.0).round().clamp(0.0, 255.0) as u8
}

/// Groups of opaque pixels: hues, the most frequent first, then light, middle and dark greys.
fn grouped(labs: &[oklab::Lab], opaque: &[usize]) -> Vec<Group> {
    let (mut rest, greys): (Vec<usize>, Vec<usize>) =
        opaque.iter().partition(|&&i| oklab::chroma(labs[i]) > COLOURFUL && labs[i][0] > TOO_DARK);
    let mut groups = Vec::new();
    let hues: Vec<f32> = labs.iter().map(|&lab| oklab::hue(lab)).collect();
    while rest.len() as f32 > REST * opaque.len() as f32 && groups.len() < MOST_GROUPS {
        let peak = commonest_hue(rest.iter().map(|&i| hues[i]));
        let (members, others): (Vec<usize>, Vec<usize>) =
            rest.iter().partition(|&&i| oklab::hue_distance(hues[i], peak) < SAME_HUE);
        if members.is_empty() {
            break;
        }
        groups.push(Group { members, hue: Some(peak), readiness: 1.0 });
        rest = others;
    }
    for (range, readiness) in [(0.72..f32::MAX, 0.85), (0.42..0.72, 0.8), (f32::MIN..0.42, 0.5)] {
        let members: Vec<usize> = greys.iter().copied().filter(|&i| range.contains(&labs[i][0])).collect();
        if !members.is_empty() {
            groups.push(Group { members, hue: None, readiness });
        }
    }
    groups
}

/// The middle of the fullest stretch of hues, in degrees.
fn commonest_hue(hues: impl Iterator<Item = f32>) -> f32 {
    const BINS: usize = 72;
    const WEIGHTS: [f32; 11] = [0.3, 0.5, 0.7, 0.9, 1.0, 1.0, 1.0, 0.9, 0.7, 0.5, 0.3];
    let mut counts = [0.0; BINS];
    for hue in hues {
        counts[(hue / 5.0) as usize % BINS] += 1.0;
    }
    let weight = |bin: usize| {
        WEIGHTS.iter().enumerate().map(|(i, weight)| weight * counts[(bin + BINS + i - 5) % BINS]).sum::<f32>()
    };
    let fullest = (0..BINS).fold((0, f32::MIN), |best, bin| {
        let found = weight(bin);
        if found > best.1 { (bin, found) } else { best }
    });
    fullest.0 as f32 * 5.0 + 2.5
}

/// Faint pixels beside the body are its rim and are tinted with it.
fn add_rim(lightness: &mut [Option<u8>], labs: &[oklab::Lab], pixels: &[[u8; 4]], side: usize) {
    let body: Vec<bool> = lightness.iter().map(Option::is_some).collect();
    for i in (0..pixels.len()).filter(|&i| (1..=OPAQUE).contains(&pixels[i][3])) {
        let near = |at: usize| at.saturating_sub(1)..=(at + 1).min(side - 1);
        if near(i / side).any(|y| near(i % side).any(|x| body[y * side + x])) {
            lightness[i] = Some(in_bytes(labs[i][0]));
        }
    }
}

/// What is written on a thing that turns white, 8-bit sRGB.
const DARK_INK: [f32; 3] = [58.0, 63.0, 69.0];

/// A drawing of ours in another colour: `master` with its tones replaced, by the shares that each pixel has of them.
/// Straight alpha, colours in 0…255.
pub(super) fn toned(
    master: &[[u8; 4]],
    shares: &[[u8; 4]],
    replaced: [[u8; 3]; 3],
    ink: Option<[u8; 3]>,
    colour: Colour,
) -> Vec<[f32; 4]> {
    let tones = Ramp::of(colour).tones().map(|tone| tone.map(|value| value * 255.0));
    let mut changes = [[0.0; 3]; 4];
    for (tone, (new, old)) in tones.iter().zip(&replaced).enumerate() {
        changes[tone] = std::array::from_fn(|c| new[c] - f32::from(old[c]));
    }
    if let (Some(ink), Colour::White) = (ink, colour) {
        changes[3] = std::array::from_fn(|c| DARK_INK[c] - f32::from(ink[c]));
    }
    let one = |(pixel, share): (&[u8; 4], &[u8; 4])| {
        let [r, g, b, alpha] = pixel.map(f32::from);
        if alpha == 0.0 {
            return [0.0; 4];
        }
        let channel = |c: usize, value: f32| {
            let change: f32 = changes.iter().zip(share).map(|(change, &part)| change[c] * f32::from(part)).sum();
            (value + change / alpha).clamp(0.0, 255.0)
        };
        [channel(0, r), channel(1, g), channel(2, b), alpha]
    };
    master.iter().zip(shares).map(one).collect()
}

//! The hidden layer: which bits of a token and its neighbours a unit looks at. Nothing of it is learnt.
//!
//! A bit is ±1, and 0 where a token is masked or beyond the edge. First every bit of the window has two units, one for either
//! value, which makes the linear function of the bits. The others are conjunctions: a unit of m bits is 1 where all of them have
//! their values, else 0. They are drawn at random, of two to four bits, most of them of the token itself and some of the four beside
//! it: on the shipped tokenizers such units leave less error than as many dense ones with normal weights.

use rng::Rng;
use showo::config::PreviewConfig;

/// Tells this stream from others of the same seed.
const STREAM: u64 = 0x0075_6e69_7473;

/// How often a bit of a conjunction is one of the token's own.
const OWN: f32 = 0.6;

/// Weights `[width, bits, window, window]` and biases `[width]` of the hidden layer.
pub struct Units {
    /// 0 or ±1.
    pub weight: Vec<f32>,
    /// 0, or what leaves 1 of a whole conjunction.
    pub bias: Vec<f32>,
}

impl Units {
    /// The units that a configuration has room for.
    pub fn new(config: &PreviewConfig, seed: u64) -> Self {
        let window = config.window.unwrap_or(1);
        let (cells, half) = (window * window, window / 2);
        let inputs = config.bits * cells;
        let mut units = Self { weight: vec![0.0; config.width * inputs], bias: vec![0.0; config.width] };
        let cell = |row: usize, column: usize| row * window + column;
        // Up, down, left and right, where the window has them.
        let beside = match half {
            0 => Vec::new(),
            _ => vec![cell(half - 1, half), cell(half + 1, half), cell(half, half - 1), cell(half, half + 1)],
        };
        for unit in 0..config.width {
            let weights = &mut units.weight[unit * inputs..][..inputs];
            if unit < 2 * inputs {
                weights[unit / 2] = if unit % 2 == 0 { 1.0 } else { -1.0 };
                continue;
            }
            let mut rng = Rng::keyed(&[seed, STREAM, unit as u64]);
            // No more than there are: a code may have a single bit.
            let of = (2 + rng.below(3)).min(config.bits);
            let mut chosen = 0;
            while chosen < of {
                let cell = if rng.chance(OWN) { None } else { rng.pick(&beside) };
                let at = rng.below(config.bits) * cells + cell.unwrap_or(cells / 2);
                if weights[at] == 0.0 {
                    weights[at] = if rng.chance(0.5) { 1.0 } else { -1.0 };
                    chosen += 1;
                }
            }
            units.bias[unit] = 1.0 - of as f32;
        }
        units
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(width: usize) -> PreviewConfig {
        PreviewConfig {
            bits: 3,
            grid: 4,
            width,
            num_res_blocks: 0,
            window: Some(3),
            patch: 2,
            group_norm_groups: 32,
            group_norm_eps: 1e-6,
        }
    }

    #[test]
    fn every_bit_has_both_values_and_the_others_are_conjunctions() {
        let (width, inputs) = (200, 27);
        let Units { weight, bias } = Units::new(&config(width), 1);
        for (unit, (weights, bias)) in weight.chunks(inputs).zip(&bias).enumerate() {
            let looked_at: f32 = weights.iter().map(|weight| weight.abs()).sum();
            if unit < 2 * inputs {
                assert_eq!((looked_at, *bias), (1.0, 0.0));
            } else {
                assert!((2.0..=3.0).contains(&looked_at), "{looked_at} bits");
                assert_eq!(looked_at + bias, 1.0, "1 where all bits have their values");
                // A corner of the window is no neighbour.
                assert!([0, 2, 6, 8].iter().all(|corner| weights.iter().skip(*corner).step_by(9).all(|w| *w == 0.0)));
            }
        }
    }

    #[test]
    fn the_seed_decides_and_a_narrower_layer_is_the_beginning_of_a_wider_one() {
        let (one, same, other) = (Units::new(&config(90), 1), Units::new(&config(70), 1), Units::new(&config(90), 2));
        assert_eq!(one.weight[..70 * 27], same.weight);
        assert_ne!(one.weight, other.weight);
    }
}

//! Counted random weights: a value is a function of (seed, tensor's name, place in the tensor) alone, so both cores
//! make any part of any tensor, and the same seed makes the same file whatever its dtype or shards.

use half::{bf16, f16};

use crate::layout::{Expected, LOGIT_SCALE};

/// How a tensor's values are spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Their mean.
    pub mean: f32,
    /// Their standard deviation.
    pub std: f32,
}

impl Spread {
    /// What keeps signals of unit size through `layers` blocks, so that logits are finite and not all alike.
    ///
    /// A norm multiplies by about 1. A projection of n inputs has deviation `1/√n`; those that add to the residual
    /// stream are smaller by `√(2·layers)`, as in GPT-2. The output head is twice as wide as that, which gives logits
    /// of deviation 2.
    pub fn of(tensor: &Expected, layers: usize) -> Self {
        let name = tensor.name.as_str();
        let inputs: usize = tensor.shape.iter().skip(1).product();
        let narrow = 1.0 / (inputs.max(1) as f32).sqrt();
        let part = name.strip_suffix(".weight").and_then(|name| name.rsplit('.').next()).unwrap_or("");
        match (part, tensor.shape.len()) {
            // CLIP's training ends at its ceiling, ln 100.
            _ if name == LOGIT_SCALE => Self { mean: 100f32.ln(), std: 0.0 },
            (_, 1) if name.ends_with(".weight") => Self { mean: 1.0, std: 0.02 },
            (_, 1) => Self { mean: 0.0, std: 0.02 },
            ("embed_tokens" | "text" | "image" | "token_embedding" | "position_embedding" | "", _) => {
                Self { mean: 0.0, std: 0.2 }
            }
            ("dense" | "fc2" | "out" | "out_proj" | "conv2" | "proj_out", _) => {
                Self { mean: 0.0, std: narrow / (2.0 * layers.max(1) as f32).sqrt() }
            }
            ("lm_head", _) => Self { mean: 0.0, std: 2.0 * narrow },
            _ => Self { mean: 0.0, std: narrow },
        }
    }
}

/// The stream of one tensor.
pub fn key(seed: u64, name: &str) -> u64 {
    name.bytes().fold(mix(seed), |key, byte| mix(key ^ u64::from(byte)))
}

/// SplitMix64's finalizer (Steele, Lea and Flood, 2014).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// 64 random bits at one place of a stream.
pub fn bits(key: u64, place: u64) -> u64 {
    mix(key.wrapping_add(place.wrapping_mul(0xd134_2543_de82_ef95)))
}

/// The value at one place: the sum of four uniform numbers of 16 bits, which is a bell of ±3.46 deviations, and which
/// a core makes several hundred million times a second.
pub fn value(key: u64, place: u64, spread: Spread) -> f32 {
    let bits = bits(key, place);
    let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
    // The mean of the sum is 2·65,535, its deviation 65,536/√3.
    let unit = (sum as f32 - 131_070.0) * (1.732_050_8 / 65_536.0);
    spread.mean + spread.std * unit
}

/// How the values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Dtype {
    /// single precision
    F32,
    /// half precision
    F16,
    /// bfloat16: f32's range, 8 bits of precision
    Bf16,
}

impl Dtype {
    /// Bytes of one value.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The name in a safetensors header.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        }
    }

    /// Fills `out` with the values, little-endian.
    pub fn put(self, out: &mut [u8], values: impl Iterator<Item = f32>) {
        match self {
            Self::F32 => out.as_chunks_mut().0.iter_mut().zip(values).for_each(|(out, v)| *out = v.to_le_bytes()),
            Self::F16 => {
                let out = out.as_chunks_mut().0.iter_mut();
                out.zip(values).for_each(|(out, v)| *out = f16::from_f32(v).to_le_bytes());
            }
            Self::Bf16 => {
                let out = out.as_chunks_mut().0.iter_mut();
                out.zip(values).for_each(|(out, v)| *out = bf16::from_f32(v).to_le_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_spread_as_asked() {
        let spread = Spread { mean: 0.5, std: 0.25 };
        let values: Vec<f64> = (0..100_000).map(|place| f64::from(value(key(7, "w"), place, spread))).collect();
        let mean = values.iter().sum::<f64>() / 1e5;
        let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 1e5).sqrt();
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
        assert!((deviation - 0.25).abs() < 0.005, "{deviation}");
    }

    #[test]
    fn a_value_depends_on_seed_name_and_place() {
        let at = |seed, name: &str, place| value(key(seed, name), place, Spread { mean: 0.0, std: 1.0 });
        assert_eq!(at(1, "w", 5), at(1, "w", 5));
        assert_ne!(at(1, "w", 5), at(2, "w", 5));
        assert_ne!(at(1, "w", 5), at(1, "v", 5));
        assert_ne!(at(1, "w", 5), at(1, "w", 6));
    }
}

//! The decoder in the making, and as it is stored.

use burn::tensor::Device;
use half::f16;
use showo::{
    bundle::{BundleWriter, ModelKind, manifest::Source},
    config::PreviewConfig,
    model::{ModelError, Weights, preview::Preview},
};

use super::{
    examples::by_token,
    ridge::{Linear, Normal},
    units::Units,
};
use crate::{error::ToolError, measure::Cost};

/// A hidden layer, and the sums that its last layer will follow from.
pub struct Fitting {
    config: PreviewConfig,
    units: Units,
    /// With a last layer of zeros, for its features.
    network: Preview,
    sums: Normal,
}

/// A decoder whose last layer is known.
pub struct Fitted {
    config: PreviewConfig,
    /// Name, shape and values, in the order of the network.
    tensors: Vec<(&'static str, Vec<usize>, Vec<f32>)>,
}

impl Fitting {
    /// Nothing has been seen.
    ///
    /// # Errors
    /// A configuration that contradicts itself.
    pub fn new(config: &PreviewConfig, seed: u64) -> Result<Self, ToolError> {
        let outputs = 3 * config.patch.pow(2);
        let units = Units::new(config, seed);
        let nothing = Linear { weight: vec![0.0; outputs * config.width], bias: vec![0.0; outputs] };
        let network = Fitted::new(config, &units, &nothing).network()?;
        Ok(Self { config: config.clone(), units, network, sums: Normal::new(config.width, outputs) })
    }

    /// Learns from codes, negative where masked, and the small picture `[3, side, side]` that they are to show.
    pub fn add(&mut self, codes: &[i32], pixels: &[f32]) {
        let PreviewConfig { grid, patch, width, .. } = self.config;
        let features = self.network.features(self.network.entries(&[codes], &Device::flex()));
        let features = features.reshape([width, grid * grid]).transpose();
        self.sums.add(features, by_token(pixels, grid, patch));
    }

    /// Tokens that were learnt from.
    pub fn rows(&self) -> usize {
        self.sums.rows()
    }

    /// The mean colour of what was learnt from.
    pub fn colour(&self) -> [f32; 3] {
        let (mean, area) = (self.sums.mean(), self.config.patch.pow(2));
        std::array::from_fn(|channel| mean[channel * area..][..area].iter().sum::<f32>() / area as f32)
    }

    /// The decoder with the last layer that λ gives; nothing where it has none.
    pub fn solve(&self, lambda: f64) -> Option<Fitted> {
        Some(Fitted::new(&self.config, &self.units, &self.sums.solve(lambda)?))
    }
}

impl Fitted {
    fn new(config: &PreviewConfig, units: &Units, last: &Linear) -> Self {
        let PreviewConfig { bits, width, patch, .. } = *config;
        let (window, outputs) = (config.window.unwrap_or(1), 3 * patch * patch);
        let tensors = vec![
            ("conv_in.weight", vec![width, bits, window, window], units.weight.clone()),
            ("conv_in.bias", vec![width], units.bias.clone()),
            ("conv_out.weight", vec![outputs, width, 1, 1], last.weight.clone()),
            ("conv_out.bias", vec![outputs], last.bias.clone()),
        ];
        Self { config: config.clone(), tensors }
    }

    /// The network with the weights as they are stored.
    ///
    /// # Errors
    /// A configuration that contradicts itself.
    pub fn network(&self) -> Result<Preview, ToolError> {
        let built = || -> Result<Preview, ModelError> {
            let mut weights = Weights::new(&Device::flex());
            for (name, shape, values) in &self.tensors {
                let stored = if in_half(shape) {
                    values.iter().map(|v| f16::from_f32(*v).to_f32()).collect()
                } else {
                    values.clone()
                };
                weights.insert_float(name, shape, stored)?;
            }
            Preview::new(&self.config, weights)
        };
        built().map_err(|error| ToolError::Mismatch(format!("preview: {error}")))
    }

    /// Adds it to a bundle.
    ///
    /// # Errors
    /// The bundle has one already; a full disk.
    pub fn write(&self, writer: &mut BundleWriter, source: Source) -> Result<(), ToolError> {
        let config = serde_json::to_value(&self.config)
            .map_err(|error| ToolError::Mismatch(format!("preview: its configuration is no JSON: {error}")))?;
        writer.model(ModelKind::Preview, config, source)?;
        for (name, shape, values) in &self.tensors {
            if !in_half(shape) {
                writer.f32(name, shape, values)?;
                continue;
            }
            let half: Vec<f16> = values.iter().map(|value| f16::from_f32(*value)).collect();
            let stored: Vec<f32> = half.iter().map(|value| value.to_f32()).collect();
            let inputs = shape[1..].iter().product();
            writer.f16(name, shape, half, Cost::of(values, &stored, inputs, 0).figures())?;
        }
        Ok(())
    }
}

/// Whether a tensor is stored in half precision. Not in int8: weights of features that depend on each other cancel, and what
/// rounding leaves of them does not.
fn in_half(shape: &[usize]) -> bool {
    shape.len() > 1
}

#[cfg(test)]
mod tests {
    use rng::Rng;

    use super::*;
    use crate::preview::figures::Near;

    fn config() -> PreviewConfig {
        PreviewConfig {
            bits: 5,
            grid: 6,
            width: 2 * 5 * 9 + 30,
            num_res_blocks: 0,
            window: Some(3),
            patch: 2,
            group_norm_groups: 32,
            group_norm_eps: 1e-6,
        }
    }

    fn codes(rng: &mut Rng, masked: f32) -> Vec<i32> {
        (0..36).map(|_| if rng.chance(masked) { -1 } else { rng.below(32) as i32 }).collect()
    }

    /// A decoder whose pixels are a linear function of the bits around is found again, up to rounding; also where tokens are masked,
    /// and for codes that it has not seen.
    #[test]
    fn a_linear_decoder_is_found_again() {
        let config = config();
        let outputs = 3 * config.patch.pow(2);
        let mut rng = Rng::new(11);
        let inputs = 5 * 9;
        let weights: Vec<f32> = (0..outputs * inputs).map(|_| 0.03 * rng.normal()).collect();
        let bias: Vec<f32> = (0..outputs).map(|_| 0.2 * rng.normal()).collect();
        // Directly from bits, without the network's own layers.
        let linear = |codes: &[i32]| -> Vec<f32> {
            let bit = |row: i32, column: i32, bit: usize| match (0..6).contains(&row) && (0..6).contains(&column) {
                false => 0.0,
                true => match codes[(row * 6 + column) as usize] {
                    ..0 => 0.0,
                    code => (code >> (4 - bit) & 1) as f32 * 2.0 - 1.0,
                },
            };
            let mut pixels = vec![0.0; 3 * 12 * 12];
            for (at, pixel) in pixels.iter_mut().enumerate() {
                let (channel, y, x) = (at / 144, at / 12 % 12, at % 12);
                let output = (channel * 2 + y % 2) * 2 + x % 2;
                let of = |input: usize| {
                    let (row, column) = ((y / 2 + input % 9 / 3) as i32 - 1, (x / 2 + input % 3) as i32 - 1);
                    weights[output * inputs + input] * bit(row, column, input / 9)
                };
                *pixel = bias[output] + (0..inputs).map(of).sum::<f32>();
            }
            pixels
        };
        let mut fitting = Fitting::new(&config, 1).unwrap();
        for _ in 0..60 {
            let codes = codes(&mut rng, 0.2);
            fitting.add(&codes, &linear(&codes));
        }
        assert_eq!(fitting.rows(), 60 * 36);
        let network = fitting.solve(1e-7).unwrap().network().unwrap();
        let (mut near, mut plain) = (Near::default(), Near::default());
        for masked in [0.0, 0.5] {
            let codes = codes(&mut rng, masked);
            let wanted = linear(&codes);
            near.add(network.decode(&[&codes], &Device::flex()).into_data().iter::<f32>(), &wanted);
            plain.add((0..432).map(|at| fitting.colour()[at / 144]), &wanted);
        }
        assert!(near.db() > 50.0 && plain.db() < 25.0, "{} dB, {} dB", near.db(), plain.db());
    }
}

//! Where trained networks are read from: this machine's runs, or a bundle.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::tensor::Device;
use serde::de::DeserializeOwned;
use showo::bundle::{Bundle, FolderReader, ModelKind, block_on};
use showo::config::{MagvitConfig, RewardLabel, ShowoConfig};
use showo::load::{RewardModel, WeightSink, named_tensors};
use showo::model::Weights;
use showo::model::clip::Clip;
use showo::model::magvit::Magvit;
use showo::model::reward::Reward;
use showo::model::showo::Showo;
use showo::settings::Tuning;

use crate::checkpoint::{Named, named_from_bytes};

/// A folder of runs with the weights as trained, or a bundle with the weights as shipped.
#[derive(Debug, Clone)]
pub enum Source {
    /// `--runs`: f32.
    Runs(PathBuf),
    /// `--bundle`: int8.
    Bundle(PathBuf),
}

impl Source {
    /// The image tokenizer, encoder included, on a device.
    ///
    /// # Errors
    /// It is not there or cannot be read.
    pub fn tokenizer(&self, device: &Device) -> Result<(MagvitConfig, Magvit)> {
        self.tokenizer_of("vq", device)
    }

    /// As [`Source::tokenizer`], where it comes from the runs from `run`.
    ///
    /// # Errors
    /// As there.
    pub fn tokenizer_of(&self, run: &str, device: &Device) -> Result<(MagvitConfig, Magvit)> {
        let (config, weights) = self.read(ModelKind::Magvit, run, "magvit", device)?;
        let network = Magvit::new(&config, weights, true)?;
        Ok((config, network))
    }

    /// The generator with the weights that are asked for, on a device.
    ///
    /// # Errors
    /// As [`Source::tokenizer`].
    pub fn generator(&self, tuning: Tuning, device: &Device) -> Result<(ShowoConfig, Showo)> {
        self.generator_of(tuning, run_of(tuning), device)
    }

    /// As [`Source::generator`], where it comes from the runs from `run`.
    ///
    /// # Errors
    /// As there.
    pub fn generator_of(&self, tuning: Tuning, run: &str, device: &Device) -> Result<(ShowoConfig, Showo)> {
        let (config, weights) = self.read(ModelKind::Showo(tuning), run, "showo", device)?;
        let network = Showo::new(&config, weights)?;
        Ok((config, network))
    }

    /// The reward network of a label, on a device, where there is one.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn reward(&self, label: RewardLabel, device: &Device) -> Result<Option<RewardModel>> {
        let (kind, run) = (ModelKind::Reward(label), format!("reward-{}", label.word()));
        if !self.holds(kind, &run, "reward")? {
            return Ok(None);
        }
        let (config, weights) = self.read(kind, &run, "reward", device)?;
        let reward = Reward::new(&config, weights)?;
        Ok(Some(RewardModel { config, reward, device: device.clone() }))
    }

    /// CLIP, where there is one.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn clip(&self) -> Result<Option<Clip>> {
        if !self.holds(ModelKind::Clip, "clip", "clip")? {
            return Ok(None);
        }
        let (config, weights) = self.read(ModelKind::Clip, "clip", "clip", &Device::flex())?;
        Ok(Some(Clip::new(&config, weights)?))
    }

    /// The generator's parameters in f32, under the names that it ships with.
    ///
    /// # Errors
    /// As [`Source::tokenizer`].
    pub fn generator_parameters(&self, tuning: Tuning) -> Result<Named> {
        self.parameters(ModelKind::Showo(tuning), run_of(tuning), "showo")
    }

    /// A model's parameters in f32, under the names that it ships with: `kind` of a bundle, or `name.safetensors` of the
    /// run `run`.
    ///
    /// # Errors
    /// As [`Source::tokenizer`].
    pub fn parameters(&self, kind: ModelKind, run: &str, name: &str) -> Result<Named> {
        match self {
            Self::Runs(runs) => {
                let path = runs.join(run).join(format!("{name}.safetensors"));
                let bytes =
                    std::fs::read(&path).with_context(|| format!("cannot read {}; train it first", path.display()))?;
                named_from_bytes(&bytes)
            }
            Self::Bundle(folder) => parameters(folder, kind),
        }
    }

    /// Whether the model is there.
    fn holds(&self, kind: ModelKind, run: &str, name: &str) -> Result<bool> {
        Ok(match self {
            Self::Runs(runs) => runs.join(run).join(format!("{name}.json")).exists(),
            Self::Bundle(folder) => open(folder)?.has(kind),
        })
    }

    /// In words, for reports.
    ///
    /// # Errors
    /// The bundle cannot be read.
    pub fn describe(&self) -> Result<String> {
        Ok(match self {
            Self::Runs(folder) => format!("f32 weights in {}", folder.display()),
            Self::Bundle(folder) => {
                let bundle = open(folder)?;
                format!("bundle {} {}", bundle.manifest().name, bundle.sha256().get(..12).unwrap_or_default())
            }
        })
    }

    /// A model's configuration alone: of `kind` in a bundle, or `name.json` of the run `run`.
    ///
    /// # Errors
    /// As [`Source::tokenizer`].
    pub fn config<C: DeserializeOwned>(&self, kind: ModelKind, run: &str, name: &str) -> Result<C> {
        match self {
            Self::Runs(runs) => {
                let path = runs.join(run).join(format!("{name}.json"));
                serde_json::from_slice(&trained(&path)?)
                    .with_context(|| format!("{} is no configuration", path.display()))
            }
            Self::Bundle(folder) => Ok(open(folder)?.config(kind)?),
        }
    }

    /// The model `kind` of a bundle, or `name.json` and `name.safetensors` of the run `run`.
    fn read<C: DeserializeOwned>(
        &self,
        kind: ModelKind,
        run: &str,
        name: &str,
        device: &Device,
    ) -> Result<(C, Weights)> {
        match self {
            Self::Runs(runs) => {
                let config = self.config(kind, run, name)?;
                let weights = trained(&runs.join(run).join(format!("{name}.safetensors")))?;
                Ok((config, Weights::from_safetensors(&weights, device)?))
            }
            Self::Bundle(folder) => {
                let bundle = open(folder)?;
                let config = bundle.config(kind)?;
                let mut sink = WeightSink::new(Weights::new(device));
                block_on(bundle.load(kind, &mut sink, &mut |_| {}))?;
                Ok((config, sink.weights))
            }
        }
    }
}

/// A file that a run leaves.
fn trained(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path)
        .with_context(|| format!("cannot read {}; train it first, or name a bundle with --bundle", path.display()))
}

/// The run that trains these weights of the generator.
fn run_of(tuning: Tuning) -> &'static str {
    if tuning == Tuning::Base { "showo" } else { tuning.word() }
}

/// A bundle in a folder.
///
/// # Errors
/// It cannot be read.
pub fn open(folder: &Path) -> Result<Bundle<FolderReader>> {
    block_on(Bundle::open(FolderReader::new(folder))).with_context(|| format!("cannot read {}", folder.display()))
}

/// The parameters of a bundle's model in f32, under its own names.
///
/// # Errors
/// The bundle is damaged or holds no such model.
pub fn parameters(folder: &Path, kind: ModelKind) -> Result<Named> {
    Ok(block_on(named_tensors(&open(folder)?, kind))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../www/models/scenes")
    }

    #[test]
    fn a_bundle_s_parameters_are_what_its_network_computes_with() {
        let named = parameters(&shipped(), ModelKind::SHOWO).unwrap();
        let (shape, values) = &named["showo.model.embed_tokens.weight"];
        let (config, network) = Source::Bundle(shipped()).generator(Tuning::Base, &Device::flex()).unwrap();
        assert_eq!(shape, &[config.vocab_size, config.hidden_size]);
        let ids = burn::tensor::Tensor::from_data([[3i32, 700]], &Device::flex());
        let looked_up: Vec<f32> = network.embed(ids).into_data().iter::<f32>().collect();
        let d = config.hidden_size;
        assert_eq!(looked_up[..d], values[3 * d..4 * d]);
        assert_eq!(looked_up[d..], values[700 * d..701 * d]);
    }

    #[test]
    fn what_is_missing_says_how_to_get_it() {
        let error = Source::Runs("/nowhere".into()).generator(Tuning::Base, &Device::flex()).map(|_| ()).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("/nowhere/showo/showo.json") && text.contains("--bundle"), "{text}");
    }
}

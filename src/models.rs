//! The networks of a bundle on a device: what draws first, what judges when it arrives.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use burn::tensor::Device;
use half::f16;

use crate::bundle::manifest::World;
use crate::bundle::{Bundle, BundleError, LoadProgress, PartSink, Reader, TensorSink};
use crate::config::{ClipConfig, MagvitConfig, PreviewConfig, RewardConfig, RewardLabel, ShowoConfig};
use crate::model::clip::Clip;
use crate::model::magvit::Magvit;
use crate::model::preview::Preview;
use crate::model::reward::Reward;
use crate::model::showo::{Showo, keep_drawing_rows};
use crate::model::{ModelError, Weights};
use crate::prompt::{Prompt, PromptError, PromptTokenizer};
use crate::settings::{Tuning, VerifierMode};

/// The kinds of model that judge, in the order in which they are fetched: the default mode's first.
pub const JUDGES: [&str; 4] = ["reward:parm", "clip", "reward:prm", "reward:orm"];

/// Show-o and its configuration.
pub struct Generator {
    /// The network.
    pub showo: Showo,
    /// Its configuration.
    pub config: ShowoConfig,
}

/// The image tokenizer, its decoder half.
pub struct ImageTokenizer {
    /// The network.
    pub magvit: Magvit,
    /// Its configuration.
    pub config: MagvitConfig,
    /// Where it runs.
    pub device: Device,
}

/// The preview decoder and its configuration.
pub struct PreviewModel {
    /// The network.
    pub preview: Preview,
    /// Its configuration.
    pub config: PreviewConfig,
    /// Where it runs.
    pub device: Device,
}

/// CLIP and its configuration.
pub struct ClipModel {
    /// Both towers.
    pub clip: Clip,
    /// Their configuration.
    pub config: ClipConfig,
}

/// A reward network and its configuration.
pub struct RewardModel {
    /// The network.
    pub reward: Reward,
    /// Its configuration, with the label it was trained on.
    pub config: RewardConfig,
    /// Where it runs.
    pub device: Device,
}

/// What names a bundle and a device in traces and on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The bundle's name and hash: `scenes 1a2b3c4d5e6f`.
    pub bundle: String,
    /// The device in words: `WebGPU: …`, `CPU`.
    pub device: String,
    /// The world that the generator was trained on, where this project knows it.
    pub world: Option<World>,
}

/// The networks of one bundle on one device. A clone shares them.
#[derive(Clone)]
pub struct Models {
    /// Show-o with its base weights.
    pub generator: Rc<Generator>,
    /// The generators whose weights were aligned with preferences, as they arrive.
    tuned: BTreeMap<Tuning, Rc<Generator>>,
    /// MAGVIT-v2's decoder.
    pub tokenizer: Rc<ImageTokenizer>,
    /// The small decoder that shows candidates, where the bundle has one; the tokenizer shows them otherwise.
    pub preview: Option<Rc<PreviewModel>>,
    /// Words to ids.
    pub words: Rc<PromptTokenizer>,
    /// CLIP, once it has arrived.
    pub clip: Option<Rc<ClipModel>>,
    /// Reward networks that have arrived, by what they can be asked; one that answers every question stands under each.
    pub rewards: BTreeMap<RewardLabel, Rc<RewardModel>>,
    /// Where everything runs.
    pub device: Device,
    /// Names.
    pub about: About,
    /// As [`Place::largest_buffer`].
    largest_buffer: u64,
    /// Bytes of everything that was loaded.
    device_bytes: Rc<Cell<u64>>,
}

/// Why a bundle's models could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bundle was refused.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A network could not be built from its tensors.
    #[error("the model {kind} cannot be built: {source}")]
    Model {
        /// Its kind in the bundle.
        kind: String,
        /// Why.
        source: ModelError,
    },
    /// The tokenizer could not be read.
    #[error("{file}: {source}")]
    Words {
        /// The tokenizer's file.
        file: String,
        /// Why.
        source: PromptError,
    },
    /// The models are of another world than the bundle says.
    #[error(transparent)]
    World(#[from] scenes::WorldMismatch),
    /// Two models of the bundle do not fit each other.
    #[error("the models of this bundle do not fit each other: {0}; convert them again from one training run")]
    Mismatch(String),
}

/// Uploads a model's tensors as they come.
struct Sink {
    weights: Weights,
    /// Tensors of parts that this program does not build begin with this.
    passed_over: &'static str,
}

impl TensorSink for Sink {
    fn float(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), String> {
        self.unless_passed_over(name, |weights| weights.insert_float(name, shape, values))
    }

    fn q8(&mut self, name: &str, shape: &[usize], q: &[i8], scale: &[f16]) -> Result<(), String> {
        self.unless_passed_over(name, |weights| weights.insert_q8(name, shape, q, scale))
    }

    fn in_parts(&mut self) -> Option<&mut dyn PartSink> {
        Some(self)
    }
}

impl PartSink for Sink {
    fn float_part(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), String> {
        self.unless_passed_over(name, |weights| weights.float_part(name, shape, values))
    }

    fn q8_rows(&mut self, name: &str, shape: &[usize], q: &[i8]) -> Result<(), String> {
        self.unless_passed_over(name, |weights| weights.q8_rows(name, shape, q))
    }

    fn scale_rows(&mut self, name: &str, shape: &[usize], scale: &[f16]) -> Result<(), String> {
        self.unless_passed_over(name, |weights| weights.scale_rows(name, shape, scale))
    }

    fn whole(&mut self, name: &str) -> Result<(), String> {
        self.unless_passed_over(name, |weights| weights.whole(name))
    }

    fn forget(&mut self, name: &str) {
        self.weights.forget(name);
    }
}

impl Sink {
    fn unless_passed_over(
        &mut self,
        name: &str,
        take: impl FnOnce(&mut Weights) -> Result<(), ModelError>,
    ) -> Result<(), String> {
        if !self.passed_over.is_empty() && name.starts_with(self.passed_over) {
            return Ok(());
        }
        take(&mut self.weights).map_err(|error| error.to_string())
    }
}

type Progress<'a> = &'a mut dyn FnMut(LoadProgress<'_>);

/// Streams the model `kind` into `weights`.
async fn fill<R: Reader>(
    weights: Weights,
    bundle: &Bundle<R>,
    kind: &str,
    passed_over: &'static str,
    on_progress: Progress<'_>,
) -> Result<Weights, LoadError> {
    let mut sink = Sink { weights, passed_over };
    bundle.load(kind, &mut sink, on_progress).await?;
    Ok(sink.weights)
}

fn built<T>(kind: &str, network: Result<T, ModelError>) -> Result<T, LoadError> {
    network.map_err(|source| LoadError::Model { kind: kind.to_owned(), source })
}

/// Where models are loaded to.
#[derive(Debug, Clone)]
pub struct Place {
    /// The device.
    pub device: Device,
    /// The device in words, as traces name it: `WebGPU: …`, `CPU`.
    pub words: String,
    /// Bytes of the largest buffer that the device gives to a tensor.
    pub largest_buffer: u64,
}

impl Place {
    /// This machine's processor, whose only limit is its memory.
    #[must_use]
    pub fn cpu(words: impl Into<String>) -> Self {
        Self { device: Device::flex(), words: words.into(), largest_buffer: u64::MAX }
    }

    fn weights(&self) -> Weights {
        Weights::new(&self.device).with_largest_buffer(self.largest_buffer)
    }
}

/// The image tokenizer alone: enough to turn codes into pictures.
///
/// # Errors
/// The bundle or the network is not what it should be.
pub async fn load_tokenizer<R: Reader>(
    bundle: &Bundle<R>,
    place: &Place,
    on_progress: Progress<'_>,
) -> Result<ImageTokenizer, LoadError> {
    Ok(tokenizer_and_bytes(bundle, place, on_progress).await?.0)
}

/// Of the generator's head only the codebook's rows go to the device.
async fn generator_and_bytes<R: Reader>(
    bundle: &Bundle<R>,
    tuning: Tuning,
    mut weights: Weights,
    on_progress: Progress<'_>,
) -> Result<(Generator, u64), LoadError> {
    let kind = tuning.kind();
    let config: ShowoConfig = bundle.config(kind)?;
    built(kind, config.validate().map_err(|why| ModelError::Config { model: kind, why }))?;
    keep_drawing_rows(&config, &mut weights);
    let weights = fill(weights, bundle, kind, "", on_progress).await?;
    let bytes = weights.bytes();
    let showo = built(kind, Showo::new(&config, weights))?;
    Ok((Generator { showo, config }, bytes))
}

async fn tokenizer_and_bytes<R: Reader>(
    bundle: &Bundle<R>,
    place: &Place,
    on_progress: Progress<'_>,
) -> Result<(ImageTokenizer, u64), LoadError> {
    let config: MagvitConfig = bundle.config("magvit")?;
    let weights = fill(place.weights(), bundle, "magvit", "encoder.", on_progress).await?;
    let bytes = weights.bytes();
    let magvit = built("magvit", Magvit::new(&config, weights, false))?;
    Ok((ImageTokenizer { magvit, config, device: place.device.clone() }, bytes))
}

/// Nothing where the bundle has no preview decoder.
async fn preview_and_bytes<R: Reader>(
    bundle: &Bundle<R>,
    place: &Place,
    on_progress: Progress<'_>,
) -> Result<Option<(PreviewModel, u64)>, LoadError> {
    if !bundle.has("preview") {
        return Ok(None);
    }
    let config: PreviewConfig = bundle.config("preview")?;
    let weights = fill(place.weights(), bundle, "preview", "", on_progress).await?;
    let bytes = weights.bytes();
    let preview = built("preview", Preview::new(&config, weights))?;
    Ok(Some((PreviewModel { preview, config, device: place.device.clone() }, bytes)))
}

impl Models {
    /// Loads what drawing needs: tokenizer, generator, image tokenizer, and the preview decoder where there is one.
    ///
    /// # Errors
    /// The bundle is damaged or incomplete, or its models contradict their configuration or each other.
    pub async fn load<R: Reader>(
        bundle: &Bundle<R>,
        place: &Place,
        on_progress: Progress<'_>,
    ) -> Result<Self, LoadError> {
        // The smallest first: a tokenizer that cannot be read is known before megabytes are fetched.
        let json = bundle.tokenizer_json().await?;
        let words = PromptTokenizer::from_json(json.as_bytes())
            .map_err(|source| LoadError::Words { file: bundle.manifest().tokenizer.file.clone(), source })?;
        let (generator, generator_bytes) =
            generator_and_bytes(bundle, Tuning::Base, place.weights(), &mut *on_progress).await?;
        let (tokenizer, tokenizer_bytes) = tokenizer_and_bytes(bundle, place, &mut *on_progress).await?;
        let preview = preview_and_bytes(bundle, place, on_progress).await?;
        let about = About {
            bundle: format!("{} {}", bundle.manifest().name, bundle.sha256().get(..12).unwrap_or_default()),
            device: place.words.clone(),
            world: bundle.manifest().world,
        };
        if let Some(world) = about.world {
            let knows = |word: &str| words.words().is_none_or(|words| words.iter().any(|known| known == word));
            world.fits(tokenizer.config.resolution, knows)?;
        }
        let mut models = Self::new(generator, tokenizer, words, &place.device, about)?;
        models.device_bytes.set(generator_bytes + tokenizer_bytes);
        if let Some((preview, bytes)) = preview {
            models.add_preview(preview)?;
            models.device_bytes.set(models.device_bytes.get() + bytes);
        }
        Ok(Self { largest_buffer: place.largest_buffer, ..models })
    }

    /// From networks that are already there.
    ///
    /// # Errors
    /// [`LoadError::Mismatch`].
    pub fn new(
        generator: Generator,
        tokenizer: ImageTokenizer,
        words: PromptTokenizer,
        device: &Device,
        about: About,
    ) -> Result<Self, LoadError> {
        let (g, t) = (&generator.config, &tokenizer.config);
        same("tokens a picture", "showo", g.num_vq_tokens, "magvit", t.grid() * t.grid())?;
        same("codes", "showo", g.codebook_size, "magvit", t.codebook_size())?;
        Ok(Self {
            generator: Rc::new(generator),
            tuned: BTreeMap::new(),
            tokenizer: Rc::new(tokenizer),
            preview: None,
            words: Rc::new(words),
            clip: None,
            rewards: BTreeMap::new(),
            device: device.clone(),
            about,
            largest_buffer: u64::MAX,
            device_bytes: Rc::default(),
        })
    }

    /// A prompt as people type it, as these models read it.
    ///
    /// # Errors
    /// Empty, words that are unknown or say nothing in the models' world, or too long.
    pub fn read(&self, typed: &str) -> Result<Prompt, PromptError> {
        self.words.read(typed, self.about.world, self.generator.config.max_text_len)
    }

    /// Takes a preview decoder in.
    ///
    /// # Errors
    /// [`LoadError::Mismatch`] where it reads other codes than the generator writes, or shows a larger picture than the tokenizer.
    pub fn add_preview(&mut self, model: PreviewModel) -> Result<(), LoadError> {
        let (g, p) = (&self.generator.config, &model.config);
        same("tokens a picture", "showo", g.num_vq_tokens, "preview", p.grid * p.grid)?;
        same("codes", "showo", g.codebook_size, "preview", p.codebook_size())?;
        let whole = self.tokenizer.config.resolution;
        if p.side_px() > whole {
            let problem = format!("preview shows {} pixels a side, magvit only {whole}", p.side_px());
            return Err(LoadError::Mismatch(problem));
        }
        self.preview = Some(Rc::new(model));
        Ok(())
    }

    /// The generator with these weights, where they have arrived.
    #[must_use]
    pub fn tuned(&self, tuning: Tuning) -> Option<&Rc<Generator>> {
        match tuning {
            Tuning::Base => Some(&self.generator),
            _ => self.tuned.get(&tuning),
        }
    }

    /// Loads further weights of the generator.
    ///
    /// # Errors
    /// As [`Models::load`]; [`BundleError::NoModel`] where the bundle has none such.
    pub async fn load_generator<R: Reader>(
        &self,
        bundle: &Bundle<R>,
        tuning: Tuning,
        on_progress: Progress<'_>,
    ) -> Result<Generator, LoadError> {
        let (generator, bytes) = generator_and_bytes(bundle, tuning, self.weights(), on_progress).await?;
        self.device_bytes.set(self.device_bytes.get() + bytes);
        Ok(generator)
    }

    /// Takes further weights of the generator in.
    ///
    /// # Errors
    /// [`LoadError::Mismatch`] where they are of another network than the base: its judges and its tokenizer would not fit.
    pub fn add_generator(&mut self, tuning: Tuning, generator: Generator) -> Result<(), LoadError> {
        if generator.config != self.generator.config {
            let problem = format!("{} has another configuration than showo", tuning.kind());
            return Err(LoadError::Mismatch(problem));
        }
        self.tuned.insert(tuning, Rc::new(generator));
        Ok(())
    }

    /// Loads further weights of the generator and takes them in, unless they are there.
    ///
    /// # Errors
    /// As [`Models::load_generator`] and [`Models::add_generator`].
    pub async fn fetch_generator<R: Reader>(
        &mut self,
        bundle: &Bundle<R>,
        tuning: Tuning,
        on_progress: Progress<'_>,
    ) -> Result<(), LoadError> {
        if self.tuned(tuning).is_some() {
            return Ok(());
        }
        let generator = self.load_generator(bundle, tuning, on_progress).await?;
        self.add_generator(tuning, generator)
    }

    /// No tensors yet, to be filled on this device.
    fn weights(&self) -> Weights {
        Weights::new(&self.device).with_largest_buffer(self.largest_buffer)
    }

    /// The weights of the generator that have arrived, the base first.
    #[must_use]
    pub fn tunings(&self) -> Vec<Tuning> {
        Tuning::ALL.into_iter().filter(|&tuning| self.tuned(tuning).is_some()).collect()
    }

    /// Loads one of [`JUDGES`]; nothing happens where the bundle does not hold it.
    ///
    /// # Errors
    /// As [`Models::load`].
    pub async fn load_judge<R: Reader>(
        &self,
        bundle: &Bundle<R>,
        kind: &str,
        on_progress: Progress<'_>,
    ) -> Result<Option<Judge>, LoadError> {
        if !bundle.has(kind) {
            return Ok(None);
        }
        if kind == "clip" {
            let config: ClipConfig = bundle.config(kind)?;
            let weights = self.filled(bundle, kind, on_progress).await?;
            let clip = built(kind, Clip::new(&config, weights))?;
            return Ok(Some(Judge::Clip(ClipModel { clip, config })));
        }
        let config: RewardConfig = bundle.config(kind)?;
        if kind != config.label.kind() {
            let problem =
                format!("{kind} was trained on the label {:?}, which is {}'s", config.label, config.label.kind());
            return Err(LoadError::Mismatch(problem));
        }
        let weights = self.filled(bundle, kind, on_progress).await?;
        let reward = built(kind, Reward::new(&config, weights))?;
        Ok(Some(Judge::Reward(RewardModel { reward, config, device: self.device.clone() })))
    }

    /// A judge's tensors.
    async fn filled<R: Reader>(
        &self,
        bundle: &Bundle<R>,
        kind: &str,
        on_progress: Progress<'_>,
    ) -> Result<Weights, LoadError> {
        let weights = fill(self.weights(), bundle, kind, "", on_progress).await?;
        self.device_bytes.set(self.device_bytes.get() + weights.bytes());
        Ok(weights)
    }

    /// Bytes that the weights of everything that was loaded from a bundle take on the device.
    #[must_use]
    pub fn device_bytes(&self) -> u64 {
        self.device_bytes.get()
    }

    /// Takes a judge in.
    ///
    /// # Errors
    /// [`LoadError::Mismatch`] where it reads other codes or words than the generator writes.
    pub fn add(&mut self, judge: Judge) -> Result<(), LoadError> {
        let g = &self.generator.config;
        // Every id that a prompt can hold must be a row of the judge's table.
        let at_least = |kind: &str, rows: usize, needed: usize| {
            if rows >= needed {
                Ok(())
            } else {
                Err(LoadError::Mismatch(format!("{kind} knows {rows} words, but showo {needed}")))
            }
        };
        match judge {
            Judge::Clip(model) => {
                let end = model.config.text_config.eos_token_id.unwrap_or(g.eos);
                let needed = g.llm_vocab_size.max(g.bos.max(end) as usize + 1);
                at_least("clip", model.config.text_config.vocab_size, needed)?;
                self.clip = Some(Rc::new(model));
            }
            Judge::Reward(model) => {
                let kind = model.config.label.kind();
                same("tokens a picture", "showo", g.num_vq_tokens, kind, model.config.num_vq_tokens)?;
                same("codes", "showo", g.codebook_size, kind, model.config.codebook_size)?;
                at_least(kind, model.config.text_vocab_size, g.llm_vocab_size.max(model.config.pad as usize + 1))?;
                let network = Rc::new(model);
                self.rewards.extend(network.config.labels().into_iter().map(|label| (label, network.clone())));
            }
        }
        Ok(())
    }

    /// Loads every judge that the bundle holds.
    ///
    /// # Errors
    /// As [`Models::load_judge`] and [`Models::add`]; those that were loaded before stay.
    pub async fn load_judges<R: Reader>(
        &mut self,
        bundle: &Bundle<R>,
        on_progress: Progress<'_>,
    ) -> Result<(), LoadError> {
        for kind in JUDGES {
            if let Some(judge) = self.load_judge(bundle, kind, &mut *on_progress).await? {
                self.add(judge)?;
            }
        }
        Ok(())
    }

    /// Whether one of [`JUDGES`] has arrived.
    #[must_use]
    pub fn has_judge(&self, kind: &str) -> bool {
        match kind {
            "clip" => self.clip.is_some(),
            _ => self.rewards.keys().any(|&label| label.kind() == kind),
        }
    }

    /// The modes that can be used with what has arrived.
    #[must_use]
    pub fn verifiers(&self) -> Vec<VerifierMode> {
        VerifierMode::ALL.into_iter().filter(|mode| mode.needs().is_none_or(|kind| self.has_judge(kind))).collect()
    }
}

/// A network that judges.
pub enum Judge {
    /// CLIP.
    Clip(ClipModel),
    /// PARM, PRM or ORM, by its label.
    Reward(RewardModel),
}

fn same(what: &str, one: &str, a: usize, other: &str, b: usize) -> Result<(), LoadError> {
    if a == b { Ok(()) } else { Err(LoadError::Mismatch(format!("{one} has {a} {what}, {other} {b}"))) }
}

//! The networks of a bundle on a device, as they arrive: what draws first, then what verifies.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use burn::tensor::Device;

use super::error::LoadError;
use super::fit::{self, AnyConfig};
use super::network::{ClipModel, Generator, ImageTokenizer, Network, PreviewModel, RewardModel};
use super::place::Place;
use super::uses::Uses;
use crate::bundle::manifest::World;
use crate::bundle::{Bundle, LoadProgress, ModelKind, Reader};
use crate::config::RewardLabel;
use crate::prompt::{Prompt, PromptError, QuestionError, SelfQuestion, TextTokenizer};
use crate::settings::{Judge, Recommended, Tuning};

/// What names a bundle and a device in traces and on the page.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// The bundle's name and hash: `scenes 1a2b3c4d5e6f`.
    pub bundle: String,
    /// The device in words: `WebGPU: …`, `CPU`.
    pub device: String,
    /// The world that the generator was trained on, where this project knows it.
    pub world: Option<World>,
    /// How the bundle recommends to draw.
    pub decoding: Recommended,
    /// What the bundle judges with; with everything that it can where it does not say.
    pub judges: Option<Vec<Judge>>,
}

/// The networks of one bundle on one device. A clone shares them.
#[derive(Clone)]
pub struct Models {
    /// Show-o with its base weights.
    pub generator: Rc<Generator>,
    /// The generators whose weights were aligned with preferences, as they arrive.
    tuned: BTreeMap<Tuning, Rc<Generator>>,
    /// MAGVIT-v2's decoder.
    pub image_tokenizer: Rc<ImageTokenizer>,
    /// The small decoder that shows candidates, where the bundle has one; the image tokenizer shows them otherwise.
    pub preview: Option<Rc<PreviewModel>>,
    /// Words to ids.
    pub text_tokenizer: Rc<TextTokenizer>,
    /// CLIP, once it has arrived.
    pub clip: Option<Rc<ClipModel>>,
    /// Reward networks that have arrived, by what they can be asked; one that answers every question stands under each.
    pub rewards: BTreeMap<RewardLabel, Rc<RewardModel>>,
    /// Where everything runs.
    pub place: Place,
    /// Names.
    pub about: About,
    /// What they were loaded for.
    uses: Uses,
    /// Bytes of everything that was loaded.
    device_bytes: Rc<Cell<u64>>,
}

/// What drawing needs, as far as it has arrived on a place: where one part fails, the next attempt goes on with that part.
#[derive(Default)]
pub struct Arriving {
    uses: Uses,
    text_tokenizer: Option<TextTokenizer>,
    networks: Vec<(ModelKind, Network, u64)>,
}

impl Arriving {
    /// Nothing yet, for more than drawing.
    #[must_use]
    pub fn to_use(uses: Uses) -> Self {
        Self { uses, ..Self::default() }
    }

    /// Loads what is still to come, and puts it together.
    ///
    /// # Errors
    /// As [`Models::load`]; what has arrived before the error stays.
    pub async fn load<R: Reader>(
        &mut self,
        bundle: &Bundle<R>,
        place: &Place,
        on_progress: &mut dyn FnMut(LoadProgress<'_>),
    ) -> Result<Models, LoadError> {
        let manifest = bundle.manifest();
        // The smallest first: a tokenizer that cannot be read is known before megabytes are fetched.
        if self.text_tokenizer.is_none() {
            let json = bundle.tokenizer_json().await?;
            let read = TextTokenizer::from_json(json.as_bytes())
                .map_err(|source| LoadError::TextTokenizer { file: manifest.tokenizer.file.clone(), source })?;
            self.text_tokenizer = Some(read);
        }
        let answers = self.text_tokenizer.as_ref().map(answer_ids).unwrap_or_default();
        let preview = Some(ModelKind::Preview).filter(|&kind| bundle.has(kind));
        for kind in [ModelKind::SHOWO, ModelKind::Magvit].into_iter().chain(preview) {
            if self.networks.iter().all(|(arrived, ..)| *arrived != kind) {
                let (network, bytes) =
                    Network::read(bundle, kind, place, self.uses, &answers, &mut *on_progress).await?;
                self.networks.push((kind, network, bytes));
            }
        }
        let uses = self.uses;
        let Self { text_tokenizer, networks, .. } = std::mem::replace(self, Self::to_use(uses));
        let about = About {
            bundle: format!("{} {}", manifest.name, bundle.sha256().get(..12).unwrap_or_default()),
            device: place.words.clone(),
            world: manifest.world,
            decoding: manifest.decoding.unwrap_or(Recommended::DEFAULT),
            judges: manifest.judges.clone(),
        };
        let (mut generator, mut image_tokenizer, mut others, mut device_bytes) = (None, None, Vec::new(), 0);
        for (_, network, bytes) in networks {
            device_bytes += bytes;
            match network {
                Network::Generator(_, network) => generator = Some(network),
                Network::ImageTokenizer(network) => image_tokenizer = Some(network),
                other => others.push(other),
            }
        }
        let (Some(generator), Some(image_tokenizer), Some(text_tokenizer)) =
            (generator, image_tokenizer, text_tokenizer)
        else {
            unreachable!("all of them were read above");
        };
        if let Some(world) = about.world {
            let knows = |word: &str| text_tokenizer.words().is_none_or(|words| words.iter().any(|known| known == word));
            world.fits(image_tokenizer.config.resolution, knows)?;
        }
        let mut models = Models::new(generator, image_tokenizer, text_tokenizer, place, about)?;
        models.device_bytes.set(device_bytes);
        models.uses = uses;
        for network in others {
            models.add(network)?;
        }
        Ok(models)
    }
}

impl Models {
    /// Loads what drawing needs: both tokenizers, the generator, and the preview decoder where there is one.
    ///
    /// # Errors
    /// The bundle is damaged or incomplete, or its models contradict their configuration or each other.
    pub async fn load<R: Reader>(
        bundle: &Bundle<R>,
        place: &Place,
        on_progress: &mut dyn FnMut(LoadProgress<'_>),
    ) -> Result<Self, LoadError> {
        Arriving::default().load(bundle, place, on_progress).await
    }

    /// From networks that are already there.
    ///
    /// # Errors
    /// [`LoadError::Mismatch`].
    pub fn new(
        generator: Generator,
        image_tokenizer: ImageTokenizer,
        text_tokenizer: TextTokenizer,
        place: &Place,
        about: About,
    ) -> Result<Self, LoadError> {
        let tokenizer = AnyConfig::Magvit(&image_tokenizer.config);
        fit::check(&generator.config, ModelKind::Magvit, tokenizer).map_err(LoadError::Mismatch)?;
        Ok(Self {
            generator: Rc::new(generator),
            tuned: BTreeMap::new(),
            image_tokenizer: Rc::new(image_tokenizer),
            preview: None,
            text_tokenizer: Rc::new(text_tokenizer),
            clip: None,
            rewards: BTreeMap::new(),
            place: place.clone(),
            about,
            uses: Uses::default(),
            device_bytes: Rc::default(),
        })
    }

    /// Where everything runs.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.place.device
    }

    /// A prompt as people type it, as these models read it; `control_tokens` as in [`TextTokenizer::read`].
    ///
    /// # Errors
    /// Empty, words that are unknown or say nothing in the models' world, or too long.
    pub fn read(&self, typed: &str, control_tokens: bool) -> Result<Prompt, PromptError> {
        self.text_tokenizer.read(typed, self.about.world, self.generator.config.max_text_len, control_tokens)
    }

    /// The generator with these weights, where they have arrived.
    #[must_use]
    pub fn tuned(&self, tuning: Tuning) -> Option<&Rc<Generator>> {
        match tuning {
            Tuning::Base => Some(&self.generator),
            _ => self.tuned.get(&tuning),
        }
    }

    /// The weights of the generator that have arrived, the base first.
    #[must_use]
    pub fn tunings(&self) -> Vec<Tuning> {
        Tuning::ALL.into_iter().filter(|&tuning| self.tuned(tuning).is_some()).collect()
    }

    /// Whether a model can be used: it has arrived, or another one answers in its place.
    #[must_use]
    pub fn has(&self, kind: ModelKind) -> bool {
        match kind {
            ModelKind::Showo(tuning) => self.tuned(tuning).is_some(),
            ModelKind::Magvit => true,
            ModelKind::Preview => self.preview.is_some(),
            ModelKind::Clip => self.clip.is_some(),
            ModelKind::Reward(label) => self.rewards.contains_key(&label),
        }
    }

    /// Reads a further model of the bundle onto the device; [`Models::add`] then takes it in. In between the models may be in use.
    ///
    /// # Errors
    /// As [`Models::load`]; [`BundleError::NoModel`](crate::bundle::BundleError::NoModel) where the bundle has none such.
    pub async fn read_network<R: Reader>(
        &self,
        bundle: &Bundle<R>,
        kind: ModelKind,
        on_progress: &mut dyn FnMut(LoadProgress<'_>),
    ) -> Result<Network, LoadError> {
        let answers = answer_ids(&self.text_tokenizer);
        let (network, bytes) = Network::read(bundle, kind, &self.place, self.uses, &answers, on_progress).await?;
        self.device_bytes.set(self.device_bytes.get() + bytes);
        Ok(network)
    }

    /// Takes a network in.
    ///
    /// # Errors
    /// [`LoadError::Mismatch`] where it reads other codes or words than the generator writes, shows larger pictures than the image
    /// tokenizer, or is a generator of another shape.
    pub fn add(&mut self, network: Network) -> Result<(), LoadError> {
        let fits = |kind, config| fit::check(&self.generator.config, kind, config).map_err(LoadError::Mismatch);
        match network {
            Network::Generator(tuning, generator) => {
                fits(ModelKind::Showo(tuning), AnyConfig::Showo(&generator.config))?;
                let generator = Rc::new(generator);
                match tuning {
                    Tuning::Base => self.generator = generator,
                    _ => drop(self.tuned.insert(tuning, generator)),
                }
            }
            Network::ImageTokenizer(tokenizer) => {
                fits(ModelKind::Magvit, AnyConfig::Magvit(&tokenizer.config))?;
                self.image_tokenizer = Rc::new(tokenizer);
            }
            Network::Preview(model) => {
                fits(ModelKind::Preview, AnyConfig::Preview(&model.config))?;
                let (whole, side) = (self.image_tokenizer.config.resolution, model.config.side_px());
                if side > whole {
                    let problem = format!("preview shows {side} pixels a side, magvit only {whole}");
                    return Err(LoadError::Mismatch(problem));
                }
                self.preview = Some(Rc::new(model));
            }
            Network::Clip(model) => {
                // Words of its own need not be the generator's.
                if model.tokenizer.is_none() {
                    fits(ModelKind::Clip, AnyConfig::Clip(&model.config))?;
                }
                self.clip = Some(Rc::new(model));
            }
            Network::Reward(model) => {
                fits(ModelKind::Reward(model.config.label), AnyConfig::Reward(&model.config))?;
                let network = Rc::new(model);
                self.rewards.extend(network.config.labels().into_iter().map(|label| (label, network.clone())));
            }
        }
        Ok(())
    }

    /// Reads a model and takes it in, unless it is there.
    ///
    /// # Errors
    /// As [`Models::read_network`] and [`Models::add`].
    pub async fn fetch<R: Reader>(
        &mut self,
        bundle: &Bundle<R>,
        kind: ModelKind,
        on_progress: &mut dyn FnMut(LoadProgress<'_>),
    ) -> Result<(), LoadError> {
        if self.has(kind) {
            return Ok(());
        }
        let network = self.read_network(bundle, kind, on_progress).await?;
        self.add(network)
    }

    /// The generator's question to itself whether a picture is what a prompt of these ids asks for, and the answers' ids.
    ///
    /// # Errors
    /// A generator that was never taught to answer, a prompt that is too long to be asked about, or networks that were made
    /// without the answers' rows.
    pub fn self_question(&self, prompt_ids: &[u32]) -> Result<SelfQuestion, QuestionError> {
        let Generator { showo, config } = &*self.generator;
        let question = self.text_tokenizer.self_question(config, self.about.world, prompt_ids)?;
        if showo.can_say(&question.answers.ids()) { Ok(question) } else { Err(QuestionError::DrawsOnly) }
    }

    /// Bytes that the weights of everything that was loaded from a bundle take on the device.
    #[must_use]
    pub fn device_bytes(&self) -> u64 {
        self.device_bytes.get()
    }
}

/// The ids of "yes" and "no", whose rows of the generator's head are kept for it to judge itself with: a few, so that it costs
/// nothing to keep them always. None where the tokenizer has no such words.
fn answer_ids(tokenizer: &TextTokenizer) -> Vec<u32> {
    tokenizer.answers().map(|answers| answers.ids()).unwrap_or_default()
}

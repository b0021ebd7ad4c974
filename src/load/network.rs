//! One kind of model: its network with its configuration, and how it is read from a bundle.

use burn::tensor::{Device, Tensor};

use super::error::LoadError;
use super::place::Place;
use super::sink::WeightSink;
use super::uses::Uses;
use crate::bundle::{Bundle, LoadProgress, ModelKind, Reader};
use crate::config::{ClipConfig, MagvitConfig, PreviewConfig, RewardConfig, RewardQuestion, ShowoConfig};
use crate::model::clip::Clip;
use crate::model::magvit::Magvit;
use crate::model::preview::Preview;
use crate::model::reward::{Reward, inputs};
use crate::model::showo::{Showo, keep_answers, keep_drawing_rows};
use crate::model::{ModelError, Weights};
use crate::prompt::ClipTokenizer;
use crate::settings::Tuning;

/// Show-o and its configuration.
pub struct Generator {
    /// The network.
    pub showo: Showo,
    /// Its configuration.
    pub config: ShowoConfig,
}

/// The image tokenizer; its encoder, where it was asked for ([`Uses::pictures`]).
pub struct ImageTokenizer {
    /// The network.
    pub magvit: Magvit,
    /// Its configuration.
    pub config: MagvitConfig,
    /// Where it runs.
    pub device: Device,
}

impl ImageTokenizer {
    /// Grids of N codes to pixels, `[grids, 3, side, side]`, values about −1…1.
    #[must_use]
    pub fn decode(&self, grids: &[&[i32]]) -> Tensor<4> {
        self.magvit.decode(grids, &self.device)
    }

    /// As [`ImageTokenizer::decode`], one picture of `[rows, columns]` codes: `[1, 3, height, width]`.
    #[must_use]
    pub fn decode_shaped(&self, codes: &[i32], shape: [usize; 2]) -> Tensor<4> {
        self.magvit.decode_shaped(codes, shape, &self.device)
    }
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

impl PreviewModel {
    /// Grids of N codes, negative where masked, to small pictures, `[grids, 3, side, side]`, values about −1…1.
    #[must_use]
    pub fn decode(&self, grids: &[&[i32]]) -> Tensor<4> {
        self.preview.decode(grids, &self.device)
    }
}

/// CLIP and its configuration.
pub struct ClipModel {
    /// Both towers.
    pub clip: Clip,
    /// Their configuration.
    pub config: ClipConfig,
    /// What it reads words by, where that is not the generator's tokenizer: a public CLIP's own.
    pub tokenizer: Option<ClipTokenizer>,
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

impl RewardModel {
    /// Logits of "yes" to a question about grids of N codes, negative where masked, each with its prompt: `[grids]`. A network that
    /// knows its label's question alone answers that.
    #[must_use]
    pub fn logits(&self, prompts: &[&[u32]], grids: &[&[i32]], question: RewardQuestion) -> Tensor<1> {
        let (text, codes, padding) = inputs(&self.config, prompts, grids, &self.device);
        match self.config.questions {
            0 => self.reward.forward(text, codes, padding),
            _ => self.reward.forward_asked(text, codes, padding, question),
        }
    }
}

/// A network that has been read, of one of the kinds that a bundle can hold.
pub enum Network {
    /// The generator with one of its sets of weights.
    Generator(Tuning, Generator),
    /// The image tokenizer.
    ImageTokenizer(ImageTokenizer),
    /// The preview decoder.
    Preview(PreviewModel),
    /// CLIP.
    Clip(ClipModel),
    /// PARM, PRM or ORM, by its label.
    Reward(RewardModel),
}

type Progress<'a> = &'a mut dyn FnMut(LoadProgress<'_>);

/// Streams the model `kind` into `weights`.
async fn fill<R: Reader>(
    weights: Weights,
    bundle: &Bundle<R>,
    kind: ModelKind,
    on_progress: Progress<'_>,
) -> Result<Weights, LoadError> {
    let mut sink = WeightSink::new(weights);
    bundle.load(kind, &mut sink, on_progress).await?;
    Ok(sink.weights)
}

impl Network {
    /// Reads the model `kind` of a bundle onto a device; also gives the bytes that its weights take there.
    ///
    /// Of the generator's head only the codebook's rows and those of the ids `answers` go to the device, of the image tokenizer
    /// only the decoder, where `uses` asks for no more.
    ///
    /// # Errors
    /// The bundle lacks the model, is damaged, or holds one that contradicts its configuration.
    pub(super) async fn read<R: Reader>(
        bundle: &Bundle<R>,
        kind: ModelKind,
        place: &Place,
        uses: Uses,
        answers: &[u32],
        on_progress: Progress<'_>,
    ) -> Result<(Self, u64), LoadError> {
        let built = |source: ModelError| LoadError::Model { kind, source };
        let (mut weights, device) = (place.weights(), place.device.clone());
        Ok(match kind {
            ModelKind::Showo(tuning) => {
                let config: ShowoConfig = bundle.config(kind)?;
                config.validate().map_err(|why| built(ModelError::Config { model: "showo", why }))?;
                if !uses.answers {
                    keep_drawing_rows(&config, &mut weights);
                    keep_answers(&mut weights, answers);
                }
                let weights = fill(weights, bundle, kind, on_progress).await?;
                let bytes = weights.bytes();
                let showo = Showo::new(&config, weights).map_err(built)?;
                (Self::Generator(tuning, Generator { showo, config }), bytes)
            }
            ModelKind::Magvit => {
                let (tokenizer, bytes) = image_tokenizer(bundle, place, uses, on_progress).await?;
                (Self::ImageTokenizer(tokenizer), bytes)
            }
            ModelKind::Preview => {
                let config: PreviewConfig = bundle.config(kind)?;
                let weights = fill(weights, bundle, kind, on_progress).await?;
                let bytes = weights.bytes();
                let preview = Preview::new(&config, weights).map_err(built)?;
                (Self::Preview(PreviewModel { preview, config, device }), bytes)
            }
            ModelKind::Clip => {
                let config: ClipConfig = bundle.config(kind)?;
                // Before the weights, which are much larger.
                let tokenizer = own_tokenizer(bundle, kind, &config).await?;
                let weights = fill(weights, bundle, kind, on_progress).await?;
                let bytes = weights.bytes();
                let clip = Clip::new(&config, weights).map_err(built)?;
                (Self::Clip(ClipModel { clip, config, tokenizer }), bytes)
            }
            ModelKind::Reward(label) => {
                let config: RewardConfig = bundle.config(kind)?;
                if label != config.label {
                    let trained = ModelKind::Reward(config.label);
                    let problem = format!("{kind} was trained on the label {:?}, which is {trained}'s", config.label);
                    return Err(LoadError::Mismatch(problem));
                }
                let weights = fill(weights, bundle, kind, on_progress).await?;
                let bytes = weights.bytes();
                let reward = Reward::new(&config, weights).map_err(built)?;
                (Self::Reward(RewardModel { reward, config, device }), bytes)
            }
        })
    }
}

/// The tokenizer that CLIP has of its own, if it has one.
async fn own_tokenizer<R: Reader>(
    bundle: &Bundle<R>,
    kind: ModelKind,
    config: &ClipConfig,
) -> Result<Option<ClipTokenizer>, LoadError> {
    let Some(json) = bundle.own_tokenizer_json(kind).await? else { return Ok(None) };
    let file = bundle.manifest().models.get(&kind).and_then(|model| Some(model.tokenizer.as_ref()?.file.clone()));
    let file = file.unwrap_or_default();
    let read = ClipTokenizer::from_json(json.as_bytes()).map_err(|source| LoadError::TextTokenizer { file, source })?;
    read.fits(config).map_err(LoadError::Mismatch)?;
    Ok(Some(read))
}

async fn image_tokenizer<R: Reader>(
    bundle: &Bundle<R>,
    place: &Place,
    uses: Uses,
    on_progress: Progress<'_>,
) -> Result<(ImageTokenizer, u64), LoadError> {
    let kind = ModelKind::Magvit;
    let config: MagvitConfig = bundle.config(kind)?;
    let wanted = |name: &str| uses.pictures || !name.starts_with("encoder.");
    let mut sink = WeightSink::only(place.weights(), &wanted);
    bundle.load(kind, &mut sink, on_progress).await?;
    let bytes = sink.weights.bytes();
    let magvit =
        Magvit::new(&config, sink.weights, uses.pictures).map_err(|source| LoadError::Model { kind, source })?;
    Ok((ImageTokenizer { magvit, config, device: place.device.clone() }, bytes))
}

/// The image tokenizer alone: enough to turn codes into pictures.
///
/// # Errors
/// The bundle or the network is not what it should be.
pub async fn load_image_tokenizer<R: Reader>(
    bundle: &Bundle<R>,
    place: &Place,
    on_progress: Progress<'_>,
) -> Result<ImageTokenizer, LoadError> {
    Ok(image_tokenizer(bundle, place, Uses::default(), on_progress).await?.0)
}

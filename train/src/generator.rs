//! `train showo`: the generator.
//!
//! Masked-token prediction: the mask ratio of an example is `cos(π/2·u)`; the loss is cross-entropy at masked
//! positions only; a tenth of the prompts is dropped for classifier-free guidance. While training, a code's embedding
//! and its output row are the plain table's row plus a linear map of the code's bits (MaskBit, arXiv 2409.16211);
//! export folds both into the tables, so that what ships is ordinary Show-o.

use std::num::NonZeroU64;
use std::path::Path;

use anyhow::{Context, Result};
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rng::Rng;
use serde::{Deserialize, Serialize};
use showo::bundle::ModelKind;
use showo::config::ShowoConfig;
use showo::decode::generator::{attention_bias, ids_tensor};
use showo::model::Weights;
use showo::model::magvit::Magvit;
use showo::model::showo::{FORBIDDEN, Prefix, Showo};
use showo::model::weights::Init;
use showo::ops::gradient::cross_entropy;
use showo::prompt::{image_segment, text_segment};

use crate::checkpoint::{Named, weights_of};
use crate::data;
use crate::fit::{FitConfig, Loss, Task};
use crate::rollouts::{Decoding, Lane, Roller};
use crate::tie::{self, bits_of};
use crate::tokens::TokenSet;

/// `train/configs/showo.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratorConfig {
    /// The loop.
    pub fit: FitConfig,
    /// d.
    pub hidden_size: usize,
    /// Blocks.
    pub num_hidden_layers: usize,
    /// Heads.
    pub num_attention_heads: usize,
    /// Width of the MLP.
    pub intermediate_size: usize,
    /// Part of the prompts that is dropped.
    pub prompt_dropout: f32,
    /// Scenes that are tokenized once and seen again and again.
    pub scenes: u64,
    /// Examples that follow one another and are one picture, each with other positions masked: they share their prompt's
    /// keys and values, a fifth of the work.
    #[serde(default = "one")]
    pub maskings: NonZeroU64,
}

fn one() -> NonZeroU64 {
    NonZeroU64::MIN
}

impl GeneratorConfig {
    /// The network's configuration for a tokenizer of `bits` bits.
    #[must_use]
    pub fn network(&self, bits: usize) -> ShowoConfig {
        data::showo_config(
            &data::Words::new(),
            self.hidden_size,
            self.num_hidden_layers,
            self.num_attention_heads,
            self.intermediate_size,
            bits,
        )
    }
}

/// Show-o with the training's maps from bits.
#[derive(Module, Debug)]
pub struct Tied {
    /// The network.
    pub base: Showo,
    /// `[bits, d]`: added to a code's embedding.
    pub bits_in: Param<Tensor<2>>,
    /// `[bits, d]`: added to a code's output row.
    pub bits_out: Param<Tensor<2>>,
}

impl Tied {
    /// From named parameters, those of Show-o within `base.`.
    ///
    /// # Errors
    /// As [`Showo::new`].
    pub fn new(network: &ShowoConfig, bits: usize, mut weights: Weights) -> Result<Self> {
        let d = network.hidden_size;
        Ok(Self {
            bits_in: weights.take("bits_in", [bits, d], Init::Normal(0.02))?,
            bits_out: weights.take("bits_out", [bits, d], Init::Normal(0.02))?,
            base: Showo::new(network, weights.within("base."))?,
        })
    }

    /// Logits over the codebook, `[rows, d]` → `[rows, codes]`.
    pub fn code_logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        let table = bit_table(self.bits_out.dims()[0], &hidden.device());
        // Added to the table, not to the logits, which are many times as many numbers.
        self.base.tied_code_logits(hidden, table.matmul(self.bits_out.val()))
    }
}

/// Which of `n` positions are masked in training: `⌈n·cos(π/2·u)⌉` of them, in random order.
pub fn masked_places(n: usize, rng: &mut Rng) -> Vec<usize> {
    let ratio = (std::f32::consts::FRAC_PI_2 * rng.unit()).cos();
    let masked = ((ratio * n as f32).ceil() as usize).clamp(1, n);
    let mut order: Vec<usize> = (0..n).collect();
    rng.shuffle(&mut order);
    order.truncate(masked);
    order
}

/// Sequences with some of their codes masked.
pub struct Masked<'a> {
    network: &'a ShowoConfig,
    bits: usize,
    /// Each prompt once.
    texts: Vec<Vec<u32>>,
    /// Each sequence's prompt, by its number in `texts`.
    text_of: Vec<usize>,
    images: Vec<Vec<u32>>,
    /// ±1 for every bit of a known code, 0 elsewhere, `[sequences, N + 2, bits]`.
    signs: Vec<f32>,
    /// The masked positions as rows of `[sequences · N]`.
    places: Vec<i32>,
    /// The codes there.
    pub labels: Vec<i32>,
}

impl<'a> Masked<'a> {
    /// None yet.
    #[must_use]
    pub fn new(network: &'a ShowoConfig, bits: usize) -> Self {
        let (texts, text_of, images, signs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { network, bits, texts, text_of, images, signs, places: Vec::new(), labels: Vec::new() }
    }

    /// Adds a picture of `codes` whose positions `masked` are hidden.
    pub fn push(&mut self, prompt_ids: &[u32], codes: &[i32], masked: &[usize]) {
        let mut tokens = codes.to_vec();
        for &at in masked {
            self.places.push((self.images.len() * codes.len() + at) as i32);
            self.labels.push(codes[at]);
            tokens[at] = -1;
        }
        // Start and end of the image have no bits.
        let signs = std::iter::once(&-1).chain(&tokens).chain([&-1]).flat_map(|&token| {
            let known = token >= 0;
            bits_of(token, self.bits).map(move |sign| if known { sign } else { 0.0 })
        });
        self.signs.extend(signs);
        let text = text_segment(self.network, prompt_ids);
        let known = self.texts.iter().position(|known| *known == text);
        self.text_of.push(known.unwrap_or(self.texts.len()));
        if known.is_none() {
            self.texts.push(text);
        }
        self.images.push(image_segment(self.network, &tokens));
    }

    /// Hidden states at all image positions, `[sequences · N, d]`.
    pub fn hidden(&self, model: &Tied, device: &Device) -> Tensor<2> {
        let (count, n, d) = (self.images.len(), self.network.num_vq_tokens, self.network.hidden_size);
        let Inputs { prefix, image, bias } = self.inputs(model, device);
        let hidden = model.base.forward_image_embedded(&prefix, image, bias);
        hidden.narrow(1, 1, n).reshape([count * n, d])
    }

    /// Hidden states at the masked positions, in the order of [`Masked::labels`], `[masked, d]`.
    pub fn hidden_where_masked(&self, model: &Tied, device: &Device) -> Tensor<2> {
        let n = self.network.num_vq_tokens as i32;
        // Before each sequence's codes stands the image's start, after them its end.
        let rows: Vec<i32> = self.places.iter().map(|&place| place + 2 * (place / n) + 1).collect();
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [self.places.len()]), device);
        let Inputs { prefix, image, bias } = self.inputs(model, device);
        model.base.forward_image_rows(&prefix, image, bias, &rows)
    }

    /// What image tokens may attend to, `[sequences, 1, 1, text + N + 2]`: everything but padding.
    fn padding(&self, device: &Device) -> Tensor<4> {
        let (count, text) = (self.images.len(), self.network.prefix_len());
        let length = text + self.network.num_vq_tokens + 2;
        let mut values = vec![0.0_f32; count * length];
        for (row, &of) in values.chunks_exact_mut(length).zip(&self.text_of) {
            for (value, &id) in row.iter_mut().zip(&self.texts[of]) {
                *value = if id == self.network.special_tokens.pad { FORBIDDEN } else { 0.0 };
            }
        }
        Tensor::from_data(TensorData::new(values, [count, 1, 1, length]), device)
    }

    fn inputs(&self, model: &Tied, device: &Device) -> Inputs {
        let config = self.network;
        let (count, n, d) = (self.images.len(), config.num_vq_tokens, config.hidden_size);
        let text = config.prefix_len();
        let text_bias = attention_bias(config, &self.texts, 0..text, 0..text, device);
        let bias = self.padding(device);
        let mut prefix = model.base.prefix(ids_tensor(&self.texts, device), text_bias);
        if self.texts.len() < count {
            let text_of = self.text_of.iter().map(|&text| text as i32).collect();
            let text_of = Tensor::<1, Int>::from_data(TensorData::new::<i32, _>(text_of, [count]), device);
            prefix = prefix.select(&text_of);
        }
        let signs = TensorData::new(self.signs.clone(), [count * (n + 2), self.bits]);
        let tied = Tensor::<2>::from_data(signs, device).matmul(model.bits_in.val()).reshape([count, n + 2, d]);
        Inputs { prefix, image: model.base.embed(ids_tensor(&self.images, device)) + tied, bias }
    }
}

/// What the generator is given for masked sequences.
struct Inputs {
    prefix: Prefix,
    /// Embeddings `[sequences, N + 2, d]`.
    image: Tensor<3>,
    /// What each image position may attend to.
    bias: Tensor<4>,
}

/// The generator's training task.
pub struct GeneratorTask {
    /// Its configuration.
    pub config: GeneratorConfig,
    /// The network's.
    pub network: ShowoConfig,
    /// Bits of a code.
    pub bits: usize,
    /// Tokenized scenes.
    pub set: TokenSet,
    /// For sample sheets.
    pub tokenizer: Magvit,
}

/// The table `[codes, bits]` of all codes' bits.
#[must_use]
pub fn bit_table(bits: usize, device: &Device) -> Tensor<2> {
    let values: Vec<f32> = (0..1 << bits).flat_map(|code| bits_of(code, bits)).collect();
    Tensor::from_data(TensorData::new(values, [1 << bits, bits]), device)
}

impl Task for GeneratorTask {
    type Model = Tied;
    type Batch<'a> = Masked<'a>;

    fn kind(&self) -> ModelKind {
        ModelKind::SHOWO
    }

    fn config(&self) -> Result<serde_json::Value> {
        Ok(serde_json::to_value(&self.config)?)
    }

    fn build(&self, weights: Weights) -> Result<Tied> {
        Tied::new(&self.network, self.bits, weights)
    }

    fn import(&self, shipped: Named) -> Result<Named> {
        import(&self.network, self.bits, shipped)
    }

    fn batch(&self, first: u64, examples: usize) -> Masked<'_> {
        let mut batch = Masked::new(&self.network, self.bits);
        let maskings = self.config.maskings.get();
        for number in first..first + examples as u64 {
            let mut rng = Rng::keyed(&[self.config.fit.seed, 0x6d61_736b, number / maskings]);
            let (prompt, codes) = self.set.example(rng.below(self.set.len()));
            let dropped = rng.chance(self.config.prompt_dropout);
            let ids: Vec<u32> = if dropped { Vec::new() } else { prompt.iter().map(|&id| u32::from(id)).collect() };
            let codes: Vec<i32> = codes.iter().map(|&code| i32::from(code)).collect();
            // The picture's earlier maskings are other examples.
            for _ in 0..number % maskings {
                masked_places(codes.len(), &mut rng);
            }
            batch.push(&ids, &codes, &masked_places(codes.len(), &mut rng));
        }
        batch
    }

    fn loss(&self, model: &Tied, batch: Masked<'_>, device: &Device) -> Loss {
        let hidden = batch.hidden_where_masked(model, device);
        let count = batch.labels.len();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(batch.labels, [count]), device);
        let total = cross_entropy(model.code_logits(hidden), labels).mean();
        Loss { total, logged: Vec::new() }
    }

    fn sample(&self, model: &Tied, path: &Path) -> Result<()> {
        sample(&self.network, self.bits, &self.tokenizer, model, path)
    }
}

/// The parameters to train, from a generator as it ships; the reverse of [`export`].
///
/// # Errors
/// A table is absent.
pub fn import(network: &ShowoConfig, bits: usize, shipped: Named) -> Result<Named> {
    let mut named = shipped;
    let maps = TABLES.map(|(table, map)| -> Result<_> {
        let codes = code_rows(network, &mut named, table)?;
        Ok((map.to_owned(), (vec![bits, network.hidden_size], tie::split(codes, bits))))
    });
    let mut tied: Named = maps.into_iter().collect::<Result<_>>()?;
    tied.extend(named.into_iter().map(|(name, value)| (format!("base.{name}"), value)));
    Ok(tied)
}

/// Writes a sheet of pictures, four prompts of every category.
///
/// # Errors
/// The file cannot be written.
pub fn sample(config: &ShowoConfig, bits: usize, tokenizer: &Magvit, model: &Tied, path: &Path) -> Result<()> {
    let device = Device::flex();
    let exported = export(config, bits, showo::model::weights::named_parameters(model)?)?;
    let network = Showo::new(config, weights_of(&exported, &device)?)?;
    let prompts = scenes::evaluation_prompts(4, scenes::Split::Train, 9);
    let roller = Roller {
        network: &network,
        config,
        tokenizer,
        device: &Device::flex(),
        decoding: Decoding::default(),
        previews: false,
        chooser: None,
    };
    let lanes: Vec<Lane> = prompts.iter().zip(0..).map(|((_, spec), number)| Lane::new(number, spec)).collect();
    let rolled = roller.roll_all(&lanes, |_| {})?;
    let grids: Vec<Vec<i32>> = rolled.iter().filter_map(|rollout| rollout.states.last().cloned()).collect();
    let pictures = crate::vq::decode(tokenizer, &grids, &device);
    let accepted = rolled.iter().filter(|rollout| rollout.accepted).count();
    eprintln!("the checker accepts {accepted} of {} samples", pictures.len());
    data::write_sheet(path, &pictures, 8, 2)
}

/// The tables with a row a code, and the map from bits that belongs to each.
const TABLES: [(&str, &str); 2] =
    [("showo.model.embed_tokens.weight", "bits_in"), ("showo.lm_head.weight", "bits_out")];

/// The codebook's rows of a table.
fn code_rows<'a>(config: &ShowoConfig, named: &'a mut Named, table: &str) -> Result<&'a mut [f32]> {
    let (_, values) = named.get_mut(table).with_context(|| format!("the weights lack `{table}`"))?;
    let d = config.hidden_size;
    values
        .get_mut(config.first_code() * d..(config.first_code() + config.codebook_size) * d)
        .with_context(|| format!("`{table}` has too few rows for this configuration"))
}

/// Folds the maps from bits into the plain tables: what remains is ordinary Show-o.
///
/// # Errors
/// A parameter is absent.
pub fn export(config: &ShowoConfig, bits: usize, mut named: Named) -> Result<Named> {
    let maps = TABLES.map(|(_, map)| named.remove(map));
    let mut plain: Named =
        named.into_iter().map(|(name, value)| (name.trim_start_matches("base.").to_owned(), value)).collect();
    for ((table, name), map) in TABLES.into_iter().zip(maps) {
        let (_, map) = map.with_context(|| format!("no `{name}` in the checkpoint"))?;
        tie::fold(code_rows(config, &mut plain, table)?, &map, bits);
    }
    Ok(plain)
}

#[cfg(test)]
mod tests;

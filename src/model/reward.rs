//! The reward network: one scalar for a prompt and a state of the image tokens.
//!
//! An encoder over the prompt's token embeddings and the N image tokens of a candidate (known codes, `[mask]`
//! elsewhere), with segment and position embeddings; mean-pooled; head d → `head_size` → 1 with GELU. The same
//! network serves as PARM, PRM and ORM: what differs is the label it was trained on.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::error::ModelError;
use super::layers::{Embedding, LayerNorm, Linear, attend, narrowed, widened};
use super::showo::FORBIDDEN;
use super::weights::{Init, Weights};
use crate::config::{RewardConfig, RewardQuestion};
use crate::ops::{Activation, Qkv};

#[derive(Module, Debug)]
struct Block {
    norm1: LayerNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

/// The reward network.
#[derive(Module, Debug)]
pub struct Reward {
    text: Embedding,
    image: Embedding,
    /// Mixes the tokens of a position, where several share one.
    mix: Option<Linear>,
    /// `[2, d]`: which of the two segments a token belongs to.
    segment: Param<Tensor<2>>,
    /// `[questions, d]`, where there are several.
    question: Option<Param<Tensor<2>>>,
    /// `[max_text_len + positions, d]`.
    position: Param<Tensor<2>>,
    layers: Vec<Block>,
    norm: LayerNorm,
    head1: Linear,
    head2: Linear,
    heads: usize,
}

impl Reward {
    /// Builds the network from named tensors.
    ///
    /// # Errors
    /// Missing, surplus or misshapen tensors, by name.
    pub fn new(config: &RewardConfig, mut weights: Weights) -> Result<Self, ModelError> {
        let d = config.hidden_size;
        if config.num_attention_heads == 0 || !d.is_multiple_of(config.num_attention_heads) {
            let why = format!("hidden_size {d} is no multiple of num_attention_heads {}", config.num_attention_heads);
            return Err(ModelError::Config { model: "reward", why });
        }
        let (n, merge) = (config.num_vq_tokens, config.merge);
        let (grid, square) = (n.isqrt(), merge * merge);
        if merge == 0 || !grid.is_multiple_of(merge) || !d.is_multiple_of(square) {
            let why =
                format!("merge {merge} divides no grid of {grid} × {grid} tokens, or its square not hidden_size {d}");
            return Err(ModelError::Config { model: "reward", why });
        }
        let known = RewardQuestion::ALL.len();
        if config.questions != 0 && config.questions != known {
            let why =
                format!("questions is {}; a network answers its label's alone (0) or all {known}", config.questions);
            return Err(ModelError::Config { model: "reward", why });
        }
        if config.questions != 0 && !config.knows(config.label.question()) {
            let why = format!("learnt lacks {:?}, which is its label's question", config.label.question());
            return Err(ModelError::Config { model: "reward", why });
        }
        let w = &mut weights;
        let std = (1.0 / d as f32).sqrt();
        let deep = std / (2.0 * config.num_hidden_layers as f32).sqrt();
        let eps = config.layer_norm_eps;
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for index in 0..config.num_hidden_layers {
            let at = |rest: &str| format!("layers.{index}.{rest}");
            let bias = config.bias;
            layers.push(Block {
                norm1: LayerNorm::take(w, &at("norm1"), d, eps)?,
                q: Linear::take(w, &at("q"), d, d, bias, std)?,
                k: Linear::take(w, &at("k"), d, d, bias, std)?,
                v: Linear::take(w, &at("v"), d, d, bias, std)?,
                out: Linear::take(w, &at("out"), d, d, bias, deep)?,
                norm2: LayerNorm::take(w, &at("norm2"), d, eps)?,
                fc1: Linear::take(w, &at("fc1"), d, config.intermediate_size, bias, std)?,
                fc2: Linear::take(w, &at("fc2"), config.intermediate_size, d, bias, deep)?,
            });
        }
        let network = Self {
            text: Embedding::take(w, "text", config.text_vocab_size, d, 0.5)?,
            image: Embedding::take(w, "image", config.codebook_size + 1, config.token_width(), 0.5)?,
            mix: if merge > 1 { Some(Linear::take(w, "mix", d, d, true, std)?) } else { None },
            question: match config.questions {
                0 => None,
                questions => Some(w.take("question", [questions, d], Init::Normal(0.3))?),
            },
            segment: w.take("segment", [2, d], Init::Normal(0.1))?,
            position: w.take("position", [config.max_text_len + config.image_positions(), d], Init::Normal(0.3))?,
            layers,
            norm: LayerNorm::take(w, "norm", d, eps)?,
            head1: Linear::take(w, "head1", d, config.head_size, true, std)?,
            head2: Linear::take(w, "head2", config.head_size, 1, true, std)?,
            heads: config.num_attention_heads,
        };
        weights.finish(&[])?;
        Ok(network)
    }

    /// The look-up of image tokens `[batch, N]` → `[batch, N, d / merge²]`, for training that ties codes to their bits.
    #[must_use]
    pub fn embed_image(&self, codes: Tensor<2, Int>) -> Tensor<3> {
        self.image.forward(codes)
    }

    /// Logits of "yes", `[batch]`, from prepared inputs.
    ///
    /// `text` `[batch, max_text_len]` ids, left-padded; `codes` `[batch, N]`, with `codebook_size` standing for
    /// `[mask]`; `padding` `[batch, 1, 1, max_text_len + N]` is the additive bias that hides padding.
    #[must_use]
    pub fn forward(&self, text: Tensor<2, Int>, codes: Tensor<2, Int>, padding: Tensor<4>) -> Tensor<1> {
        self.forward_embedded(text, self.image.forward(codes), padding)
    }

    /// As [`Reward::forward`], every sequence under `question`; a network that knows its label's alone does not hear it.
    #[must_use]
    pub fn forward_asked(
        &self,
        text: Tensor<2, Int>,
        codes: Tensor<2, Int>,
        padding: Tensor<4>,
        question: RewardQuestion,
    ) -> Tensor<1> {
        let asked = Tensor::<1, Int>::full([codes.dims()[0]], question as i64, &codes.device());
        self.read(self.encode_asked(text, self.image.forward(codes), padding, Some(asked)))
    }

    /// As [`Reward::forward`], from image embeddings `[batch, N, d]`.
    #[must_use]
    pub fn forward_embedded(&self, text: Tensor<2, Int>, image: Tensor<3>, padding: Tensor<4>) -> Tensor<1> {
        self.read(self.encode(text, image, padding))
    }

    /// What the encoder makes of every image token, `[batch, N, d]`, normalized; arguments as those of
    /// [`Reward::forward_embedded`].
    #[must_use]
    pub fn encode(&self, text: Tensor<2, Int>, image: Tensor<3>, padding: Tensor<4>) -> Tensor<3> {
        self.encode_asked(text, image, padding, None)
    }

    /// As [`Reward::encode`], `[batch, positions, d]`, each sequence asked the question whose number `questions` `[batch]` says; the
    /// first where none is said.
    #[must_use]
    pub fn encode_asked(
        &self,
        text: Tensor<2, Int>,
        image: Tensor<3>,
        padding: Tensor<4>,
        questions: Option<Tensor<1, Int>>,
    ) -> Tensor<3> {
        let words = self.text.forward(text);
        let [batch, text_len, d] = words.dims();
        let image = match &self.mix {
            // A position's tokens follow one another.
            Some(mix) => {
                let [_, tokens, width] = image.dims();
                mix.forward(image.reshape([batch, tokens * width / d, d]))
            }
            None => image,
        };
        let n = image.dims()[1];
        let image = match (&self.question, questions) {
            (Some(table), Some(questions)) => image + table.val().select(0, questions).reshape([batch, 1, d]),
            (Some(table), None) => image + table.val().narrow(0, 0, 1).reshape([1, 1, d]),
            (None, _) => image,
        };
        let segment = self.segment.val();
        let place = self.position.val().unsqueeze::<3>();
        let words = words + segment.clone().narrow(0, 0, 1).unsqueeze::<3>() + place.clone().narrow(1, 0, text_len);
        let image = image + segment.narrow(0, 1, 1).unsqueeze::<3>() + place.narrow(1, text_len, n);
        let mut x = narrowed(Tensor::cat(vec![words, image], 1));
        for block in &self.layers {
            let normal = block.norm1.forward(x.clone());
            let [q, k, v] = [&block.q, &block.k, &block.v].map(|linear| linear.forward(normal.clone()));
            let attended = attend(Qkv { q, past: None, k, v, bias: Some(padding.clone()), heads: self.heads });
            x = block.out.forward_with(attended, Activation::None, Some(x));
            let inner = block.fc1.forward_with(block.norm2.forward(x.clone()), Activation::GeluNew, None);
            x = block.fc2.forward_with(inner, Activation::None, Some(x));
        }
        // Image tokens alone are read: they have seen the prompt, and there are always N of them.
        widened(self.norm.forward(x.narrow(1, text_len, n)))
    }

    /// Logits of "yes", `[batch]`, from what [`Reward::encode`] made.
    #[must_use]
    pub fn read(&self, encoded: Tensor<3>) -> Tensor<1> {
        let [batch, _, d] = encoded.dims();
        let pooled = encoded.mean_dim(1).reshape([batch, d]);
        widened(self.head2.forward(self.head1.forward_with(pooled, Activation::GeluNew, None))).reshape([batch])
    }
}

/// A state's tokens in the order in which the network reads them: those that share a position follow one another, row by row.
pub fn grouped(state: &[i32], merge: usize) -> impl Iterator<Item = i32> + '_ {
    let grid = state.len().isqrt();
    let side = (grid / merge.max(1)).max(1);
    (0..state.len()).map(move |at| {
        if merge <= 1 {
            return state[at];
        }
        let (position, within) = (at / (merge * merge), at % (merge * merge));
        let (row, column) = (position / side * merge + within / merge, position % side * merge + within % merge);
        state[row * grid + column]
    })
}

/// The network's inputs for one prompt and several image states.
///
/// Returns text ids, codes and padding bias as [`Reward::forward`] takes them. A prompt longer than the network reads
/// keeps its first tokens.
#[must_use]
pub fn inputs(
    config: &RewardConfig,
    prompts: &[&[u32]],
    states: &[&[i32]],
    device: &Device,
) -> (Tensor<2, Int>, Tensor<2, Int>, Tensor<4>) {
    let batch = states.len();
    let mut text = Vec::with_capacity(batch * config.max_text_len);
    let mut padding = Vec::with_capacity(batch * (config.max_text_len + config.image_positions()));
    for prompt in prompts {
        let ids = &prompt[..prompt.len().min(config.max_text_len)];
        let empty = config.max_text_len - ids.len();
        text.extend(std::iter::repeat_n(config.pad as i32, empty));
        text.extend(ids.iter().map(|&id| id as i32));
        padding.extend(std::iter::repeat_n(FORBIDDEN, empty));
        padding.extend(std::iter::repeat_n(0.0, ids.len() + config.image_positions()));
    }
    let mask = config.codebook_size as i32;
    let codes: Vec<i32> = states
        .iter()
        .flat_map(|state| grouped(state, config.merge))
        .map(|code| if code < 0 { mask } else { code })
        .collect();
    let columns = config.max_text_len + config.image_positions();
    (
        Tensor::from_data(TensorData::new(text, [batch, config.max_text_len]), device),
        Tensor::from_data(TensorData::new(codes, [batch, config.num_vq_tokens]), device),
        Tensor::from_data(TensorData::new(padding, [batch, 1, 1, columns]), device),
    )
}

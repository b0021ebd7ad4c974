//! Show-o: a Phi-style decoder over text and image tokens in one vocabulary.
//!
//! Reference: `models/modeling_showo.py` and `models/phi.py` of showlab/Show-o. Parallel attention and MLP from one
//! layer normalization, partial rotary embedding, `gelu_new`, biases everywhere, an untied head.
//!
//! When it draws, text never sees the image, so the keys and values of the text are computed once ([`Showo::prefix`]) and
//! every later forward runs over the image segment alone ([`Showo::forward_image`]). When it is asked about a picture it is
//! the other way round: the picture's are computed once, and every question goes on from them ([`Showo::go_on`]).

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::error::ModelError;
use super::layers::{Embedding, LayerNorm, Linear, Matrix, Mlp, attend, narrowed, rotate};
use super::weights::Weights;
use crate::config::ShowoConfig;
use crate::ops::{Activation, Qkv};

/// The additive bias of a forbidden attention: large, and still finite when two of them meet.
pub const FORBIDDEN: f32 = -1e9;

#[derive(Module, Debug)]
struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    dense: Linear,
    q_layernorm: Option<LayerNorm>,
    k_layernorm: Option<LayerNorm>,
    heads: usize,
}

#[derive(Module, Debug)]
struct Block {
    input_layernorm: LayerNorm,
    self_attn: Attention,
    mlp: Mlp,
}

#[derive(Module, Debug)]
struct Phi {
    embed_tokens: Embedding,
    layers: Vec<Block>,
    final_layernorm: LayerNorm,
}

#[derive(Module, Debug)]
struct PhiForCausalLm {
    model: Phi,
    lm_head: Linear,
}

/// The generator. Field names spell the reference's tensor names.
#[derive(Module, Debug)]
pub struct Showo {
    showo: PhiForCausalLm,
    /// The codebook's rows of a head that has more and is fixed (int8): cutting them out copies them on a GPU.
    code_head: Option<Linear>,
    /// The head's rows of [`Layout::answers`], where they were copied because the others were not to be kept.
    answer_head: Option<Linear>,
    #[module(skip)]
    layout: Layout,
}

/// The numbers of the configuration that a forward needs.
#[derive(Debug, Clone)]
struct Layout {
    rotary: usize,
    theta: f64,
    /// The head's row of code 0.
    first_code: usize,
    codes: usize,
    /// The ids of the rows of the answers' head, in its order.
    answers: Vec<u32>,
}

/// Name of the head in checkpoints.
const HEAD: &str = "showo.lm_head";

/// Makes `weights` keep only those rows of the head that drawing needs: the codebook's. To be called before they come.
pub fn keep_drawing_rows(config: &ShowoConfig, weights: &mut Weights) {
    let rows = config.first_code()..config.first_code() + config.codebook_size;
    for part in ["weight", "bias"] {
        weights.keep_rows(&format!("{HEAD}.{part}"), rows.clone(), config.vocab_size);
    }
}

/// Name of the copied rows.
const ANSWER_HEAD: &str = "showo.answers";

/// Makes `weights` keep the head's rows of `ids` whatever else of it is kept: those of "yes" and "no", with which a generator
/// that draws can judge as well ([`Showo::can_say`]). To be called before they come.
pub fn keep_answers(weights: &mut Weights, ids: &[u32]) {
    for part in ["weight", "bias"].into_iter().filter(|_| !ids.is_empty()) {
        let rows = ids.iter().map(|&id| id as usize).collect();
        weights.copy_rows(&format!("{HEAD}.{part}"), rows, &format!("{ANSWER_HEAD}.{part}"));
    }
}

/// Keys and values of the tokens that came before, one entry a layer, each `[batch, tokens, heads·head]`.
#[derive(Debug, Clone, Default)]
pub struct Prefix {
    keys: Vec<Tensor<3>>,
    values: Vec<Tensor<3>>,
}

impl Prefix {
    /// Tokens that came before.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.first().map_or(0, |keys| keys.dims()[1])
    }

    /// Whether nothing came before.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// These tokens, and then those of `later`.
    #[must_use]
    fn followed_by(&self, later: &Self) -> Self {
        let joined = |before: &[Tensor<3>], later: &[Tensor<3>]| {
            before.iter().zip(later).map(|(a, b)| Tensor::cat(vec![a.clone(), b.clone()], 1)).collect()
        };
        Self { keys: joined(&self.keys, &later.keys), values: joined(&self.values, &later.values) }
    }

    /// The texts numbered `texts`, each as often as it is named: for training, where several pictures have one prompt.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn select(&self, texts: &Tensor<1, Int>) -> Self {
        let select = |of: &Vec<Tensor<3>>| of.iter().map(|each| each.clone().select(0, texts.clone())).collect();
        Self { keys: select(&self.keys), values: select(&self.values) }
    }
}

/// Angles of the rotary embedding for the tokens from `start`: `[tokens, rotary]`, cosines and then sines.
fn rotary_table(start: usize, tokens: usize, layout: &Layout, device: &Device) -> Tensor<2> {
    let half = layout.rotary / 2;
    let mut values = Vec::with_capacity(tokens * layout.rotary);
    for position in start..start + tokens {
        // The reference computes frequencies and angles in f32; so do we.
        let angle = |channel: usize| {
            let exponent = (2 * channel) as f32 / layout.rotary as f32;
            position as f32 * (1.0 / (layout.theta as f32).powf(exponent))
        };
        values.extend((0..half).map(|channel| angle(channel).cos()));
        values.extend((0..half).map(|channel| angle(channel).sin()));
    }
    Tensor::from_data(TensorData::new(values, [tokens, layout.rotary]), device)
}

impl Attention {
    /// Queries, keys and values of the new tokens, the first two rotated; each `[batch, tokens, heads·head]`.
    fn project(&self, x: Tensor<3>, table: &Tensor<2>) -> (Tensor<3>, Tensor<3>, Tensor<3>) {
        let q = rotate(self.q_proj.forward(x.clone()), table.clone(), self.heads, self.q_layernorm.as_ref());
        let k = rotate(self.k_proj.forward(x.clone()), table.clone(), self.heads, self.k_layernorm.as_ref());
        (q, k, self.v_proj.forward(x))
    }
}

/// What a run of the layers has before it and leaves behind.
#[derive(Default)]
struct PassOptions<'a> {
    /// Keys and values of the text before.
    past: Option<&'a Prefix>,
    /// Takes the keys and values.
    keep: Option<&'a mut Prefix>,
    /// Whether nothing else is asked for: the last block then ends with its keys and values.
    keys_alone: bool,
    /// The positions of `[batch · tokens]` that are looked at in the end, if not all: the result then is `[1, rows, d]`.
    rows: Option<&'a Tensor<1, Int>>,
}

impl Showo {
    /// Builds the network from named tensors. After [`keep_drawing_rows`] it can draw, but not compute
    /// [`Showo::logits`].
    ///
    /// # Errors
    /// A configuration that contradicts itself; missing, surplus or misshapen tensors, by name.
    pub fn new(config: &ShowoConfig, mut weights: Weights) -> Result<Self, ModelError> {
        config.validate().map_err(|why| ModelError::Config { model: "showo", why })?;
        let d = config.hidden_size;
        let eps = config.layer_norm_eps;
        let w = &mut weights;
        let std = 0.5 / (d as f32).sqrt();
        // Residual outputs start smaller with depth, as in GPT-2, so that a deep stack starts near the identity.
        let residual_std = std / (2.0 * config.num_hidden_layers as f32).sqrt();
        let head = d / config.num_attention_heads;
        // The weights decide: the reference's own fixtures say `qk_layernorm: false` in their configuration and were
        // computed with the norms that their checkpoint holds (an independent numpy forward agrees with them only so).
        let normed = config.qk_layernorm || w.holds("showo.model.layers.0.self_attn.q_layernorm.weight");
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for index in 0..config.num_hidden_layers {
            let at = |rest: &str| format!("showo.model.layers.{index}.{rest}");
            let norm = |w: &mut Weights, name: &str| -> Result<Option<LayerNorm>, ModelError> {
                if normed { Ok(Some(LayerNorm::take(w, &at(name), head, eps)?)) } else { Ok(None) }
            };
            layers.push(Block {
                input_layernorm: LayerNorm::take(w, &at("input_layernorm"), d, eps)?,
                self_attn: Attention {
                    q_proj: Linear::take(w, &at("self_attn.q_proj"), d, d, true, std)?,
                    k_proj: Linear::take(w, &at("self_attn.k_proj"), d, d, true, std)?,
                    v_proj: Linear::take(w, &at("self_attn.v_proj"), d, d, true, std)?,
                    dense: Linear::take(w, &at("self_attn.dense"), d, d, true, residual_std)?,
                    q_layernorm: norm(w, "self_attn.q_layernorm")?,
                    k_layernorm: norm(w, "self_attn.k_layernorm")?,
                    heads: config.num_attention_heads,
                },
                mlp: Mlp::take(w, &at("mlp"), [d, config.intermediate_size], [std, residual_std])?,
            });
        }
        let codes = config.codebook_size;
        let cut = w.shape(&format!("{HEAD}.weight")).is_some_and(|shape| shape.first() == Some(&codes));
        let (first_code, outputs) = if cut { (0, codes) } else { (config.first_code(), config.vocab_size) };
        let lm_head = Linear::take(w, HEAD, d, outputs, true, std)?;
        let answers: Vec<u32> = w.copied_rows(&format!("{HEAD}.weight")).iter().map(|&row| row as u32).collect();
        let answer_head = match answers.len() {
            0 => None,
            rows => Some(Linear::take(w, ANSWER_HEAD, d, rows, true, std)?),
        };
        let fixed = matches!(lm_head.weight, Matrix::Q8(_)) && !cut;
        let network = Self {
            code_head: fixed.then(|| lm_head.outputs(first_code, codes)),
            showo: PhiForCausalLm {
                model: Phi {
                    embed_tokens: Embedding::take(w, "showo.model.embed_tokens", config.vocab_size, d, std)?,
                    layers,
                    final_layernorm: LayerNorm::take(w, "showo.model.final_layernorm", d, eps)?,
                },
                lm_head,
            },
            answer_head,
            layout: Layout { rotary: config.rotary_len(), theta: config.rope_theta, first_code, codes, answers },
        };
        // Buffers of older checkpoints.
        weights.finish(&["rotary_emb.inv_freq"])?;
        Ok(network)
    }

    /// Token ids `[batch, tokens]` → embeddings `[batch, tokens, d]`.
    #[must_use]
    pub fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        self.showo.model.embed_tokens.forward(ids)
    }

    /// The plain forward over whole sequences: hidden states after the last normalization, `[batch, tokens, d]`.
    ///
    /// `bias` `[batch, 1, tokens, tokens]` holds 0 where attention is allowed and [`FORBIDDEN`] elsewhere.
    #[must_use]
    pub fn forward(&self, ids: Tensor<2, Int>, bias: Tensor<4>) -> Tensor<3> {
        let x = self.embed(ids);
        self.run(x, 0, &bias, PassOptions::default())
    }

    /// As [`Showo::forward`], from embeddings `[batch, tokens, d]`; `bias` may have one row or one entry for all.
    #[must_use]
    pub fn forward_embedded(&self, x: Tensor<3>, bias: &Tensor<4>) -> Tensor<3> {
        self.run(x, 0, bias, PassOptions::default())
    }

    /// Keys and values of the text segment, `[batch, text]` ids with their causal bias `[batch, 1, text, text]`.
    #[must_use]
    pub fn prefix(&self, ids: Tensor<2, Int>, bias: Tensor<4>) -> Prefix {
        self.prefix_embedded(self.embed(ids), bias)
    }

    /// As [`Showo::prefix`], from embeddings `[batch, text, d]`.
    #[must_use]
    pub fn prefix_embedded(&self, x: Tensor<3>, bias: Tensor<4>) -> Prefix {
        let mut prefix = Prefix::default();
        self.run(x, 0, &bias, PassOptions { keep: Some(&mut prefix), keys_alone: true, ..PassOptions::default() });
        prefix
    }

    /// Goes on behind a prefix with `[batch, tokens]` ids: the longer prefix, and the new tokens' hidden states
    /// `[batch, tokens, d]`.
    ///
    /// `bias` `[batch, 1, tokens, prefix + tokens]`, with one row or one entry where it is the same for all.
    #[must_use]
    pub fn go_on(&self, prefix: &Prefix, ids: Tensor<2, Int>, bias: &Tensor<4>) -> (Prefix, Tensor<3>) {
        let mut new = Prefix::default();
        let options = PassOptions { past: Some(prefix), keep: Some(&mut new), ..PassOptions::default() };
        let hidden = self.run(self.embed(ids), prefix.len(), bias, options);
        (prefix.followed_by(&new), hidden)
    }

    /// The image segment `[batch, N + 2]` after a cached text: hidden states `[batch, N + 2, d]`.
    ///
    /// `bias` `[batch, 1, N + 2, text + N + 2]`, or with one row where it is the same for all.
    #[must_use]
    pub fn forward_image(&self, prefix: &Prefix, ids: Tensor<2, Int>, bias: Tensor<4>) -> Tensor<3> {
        self.forward_image_embedded(prefix, self.embed(ids), bias)
    }

    /// As [`Showo::forward_image`], from embeddings `[batch, N + 2, d]`.
    #[must_use]
    pub fn forward_image_embedded(&self, prefix: &Prefix, x: Tensor<3>, bias: Tensor<4>) -> Tensor<3> {
        self.run(x, prefix.len(), &bias, PassOptions { past: Some(prefix), ..PassOptions::default() })
    }

    /// As [`Showo::forward_image_embedded`], at the positions `rows` of `[batch · (N + 2)]` alone: `[rows, d]`. For training, whose
    /// loss looks at no other; the last block's MLP need not, either.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn forward_image_rows(
        &self,
        prefix: &Prefix,
        x: Tensor<3>,
        bias: Tensor<4>,
        rows: &Tensor<1, Int>,
    ) -> Tensor<2> {
        let options = PassOptions { past: Some(prefix), rows: Some(rows), ..PassOptions::default() };
        let hidden = self.run(x, prefix.len(), &bias, options);
        hidden.squeeze_dim(0)
    }

    fn run(&self, mut x: Tensor<3>, start: usize, bias: &Tensor<4>, options: PassOptions) -> Tensor<3> {
        let PassOptions { past, mut keep, keys_alone, rows } = options;
        let tokens = x.dims()[1];
        x = narrowed(x);
        let table = rotary_table(start, tokens, &self.layout, &x.device());
        let last = self.showo.model.layers.len() - 1;
        for (index, block) in self.showo.model.layers.iter().enumerate() {
            let mut normal = block.input_layernorm.forward(x.clone());
            let attn = &block.self_attn;
            let (q, k, v) = attn.project(normal.clone(), &table);
            if let Some(keep) = keep.as_deref_mut() {
                keep.keys.push(k.clone());
                keep.values.push(v.clone());
                if keys_alone && index == last {
                    return x;
                }
            }
            let past = past.map(|past| (past.keys[index].clone(), past.values[index].clone()));
            let mut attended = attend(Qkv { q, past, k, v, bias: Some(bias.clone()), heads: attn.heads });
            if let Some(rows) = rows.filter(|_| index == last) {
                let [batch, tokens, d] = x.dims();
                let only = |all: Tensor<3>| all.reshape([batch * tokens, d]).select(0, rows.clone()).unsqueeze();
                [x, normal, attended] = [x, normal, attended].map(only);
            }
            x = attn.dense.forward_with(attended, Activation::None, Some(x));
            x = block.mlp.forward(normal, Activation::GeluNew, x);
        }
        self.showo.model.final_layernorm.forward(x)
    }

    /// Whether it can answer questions: after [`keep_drawing_rows`] it can only draw.
    #[must_use]
    pub fn can_answer(&self) -> bool {
        self.layout.first_code > 0
    }

    /// Whether [`Showo::logits_of`] knows these tokens: all of them, or after [`keep_drawing_rows`] those of [`keep_answers`].
    #[must_use]
    pub fn can_say(&self, ids: &[u32]) -> bool {
        self.can_answer() || ids.iter().all(|id| self.layout.answers.contains(id))
    }

    /// Logits of the tokens `ids` alone, `[rows, d]` → `[rows, ids]`: as many rows of the head are read.
    ///
    /// # Panics
    /// Not all of them are there ([`Showo::can_say`]).
    #[must_use]
    pub fn logits_of(&self, hidden: Tensor<2>, ids: &[u32]) -> Tensor<2> {
        assert!(self.can_say(ids), "logits_of: of the head only the codebook's rows were loaded");
        let known = &self.layout.answers;
        let (head, rows): (_, Vec<i32>) = match &self.answer_head {
            Some(head) if !self.can_answer() => {
                let row = |id: &u32| known.iter().position(|known| known == id).unwrap_or(0) as i32;
                (head, ids.iter().map(row).collect())
            }
            _ => (&self.showo.lm_head, ids.iter().map(|&id| id as i32).collect()),
        };
        let rows = Tensor::from_data(TensorData::new(rows, [ids.len()]), &hidden.device());
        head.forward_some(hidden, rows)
    }

    /// Logits over the whole vocabulary, `[rows, d]` → `[rows, vocab]`.
    ///
    /// # Panics
    /// After [`keep_drawing_rows`].
    #[must_use]
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        assert!(self.can_answer(), "logits: of the head only the codebook's rows were loaded");
        self.showo.lm_head.forward(hidden)
    }

    /// Logits over the codebook's columns only, `[rows, d]` → `[rows, codebook]`.
    #[must_use]
    pub fn code_logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        let Layout { first_code, codes, .. } = self.layout;
        match &self.code_head {
            Some(head) => head.forward(hidden),
            None if first_code == 0 => self.showo.lm_head.forward(hidden),
            None => self.showo.lm_head.outputs(first_code, codes).forward(hidden),
        }
    }

    /// Logits over the vocabulary's rows before the codebook, `[rows, d]` → `[rows, first code]`: what an answer is read from.
    ///
    /// # Panics
    /// After [`keep_drawing_rows`].
    #[must_use]
    pub fn text_logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        let first = self.layout.first_code;
        assert!(first > 0, "text_logits: of the head only the codebook's rows were loaded");
        self.showo.lm_head.outputs(0, first).forward(hidden)
    }

    /// As [`Showo::code_logits`], with `tied` `[codebook, d]` added to the head's rows: for training.
    ///
    /// # Panics
    /// An int8 head, which is not trained.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn tied_code_logits(&self, hidden: Tensor<2>, tied: Tensor<2>) -> Tensor<2> {
        let Layout { first_code, codes, .. } = self.layout;
        self.showo.lm_head.outputs(first_code, codes).plus(tied).forward(hidden)
    }
}

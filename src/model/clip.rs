//! CLIP: a text and a vision tower into one space, and CLIPScore on top.
//!
//! Layout and tensor names of `openai/clip-vit-base-patch32` as in transformers; CLIPScore is
//! `2.5·max(cos, 0)` (Hessel et al., 2021).

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor, TensorData};

use super::convolution::{Conv2d, ConvShape};
use super::error::ModelError;
use super::layers::{Embedding, LayerNorm, Linear, Mlp, attend, widened};
use super::showo::FORBIDDEN;
use super::weights::{Init, Weights};
use crate::config::{ClipConfig, ClipTowerConfig};
use crate::ops::{Activation, Qkv};

/// The weight of CLIPScore.
pub const CLIP_SCORE_WEIGHT: f32 = 2.5;

#[derive(Module, Debug)]
struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    heads: usize,
}

#[derive(Module, Debug)]
struct Block {
    layer_norm1: LayerNorm,
    self_attn: Attention,
    layer_norm2: LayerNorm,
    mlp: Mlp,
}

#[derive(Module, Debug)]
struct Encoder {
    layers: Vec<Block>,
}

#[derive(Module, Debug)]
struct TextEmbeddings {
    token_embedding: Embedding,
    position_embedding: Embedding,
}

#[derive(Module, Debug)]
struct TextTower {
    embeddings: TextEmbeddings,
    encoder: Encoder,
    final_layer_norm: LayerNorm,
}

#[derive(Module, Debug)]
struct VisionEmbeddings {
    class_embedding: Param<Tensor<1>>,
    patch_embedding: Conv2d,
    position_embedding: Embedding,
}

#[derive(Module, Debug)]
struct VisionTower {
    embeddings: VisionEmbeddings,
    /// The checkpoints' own spelling.
    pre_layrnorm: LayerNorm,
    encoder: Encoder,
    post_layernorm: LayerNorm,
}

/// Both towers. Field names spell the reference's tensor names.
#[derive(Module, Debug)]
pub struct Clip {
    text_model: TextTower,
    vision_model: VisionTower,
    text_projection: Linear,
    visual_projection: Linear,
    logit_scale: Param<Tensor<1>>,
}

fn take_encoder(w: &mut Weights, name: &str, config: &ClipTowerConfig) -> Result<Encoder, ModelError> {
    let d = config.hidden_size;
    if config.num_attention_heads == 0 || !d.is_multiple_of(config.num_attention_heads) {
        let why = format!("hidden_size {d} is no multiple of num_attention_heads {}", config.num_attention_heads);
        return Err(ModelError::Config { model: "clip", why });
    }
    let eps = config.layer_norm_eps;
    let std = (1.0 / d as f32).sqrt();
    let deep = std / (2.0 * config.num_hidden_layers as f32).sqrt();
    let mut layers = Vec::with_capacity(config.num_hidden_layers);
    for index in 0..config.num_hidden_layers {
        let at = |rest: &str| format!("{name}.encoder.layers.{index}.{rest}");
        layers.push(Block {
            layer_norm1: LayerNorm::take(w, &at("layer_norm1"), d, eps)?,
            self_attn: Attention {
                q_proj: Linear::take(w, &at("self_attn.q_proj"), d, d, true, std)?,
                k_proj: Linear::take(w, &at("self_attn.k_proj"), d, d, true, std)?,
                v_proj: Linear::take(w, &at("self_attn.v_proj"), d, d, true, std)?,
                out_proj: Linear::take(w, &at("self_attn.out_proj"), d, d, true, deep)?,
                heads: config.num_attention_heads,
            },
            layer_norm2: LayerNorm::take(w, &at("layer_norm2"), d, eps)?,
            mlp: Mlp::take(w, &at("mlp"), [d, config.intermediate_size], [std, deep])?,
        });
    }
    Ok(Encoder { layers })
}

impl Encoder {
    fn forward(&self, mut x: Tensor<3>, bias: Option<&Tensor<4>>) -> Tensor<3> {
        for block in &self.layers {
            let attn = &block.self_attn;
            let normal = block.layer_norm1.forward(x.clone());
            let [q, k, v] = [&attn.q_proj, &attn.k_proj, &attn.v_proj].map(|linear| linear.forward(normal.clone()));
            let attended = attend(Qkv { q, past: None, k, v, bias: bias.cloned(), heads: attn.heads });
            x = attn.out_proj.forward_with(attended, Activation::None, Some(x));
            x = block.mlp.forward(block.layer_norm2.forward(x.clone()), Activation::QuickGelu, x);
        }
        x
    }
}

impl Clip {
    /// Builds the network from named tensors.
    ///
    /// # Errors
    /// A configuration that contradicts itself; missing, surplus or misshapen tensors, by name.
    pub fn new(config: &ClipConfig, mut weights: Weights) -> Result<Self, ModelError> {
        let w = &mut weights;
        let (text, vision) = (&config.text_config, &config.vision_config);
        if vision.patch_size == 0 || !vision.image_size.is_multiple_of(vision.patch_size) {
            let why = format!("image_size {} is no multiple of patch_size {}", vision.image_size, vision.patch_size);
            return Err(ModelError::Config { model: "clip", why });
        }
        let patches = (vision.image_size / vision.patch_size).pow(2);
        let patch = ConvShape {
            inputs: 3,
            out: vision.hidden_size,
            kernel: vision.patch_size,
            stride: vision.patch_size,
            padding: 0,
            enlarge: 1,
            bias: false,
        };
        let (td, vd) = (text.hidden_size, vision.hidden_size);
        let network = Self {
            text_model: TextTower {
                embeddings: TextEmbeddings {
                    token_embedding: Embedding::take(
                        w,
                        "text_model.embeddings.token_embedding",
                        text.vocab_size,
                        td,
                        0.3,
                    )?,
                    position_embedding: Embedding::take(
                        w,
                        "text_model.embeddings.position_embedding",
                        text.max_position_embeddings,
                        td,
                        0.1,
                    )?,
                },
                encoder: take_encoder(w, "text_model", text)?,
                final_layer_norm: LayerNorm::take(w, "text_model.final_layer_norm", td, text.layer_norm_eps)?,
            },
            vision_model: VisionTower {
                embeddings: VisionEmbeddings {
                    class_embedding: w.take("vision_model.embeddings.class_embedding", [vd], Init::Normal(0.1))?,
                    patch_embedding: Conv2d::take(w, "vision_model.embeddings.patch_embedding", patch)?,
                    position_embedding: Embedding::take(
                        w,
                        "vision_model.embeddings.position_embedding",
                        patches + 1,
                        vd,
                        0.1,
                    )?,
                },
                pre_layrnorm: LayerNorm::take(w, "vision_model.pre_layrnorm", vd, vision.layer_norm_eps)?,
                encoder: take_encoder(w, "vision_model", vision)?,
                post_layernorm: LayerNorm::take(w, "vision_model.post_layernorm", vd, vision.layer_norm_eps)?,
            },
            text_projection: Linear::take(
                w,
                "text_projection",
                td,
                config.projection_dim,
                false,
                (1.0 / td as f32).sqrt(),
            )?,
            visual_projection: Linear::take(
                w,
                "visual_projection",
                vd,
                config.projection_dim,
                false,
                (1.0 / vd as f32).sqrt(),
            )?,
            logit_scale: take_scale(w)?,
        };
        weights.finish(&["position_ids"])?;
        Ok(network)
    }

    /// Normalised text embeddings, `[batch, projection]`. `ids` `[batch, tokens]`; `ends[b]` is the index of the
    /// token that stands for text `b` (its first end-of-text).
    #[must_use]
    pub fn embed_text(&self, ids: Tensor<2, Int>, ends: &[usize]) -> Tensor<2> {
        let [batch, tokens] = ids.dims();
        let device = ids.device();
        let places = Tensor::arange(0..tokens as i64, &device).reshape([1, tokens]);
        let embeddings = &self.text_model.embeddings;
        let x = embeddings.token_embedding.forward(ids) + embeddings.position_embedding.forward(places);
        let causal: Vec<f32> = (0..tokens)
            .flat_map(|row| (0..tokens).map(move |column| if column <= row { 0.0 } else { FORBIDDEN }))
            .collect();
        let bias = Tensor::<4>::from_data(TensorData::new(causal, [1, 1, tokens, tokens]), &device);
        let x = self.text_model.final_layer_norm.forward(self.text_model.encoder.forward(x, Some(&bias)));
        let rows: Vec<i32> = ends.iter().enumerate().map(|(row, end)| (row * tokens + end) as i32).collect();
        let d = x.dims()[2];
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [batch]), &device);
        unit(widened(self.text_projection.forward(x.reshape([batch * tokens, d]).select(0, rows))))
    }

    /// Normalised image embeddings, `[batch, projection]`, from pixels `[batch, 3, side, side]` that are already
    /// normalised by the configuration's mean and deviation.
    #[must_use]
    pub fn embed_image(&self, pixels: Tensor<4>) -> Tensor<2> {
        let device = pixels.device();
        let embeddings = &self.vision_model.embeddings;
        let patches = embeddings.patch_embedding.forward_rows(pixels);
        let [batch, count, d] = patches.dims();
        let class = embeddings.class_embedding.val().reshape([1, 1, d]).repeat_dim(0, batch);
        let places = Tensor::arange(0..(count + 1) as i64, &device).reshape([1, count + 1]);
        let x = Tensor::cat(vec![class, patches], 1) + embeddings.position_embedding.forward(places);
        let x = self.vision_model.encoder.forward(self.vision_model.pre_layrnorm.forward(x), None);
        let pooled = self.vision_model.post_layernorm.forward(x.narrow(1, 0, 1).reshape([batch, d]));
        unit(widened(self.visual_projection.forward(pooled)))
    }

    /// Cosines times `exp(logit_scale)`: `[images, texts]`.
    #[must_use]
    pub fn logits_per_image(&self, images: Tensor<2>, texts: Tensor<2>) -> Tensor<2> {
        images.matmul(texts.transpose()) * self.logit_scale.val().exp().reshape([1, 1])
    }
}

/// Checkpoints hold the scale as a scalar; ours, written by `train`, as one element.
fn take_scale(w: &mut Weights) -> Result<Param<Tensor<1>>, ModelError> {
    // ln(1/0.07), where CLIP's training starts.
    let start = w.take_scalar("logit_scale")?;
    match start {
        Some(value) => Ok(value),
        None => {
            let fresh = w.take("logit_scale", [1], Init::Ones)?;
            Ok(fresh.map(|one| one * 2.659_26))
        }
    }
}

/// Rows of length one.
fn unit(x: Tensor<2>) -> Tensor<2> {
    let length = (x.clone() * x.clone()).sum_dim(1).sqrt();
    x / (length + 1e-12)
}

/// CLIPScore of normalised embeddings: `2.5·max(cos, 0)`, `[images]` against one text `[1, projection]`.
#[must_use]
pub fn clip_score(images: Tensor<2>, text: Tensor<2>) -> Tensor<1> {
    let count = images.dims()[0];
    (images * text).sum_dim(1).reshape([count]).clamp_min(0.0) * CLIP_SCORE_WEIGHT
}

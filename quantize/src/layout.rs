//! Which tensors a model has: names and shapes, derived from its configuration.
//!
//! The networks of `showo` refuse a wrong tensor when they are built; here the same is known before a byte of a
//! bundle is written, with the checkpoint's name in the message. The test at the end holds each list to what the
//! network takes.

use showo::bundle::{Bundle, BundleError, ModelKind, Reader};
use showo::config::{ClipConfig, ClipTowerConfig, MagvitConfig, PreviewConfig, RewardConfig, ShowoConfig};
use showo::load::fit::AnyConfig;

/// A model's configuration, as its network takes it.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelConfig {
    /// Show-o.
    Showo(ShowoConfig),
    /// MAGVIT-v2.
    Magvit(MagvitConfig),
    /// The preview decoder.
    Preview(PreviewConfig),
    /// CLIP.
    Clip(ClipConfig),
    /// A reward network.
    Reward(RewardConfig),
}

/// One tensor that a model has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Its name in the checkpoint.
    pub name: String,
    /// Its sizes, outermost first.
    pub shape: Vec<usize>,
}

impl ModelConfig {
    /// That of a bundle's model.
    ///
    /// # Errors
    /// The bundle has no such model, or its configuration cannot be read.
    pub fn of_bundle<R: Reader>(bundle: &Bundle<R>, kind: ModelKind) -> Result<Self, BundleError> {
        Ok(match kind {
            ModelKind::Showo(_) => Self::Showo(bundle.config(kind)?),
            ModelKind::Magvit => Self::Magvit(bundle.config(kind)?),
            ModelKind::Preview => Self::Preview(bundle.config(kind)?),
            ModelKind::Clip => Self::Clip(bundle.config(kind)?),
            ModelKind::Reward(_) => Self::Reward(bundle.config(kind)?),
        })
    }

    /// The configuration as a bundle's manifest records it.
    ///
    /// # Errors
    /// A number that JSON cannot hold.
    pub fn to_json(&self) -> serde_json::Result<serde_json::Value> {
        match self {
            Self::Showo(config) => serde_json::to_value(config),
            Self::Magvit(config) => serde_json::to_value(config),
            Self::Preview(config) => serde_json::to_value(config),
            Self::Clip(config) => serde_json::to_value(config),
            Self::Reward(config) => serde_json::to_value(config),
        }
    }

    /// The same, to be compared with another model's.
    pub fn any(&self) -> AnyConfig<'_> {
        match self {
            Self::Showo(config) => AnyConfig::Showo(config),
            Self::Magvit(config) => AnyConfig::Magvit(config),
            Self::Preview(config) => AnyConfig::Preview(config),
            Self::Clip(config) => AnyConfig::Clip(config),
            Self::Reward(config) => AnyConfig::Reward(config),
        }
    }

    /// Every tensor of the model, in the order of the network.
    pub fn tensors(&self) -> Vec<Expected> {
        let mut list = List(Vec::new());
        match self {
            Self::Showo(config) => list.showo(config),
            Self::Magvit(config) => list.magvit(config),
            Self::Preview(config) => list.preview(config),
            Self::Clip(config) => list.clip(config),
            Self::Reward(config) => list.reward(config),
        }
        list.0
    }
}

/// The list in the making.
struct List(Vec<Expected>);

impl List {
    fn tensor(&mut self, name: impl Into<String>, shape: &[usize]) {
        self.0.push(Expected { name: name.into(), shape: shape.into() });
    }

    fn linear(&mut self, name: &str, inputs: usize, out: usize, bias: bool) {
        self.tensor(format!("{name}.weight"), &[out, inputs]);
        if bias {
            self.tensor(format!("{name}.bias"), &[out]);
        }
    }

    fn norm(&mut self, name: &str, width: usize) {
        self.tensor(format!("{name}.weight"), &[width]);
        self.tensor(format!("{name}.bias"), &[width]);
    }

    fn conv(&mut self, name: &str, inputs: usize, out: usize, kernel: usize) {
        self.tensor(format!("{name}.weight"), &[out, inputs, kernel, kernel]);
        self.tensor(format!("{name}.bias"), &[out]);
    }

    fn showo(&mut self, config: &ShowoConfig) {
        let d = config.hidden_size;
        self.tensor("showo.model.embed_tokens.weight", &[config.vocab_size, d]);
        for index in 0..config.num_hidden_layers {
            let at = |rest: &str| format!("showo.model.layers.{index}.{rest}");
            self.norm(&at("input_layernorm"), d);
            for name in ["q_proj", "k_proj", "v_proj", "dense"] {
                self.linear(&at(&format!("self_attn.{name}")), d, d, true);
            }
            if config.qk_layernorm {
                let head = d / config.num_attention_heads.max(1);
                self.norm(&at("self_attn.q_layernorm"), head);
                self.norm(&at("self_attn.k_layernorm"), head);
            }
            self.linear(&at("mlp.fc1"), d, config.intermediate_size, true);
            self.linear(&at("mlp.fc2"), config.intermediate_size, d, true);
        }
        self.norm("showo.model.final_layernorm", d);
        self.linear("showo.lm_head", d, config.vocab_size, true);
    }

    fn resnet(&mut self, name: &str, inputs: usize, out: usize) {
        self.norm(&format!("{name}.norm1"), inputs);
        self.conv(&format!("{name}.conv1"), inputs, out, 3);
        self.norm(&format!("{name}.norm2"), out);
        self.conv(&format!("{name}.conv2"), out, out, 3);
        if inputs != out {
            self.conv(&format!("{name}.nin_shortcut"), inputs, out, 1);
        }
    }

    fn attention(&mut self, name: &str, width: usize) {
        self.norm(&format!("{name}.norm"), width);
        for part in ["q", "k", "v", "proj_out"] {
            self.conv(&format!("{name}.{part}"), width, width, 1);
        }
    }

    fn middle(&mut self, name: &str, width: usize) {
        self.resnet(&format!("{name}.mid.block_1"), width, width);
        self.attention(&format!("{name}.mid.attn_1"), width);
        self.resnet(&format!("{name}.mid.block_2"), width, width);
    }

    fn level(&mut self, name: &str, blocks: usize, mut width: usize, out: usize, attend: bool) -> usize {
        for index in 0..blocks {
            self.resnet(&format!("{name}.block.{index}"), width, out);
            width = out;
            if attend {
                self.attention(&format!("{name}.attn.{index}"), width);
            }
        }
        width
    }

    fn magvit(&mut self, config: &MagvitConfig) {
        let (bits, levels) = (config.z_channels, config.encoder_ch_mult.len());
        let width_of = |mult: &[usize], level: usize| config.ch * mult.get(level).copied().unwrap_or(1);

        match config.patch_encoder {
            Some(width) => {
                self.conv("encoder.patch_in", 3, width, config.patch());
                self.conv("encoder.patch_mid", width, width, 1);
                self.conv("encoder.patch_out", width, bits, 1);
            }
            None => self.magvit_encoder(config, width_of),
        }

        self.conv("decoder.post_quant_conv", bits, bits, 1);
        let mut width = width_of(&config.decoder_ch_mult, levels.saturating_sub(1));
        let mut side = config.grid();
        self.conv("decoder.conv_in", bits, width, 3);
        self.middle("decoder", width);
        for (level, &blocks) in config.decoder_num_res_blocks.iter().enumerate().rev() {
            let name = format!("decoder.up.{level}");
            let attend = config.attn_resolutions.contains(&side);
            width = self.level(&name, blocks, width, width_of(&config.decoder_ch_mult, level), attend);
            if level > 0 {
                self.conv(&format!("{name}.upsample.conv"), width, width, 3);
                side *= 2;
            }
        }
        self.norm("decoder.norm_out", width);
        self.conv("decoder.conv_out", width, 3, 3);
    }

    fn magvit_encoder(&mut self, config: &MagvitConfig, width_of: impl Fn(&[usize], usize) -> usize) {
        let (bits, levels) = (config.z_channels, config.encoder_ch_mult.len());
        self.conv("encoder.conv_in", 3, config.ch, 3);
        let (mut width, mut side) = (config.ch, config.resolution);
        for (level, &blocks) in config.encoder_num_res_blocks.iter().enumerate() {
            let name = format!("encoder.down.{level}");
            let attend = config.attn_resolutions.contains(&side);
            width = self.level(&name, blocks, width, width_of(&config.encoder_ch_mult, level), attend);
            if level + 1 < levels {
                self.conv(&format!("{name}.downsample.conv"), width, width, 3);
                side /= 2;
            }
        }
        self.middle("encoder", width);
        self.norm("encoder.norm_out", width);
        self.conv("encoder.conv_out", width, bits, 3);
        self.conv("encoder.quant_conv", bits, bits, 1);
    }

    fn preview(&mut self, config: &PreviewConfig) {
        let width = config.width;
        self.conv("conv_in", config.bits, width, config.window.unwrap_or(1));
        for index in 0..config.num_res_blocks {
            for part in [1, 2] {
                self.norm(&format!("block.{index}.norm{part}"), width);
                self.conv(&format!("block.{index}.conv{part}"), width, width, 3);
            }
        }
        if config.window.is_none() {
            self.norm("norm_out", width);
        }
        self.conv("conv_out", width, 3 * config.patch * config.patch, 1);
    }

    fn clip_encoder(&mut self, name: &str, config: &ClipTowerConfig) {
        let d = config.hidden_size;
        for index in 0..config.num_hidden_layers {
            let at = |rest: &str| format!("{name}.encoder.layers.{index}.{rest}");
            self.norm(&at("layer_norm1"), d);
            for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                self.linear(&at(&format!("self_attn.{part}")), d, d, true);
            }
            self.norm(&at("layer_norm2"), d);
            self.linear(&at("mlp.fc1"), d, config.intermediate_size, true);
            self.linear(&at("mlp.fc2"), config.intermediate_size, d, true);
        }
    }

    fn clip(&mut self, config: &ClipConfig) {
        let (text, vision) = (&config.text_config, &config.vision_config);
        let (td, vd) = (text.hidden_size, vision.hidden_size);
        self.tensor("text_model.embeddings.token_embedding.weight", &[text.vocab_size, td]);
        self.tensor("text_model.embeddings.position_embedding.weight", &[text.max_position_embeddings, td]);
        self.clip_encoder("text_model", text);
        self.norm("text_model.final_layer_norm", td);
        let (patch, patches) = (vision.patch_size, (vision.image_size / vision.patch_size.max(1)).pow(2));
        self.tensor("vision_model.embeddings.class_embedding", &[vd]);
        self.tensor("vision_model.embeddings.patch_embedding.weight", &[vd, 3, patch, patch]);
        self.tensor("vision_model.embeddings.position_embedding.weight", &[patches + 1, vd]);
        self.norm("vision_model.pre_layrnorm", vd);
        self.clip_encoder("vision_model", vision);
        self.norm("vision_model.post_layernorm", vd);
        self.linear("text_projection", td, config.projection_dim, false);
        self.linear("visual_projection", vd, config.projection_dim, false);
        self.tensor(LOGIT_SCALE, &[]);
    }

    fn reward(&mut self, config: &RewardConfig) {
        let d = config.hidden_size;
        self.tensor("text.weight", &[config.text_vocab_size, d]);
        self.tensor("image.weight", &[config.codebook_size + 1, config.token_width()]);
        if config.merge > 1 {
            self.linear("mix", d, d, true);
        }
        self.tensor("segment", &[2, d]);
        if config.questions > 0 {
            self.tensor("question", &[config.questions, d]);
        }
        self.tensor("position", &[config.max_text_len + config.image_positions(), d]);
        for index in 0..config.num_hidden_layers {
            let at = |rest: &str| format!("layers.{index}.{rest}");
            self.norm(&at("norm1"), d);
            for part in ["q", "k", "v", "out"] {
                self.linear(&at(part), d, d, config.bias);
            }
            self.norm(&at("norm2"), d);
            self.linear(&at("fc1"), d, config.intermediate_size, config.bias);
            self.linear(&at("fc2"), config.intermediate_size, d, config.bias);
        }
        self.norm("norm", d);
        self.linear("head1", d, config.head_size, true);
        self.linear("head2", config.head_size, 1, true);
    }
}

/// CLIP's one scalar; checkpoints store it without dimensions or as one element.
pub const LOGIT_SCALE: &str = "logit_scale";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use burn::tensor::Device;
    use showo::model::{
        ModelError, Weights, clip::Clip, magvit::Magvit, preview::Preview, reward::Reward, showo::Showo,
    };

    use super::*;
    use crate::synth::{Beside, Preset};

    /// Builds the network from zeros in the listed shapes, without one of the tensors and with another.
    fn build(config: &ModelConfig, without: Option<&str>, with: Option<&str>) -> Result<(), ModelError> {
        let mut weights = Weights::new(&Device::flex());
        for Expected { name, shape } in config.tensors().iter().filter(|tensor| Some(tensor.name.as_str()) != without) {
            weights.insert_float(name, shape, vec![0.0; shape.iter().product()])?;
        }
        if let Some(name) = with {
            weights.insert_float(name, &[1], vec![0.0])?;
        }
        match config {
            ModelConfig::Showo(config) => Showo::new(config, weights).map(drop),
            ModelConfig::Magvit(config) => Magvit::new(config, weights, true).map(drop),
            ModelConfig::Preview(config) => Preview::new(config, weights).map(drop),
            ModelConfig::Clip(config) => Clip::new(config, weights).map(drop),
            ModelConfig::Reward(config) => Reward::new(config, weights).map(drop),
        }
    }

    /// The list is exactly what the network takes: all of it is enough, and nothing can be missing.
    fn holds(config: &ModelConfig) {
        build(config, None, None).unwrap();
        assert!(matches!(build(config, None, Some("more")), Err(ModelError::Surplus(names)) if names == ["more"]));
        for Expected { name, .. } in config.tensors() {
            match build(config, Some(&name), None) {
                Err(ModelError::Missing(missing)) => assert_eq!(missing, name),
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn each_list_is_what_its_network_takes() {
        for model in Preset::Tiny.models(None, &[Beside::Preview, Beside::Clip, Beside::Parm]) {
            holds(&model.config);
        }
    }

    /// What `train` writes and the page loads is what `convert` accepts.
    #[test]
    fn the_shipped_bundle_is_what_the_lists_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../www/models/scenes/manifest.json");
        let manifest = showo::bundle::Manifest::parse(&std::fs::read(path).unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (kind, model) in &manifest.models {
            let file = folder.path().join("config.json");
            std::fs::write(&file, model.config.to_string()).unwrap();
            let config = crate::configuration::read(*kind, &file, None).unwrap().config;
            assert_eq!(config.to_json().unwrap(), model.config, "{kind}");
            let listed: BTreeMap<_, _> =
                config.tensors().into_iter().map(|tensor| (tensor.name, tensor.shape)).collect();
            let mut shipped: BTreeMap<_, _> =
                manifest.tensors_of(*kind).map(|(name, entry)| (name.to_string(), entry.shape.clone())).collect();
            // A scalar may be stored as one element.
            if let Some(shape) = shipped.get_mut(LOGIT_SCALE) {
                shape.clear();
            }
            assert_eq!(listed, shipped, "{kind}");
        }
    }

    #[test]
    fn the_variants_are_listed_too() {
        for model in Preset::Tiny.models(Some(3), &[Beside::Preview, Beside::Parm]) {
            match model.config {
                ModelConfig::Showo(config) => holds(&ModelConfig::Showo(ShowoConfig { qk_layernorm: false, ..config })),
                ModelConfig::Reward(config) => {
                    holds(&ModelConfig::Reward(RewardConfig { bias: false, merge: 2, questions: 4, ..config }))
                }
                // Attention at two levels, levels without blocks, and more of them in one half.
                ModelConfig::Magvit(config) => holds(&ModelConfig::Magvit(MagvitConfig {
                    attn_resolutions: vec![16, 4],
                    patch_encoder: None,
                    encoder_num_res_blocks: vec![0, 1, 2, 1],
                    decoder_num_res_blocks: vec![2, 1, 0, 1],
                    ..config
                })),
                ModelConfig::Preview(config) => {
                    holds(&ModelConfig::Preview(PreviewConfig { num_res_blocks: 0, window: Some(3), ..config }));
                }
                ModelConfig::Clip(_) => {}
            }
        }
    }
}

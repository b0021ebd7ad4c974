//! The shapes of the public checkpoints, and a small one for tests.

use clap::ValueEnum;
use serde_json::{Value, json};
use showo::config::{
    ClipConfig, ClipResize, ClipTowerConfig, MagvitConfig, PreviewConfig, RewardConfig, RewardLabel, RewardQuestion,
    ShowoConfig, clip_mean, clip_std,
};

use crate::{layout::ModelConfig, public};

/// Which checkpoint is imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// showlab/show-o: 24 layers, 256×256 pixels in 16×16 tokens
    #[value(name = "showo-256")]
    Showo256,
    /// showlab/show-o-512x512: 24 layers, 512×512 pixels in 32×32 tokens
    #[value(name = "showo-512")]
    Showo512,
    /// Two narrow layers, 32×32 pixels in 4×4 tokens: for tests
    Tiny,
}

/// Models beside the generator and its image tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Beside {
    /// The preview decoder: as it is trained in `tiny`, as `quantize preview` fits it in the others
    Preview,
    /// CLIP; with the sizes of openai/clip-vit-base-patch32
    Clip,
    /// PARM: 6 layers, d 512, 8 heads
    Parm,
}

/// One model to be made: its folder, its configuration as the network takes it and as `config.json` says it.
pub struct Model {
    /// Folder below the output.
    pub folder: &'static str,
    /// For the names and shapes.
    pub config: ModelConfig,
    /// For `config.json`, in the public form.
    pub json: Value,
}

impl Preset {
    /// The models, with `layers` blocks in the generator where that is given.
    pub fn models(self, layers: Option<usize>, beside: &[Beside]) -> Vec<Model> {
        let showo = self.showo(layers);
        let mut models = vec![
            Model { folder: "showo", json: self.showo_json(&showo), config: ModelConfig::Showo(showo.clone()) },
            self.magvit(),
        ];
        if beside.contains(&Beside::Preview) {
            let config = self.preview(&showo);
            models.push(Model { folder: "preview", json: json!(config), config: ModelConfig::Preview(config) });
        }
        if beside.contains(&Beside::Clip) {
            let config = self.clip();
            models.push(Model { folder: "clip", json: clip_json(&config), config: ModelConfig::Clip(config) });
        }
        if beside.contains(&Beside::Parm) {
            let config = self.parm(&showo);
            models.push(Model { folder: "parm", json: json!(config), config: ModelConfig::Reward(config) });
        }
        models
    }

    /// The generator.
    pub fn showo(self, layers: Option<usize>) -> ShowoConfig {
        let mut config = match self {
            Self::Showo256 => public::phi_1_5(50_295, 8_192, 256),
            Self::Showo512 => public::phi_1_5(50_295, 8_192, 1_024),
            Self::Tiny => ShowoConfig {
                hidden_size: 64,
                num_hidden_layers: 2,
                num_attention_heads: 4,
                intermediate_size: 128,
                max_text_len: 12,
                bos: 299,
                eos: 299,
                ..public::phi_1_5(300, 64, 16)
            },
        };
        config.num_hidden_layers = layers.unwrap_or(config.num_hidden_layers);
        config
    }

    /// What the hub's `config.json` says, and whatever departs from Phi-1.5, which it leaves out.
    fn showo_json(self, config: &ShowoConfig) -> Value {
        let mut json = json!({
            "_class_name": "Showo",
            "codebook_size": config.codebook_size,
            "llm_model_path": "microsoft/phi-1_5",
            "llm_vocab_size": config.llm_vocab_size,
            "load_from_showo": true,
            "mask_token_id": config.mask_token_id,
            "num_new_special_tokens": config.num_new_special_tokens,
            "num_vq_tokens": config.num_vq_tokens,
            "vocab_size": config.vocab_size,
            "w_clip_vit": false,
        });
        let phi = public::phi_1_5(config.llm_vocab_size, config.codebook_size, config.num_vq_tokens);
        if let (Some(json), Value::Object(ours), Value::Object(phis)) =
            (json.as_object_mut(), json!(config), json!(phi))
        {
            json.extend(ours.into_iter().filter(|(field, value)| phis.get(field) != Some(value)));
        }
        json
    }

    fn magvit(self) -> Model {
        let (config, json) = match self {
            Self::Showo256 => (public::magvit_v2(256), json!({ "_class_name": "MAGVITv2" })),
            Self::Showo512 => (public::magvit_v2(512), json!({ "_class_name": "MAGVITv2" })),
            Self::Tiny => {
                let config = MagvitConfig {
                    ch: 32,
                    z_channels: 6,
                    encoder_ch_mult: vec![1, 2, 2, 2],
                    decoder_ch_mult: vec![1, 1, 2, 2],
                    encoder_num_res_blocks: vec![1; 4],
                    decoder_num_res_blocks: vec![1; 4],
                    ..public::magvit_v2(32)
                };
                (config.clone(), json!(config))
            }
        };
        Model { folder: "magvit", config: ModelConfig::Magvit(config), json }
    }

    fn preview(self, showo: &ShowoConfig) -> PreviewConfig {
        let (bits, grid) = (showo.codebook_size.ilog2() as usize, showo.grid());
        let trained = PreviewConfig {
            bits,
            grid,
            width: 64,
            num_res_blocks: 2,
            window: None,
            patch: 4,
            group_norm_groups: 16,
            group_norm_eps: 1e-6,
        };
        match self {
            Self::Tiny => trained,
            // As `quantize preview` fits it.
            _ => PreviewConfig { width: 2_048, num_res_blocks: 0, window: Some(3), patch: 128 / grid, ..trained },
        }
    }

    fn clip(self) -> ClipConfig {
        let tower = |hidden_size: usize, layers: usize, heads: usize| ClipTowerConfig {
            hidden_size,
            intermediate_size: 4 * hidden_size,
            num_hidden_layers: layers,
            num_attention_heads: heads,
            layer_norm_eps: 1e-5,
            vocab_size: 0,
            max_position_embeddings: 0,
            eos_token_id: None,
            image_size: 0,
            patch_size: 0,
        };
        let (text, vision, vocab, length, image, patch, projection_dim) = match self {
            Self::Tiny => (tower(32, 1, 2), tower(32, 1, 2), 574, 16, 32, 8, 16),
            _ => (tower(512, 12, 8), tower(768, 12, 12), 49_408, 77, 224, 32, 512),
        };
        let text = ClipTowerConfig {
            vocab_size: vocab,
            max_position_embeddings: length,
            eos_token_id: u32::try_from(vocab - 1).ok(),
            ..text
        };
        let vision = ClipTowerConfig { image_size: image, patch_size: patch, ..vision };
        ClipConfig {
            text_config: text,
            vision_config: vision,
            projection_dim,
            image_mean: clip_mean(),
            image_std: clip_std(),
            resize: ClipResize::Bicubic,
        }
    }

    fn parm(self, showo: &ShowoConfig) -> RewardConfig {
        let (hidden_size, layers, heads) = match self {
            Self::Tiny => (32, 1, 2),
            _ => (512, 6, 8),
        };
        RewardConfig {
            hidden_size,
            num_hidden_layers: layers,
            num_attention_heads: heads,
            intermediate_size: 4 * hidden_size,
            head_size: 256,
            text_vocab_size: showo.first_code(),
            codebook_size: showo.codebook_size,
            num_vq_tokens: showo.num_vq_tokens,
            max_text_len: showo.max_text_len,
            pad: showo.special_tokens.pad,
            layer_norm_eps: 1e-5,
            label: RewardLabel::Potential,
            bias: true,
            merge: 1,
            questions: 0,
            learnt: RewardQuestion::ALL.to_vec(),
        }
    }
}

/// `config.json` as transformers writes it.
fn clip_json(config: &ClipConfig) -> Value {
    let mut json = json!(config);
    json["architectures"] = json!(["CLIPModel"]);
    json["model_type"] = json!("clip");
    // These are preprocessor_config.json's.
    if let Some(json) = json.as_object_mut() {
        json.retain(|field, _| !["image_mean", "image_std", "resize"].contains(&field.as_str()));
    }
    for tower in ["text_config", "vision_config"] {
        json[tower]["hidden_act"] = json!("quick_gelu");
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_sizes() {
        let parameters = |config: &ModelConfig| -> usize {
            config.tensors().iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum()
        };
        let (d, inner, vocab) = (2_048, 8_192, 58_498);
        // Two tables, of which the head has a bias; a layer: norm, four projections, two norms of a head, the MLP.
        let layer = 2 * d + 4 * (d * d + d) + 4 * 64 + (d * inner + inner) + (inner * d + d);
        let expected = 2 * vocab * d + vocab + 24 * layer + 2 * d;
        for (preset, tokens, side) in [(Preset::Showo256, 256, 256), (Preset::Showo512, 1_024, 512)] {
            let models = preset.models(None, &[]);
            let ModelConfig::Showo(showo) = &models[0].config else { panic!() };
            showo.validate().unwrap();
            assert_eq!(showo.vocab_size, 50_295 + 10 + 8_192 + 1);
            assert_eq!(showo.num_vq_tokens, tokens);
            assert_eq!(parameters(&models[0].config), expected);
            let ModelConfig::Magvit(magvit) = &models[1].config else { panic!() };
            magvit.validate().unwrap();
            assert_eq!((magvit.resolution, magvit.grid().pow(2), magvit.codebook_size()), (side, tokens, 8_192));
        }
    }
}

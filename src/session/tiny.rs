//! Models small enough for tests, with random weights.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use serde_json::json;

use crate::bundle::manifest::{Source, World};
use crate::bundle::{self, BundleWriter};
use crate::config::{ClipConfig, MagvitConfig, RewardConfig, RewardLabel, ShowoConfig};
use crate::model::Weights;
use crate::model::clip::Clip;
use crate::model::magvit::Magvit;
use crate::model::reward::Reward;
use crate::model::showo::Showo;
use crate::model::weights::named_parameters;
use crate::models::{About, ClipModel, Generator, ImageTokenizer, Judge, Models, RewardModel};
use crate::prompt::PromptTokenizer;

/// Side of the token grid.
pub const GRID: usize = 4;

const WORDS: u32 = 40;

fn tokenizer_json() -> Vec<u8> {
    let vocab: serde_json::Map<String, serde_json::Value> =
        scenes::vocabulary().into_iter().enumerate().map(|(id, word)| (word.to_owned(), id.into())).collect();
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "a" },
    });
    json.to_string().into_bytes()
}

fn tokenizer() -> PromptTokenizer {
    PromptTokenizer::from_json(&tokenizer_json()).expect("the tokenizer of the tests")
}

/// Writes models as a bundle, nothing quantized.
pub fn write_bundle(models: &Models, target: &Path) {
    let about = bundle::About { name: "tiny".into(), licence: "MIT".into(), world: None };
    let mut writer = BundleWriter::create(target, about).expect("a new folder");
    let mut model = |kind: &str, config: serde_json::Value, tensors: Tensors| {
        let source = Source { checkpoint: "random".into(), sha256: "0".repeat(64) };
        writer.model(kind, config, source).expect("a model");
        for (name, (shape, values)) in tensors {
            writer.f32(&name, &shape, &values).expect("a tensor");
        }
    };
    let (generator, tokenizer) = (&models.generator, &models.tokenizer);
    model("showo", to(&generator.config), parameters(&generator.showo));
    model("magvit", to(&tokenizer.config), parameters(&tokenizer.magvit));
    if let Some(clip) = &models.clip {
        model("clip", to(&clip.config), parameters(&clip.clip));
    }
    for reward in models.rewards.values() {
        model(reward.config.label.kind(), to(&reward.config), parameters(&reward.reward));
    }
    writer.finish(&tokenizer_json()).expect("a whole bundle");
}

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn parameters<M: burn::module::Module>(module: &M) -> Tensors {
    named_parameters(module).expect("the CPU can be read")
}

fn to<T: serde::Serialize>(config: &T) -> serde_json::Value {
    serde_json::to_value(config).expect("a configuration")
}

fn from<T: serde::de::DeserializeOwned>(json: serde_json::Value) -> T {
    serde_json::from_value(json).expect("a configuration of the tests")
}

/// Every network, `judges` by their labels, CLIP where asked for; the same weights for the same seed.
pub fn models(seed: u64, judges: &[RewardLabel], clip: bool) -> Models {
    let device = Device::flex();
    let weights = || Weights::random(&device, seed);
    let config: ShowoConfig = from(json!({
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
        "partial_rotary_factor": 0.5, "rope_theta": 10000.0, "layer_norm_eps": 1e-5, "qk_layernorm": false,
        "vocab_size": WORDS + 10 + 16 + 1, "llm_vocab_size": WORDS, "num_new_special_tokens": 10,
        "codebook_size": 16, "num_vq_tokens": GRID * GRID, "max_text_len": 12,
        "special_tokens": { "pad": WORDS, "soi": WORDS + 1, "eoi": WORDS + 2, "t2i": WORDS + 3 },
        "bos": 38, "eos": 39, "mask_token_id": WORDS + 26,
    }));
    let generator = Generator { showo: Showo::new(&config, weights()).expect("showo"), config };
    let config: MagvitConfig = from(json!({
        "ch": 8, "z_channels": 4, "resolution": 2 * GRID, "encoder_ch_mult": [1, 1], "decoder_ch_mult": [1, 1],
        "encoder_num_res_blocks": [1, 1], "decoder_num_res_blocks": [1, 1], "attn_resolutions": [],
        "group_norm_groups": 4,
    }));
    let magvit = Magvit::new(&config, weights(), false).expect("magvit");
    let image_tokenizer = ImageTokenizer { magvit, config, device: device.clone() };
    let about = About { bundle: "tiny".into(), device: "CPU".into(), world: None::<World> };
    let mut models = Models::new(generator, image_tokenizer, tokenizer(), &device, about).expect("models");
    if clip {
        let tower = |rest: serde_json::Value| {
            let mut tower = json!({ "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1,
                "num_attention_heads": 2, "layer_norm_eps": 1e-5 });
            tower.as_object_mut().expect("object").extend(rest.as_object().expect("object").clone());
            tower
        };
        let config: ClipConfig = from(json!({
            "text_config": tower(json!({ "vocab_size": WORDS, "max_position_embeddings": 14, "eos_token_id": 39 })),
            "vision_config": tower(json!({ "image_size": 8, "patch_size": 4 })),
            "projection_dim": 8,
        }));
        let clip = Clip::new(&config, weights()).expect("clip");
        models.add(Judge::Clip(ClipModel { clip, config })).expect("clip fits");
    }
    for &label in judges {
        let config = RewardConfig {
            hidden_size: 16,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            intermediate_size: 32,
            head_size: 8,
            text_vocab_size: WORDS as usize + 1,
            codebook_size: 16,
            num_vq_tokens: GRID * GRID,
            max_text_len: 12,
            pad: WORDS,
            layer_norm_eps: 1e-5,
            label,
            bias: true,
        };
        let reward = Reward::new(&config, weights()).expect("reward");
        models.add(Judge::Reward(RewardModel { reward, config, device: device.clone() })).expect("reward fits");
    }
    models
}

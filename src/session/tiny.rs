//! Models small enough for tests, with random weights.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use serde_json::json;

use crate::bundle::manifest::{Source, World};
use crate::bundle::{self, BundleWriter, ModelKind};
use crate::config::{ClipConfig, MagvitConfig, PreviewConfig, RewardConfig, RewardLabel, RewardQuestion, ShowoConfig};
use crate::load::{About, ClipModel, Generator, ImageTokenizer, Models, Network, Place, PreviewModel, RewardModel};
use crate::model::Weights;
use crate::model::clip::Clip;
use crate::model::magvit::Magvit;
use crate::model::preview::Preview;
use crate::model::reward::Reward;
use crate::model::showo::Showo;
use crate::model::weights::named_parameters;
use crate::prompt::TextTokenizer;
use crate::settings::Recommended;

/// Side of the token grid.
pub const GRID: usize = 4;

/// Words of [`models`], with a beginning and an end.
const WORDS: u32 = 40;

/// A world's words, those of questions among them where it has any.
fn vocabulary(words: World) -> Vec<String> {
    let words = match words {
        World::Shapes => words.vocabulary(),
        World::Icons => scenes::icons::vocabulary(),
    };
    words.into_iter().map(str::to_owned).collect()
}

fn tokenizer_json(words: &[String]) -> Vec<u8> {
    let vocab: serde_json::Map<String, serde_json::Value> =
        words.iter().enumerate().map(|(id, word)| (word.clone(), id.into())).collect();
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "a" },
    });
    json.to_string().into_bytes()
}

fn tokenizer(words: World) -> TextTokenizer {
    TextTokenizer::from_json(&tokenizer_json(&vocabulary(words))).expect("the tokenizer of the tests")
}

/// Writes models as a bundle, nothing quantized.
pub fn write_bundle(models: &Models, target: &Path) {
    let world = models.about.world;
    let about = bundle::About {
        name: "tiny".into(),
        licence: "MIT".into(),
        attribution: Vec::new(),
        world,
        decoding: None,
        judges: None,
    };
    let mut writer = BundleWriter::create(target, about).expect("a new folder");
    let mut model = |kind: ModelKind, config: serde_json::Value, tensors: Tensors| {
        let source = Source { checkpoint: "random".into(), sha256: "0".repeat(64) };
        writer.model(kind, config, source).expect("a model");
        for (name, (shape, values)) in tensors {
            writer.f32(&name, &shape, &values).expect("a tensor");
        }
    };
    let (generator, tokenizer) = (&models.generator, &models.image_tokenizer);
    model(ModelKind::SHOWO, to(&generator.config), parameters(&generator.showo));
    model(ModelKind::Magvit, to(&tokenizer.config), parameters(&tokenizer.magvit));
    if let Some(preview) = &models.preview {
        model(ModelKind::Preview, to(&preview.config), parameters(&preview.preview));
    }
    if let Some(clip) = &models.clip {
        model(ModelKind::Clip, to(&clip.config), parameters(&clip.clip));
    }
    for (label, reward) in models.rewards.iter().filter(|(label, reward)| **label == reward.config.label) {
        model(ModelKind::Reward(*label), to(&reward.config), parameters(&reward.reward));
    }
    let words = models.text_tokenizer.words().expect("a closed vocabulary");
    writer.finish(&tokenizer_json(words)).expect("a whole bundle");
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

/// A preview decoder that fits [`models`], with pictures of half their size.
pub fn preview(seed: u64) -> PreviewModel {
    let device = Device::flex();
    let config = PreviewConfig {
        bits: 4,
        grid: GRID,
        width: 8,
        num_res_blocks: 1,
        window: None,
        patch: 1,
        group_norm_groups: 4,
        group_norm_eps: 1e-6,
    };
    let preview = Preview::new(&config, Weights::random(&device, seed)).expect("preview");
    PreviewModel { preview, config, device }
}

/// What draws, with the words of a world and pictures that are smaller than its own.
fn drawing(seed: u64, words: World, max_text_len: usize, world: Option<World>) -> Models {
    let device = Device::flex();
    let weights = || Weights::random(&device, seed);
    // A world's words, and a beginning and an end.
    let known = vocabulary(words).len() as u32 + 2;
    let config: ShowoConfig = from(json!({
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
        "partial_rotary_factor": 0.5, "rope_theta": 10000.0, "layer_norm_eps": 1e-5, "qk_layernorm": false,
        "vocab_size": known + 10 + 16 + 1, "llm_vocab_size": known, "num_new_special_tokens": 10,
        "codebook_size": 16, "num_vq_tokens": GRID * GRID, "max_text_len": max_text_len,
        "special_tokens": { "pad": known, "soi": known + 1, "eoi": known + 2, "t2i": known + 3 },
        "bos": known - 2, "eos": known - 1, "mask_token_id": known + 26,
    }));
    let generator = Generator { showo: Showo::new(&config, weights()).expect("showo"), config };
    let config: MagvitConfig = from(json!({
        "ch": 8, "z_channels": 4, "resolution": 2 * GRID, "encoder_ch_mult": [1, 1], "decoder_ch_mult": [1, 1],
        "encoder_num_res_blocks": [1, 1], "decoder_num_res_blocks": [1, 1], "attn_resolutions": [],
        "group_norm_groups": 4,
    }));
    let magvit = Magvit::new(&config, weights(), false).expect("magvit");
    let image_tokenizer = ImageTokenizer { magvit, config, device: device.clone() };
    let about =
        About { bundle: "tiny".into(), device: "CPU".into(), world, decoding: Recommended::DEFAULT, judges: None };
    Models::new(generator, image_tokenizer, tokenizer(words), &Place::cpu("CPU"), about).expect("models")
}

/// What draws in the world of things, with pictures of 8 × 8 pixels.
pub fn icons(seed: u64) -> Models {
    drawing(seed, World::Icons, 24, Some(World::Icons))
}

/// As [`icons`], with a CLIP that reflection can look for weak patches with; no network to judge with.
pub fn icons_and_clip(seed: u64) -> Models {
    let mut models = icons(seed);
    let words = models.generator.config.llm_vocab_size;
    models.add(Network::Clip(clip_of(seed, words))).expect("clip fits");
    models
}

fn clip_of(seed: u64, words: usize) -> ClipModel {
    let tower = |rest: serde_json::Value| {
        let mut tower = json!({ "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "layer_norm_eps": 1e-5 });
        tower.as_object_mut().expect("object").extend(rest.as_object().expect("object").clone());
        tower
    };
    let config: ClipConfig = from(json!({
        "text_config": tower(json!({ "vocab_size": words, "max_position_embeddings": 14, "eos_token_id": words - 1 })),
        "vision_config": tower(json!({ "image_size": 8, "patch_size": 4 })),
        "projection_dim": 8,
    }));
    let clip = Clip::new(&config, Weights::random(&Device::flex(), seed)).expect("clip");
    ClipModel { clip, config, tokenizer: None }
}

/// Every network, `judges` by their labels, CLIP where asked for; the same weights for the same seed.
pub fn models(seed: u64, judges: &[RewardLabel], clip: bool) -> Models {
    let device = Device::flex();
    let weights = || Weights::random(&device, seed);
    let mut models = drawing(seed, World::Shapes, 12, None);
    if clip {
        models.add(Network::Clip(clip_of(seed, WORDS as usize))).expect("clip fits");
    }
    for &label in judges {
        models.add(Network::Reward(reward(weights(), label, 0))).expect("reward fits");
    }
    models
}

/// As [`models`], with one reward network that answers every question.
pub fn models_asked(seed: u64) -> Models {
    let mut models = models(seed, &[], false);
    let network = reward(Weights::random(&Device::flex(), seed), RewardLabel::Potential, RewardQuestion::ALL.len());
    models.add(Network::Reward(network)).expect("reward fits");
    models
}

fn reward(weights: Weights, label: RewardLabel, questions: usize) -> RewardModel {
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
        merge: if questions == 0 { 1 } else { 2 },
        questions,
        learnt: RewardQuestion::ALL.to_vec(),
    };
    let reward = Reward::new(&config, weights).expect("reward");
    RewardModel { reward, config, device: Device::flex() }
}

//! A model's configuration from a `config.json`: our own, or the public one with what it leaves unsaid.

use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use showo::bundle::ModelKind;
use showo::config::{ClipConfig, PreviewConfig, RewardLabel, ShowoConfig};

use crate::{error::ToolError, layout::ModelConfig, public};

/// More layers or levels than any checkpoint has; a larger number is a mistake that would fill the memory.
const MAX_LAYERS: usize = 1_024;

/// A configuration and where it is from.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// As the network takes it.
    pub config: ModelConfig,
    /// What was filled in, for people.
    pub notes: Vec<String>,
}

/// Where the configuration of these weights is: as given, else beside them, as `NAME.json` or `config.json`.
///
/// # Errors
/// None there.
pub fn find(weights: &Path, given: Option<&Path>, kind: ModelKind) -> Result<PathBuf, ToolError> {
    if let Some(path) = given {
        return Ok(path.into());
    }
    let beside = if weights.is_dir() {
        vec![weights.join("config.json")]
    } else {
        vec![weights.with_extension("json"), weights.with_file_name("config.json")]
    };
    // An index of files is a .json, too, and not a configuration.
    let found = beside.iter().find(|path| path.is_file() && path.as_path() != weights);
    found.cloned().ok_or_else(|| ToolError::Json {
        path: beside[0].clone(),
        problem: format!(
            "there is no configuration here and no config.json beside it; name one: --input {kind}={}:CONFIG.json",
            weights.display()
        ),
    })
}

/// Reads the configuration of a model of this kind. `tokens` are the picture's, where a generator in the same bundle
/// says how many.
///
/// # Errors
/// Not JSON, not an object, a field that is missing, of the wrong type or contradicts another, by name.
pub fn read(kind: ModelKind, path: &Path, tokens: Option<usize>) -> Result<Configuration, ToolError> {
    let refused = |problem: String| ToolError::Json { path: path.into(), problem };
    let text = showo::text::read_file(path).map_err(ToolError::io(path))?;
    let json: Value = serde_json::from_str(&text).map_err(|error| refused(format!("not JSON: {error}")))?;
    let Value::Object(given) = json else { return Err(refused("not a JSON object".into())) };
    match kind {
        ModelKind::Showo(_) => showo(given),
        ModelKind::Magvit => magvit(&given, tokens),
        ModelKind::Preview => preview(given),
        ModelKind::Clip => clip(given),
        ModelKind::Reward(label) => reward(label, given),
    }
    .map_err(refused)
}

fn showo(given: Map<String, Value>) -> Result<Configuration, String> {
    if given.get("w_clip_vit").is_some_and(|with| with == true) {
        return Err(public::WITH_CLIP_VIT.into());
    }
    let size = |field: &str| match given.get(field) {
        Some(value) => value
            .as_u64()
            .and_then(|size| u32::try_from(size).ok())
            .map(|size| size as usize)
            .ok_or_else(|| format!("{field}: {value} is no size")),
        None => Err(format!("{field} is missing")),
    };
    let base = public::phi_1_5(size("llm_vocab_size")?, size("codebook_size")?, size("num_vq_tokens")?);
    let (merged, filled) = fill(&base, &given, "");
    let mut notes = Vec::new();
    if !filled.is_empty() {
        match given.get("llm_model_path").and_then(Value::as_str) {
            None | Some("") => {}
            Some(name) if name.trim_end_matches('/').ends_with("phi-1_5") => {}
            Some(other) => {
                return Err(format!(
                    "{} is missing; it is known of microsoft/phi-1_5, not of {other} (llm_model_path)",
                    filled[0].split(' ').next().unwrap_or_default()
                ));
            }
        }
        notes.push(format!("not in the configuration, so as in Show-o over Phi-1.5: {}", filled.join(", ")));
    }
    let config: ShowoConfig = typed(merged)?;
    config.validate()?;
    at_most("num_hidden_layers", config.num_hidden_layers)?;
    Ok(Configuration { config: ModelConfig::Showo(config), notes })
}

fn magvit(given: &Map<String, Value>, tokens: Option<usize>) -> Result<Configuration, String> {
    // The network is convolutional: what it halves a side of the generator's grid comes from.
    let halvings = given.get("encoder_ch_mult").and_then(Value::as_array).map_or(4, |levels| levels.len().max(1) - 1);
    let side = |tokens: usize| tokens.isqrt().saturating_mul(1 << halvings.min(16));
    let base = public::magvit_v2(tokens.map_or(256, side));
    let (mut merged, filled) = fill(&base, given, "");
    // The public network has no such encoder, and so its configuration no such field.
    if let Some(width) = given.get("patch_encoder") {
        merged["patch_encoder"] = width.clone();
    }
    let config: showo::config::MagvitConfig = typed(merged)?;
    config.validate()?;
    at_most("encoder_ch_mult", config.encoder_ch_mult.len())?;
    for blocks in config.encoder_num_res_blocks.iter().chain(&config.decoder_num_res_blocks) {
        at_most("num_res_blocks", *blocks)?;
    }
    let notes = match filled.is_empty() {
        true => Vec::new(),
        false => vec![format!("not in the configuration, so as in the public MAGVIT-v2: {}", filled.join(", "))],
    };
    Ok(Configuration { config: ModelConfig::Magvit(config), notes })
}

fn preview(given: Map<String, Value>) -> Result<Configuration, String> {
    let config: PreviewConfig = typed(Value::Object(given))?;
    config.validate()?;
    Ok(Configuration { config: ModelConfig::Preview(config), notes: Vec::new() })
}

fn clip(mut given: Map<String, Value>) -> Result<Configuration, String> {
    // The defaults of transformers, which its own files may leave out.
    let text = json!({ "hidden_size": 512, "intermediate_size": 2_048, "num_hidden_layers": 12,
        "num_attention_heads": 8, "layer_norm_eps": 1e-5, "vocab_size": 49_408, "max_position_embeddings": 77,
        "eos_token_id": 49_407 });
    let vision = json!({ "hidden_size": 768, "intermediate_size": 3_072, "num_hidden_layers": 12,
        "num_attention_heads": 12, "layer_norm_eps": 1e-5, "image_size": 224, "patch_size": 32 });
    let mut notes = Vec::new();
    for (tower, base) in [("text_config", text), ("vision_config", vision)] {
        let own = given.get(tower).and_then(Value::as_object).ok_or_else(|| format!("{tower} is missing"))?;
        if let Some(other) = own.get("hidden_act").filter(|act| act.as_str() != Some("quick_gelu")) {
            return Err(format!("{tower}.hidden_act is {other}; the network computes quick_gelu"));
        }
        let (mut merged, filled) = fill(&base, own, &format!("{tower}."));
        if tower == "text_config" && merged["eos_token_id"] == 2 {
            // transformers reads the old value so: the end of text is the highest id.
            let last = merged["vocab_size"].as_u64().unwrap_or(0).saturating_sub(1);
            merged["eos_token_id"] = last.into();
            notes.push(format!("text_config.eos_token_id 2 is read as transformers reads it: the last token, {last}"));
        }
        if !filled.is_empty() {
            notes.push(format!("not in the configuration, so as in transformers: {}", filled.join(", ")));
        }
        given.insert(tower.into(), merged);
    }
    let config: ClipConfig = typed(Value::Object(given))?;
    at_most("text_config.num_hidden_layers", config.text_config.num_hidden_layers)?;
    at_most("vision_config.num_hidden_layers", config.vision_config.num_hidden_layers)?;
    let patch = config.vision_config.patch_size;
    if patch == 0 || !config.vision_config.image_size.is_multiple_of(patch) {
        return Err(format!("vision_config.image_size is no multiple of patch_size {patch}"));
    }
    Ok(Configuration { config: ModelConfig::Clip(config), notes })
}

fn reward(label: RewardLabel, given: Map<String, Value>) -> Result<Configuration, String> {
    let config: showo::config::RewardConfig = typed(Value::Object(given))?;
    at_most("num_hidden_layers", config.num_hidden_layers)?;
    if label != config.label {
        let (kind, of_label) = (ModelKind::Reward(label), ModelKind::Reward(config.label));
        return Err(format!("label: a network of this label is {of_label}, not {kind}"));
    }
    Ok(Configuration { config: ModelConfig::Reward(config), notes: Vec::new() })
}

/// Every field of `base` as `given` has it, and the fields that only `base` has, in words.
fn fill(base: &impl Serialize, given: &Map<String, Value>, prefix: &str) -> (Value, Vec<String>) {
    let mut merged = json!(base);
    let mut filled = Vec::new();
    if let Some(fields) = merged.as_object_mut() {
        for (field, value) in fields {
            match given.get(field) {
                Some(given) => *value = given.clone(),
                None => filled.push(format!("{prefix}{field} {value}")),
            }
        }
    }
    (merged, filled)
}

fn typed<T: DeserializeOwned>(json: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(json).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { String::new() } else { format!("{path}: ") };
        format!("{field}{}", error.into_inner())
    })
}

fn at_most(field: &str, count: usize) -> Result<(), String> {
    if count <= MAX_LAYERS { Ok(()) } else { Err(format!("{field} is {count}; at most {MAX_LAYERS} are read")) }
}

//! What a public CLIP needs beside its weights: its own words and its own way with pictures.
//!
//! | file | its one idea |
//! |---|---|
//! | `mod.rs` | whether a CLIP is a public one, and what it brings |
//! | `words.rs` | its `tokenizer.json`, also from `vocab.json` and `merges.txt` |
//! | `pictures.rs` | its `preprocessor_config.json` |
//!
//! This project's own CLIPs bring nothing: they read the generator's words, and pictures as they were trained to.

mod pictures;
pub mod words;

use std::path::{Path, PathBuf};

use serde_json::Value;
use showo::config::{ClipConfig, ClipResize};
use showo::prompt::ClipTokenizer;

use crate::error::ToolError;

/// What a public CLIP brings.
pub struct Public {
    /// Its `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// What was filled in, for people.
    pub notes: Vec<String>,
}

/// Completes the configuration of a public CLIP whose weights and `config.json` lie at these places, and gives its tokenizer; nothing
/// for one of this project's own.
///
/// # Errors
/// A public one without its tokenizer, or with one that it cannot look up; a `preprocessor_config.json` that asks for what is not
/// computed here.
pub fn complete(weights: &Path, config_json: &Path, config: &mut ClipConfig) -> Result<Option<Public>, ToolError> {
    let text = showo::text::read_file(config_json).map_err(ToolError::io(config_json))?;
    let given: Value = serde_json::from_str(&text)
        .map_err(|error| ToolError::Json { path: config_json.into(), problem: format!("not JSON: {error}") })?;
    let folders = folders(weights, config_json);
    if !says_public(&given)
        && config.resize == ClipResize::Linear
        && !folders.iter().any(|folder| words::has_merges(folder))
    {
        return Ok(None);
    }
    let Some(read) = folders.iter().find_map(|folder| words::find(folder)) else {
        return Err(ToolError::Json {
            path: config_json.into(),
            problem: "this is a public CLIP, which reads words of its own, but beside it lies neither tokenizer.json nor vocab.json with \
                      merges.txt; take them from the repository that the weights are from, such as openai/clip-vit-base-patch32"
                .into(),
        });
    };
    let words::Words { path, tokenizer, note } = read?;
    let mut notes: Vec<String> = note.into_iter().collect();
    let refused = |problem: String| ToolError::Json { path: path.clone(), problem };
    let checked = ClipTokenizer::from_json(&tokenizer).map_err(|error| refused(error.to_string()))?;
    checked.fits(config).map_err(|why| refused(format!("{why}; it is another model's")))?;
    let processor = folders.iter().map(|folder| folder.join("preprocessor_config.json")).find(|path| path.is_file());
    match processor {
        Some(path) => pictures::read(&path, config)?,
        None if given.get("image_mean").is_some() => {}
        None => notes.push(
            "there is no preprocessor_config.json, so pictures are normalized as openai/clip-vit-base-patch32 normalizes them".into(),
        ),
    }
    config.resize = ClipResize::Bicubic;
    Ok(Some(Public { tokenizer, notes }))
}

/// What transformers writes into the configuration of a CLIP.
fn says_public(given: &Value) -> bool {
    let class = |name: &Value| name.as_str().is_some_and(|name| name.starts_with("CLIP"));
    given["model_type"] == "clip" || given["architectures"].as_array().is_some_and(|names| names.iter().any(class))
}

/// Where its other files are looked for: with the weights, then with the configuration.
fn folders(weights: &Path, config_json: &Path) -> Vec<PathBuf> {
    let beside = |path: &Path| path.parent().map(Path::to_path_buf).unwrap_or_default();
    let first = if weights.is_dir() { weights.to_path_buf() } else { beside(weights) };
    let mut folders = vec![first, beside(config_json)];
    folders.dedup();
    folders
}

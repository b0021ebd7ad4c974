//! The generator's `tokenizer.json`, with Show-o's tokens in it.

use std::path::Path;

use serde_json::{Value, json};
use showo::config::ShowoConfig;
use showo::prompt::{ADDED_TOKENS, TextTokenizer};

use crate::error::ToolError;

/// The tokenizer as it goes into the bundle, and what was done to it.
pub struct Tokenizer {
    /// `tokenizer.json`.
    pub json: Vec<u8>,
    /// For people.
    pub note: Option<String>,
}

/// Reads a `tokenizer.json` (or the one in a folder). Where it is the bare language model's, the tokens of
/// UniversalPrompting are added, in its order; where it has them it stays as it is, byte for byte but for a byte order mark.
///
/// # Errors
/// Not a tokenizer; one that would change prompts ([`TextTokenizer::from_json`]); one of another size or with other ids than the generator's configuration says.
pub fn read(path: &Path, showo: Option<&ShowoConfig>) -> Result<Tokenizer, ToolError> {
    let path = if path.is_dir() { path.join("tokenizer.json") } else { path.to_path_buf() };
    let refused = |problem: String| ToolError::Json { path: path.clone(), problem };
    let json = showo::text::read_file(&path).map_err(ToolError::io(&path))?.into_bytes();
    let mut parsed: Value = serde_json::from_slice(&json).map_err(|error| refused(format!("not JSON: {error}")))?;
    if parsed.get("model").is_none() {
        return Err(refused("not a tokenizer.json: it has no \"model\"".into()));
    }
    TextTokenizer::from_json(&json).map_err(|error| refused(error.to_string()))?;
    let Some(config) = showo else { return Ok(Tokenizer { json, note: None }) };
    let tokenizer = match complete(&mut parsed, config).map_err(refused)? {
        Added::Before => Tokenizer { json, note: None },
        Added::Now => Tokenizer {
            json: parsed.to_string().into_bytes(),
            note: Some(format!(
                "added to the tokenizer: {} as {} to {}",
                ADDED_TOKENS.join(" "),
                config.llm_vocab_size,
                config.llm_vocab_size + ADDED_TOKENS.len() - 1
            )),
        },
    };
    TextTokenizer::from_json(&tokenizer.json).map_err(|error| refused(error.to_string()))?;
    Ok(tokenizer)
}

enum Added {
    Before,
    Now,
}

fn complete(tokenizer: &mut Value, config: &ShowoConfig) -> Result<Added, String> {
    let ids = ids(tokenizer);
    let of = |token: &str| ids.iter().find(|(known, _)| known == token).map(|(_, id)| *id);
    let known: Vec<_> = ADDED_TOKENS.into_iter().filter_map(|token| Some((token, of(token)?))).collect();
    let special = config.special_tokens;
    let wanted = [("[PAD]", special.pad), ("<|soi|>", special.soi), ("<|eoi|>", special.eoi), ("<|t2i|>", special.t2i)];
    for (field, id) in [("bos", config.bos), ("eos", config.eos)] {
        if ids.iter().all(|(_, known)| *known != u64::from(id)) {
            return Err(format!("has no token {id}, which the generator's configuration gives as {field}"));
        }
    }
    if known.is_empty() {
        let size = ids.iter().map(|(_, id)| id + 1).max().unwrap_or(0);
        if size != config.llm_vocab_size as u64 {
            return Err(format!(
                "has {size} tokens, but the generator's configuration says llm_vocab_size {}; it is another model's",
                config.llm_vocab_size
            ));
        }
        // As `add_special_tokens` and `add_tokens` of transformers do.
        let tokens = ADDED_TOKENS.into_iter().enumerate().map(|(index, content)| {
            let special = index == 0;
            json!({ "id": config.llm_vocab_size + index, "content": content, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": !special, "special": special })
        });
        if !tokenizer.get("added_tokens").is_some_and(Value::is_array) {
            tokenizer["added_tokens"] = json!([]);
        }
        if let Some(list) = tokenizer["added_tokens"].as_array_mut() {
            list.extend(tokens);
        }
    }
    for (token, id) in wanted {
        let found = match known.is_empty() {
            true => ADDED_TOKENS.iter().position(|added| *added == token).map(|at| (config.llm_vocab_size + at) as u64),
            false => of(token),
        };
        match found {
            Some(found) if found == u64::from(id) => {}
            Some(found) => {
                return Err(format!("{token} has the id {found}, but {id} by the generator's configuration"));
            }
            None => return Err(format!("has some of Show-o's tokens, but not {token}; give the language model's own")),
        }
    }
    Ok(if known.is_empty() { Added::Now } else { Added::Before })
}

/// Every token and its id: the model's vocabulary (a map, or a list of pieces) and the added ones.
fn ids(tokenizer: &Value) -> Vec<(String, u64)> {
    let mut ids: Vec<(String, u64)> = match &tokenizer["model"]["vocab"] {
        Value::Object(vocab) => vocab.iter().filter_map(|(token, id)| Some((token.clone(), id.as_u64()?))).collect(),
        Value::Array(pieces) => {
            let tokens = pieces.iter().zip(0..).filter_map(|(piece, id)| Some((piece[0].as_str()?.to_string(), id)));
            tokens.collect()
        }
        _ => Vec::new(),
    };
    let added = tokenizer["added_tokens"].as_array().into_iter().flatten();
    ids.extend(added.filter_map(|token| Some((token["content"].as_str()?.to_string(), token["id"].as_u64()?))));
    ids
}

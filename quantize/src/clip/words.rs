//! A public CLIP's words: `tokenizer.json`, or the same made of the older `vocab.json` and `merges.txt`.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::error::ToolError;

/// Stands before every text, and behind it.
const AROUND: [&str; 2] = ["<|startoftext|>", "<|endoftext|>"];

/// What cuts a text into words: CLIP's own expression.
const CUT: &str = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// A tokenizer that was found.
pub struct Words {
    /// The file that it is from.
    pub path: PathBuf,
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// For people.
    pub note: Option<String>,
}

/// Whether a folder holds the older files.
pub fn has_merges(folder: &Path) -> bool {
    folder.join("vocab.json").is_file() && folder.join("merges.txt").is_file()
}

/// The tokenizer in a folder, if there is one.
pub fn find(folder: &Path) -> Option<Result<Words, ToolError>> {
    let path = folder.join("tokenizer.json");
    if path.is_file() {
        return Some(
            showo::text::read_file(&path)
                .map(|text| Words { path: path.clone(), tokenizer: text.into_bytes(), note: None })
                .map_err(ToolError::io(path)),
        );
    }
    has_merges(folder).then(|| from_merges(folder))
}

fn from_merges(folder: &Path) -> Result<Words, ToolError> {
    let path = folder.join("vocab.json");
    let refused = |problem: String| ToolError::Json { path: path.clone(), problem };
    let text = showo::text::read_file(&path).map_err(ToolError::io(&path))?;
    let vocab: Map<String, Value> =
        serde_json::from_str(&text).map_err(|error| refused(format!("not a map of tokens to ids: {error}")))?;
    let merges_path = folder.join("merges.txt");
    let lines = showo::text::read_file(&merges_path).map_err(ToolError::io(&merges_path))?;
    let mut merges = Vec::new();
    for (number, line) in lines.lines().enumerate() {
        // The first line says of which version the file is.
        if line.trim().is_empty() || number == 0 && line.starts_with('#') {
            continue;
        }
        if line.split(' ').count() != 2 {
            let problem = format!("line {} is no merge, which is two tokens and a space: {line:?}", number + 1);
            return Err(ToolError::Json { path: merges_path, problem });
        }
        merges.push(line.to_owned());
    }
    let tokenizer = tokenizer_json(vocab, merges).map_err(refused)?.to_string().into_bytes();
    Ok(Words { path, tokenizer, note: Some("its tokenizer.json is made of vocab.json and merges.txt".into()) })
}

/// The `tokenizer.json` of a CLIP with this vocabulary and these merges, as transformers makes it (`CLIPConverter`): canonical
/// composition, single spaces, lower case; bytes as letters, a word's last one with `</w>`; a beginning and an end.
///
/// # Errors
/// The beginning or the end is missing from the vocabulary.
pub fn tokenizer_json(vocab: Map<String, Value>, merges: Vec<String>) -> Result<Value, String> {
    let id = |token: &str| vocab.get(token).and_then(Value::as_u64).ok_or_else(|| format!("has no token {token}"));
    let [begin, end] = AROUND;
    let (first, last) = (id(begin)?, id(end)?);
    let added = |token: &str, id: u64, normalized: bool| {
        json!({ "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": normalized, "special": true })
    };
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [added(begin, first, true), added(end, last, false)],
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "NFC" }, { "type": "Replace", "pattern": { "Regex": r"\s+" }, "content": " " }, { "type": "Lowercase" }] },
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": CUT }, "behavior": "Removed", "invert": true },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true }] },
        "post_processor": { "type": "RobertaProcessing", "sep": [end, last], "cls": [begin, first],
            "trim_offsets": false, "add_prefix_space": false },
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": { "type": "BPE", "dropout": null, "unk_token": end, "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": merges },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The folder of the reference's case, whose `tokenizer.json` transformers wrote, with and without that file.
    #[test]
    fn the_older_files_say_what_the_newer_one_says() {
        let hub = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/understanding/clipscore_tiny.hub");
        let newer: Value = serde_json::from_slice(&find(&hub).unwrap().unwrap().tokenizer).unwrap();
        let folder = tempfile::tempdir().unwrap();
        assert!(find(folder.path()).is_none());
        for file in ["vocab.json", "merges.txt"] {
            std::fs::copy(hub.join(file), folder.path().join(file)).unwrap();
        }
        let older = find(folder.path()).unwrap().unwrap();
        assert!(older.note.is_some());
        assert_eq!(serde_json::from_slice::<Value>(&older.tokenizer).unwrap(), newer);
        std::fs::write(folder.path().join("merges.txt"), "#version: 0.2\nh e</w>\nhe\n").unwrap();
        let told = find(folder.path()).unwrap().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.contains("merges.txt") && told.contains("line 3"), "{told}");
        std::fs::write(folder.path().join("vocab.json"), "{\"a\": 0}").unwrap();
        std::fs::write(folder.path().join("merges.txt"), "").unwrap();
        let told = find(folder.path()).unwrap().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.contains("vocab.json") && told.contains("<|startoftext|>"), "{told}");
    }
}

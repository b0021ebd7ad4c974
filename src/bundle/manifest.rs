//! What `manifest.json` says.
//!
//! ```json
//! { "format": 2, "name": "scenes", "created": "2026-11-23T10:00:00Z", "licence": "MIT OR Apache-2.0", "world": "scenes",
//!   "models": { "showo": { "config": {…}, "source": {"checkpoint": "showo.safetensors", "sha256": "…"}, "shards": [0, 1] } },
//!   "shards": [ { "file": "showo-00.safetensors", "bytes": 1234, "sha256": "…" } ],
//!   "tensors": { "showo/lm_head.weight": { "shard": 0, "dtype": "q8", "shape": [562, 128], "error": {…} } },
//!   "tokenizer": { "file": "tokenizer.json", "bytes": 1234, "sha256": "…" },
//!   "judges": ["self", "clip"] }
//! ```
//!
//! Format 2 can say what format 1 cannot: `models.clip.tokenizer`, where CLIP reads words by a file of its own, and `judges`, what the
//! bundle judges with. A bundle has the lowest format that can say what it says ([`Manifest::needed_format`]), so that programs that
//! know format 1 alone open all that they would read rightly.
//!
//! Inside a shard a tensor has its name without the kind, so that a shard is an ordinary checkpoint of its model.

use std::collections::BTreeMap;

pub use scenes::World;
use serde::{Deserialize, Serialize};

use super::block::BLOCK;
use super::{ModelKind, unique};
use crate::settings::{Judge, Recommended};

/// The manifest's own name inside the bundle.
pub const MANIFEST_FILE: &str = "manifest.json";

/// The newest format that this program reads; it reads every one before, too, from 1 on.
pub const NEWEST_FORMAT: u32 = 2;

/// What a q8 tensor's scales are called inside the shard: the tensor's name and this.
pub const SCALE_SUFFIX: &str = ".scale";

/// How a tensor is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoredDtype {
    /// int8 with one f16 scale per [`BLOCK`] inputs of a row: two tensors in the shard, `w` and `w.scale`.
    Q8,
    /// IEEE half precision.
    F16,
    /// IEEE single precision.
    F32,
}

/// What storing a tensor cost, against the checkpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorError {
    /// `‖stored − source‖₂ / ‖source‖₂` over the whole tensor.
    pub relative_rms: f32,
    /// The same over the worst block of [`BLOCK`] inputs.
    pub worst_block: f32,
}

/// One tensor of one model, under the key `kind/name`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorEntry {
    /// Index into the manifest's shards.
    pub shard: usize,
    /// How it is stored.
    pub dtype: StoredDtype,
    /// The source's shape, `[out, in…]` for a q8 tensor.
    pub shape: Vec<usize>,
    /// What storing it cost; absent where it is stored without loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TensorError>,
}

/// A file of the bundle, other than the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name: letters, digits, `.`, `_` and `-`, no folders.
    pub file: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256, 64 lowercase hexadecimal digits.
    pub sha256: String,
}

/// Where a model's weights came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The checkpoint's name.
    pub checkpoint: String,
    /// The checkpoint's SHA-256, 64 lowercase hexadecimal digits.
    pub sha256: String,
}

/// One model of the bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// The network's configuration, read by the network's own loader.
    pub config: serde_json::Value,
    /// Where the weights came from.
    pub source: Source,
    /// Indices into the manifest's shards, rising; a shard belongs to exactly one model.
    pub shards: Vec<usize>,
    /// The `tokenizer.json` that the model reads words by, where that is not the generator's (format 2); CLIP alone may have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<FileEntry>,
}

/// A whole manifest. One that came out of [`Manifest::parse`] is consistent in itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// From 1 to [`NEWEST_FORMAT`].
    pub format: u32,
    /// The bundle's name, for people.
    pub name: String,
    /// When it was made, RFC 3339 in UTC.
    pub created: String,
    /// The weights' licence, in SPDX terms where it has them.
    pub licence: String,
    /// Who must be named wherever the weights or their pictures are shown, a line each; people read it at the foot of the
    /// page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attribution: Vec<String>,
    /// The world that the model was trained on, whose grammar knows every prompt and whose checker judges every picture;
    /// absent for models of the open world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world: Option<World>,
    /// How the models are best drawn with; what neither command line nor page is told otherwise is drawn so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoding: Option<Recommended>,
    /// The models.
    #[serde(deserialize_with = "unique::map")]
    pub models: BTreeMap<ModelKind, ModelEntry>,
    /// The shards in load order.
    pub shards: Vec<FileEntry>,
    /// The tensors by `kind/name`.
    #[serde(deserialize_with = "unique::map")]
    pub tensors: BTreeMap<String, TensorEntry>,
    /// The generator's Hugging Face `tokenizer.json`, which every model reads words by that has none of its own.
    pub tokenizer: FileEntry,
    /// What the bundle judges with, and nothing else (format 2); where it is absent, with everything that it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judges: Option<Vec<Judge>>,
}

impl Manifest {
    /// The lowest format that can say what this manifest says.
    #[must_use]
    pub fn needed_format(&self) -> u32 {
        let own_words = self.models.values().any(|model| model.tokenizer.is_some());
        if own_words || self.judges.is_some() { 2 } else { 1 }
    }

    /// Every tokenizer: the field that names it, and its file.
    pub fn tokenizers(&self) -> impl Iterator<Item = (String, &FileEntry)> {
        let own = self.models.iter().filter_map(|(kind, model)| {
            let entry = model.tokenizer.as_ref()?;
            Some((format!("models[\"{kind}\"].tokenizer"), entry))
        });
        std::iter::once(("tokenizer".to_owned(), &self.tokenizer)).chain(own)
    }

    /// Bytes of the shards and the tokenizers.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let tokenizers = self.tokenizers().map(|(_, entry)| entry.bytes);
        self.shards.iter().map(|shard| shard.bytes).chain(tokenizers).sum()
    }

    /// The tensors of one model: name inside the shard and entry, in the order of names.
    pub fn tensors_of(&self, kind: ModelKind) -> impl Iterator<Item = (&str, &TensorEntry)> {
        self.tensors.iter().filter_map(move |(key, entry)| match key.split_once('/') {
            Some((of, name)) if of == kind.word() => Some((name, entry)),
            _ => None,
        })
    }

    /// The bytes that one model's shards take; 0 for a kind that is not there.
    pub fn bytes_of(&self, kind: ModelKind) -> u64 {
        let shards = self.models.get(&kind).map_or(&[][..], |model| &model.shards);
        shards.iter().filter_map(|&shard| self.shards.get(shard)).map(|shard| shard.bytes).sum()
    }
}

impl TensorEntry {
    /// Elements of the tensor; `None` where their number overflows.
    pub fn elements(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size))
    }

    /// For a q8 tensor, the shape of its scales: `[out, ceil(inputs / 32)]`. `None` below two dimensions or where
    /// the sizes overflow.
    pub fn scale_shape(&self) -> Option<[usize; 2]> {
        let (&out, inputs) = self.shape.split_first()?;
        if inputs.is_empty() {
            return None;
        }
        let inputs = inputs.iter().try_fold(1usize, |product, &size| product.checked_mul(size))?;
        Some([out, inputs.div_ceil(BLOCK)])
    }

    /// Bytes that the tensor takes in its shard, scales included; `None` where they overflow.
    pub fn stored_bytes(&self) -> Option<u64> {
        let elements = self.elements()?;
        let bytes = match self.dtype {
            StoredDtype::F32 => elements.checked_mul(4)?,
            StoredDtype::F16 => elements.checked_mul(2)?,
            StoredDtype::Q8 => {
                let [out, blocks] = self.scale_shape()?;
                elements.checked_add(out.checked_mul(blocks)?.checked_mul(2)?)?
            }
        };
        u64::try_from(bytes).ok()
    }
}

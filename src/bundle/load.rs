//! Opening a bundle and streaming its models: never more than one shard in memory, and of a long one only a part.

use std::collections::BTreeMap;

use half::f16;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{
    BundleError, Manifest, ModelKind, PartSink, Reader,
    hex::hex,
    manifest::{FileEntry, MANIFEST_FILE, ModelEntry, TensorEntry},
    parts::{Parts, Refused},
    shard,
};
use crate::stand_in::{LOOKED_AT, StandIn};

/// Shards up to this length are held in memory while they are checked; longer ones are read in parts. What the format
/// allows a shard that is not a single tensor, and a little for the header.
pub const HELD_BYTES: u64 = (16 << 20) + (64 << 10);

/// Receives a model's tensors; the model's loader implements it and uploads each to the device as it comes.
///
/// A tensor arrives once. An `Err` ends the load; its text becomes a part of the error, after the shard's and the
/// tensor's name.
pub trait TensorSink {
    /// A tensor that is stored as f16 or f32, of `shape`, row-major. All values are finite.
    ///
    /// # Errors
    /// What is wrong with the tensor, for the model.
    fn float(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), String>;

    /// An int8 tensor of `shape` = `[out, in…]`: `q` row-major in −127…127, `scale` of shape
    /// `[out, ceil(inputs / 32)]` where `inputs` is the product of `in…`; value = q · scale.
    ///
    /// # Errors
    /// What is wrong with the tensor, for the model.
    fn q8(&mut self, name: &str, shape: &[usize], q: &[i8], scale: &[f16]) -> Result<(), String>;

    /// The sink again, where it can take the tensors of a long shard in parts; a sink that cannot is given them whole,
    /// and the shard is held in memory.
    fn in_parts(&mut self) -> Option<&mut dyn PartSink> {
        None
    }
}

/// How far the load of one model has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadProgress<'a> {
    /// The model's kind.
    pub kind: ModelKind,
    /// The file that is being read.
    pub file: &'a str,
    /// Bytes read of all the model's shards.
    pub bytes_done: u64,
    /// Bytes of all the model's shards.
    pub bytes_total: u64,
}

/// An open bundle: a validated manifest, and the reader for the rest.
#[derive(Debug, Clone)]
pub struct Bundle<R> {
    reader: R,
    manifest: Manifest,
    sha256: String,
    held_bytes: u64,
}

impl<R: Reader> Bundle<R> {
    /// Reads and validates the manifest; no other file is touched.
    ///
    /// # Errors
    /// A missing, unreadable, unknown or contradictory manifest.
    pub async fn open(reader: R) -> Result<Self, BundleError> {
        let mut json = Vec::new();
        reader.read(MANIFEST_FILE, None, &mut |piece| json.extend_from_slice(piece)).await?;
        let manifest = Manifest::parse(&json)?;
        Ok(Self { reader, manifest, sha256: hex(&Sha256::digest(&json)), held_bytes: HELD_BYTES })
    }

    /// Reads shards that are longer than this in parts, instead of those longer than [`HELD_BYTES`].
    #[must_use]
    pub fn holding_at_most(self, held_bytes: u64) -> Self {
        Self { held_bytes, ..self }
    }

    /// What the bundle says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The SHA-256 of the manifest, and so of everything in the bundle: what names it in a trace.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Where the bundle's files come from.
    pub fn reader(&self) -> &R {
        &self.reader
    }

    /// Whether the bundle holds a model of this kind.
    pub fn has(&self, kind: ModelKind) -> bool {
        self.manifest.models.contains_key(&kind)
    }

    /// A model's configuration, as the network's own type.
    ///
    /// # Errors
    /// No such model, or a configuration that the type refuses (named by its field).
    pub fn config<C: DeserializeOwned>(&self, kind: ModelKind) -> Result<C, BundleError> {
        serde_path_to_error::deserialize(&self.model(kind)?.config).map_err(|error| {
            let path = error.path().to_string();
            let field = if path == "." { String::new() } else { format!(".{path}") };
            BundleError::manifest(format!("models[\"{kind}\"].config{field}"), error.into_inner().to_string())
        })
    }

    /// Streams a model: shard after shard is read, checked (length, SHA-256, header, values), handed to the sink
    /// tensor by tensor and dropped. A shard that is too long to be held goes through [`PartSink`] instead, if the sink
    /// has one. A shard that is not what the manifest says is read once more, after [`Reader::refresh`].
    ///
    /// # Errors
    /// No such model; a shard that is missing, unreadable, truncated or damaged, by its name; a tensor that is not
    /// what the manifest says; whatever the sink refuses.
    pub async fn load(
        &self,
        kind: ModelKind,
        sink: &mut dyn TensorSink,
        on_progress: &mut dyn FnMut(LoadProgress<'_>),
    ) -> Result<(), BundleError> {
        let model = self.model(kind)?;
        let bytes_total = self.manifest.bytes_of(kind);
        let mut by_shard: BTreeMap<usize, BTreeMap<&str, &TensorEntry>> = BTreeMap::new();
        for (name, entry) in self.manifest.tensors_of(kind) {
            by_shard.entry(entry.shard).or_default().insert(name, entry);
        }
        let mut before = 0;
        for (index, expected) in by_shard.iter().filter(|(index, _)| model.shards.contains(index)) {
            let entry = self
                .manifest
                .shards
                .get(*index)
                .ok_or_else(|| BundleError::manifest("shards", format!("there is no shard {index}")))?;
            let file = entry.file.as_str();
            let mut report = |bytes: u64| {
                // A file that is longer than promised is refused below; until then the bar does not run over.
                let bytes_done = before + bytes.min(entry.bytes);
                on_progress(LoadProgress { kind, file, bytes_done, bytes_total });
            };
            report(0);
            match sink.in_parts().filter(|_| entry.bytes > self.held_bytes) {
                Some(parts) => self.read_in_parts(entry, expected, parts, &mut report).await?,
                None => {
                    let bytes = self.read_checked(entry, Some(entry.bytes), &mut report).await?;
                    shard::deliver(file, &bytes, expected, sink)?;
                }
            }
            before += entry.bytes;
        }
        Ok(())
    }

    /// The generator's tokenizer's JSON, checked.
    ///
    /// # Errors
    /// As for a shard.
    pub async fn tokenizer_json(&self) -> Result<String, BundleError> {
        self.text(&self.manifest.tokenizer).await
    }

    /// The JSON of the tokenizer that a model has of its own, checked; nothing where it reads words by the generator's.
    ///
    /// # Errors
    /// No such model; as for a shard.
    pub async fn own_tokenizer_json(&self, kind: ModelKind) -> Result<Option<String>, BundleError> {
        match &self.model(kind)?.tokenizer {
            Some(entry) => self.text(entry).await.map(Some),
            None => Ok(None),
        }
    }

    async fn text(&self, entry: &FileEntry) -> Result<String, BundleError> {
        let bytes = self.read_checked(entry, None, &mut |_| {}).await?;
        String::from_utf8(bytes)
            .map_err(|_| BundleError::File { file: entry.file.clone(), problem: "not UTF-8 text".into() })
    }

    fn model(&self, kind: ModelKind) -> Result<&ModelEntry, BundleError> {
        self.manifest.models.get(&kind).ok_or_else(|| BundleError::NoModel {
            kind,
            available: self.manifest.models.keys().map(|kind| kind.word()).collect::<Vec<_>>().join(", "),
        })
    }

    /// Reads a file and compares it with the manifest; once more where they differ, because the copy in a cache or a
    /// proxy may be an old or a broken one.
    async fn read_checked(
        &self,
        entry: &FileEntry,
        shard_bytes: Option<u64>,
        on_progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<u8>, BundleError> {
        // A length from the manifest is no reason to reserve as much before it has come.
        let mut bytes = Vec::with_capacity(entry.bytes.min(HELD_BYTES) as usize);
        for attempt in 0.. {
            let (mut found, mut hash) = (0, Sha256::new());
            let mut beginning = Beginning::default();
            self.reader
                .read(&entry.file, shard_bytes, &mut |piece| {
                    beginning.see(piece);
                    found += piece.len() as u64;
                    // Of a file that is too long the rest is only counted.
                    if found <= entry.bytes {
                        hash.update(piece);
                        bytes.extend_from_slice(piece);
                    }
                    on_progress(found);
                })
                .await?;
            match check(entry, found, hash) {
                Ok(()) => break,
                Err(error) if attempt > 0 => return Err(beginning.in_place_of(entry).unwrap_or(error)),
                Err(_) => self.reader.refresh(&entry.file).await,
            }
            bytes.clear();
        }
        Ok(bytes)
    }

    /// The same for a shard of which only a part is held at a time.
    async fn read_in_parts(
        &self,
        entry: &FileEntry,
        expected: &BTreeMap<&str, &TensorEntry>,
        sink: &mut dyn PartSink,
        on_progress: &mut dyn FnMut(u64),
    ) -> Result<(), BundleError> {
        for attempt in 0.. {
            let mut parts = Parts::new(entry, expected, sink);
            let mut beginning = Beginning::default();
            self.reader
                .read(&entry.file, Some(entry.bytes), &mut |piece| {
                    beginning.see(piece);
                    parts.take(piece);
                    on_progress(parts.received());
                })
                .await?;
            match parts.finish() {
                Ok(()) => break,
                Err(Refused::Damaged(_)) if attempt == 0 => self.reader.refresh(&entry.file).await,
                Err(Refused::Damaged(error)) => return Err(beginning.in_place_of(entry).unwrap_or(error)),
                Err(Refused::Content(error)) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What a file began with. Where it is not the manifest's, it may be one of the things that often lie in its place: that
/// says more than a length or a hash.
#[derive(Default)]
struct Beginning(Vec<u8>);

impl Beginning {
    fn see(&mut self, piece: &[u8]) {
        let missing = LOOKED_AT.saturating_sub(self.0.len());
        self.0.extend_from_slice(&piece[..piece.len().min(missing)]);
    }

    fn in_place_of(&self, entry: &FileEntry) -> Option<BundleError> {
        let is_text = entry.file.ends_with(".json");
        let found = if is_text { StandIn::of(&self.0) } else { StandIn::of_weights(&self.0) };
        found.map(|found| BundleError::File { file: entry.file.clone(), problem: found.to_string() })
    }
}

fn check(entry: &FileEntry, found: u64, hash: Sha256) -> Result<(), BundleError> {
    if found != entry.bytes {
        return Err(BundleError::Length { file: entry.file.clone(), expected: entry.bytes, found });
    }
    let found = hex(&hash.finalize());
    if found != entry.sha256 {
        return Err(BundleError::Hash { file: entry.file.clone(), expected: entry.sha256.clone(), found });
    }
    Ok(())
}

//! Writing bundles: the other half of the format, beside its reader so that the two cannot drift apart.
//!
//! Everything is written into a [`PartialFolder`]: an interrupted conversion leaves nothing that looks finished.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use half::f16;
use sha2::{Digest, Sha256};

use super::copy::copy;
use super::write_error::io_error;
use crate::settings::{Judge, Recommended};

use super::{
    Manifest, ModelKind, PartialFolder, WriteError,
    header::Dtype,
    hex::hex,
    manifest::{
        FileEntry, MANIFEST_FILE, ModelEntry, SCALE_SUFFIX, Source, StoredDtype, TensorEntry, TensorError, World,
    },
};

/// A shard is at most this long, unless it holds a single tensor that is longer.
pub const SHARD_BYTES: u64 = 16 << 20;

/// The generator's tokenizer's name inside the bundle; a model's own has the model's name before it.
const TOKENIZER_FILE: &str = "tokenizer.json";

/// What a bundle says of itself, apart from its models.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// The bundle's name, for people.
    pub name: String,
    /// The weights' licence.
    pub licence: String,
    /// Who must be named, a line each.
    pub attribution: Vec<String>,
    /// The model's world, where this project knows it.
    pub world: Option<World>,
    /// How the models are best drawn with.
    pub decoding: Option<Recommended>,
    /// What it judges with; with everything that it can where nobody says.
    pub judges: Option<Vec<Judge>>,
}

/// One safetensors entry that waits for its shard.
struct Part {
    name: String,
    shape: Vec<usize>,
    values: Values,
}

/// A tensor's values as they were handed over: half a gigabyte is not copied to be written.
enum Values {
    I8(Vec<i8>),
    F16(Vec<f16>),
    F32(Vec<f32>),
}

impl Values {
    fn f16(mut values: Vec<f16>) -> Self {
        // Nothing on a little-endian machine.
        values.iter_mut().for_each(|value| *value = f16::from_bits(value.to_bits().to_le()));
        Self::F16(values)
    }

    fn f32(mut values: Vec<f32>) -> Self {
        values.iter_mut().for_each(|value| *value = f32::from_bits(value.to_bits().to_le()));
        Self::F32(values)
    }

    fn dtype(&self) -> Dtype {
        match self {
            Self::I8(_) => Dtype::I8,
            Self::F16(_) => Dtype::F16,
            Self::F32(_) => Dtype::F32,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::I8(values) => bytemuck::cast_slice(values),
            Self::F16(values) => bytemuck::cast_slice(values),
            Self::F32(values) => bytemuck::cast_slice(values),
        }
    }
}

/// Writes one bundle: [`model`](Self::model), its tensors, the next model …, [`finish`](Self::finish). Models are
/// loaded in the order in which they are written. Dropped before `finish`, it removes what it wrote.
pub struct BundleWriter {
    folder: PartialFolder,
    manifest: Manifest,
    kind: Option<ModelKind>,
    /// The shard in the making.
    pending: Vec<Part>,
    /// Bytes that it will take, header included, at most.
    pending_bytes: u64,
}

impl BundleWriter {
    /// Begins a bundle that will appear at `target`.
    ///
    /// # Errors
    /// Where `target` exists, or no folder can be made beside it.
    pub fn create(target: &Path, about: About) -> Result<Self, WriteError> {
        let folder = PartialFolder::create(target)?;
        let manifest = Manifest {
            // The lowest that can say what is written; known at the end.
            format: 1,
            name: about.name,
            created: timestamp(seconds_now()),
            licence: about.licence,
            attribution: about.attribution,
            world: about.world,
            decoding: about.decoding,
            models: BTreeMap::new(),
            shards: Vec::new(),
            tensors: BTreeMap::new(),
            tokenizer: FileEntry { file: TOKENIZER_FILE.into(), bytes: 0, sha256: String::new() },
            judges: about.judges,
        };
        Ok(Self { folder, manifest, kind: None, pending: Vec::new(), pending_bytes: 0 })
    }

    /// Begins a bundle that will appear at `target` with all that the one in `folder` holds: its files are copied byte for byte, and
    /// checked on the way. Models that follow are added. `manifest` is what that bundle says of itself, or what is to be said
    /// instead, its files as they are; `on_bytes` hears of what was copied.
    ///
    /// # Errors
    /// As [`BundleWriter::create`]; a file that is missing or not what the manifest says.
    pub fn onto(
        target: &Path,
        folder: &Path,
        manifest: Manifest,
        on_bytes: &mut dyn FnMut(u64),
    ) -> Result<Self, WriteError> {
        let partial = PartialFolder::create(target)?;
        for entry in manifest.shards.iter().chain(manifest.tokenizers().map(|(_, entry)| entry)) {
            copy(folder, partial.path(), entry, on_bytes)?;
        }
        let manifest = Manifest { created: timestamp(seconds_now()), ..manifest };
        Ok(Self { folder: partial, manifest, kind: None, pending: Vec::new(), pending_bytes: 0 })
    }

    /// Begins a model; the tensors that follow are its own.
    ///
    /// # Errors
    /// Where the model was begun before, or the last shard of the one before it cannot be written.
    pub fn model(&mut self, kind: ModelKind, config: serde_json::Value, source: Source) -> Result<(), WriteError> {
        self.flush()?;
        if self.manifest.models.contains_key(&kind) {
            return Err(WriteError::Model(kind.to_string()));
        }
        self.manifest.models.insert(kind, ModelEntry { config, source, shards: Vec::new(), tokenizer: None });
        self.kind = Some(kind);
        Ok(())
    }

    /// Writes the tokenizer that the model in the making reads words by, where that is not the generator's.
    ///
    /// # Errors
    /// No model was begun; a full disk.
    pub fn tokenizer(&mut self, json: &[u8]) -> Result<(), WriteError> {
        let kind = self.kind.ok_or_else(|| WriteError::Model(String::new()))?;
        let entry = self.write(&format!("{}-{TOKENIZER_FILE}", kind.word().replace(':', "-")), &[json])?;
        if let Some(model) = self.manifest.models.get_mut(&kind) {
            model.tokenizer = Some(entry);
        }
        Ok(())
    }

    /// Adds an int8 tensor of `shape` = `[out, in…]`, `q` row-major in −127…127, `scale` `[out, ceil(inputs / 32)]`.
    /// What is handed over as a `Vec` is not copied.
    ///
    /// # Errors
    /// Lengths that contradict the shape, a name that is taken, a full disk.
    pub fn q8<'v>(
        &mut self,
        name: &str,
        shape: &[usize],
        q: impl Into<Cow<'v, [i8]>>,
        scale: impl Into<Cow<'v, [f16]>>,
        error: TensorError,
    ) -> Result<(), WriteError> {
        let entry = self.entry(StoredDtype::Q8, shape, Some(error));
        let Some(scale_shape) = entry.scale_shape() else {
            return Err(self.bad(name, "a q8 tensor has at least two sizes"));
        };
        let parts = vec![
            Part { name: name.into(), shape: shape.into(), values: Values::I8(q.into().into_owned()) },
            Part {
                name: format!("{name}{SCALE_SUFFIX}"),
                shape: scale_shape.into(),
                values: Values::f16(scale.into().into_owned()),
            },
        ];
        self.add(name, entry, parts)
    }

    /// Adds a tensor in half precision.
    ///
    /// # Errors
    /// As [`q8`](Self::q8).
    pub fn f16<'v>(
        &mut self,
        name: &str,
        shape: &[usize],
        values: impl Into<Cow<'v, [f16]>>,
        error: TensorError,
    ) -> Result<(), WriteError> {
        let entry = self.entry(StoredDtype::F16, shape, Some(error));
        let values = Values::f16(values.into().into_owned());
        self.add(name, entry, vec![Part { name: name.into(), shape: shape.into(), values }])
    }

    /// Adds a tensor in single precision.
    ///
    /// # Errors
    /// As [`q8`](Self::q8).
    pub fn f32<'v>(
        &mut self,
        name: &str,
        shape: &[usize],
        values: impl Into<Cow<'v, [f32]>>,
    ) -> Result<(), WriteError> {
        let entry = self.entry(StoredDtype::F32, shape, None);
        let values = Values::f32(values.into().into_owned());
        self.add(name, entry, vec![Part { name: name.into(), shape: shape.into(), values }])
    }

    /// Writes the last shard, the tokenizer and the manifest, checks that the whole is readable by its own account,
    /// and gives the folder its name.
    ///
    /// # Errors
    /// A full disk, a folder that has appeared at the target, a bundle without models.
    pub fn finish(mut self, tokenizer_json: &[u8]) -> Result<Manifest, WriteError> {
        self.flush()?;
        self.manifest.tokenizer = self.write(TOKENIZER_FILE, &[tokenizer_json])?;
        self.finish_as_begun()
    }

    /// As [`BundleWriter::finish`], of a bundle that was begun [`onto`](Self::onto) another and has its tokenizer.
    ///
    /// # Errors
    /// As there.
    pub fn finish_as_begun(mut self) -> Result<Manifest, WriteError> {
        self.flush()?;
        self.manifest.format = self.manifest.needed_format();
        // What the reader would refuse must not be written: this is where a name that is not `kind/name` comes to light.
        self.manifest.validate()?;
        let json = serde_json::to_vec_pretty(&self.manifest)
            .map_err(|error| WriteError::Io { path: self.folder.path().join(MANIFEST_FILE), source: error.into() })?;
        Manifest::parse(&json)?;
        self.write(MANIFEST_FILE, &[&json, b"\n"])?;
        self.folder.finish()?;
        Ok(self.manifest)
    }

    fn entry(&self, dtype: StoredDtype, shape: &[usize], error: Option<TensorError>) -> TensorEntry {
        TensorEntry { shard: self.manifest.shards.len(), dtype, shape: shape.into(), error }
    }

    fn bad(&self, tensor: &str, problem: impl Into<String>) -> WriteError {
        WriteError::Tensor {
            kind: self.kind.map(|kind| kind.to_string()).unwrap_or_default(),
            tensor: tensor.into(),
            problem: problem.into(),
        }
    }

    fn add(&mut self, name: &str, mut entry: TensorEntry, parts: Vec<Part>) -> Result<(), WriteError> {
        let Some(kind) = self.kind else {
            return Err(WriteError::Model(String::new()));
        };
        for part in &parts {
            let (dtype, bytes) = (part.values.dtype(), part.values.bytes().len());
            let expected = part.shape.iter().try_fold(dtype.bytes(), |product, &size| product.checked_mul(size));
            if expected != Some(bytes) {
                let problem =
                    format!("{} is {bytes} bytes long, which is not {:?} of {}", part.name, part.shape, dtype.name());
                return Err(self.bad(name, problem));
            }
        }
        // What the header says of one entry is shorter than this.
        let bytes: u64 =
            parts.iter().map(|part| part.values.bytes().len() as u64 + 6 * part.name.len() as u64 + 256).sum();
        if !self.pending.is_empty() && self.pending_bytes + bytes > SHARD_BYTES {
            self.flush()?;
        }
        let key = format!("{kind}/{name}");
        if self.manifest.tensors.contains_key(&key) {
            return Err(self.bad(name, "is there twice"));
        }
        entry.shard = self.manifest.shards.len();
        self.manifest.tensors.insert(key, entry);
        self.pending.extend(parts);
        self.pending_bytes += bytes;
        // A shard that takes no more is not kept in memory beside the next tensor: both may be large.
        if self.pending_bytes >= SHARD_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes the shard in the making.
    fn flush(&mut self) -> Result<(), WriteError> {
        let Some(kind) = self.kind.filter(|_| !self.pending.is_empty()) else {
            return Ok(());
        };
        let index = self.manifest.shards.len();
        let Some(model) = self.manifest.models.get_mut(&kind) else {
            return Err(WriteError::Model(kind.to_string()));
        };
        model.shards.push(index);
        let file = format!("{}-{:03}.safetensors", kind.word().replace(':', "-"), model.shards.len() - 1);
        let mut parts = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        // Wide elements first, so that every tensor lies aligned and can be read in place.
        parts.sort_by_key(|part| std::cmp::Reverse(part.values.dtype().bytes()));
        let header = header(&parts);
        let length = (header.len() as u64).to_le_bytes();
        let mut pieces: Vec<&[u8]> = vec![&length, &header];
        pieces.extend(parts.iter().map(|part| part.values.bytes()));
        let entry = self.write(&file, &pieces).map_err(|error| match error {
            WriteError::Io { path, source } => {
                let names = || parts.iter().map(|part| part.name.as_str());
                let (first, last) = (names().min().unwrap_or_default(), names().max().unwrap_or_default());
                WriteError::Shard { path, tensors: format!("{kind}/{first} to {last}"), source }
            }
            other => other,
        })?;
        self.manifest.shards.push(entry);
        Ok(())
    }

    fn write(&self, file: &str, pieces: &[&[u8]]) -> Result<FileEntry, WriteError> {
        let path = self.folder.path().join(file);
        let mut hash = Sha256::new();
        let mut bytes = 0;
        let mut write = || -> io::Result<()> {
            let mut out = BufWriter::new(File::create_new(&path)?);
            for piece in pieces {
                out.write_all(piece)?;
                hash.update(piece);
                bytes += piece.len() as u64;
            }
            // The rename at the end must not overtake the content.
            out.into_inner()?.sync_all()
        };
        write().map_err(io_error(&path))?;
        Ok(FileEntry { file: file.into(), bytes, sha256: hex(&hash.finalize()) })
    }
}

/// A safetensors header for parts that follow each other, padded with spaces to a multiple of 8.
fn header(parts: &[Part]) -> Vec<u8> {
    let mut entries = serde_json::Map::new();
    let mut start = 0u64;
    for part in parts {
        let end = start + part.values.bytes().len() as u64;
        let entry = serde_json::json!({ "dtype": part.values.dtype().name(), "shape": part.shape, "data_offsets": [start, end] });
        entries.insert(part.name.clone(), entry);
        start = end;
    }
    let mut json = serde_json::Value::Object(entries).to_string().into_bytes();
    json.resize(json.len().next_multiple_of(8), b' ');
    json
}

/// Seconds since 1970; `SOURCE_DATE_EPOCH` overrides the clock, so that a conversion can be repeated byte for byte.
fn seconds_now() -> u64 {
    let fixed = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    fixed.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// RFC 3339 in UTC. Days to date: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
#[must_use]
pub fn timestamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn days_become_dates() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(timestamp(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(timestamp(1_795_392_000), "2026-11-23T00:00:00Z");
    }
}

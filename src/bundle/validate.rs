//! Reading a manifest, and what makes it acceptable: it agrees with itself and asks for nothing outside its folder.

use std::collections::HashSet;

use serde::Deserialize;

use super::{
    BundleError, ModelKind, judges,
    manifest::{FileEntry, MANIFEST_FILE, Manifest, NEWEST_FORMAT, SCALE_SUFFIX, StoredDtype, TensorEntry},
};
use crate::text;

impl Manifest {
    /// Reads and validates a manifest.
    ///
    /// # Errors
    /// [`BundleError::Version`] for another format, else [`BundleError::Manifest`] with the field's path.
    pub fn parse(json: &[u8]) -> Result<Self, BundleError> {
        // The version first, and alone: a later format may well have fields that are unknown here, and "unknown
        // field" would hide the reason.
        #[derive(Deserialize)]
        struct Probe {
            format: u64,
        }
        let json = text::read(json).map_err(|error| BundleError::manifest("the whole file", error.to_string()))?;
        let probe: Probe = parse_json(json)?;
        known(probe.format)?;
        let manifest: Self = parse_json(json)?;
        whole(&manifest)?;
        Ok(manifest)
    }

    /// Checks that the manifest agrees with itself; see [`Manifest::parse`].
    ///
    /// # Errors
    /// [`BundleError::Version`] or [`BundleError::Manifest`].
    pub fn validate(&self) -> Result<(), BundleError> {
        known(self.format.into())?;
        whole(self)
    }
}

/// Whether this program reads a format.
fn known(format: u64) -> Result<(), BundleError> {
    match (1..=u64::from(NEWEST_FORMAT)).contains(&format) {
        true => Ok(()),
        false => Err(BundleError::Version { found: format, known: NEWEST_FORMAT }),
    }
}

/// Parses JSON, naming the field in which it went wrong.
fn parse_json<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, BundleError> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let field = match error.path().to_string() {
            path if path == "." => "the whole file".to_string(),
            path => path,
        };
        BundleError::Manifest { field, problem: error.into_inner().to_string() }
    })?;
    deserializer.end().map_err(|error| BundleError::manifest("the whole file", error.to_string()))?;
    Ok(value)
}

/// Checks everything that can be known before a shard is read.
fn whole(manifest: &Manifest) -> Result<(), BundleError> {
    attribution(&manifest.attribution)?;
    decoding(manifest)?;
    files(manifest)?;
    models(manifest)?;
    second_format(manifest)?;
    judges::check(manifest)?;
    tensors(manifest)
}

/// What only format 2 can say must not stand in a manifest that programs of format 1 are told they can read.
fn second_format(manifest: &Manifest) -> Result<(), BundleError> {
    let own = manifest.models.iter().filter(|(_, model)| model.tokenizer.is_some()).map(|(kind, _)| *kind);
    if let Some(kind) = own.clone().find(|kind| *kind != ModelKind::Clip) {
        let problem = format!("{kind} reads words by the generator's tokenizer; only clip may have one of its own");
        return Err(BundleError::manifest(format!("models[\"{kind}\"].tokenizer"), problem));
    }
    let fields = own.map(|kind| format!("models[\"{kind}\"].tokenizer"));
    let judges = manifest.judges.iter().map(|_| "judges".to_owned());
    match fields.chain(judges).next().filter(|_| manifest.format < manifest.needed_format()) {
        Some(field) => {
            let problem =
                format!("is of format {}, but the manifest says {}", manifest.needed_format(), manifest.format);
            Err(BundleError::manifest(field, problem))
        }
        None => Ok(()),
    }
}

/// More is no attribution any more, and would push the page's own words out of sight.
const MOST_LINES: usize = 64;
const LONGEST_LINE: usize = 1_000;

/// Lines that can stand at the foot of a page.
fn attribution(lines: &[String]) -> Result<(), BundleError> {
    if lines.len() > MOST_LINES {
        let problem = format!("{} lines; at most {MOST_LINES} are shown", lines.len());
        return Err(BundleError::manifest("attribution", problem));
    }
    let unfit =
        |line: &String| line.trim().is_empty() || line.len() > LONGEST_LINE || line.chars().any(char::is_control);
    match lines.iter().position(unfit) {
        Some(at) => Err(BundleError::manifest(
            format!("attribution[{at}]"),
            format!("must be a line of text, at most {LONGEST_LINE} bytes long"),
        )),
        None => Ok(()),
    }
}

/// What is recommended must be allowed.
fn decoding(manifest: &Manifest) -> Result<(), BundleError> {
    let Some(recommended) = manifest.decoding else { return Ok(()) };
    let settings = recommended.settings("", 0);
    settings.validate(u32::MAX).map_err(|error| BundleError::manifest("decoding", error.to_string()))
}

fn files(manifest: &Manifest) -> Result<(), BundleError> {
    // Folded, because some disks do not tell `A` from `a`.
    let mut names = HashSet::from([MANIFEST_FILE.to_string()]);
    let mut total = 0u64;
    let shards = manifest.shards.iter().enumerate().map(|(index, shard)| (format!("shards[{index}]"), shard));
    for (field, entry) in shards.chain(manifest.tokenizers()) {
        file(&field, entry)?;
        if !names.insert(entry.file.to_ascii_lowercase()) {
            return Err(BundleError::manifest(format!("{field}.file"), format!("{:?} is used twice", entry.file)));
        }
        total = total
            .checked_add(entry.bytes)
            .ok_or_else(|| BundleError::manifest(format!("{field}.bytes"), "the bundle's sizes overflow"))?;
    }
    Ok(())
}

fn file(field: &str, entry: &FileEntry) -> Result<(), BundleError> {
    if !is_plain_file_name(&entry.file) {
        return Err(BundleError::manifest(
            format!("{field}.file"),
            format!("{:?} is not a plain file name (letters, digits, `.`, `_`, `-`; no folders)", entry.file),
        ));
    }
    if entry.bytes == 0 || usize::try_from(entry.bytes).is_err() {
        return Err(BundleError::manifest(
            format!("{field}.bytes"),
            format!("{} bytes cannot be a file in memory", entry.bytes),
        ));
    }
    sha256(&format!("{field}.sha256"), &entry.sha256)
}

/// Whether a name stays inside its folder on every system and needs no escaping in a URL.
pub fn is_plain_file_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn sha256(field: &str, hash: &str) -> Result<(), BundleError> {
    let lowercase_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if hash.len() == 64 && hash.bytes().all(lowercase_hex) {
        Ok(())
    } else {
        Err(BundleError::manifest(field, "not a SHA-256 of 64 lowercase hexadecimal digits"))
    }
}

fn models(manifest: &Manifest) -> Result<(), BundleError> {
    if manifest.models.is_empty() {
        return Err(BundleError::manifest("models", "the bundle holds no model"));
    }
    let mut owner = vec![None; manifest.shards.len()];
    for (kind, model) in &manifest.models {
        let field = format!("models[\"{kind}\"]");
        if !model.config.is_object() {
            return Err(BundleError::manifest(format!("{field}.config"), "not an object"));
        }
        sha256(&format!("{field}.source.sha256"), &model.source.sha256)?;
        let field = format!("{field}.shards");
        if model.shards.is_empty() {
            return Err(BundleError::manifest(field, "the model has no shard"));
        }
        if !model.shards.is_sorted_by(|a, b| a < b) {
            return Err(BundleError::manifest(field, "the shards must rise, each named once"));
        }
        for &shard in &model.shards {
            let Some(slot) = owner.get_mut(shard) else {
                return Err(BundleError::manifest(field, format!("there is no shard {shard}")));
            };
            if let Some(other) = slot.replace(kind) {
                return Err(BundleError::manifest(field, format!("shard {shard} belongs to {other} already")));
            }
        }
    }
    match owner.iter().position(Option::is_none) {
        Some(unused) => Err(BundleError::manifest(format!("shards[{unused}]"), "belongs to no model")),
        None => Ok(()),
    }
}

fn tensors(manifest: &Manifest) -> Result<(), BundleError> {
    let mut held = vec![0u64; manifest.shards.len()];
    for (key, entry) in &manifest.tensors {
        let field = format!("tensors[{key:?}]");
        let (kind, name) = key
            .split_once('/')
            .filter(|(_, name)| !name.is_empty())
            .ok_or_else(|| BundleError::manifest(&field, "the name must be `kind/name`"))?;
        let model = kind
            .parse()
            .ok()
            .and_then(|kind: ModelKind| manifest.models.get(&kind))
            .ok_or_else(|| BundleError::manifest(&field, format!("there is no model {kind:?}")))?;
        if !model.shards.contains(&entry.shard) {
            return Err(BundleError::manifest(
                format!("{field}.shard"),
                format!("shard {} is not one of the model's shards", entry.shard),
            ));
        }
        let bytes = tensor(&field, entry)?;
        if entry.dtype == StoredDtype::Q8 && manifest.tensors.contains_key(&format!("{kind}/{name}{SCALE_SUFFIX}")) {
            return Err(BundleError::manifest(
                field,
                format!("its scales and the tensor {name}{SCALE_SUFFIX} have the same name"),
            ));
        }
        // Both were bounds-checked with the model's shards above.
        let (sum, shard) = (&mut held[entry.shard], &manifest.shards[entry.shard]);
        *sum = sum.checked_add(bytes).filter(|&sum| sum < shard.bytes).ok_or_else(|| {
            BundleError::manifest(
                format!("{field}.shape"),
                format!("the tensors do not fit in {} ({} bytes)", shard.file, shard.bytes),
            )
        })?;
    }
    match held.iter().position(|&bytes| bytes == 0) {
        Some(empty) => Err(BundleError::manifest(format!("shards[{empty}]"), "holds no tensor")),
        None => Ok(()),
    }
}

/// Checks one tensor alone; returns the bytes that it takes.
fn tensor(field: &str, entry: &TensorEntry) -> Result<u64, BundleError> {
    let shape = format!("{field}.shape");
    if entry.shape.contains(&0) || entry.shape.len() > 8 {
        return Err(BundleError::manifest(shape, "at most eight sizes, none of them 0"));
    }
    if entry.dtype == StoredDtype::Q8 && entry.shape.len() < 2 {
        return Err(BundleError::manifest(shape, "a q8 tensor has at least two sizes, [out, in…]"));
    }
    if let Some(error) = &entry.error {
        for (name, value) in [("relative_rms", error.relative_rms), ("worst_block", error.worst_block)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(BundleError::manifest(format!("{field}.error.{name}"), "not a finite number from 0"));
            }
        }
    }
    entry.stored_bytes().ok_or_else(|| BundleError::manifest(shape, "the sizes overflow"))
}

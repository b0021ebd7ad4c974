//! `quantize inspect`: what a bundle holds, by its manifest. No shard is read.

use std::path::Path;

use serde::Serialize;
use showo::bundle::{Bundle, FolderReader, Manifest, ModelKind, block_on, manifest::TensorEntry};
use showo::settings::Judge;

use crate::{
    error::ToolError,
    progress::{human, say},
};

/// Prints tensors, shapes, dtypes, sizes and totals.
pub fn run(folder: &Path, json: bool) -> Result<(), ToolError> {
    let bundle = block_on(Bundle::open(FolderReader::new(folder))).map_err(ToolError::bundle(folder))?;
    if json {
        let report = as_json(bundle.manifest(), bundle.sha256())
            .map_err(|error| ToolError::Json { path: folder.into(), problem: error.to_string() })?;
        say!("{report}")?;
    } else {
        as_text(bundle.manifest(), bundle.sha256())?;
    }
    Ok(())
}

/// The kinds that are there, in load order.
pub fn kinds(manifest: &Manifest) -> impl Iterator<Item = ModelKind> {
    ModelKind::ALL.into_iter().filter(|kind| manifest.models.contains_key(kind))
}

fn bytes(entry: &TensorEntry) -> u64 {
    entry.stored_bytes().unwrap_or(0)
}

fn parameters(manifest: &Manifest, kind: ModelKind) -> u64 {
    manifest.tensors_of(kind).filter_map(|(_, entry)| entry.elements()).map(|elements| elements as u64).sum()
}

/// A dtype as the manifest spells it.
pub fn dtype(entry: &TensorEntry) -> String {
    format!("{:?}", entry.dtype).to_lowercase()
}

/// What `--json` prints. A type rather than a JSON value: going through one would give the error figures f64's digits.
#[derive(Serialize)]
struct Report<'a> {
    sha256: &'a str,
    totals: Totals,
    manifest: &'a Manifest,
}

#[derive(Serialize)]
struct Totals {
    bytes: u64,
    shards: usize,
    models: Vec<ModelTotals>,
}

#[derive(Serialize)]
struct ModelTotals {
    kind: ModelKind,
    tensors: usize,
    parameters: u64,
    bytes: u64,
}

fn as_json(manifest: &Manifest, sha256: &str) -> serde_json::Result<String> {
    let models = kinds(manifest).map(|kind| ModelTotals {
        kind,
        tensors: manifest.tensors_of(kind).count(),
        parameters: parameters(manifest, kind),
        bytes: manifest.bytes_of(kind),
    });
    let totals = Totals { bytes: manifest.bytes(), shards: manifest.shards.len(), models: models.collect() };
    serde_json::to_string_pretty(&Report { sha256, totals, manifest })
}

fn as_text(manifest: &Manifest, sha256: &str) -> Result<(), ToolError> {
    say!("{} · format {} · {} · {}", manifest.name, manifest.format, manifest.created, manifest.licence)?;
    say!("sha256 {sha256}")?;
    for line in &manifest.attribution {
        say!("{line}")?;
    }
    if let Some(judges) = &manifest.judges {
        say!("judges with {}", Judge::list(judges))?;
    }
    for kind in kinds(manifest) {
        say!()?;
        if let Some(model) = manifest.models.get(&kind) {
            say!("{kind} · from {} (sha256 {})", model.source.checkpoint, model.source.sha256)?;
            if let Some(own) = &model.tokenizer {
                say!("  reads words by {}, {}", own.file, human(own.bytes))?;
            }
        }
        let width = manifest.tensors_of(kind).map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, entry) in manifest.tensors_of(kind) {
            let shard = manifest.shards.get(entry.shard).map_or("", |shard| shard.file.as_str());
            let error = entry.error.map_or(String::new(), |error| format!("{:.2e}", error.relative_rms));
            say!(
                "  {name:<width$}  {:<4} {:<20} {:>11}  {shard}  {error}",
                dtype(entry),
                format!("{:?}", entry.shape),
                human(bytes(entry)),
            )?;
        }
        say!(
            "  {} tensors, {} parameters, {}",
            manifest.tensors_of(kind).count(),
            parameters(manifest, kind),
            human(manifest.bytes_of(kind))
        )?;
    }
    say!("\n{} in {} shards, tokenizers included", human(manifest.bytes()), manifest.shards.len())
}

//! `quantize unpack`: a bundle's models as checkpoints in f32, which `convert` and other programs read.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use indicatif::ProgressBar;
use serde_json::{Value, json};
use showo::{
    bundle::{Bundle, FolderReader, Manifest, ModelKind, PartialFolder, block_on},
    load::F32Sink,
};

use crate::{
    error::ToolError,
    inspect::kinds,
    progress::{bytes_bar, say},
};

/// Writes each model of `bundle` into a folder of its own in `out`: `config.json` and `model.safetensors`; with its own tokenizer where it has one; and the generator's.
pub fn run(bundle: &Path, out: &Path) -> Result<(), ToolError> {
    let opened = block_on(Bundle::open(FolderReader::new(bundle))).map_err(ToolError::bundle(bundle))?;
    let folder = PartialFolder::create(out)?;
    let manifest = opened.manifest();
    for kind in kinds(manifest) {
        let place = folder.path().join(folder_of(kind));
        fs::create_dir(&place).map_err(ToolError::io(&place))?;
        write_json(&place.join("config.json"), &manifest.models[&kind].config)?;
        let mut sink = Checkpoint::create(place.join("model.safetensors"), manifest, kind)?;
        let loaded = {
            let mut in_f32 = F32Sink::new(|name: &str, _: &[usize], values: Vec<f32>| sink.write(name, &values));
            block_on(opened.load(kind, &mut in_f32, &mut |_| {}))
        };
        loaded.map_err(|source| match sink.failed.take() {
            Some(error) => error,
            None => ToolError::Bundle { path: bundle.into(), source },
        })?;
        sink.bar.finish_and_clear();
        if let Some(words) = block_on(opened.own_tokenizer_json(kind)).map_err(ToolError::bundle(bundle))? {
            let path = place.join("tokenizer.json");
            fs::write(&path, words).map_err(ToolError::io(&path))?;
        }
        say!("{}: {} tensors in f32", out.join(folder_of(kind)).display(), sink.places.len())?;
    }
    let words = block_on(opened.tokenizer_json()).map_err(ToolError::bundle(bundle))?;
    folder.write("tokenizer.json", words.as_bytes())?;
    folder.finish()?;
    Ok(())
}

/// A colon is no letter of file names everywhere.
fn folder_of(kind: ModelKind) -> String {
    kind.word().replace(':', "-")
}

fn write_json(path: &Path, value: &Value) -> Result<(), ToolError> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| ToolError::Json { path: path.into(), problem: error.to_string() })?;
    fs::write(path, text).map_err(ToolError::io(path))
}

/// Writes tensors to their places in a safetensors file as they come; no more than one is in memory.
struct Checkpoint {
    path: PathBuf,
    file: File,
    /// Where each tensor begins in the file.
    places: BTreeMap<String, u64>,
    bar: ProgressBar,
    /// What the bundle's reader cannot carry.
    failed: Option<ToolError>,
}

impl Checkpoint {
    fn create(path: PathBuf, manifest: &Manifest, kind: ModelKind) -> Result<Self, ToolError> {
        let mut header = serde_json::Map::new();
        let mut offsets = BTreeMap::new();
        let mut end = 0u64;
        for (name, entry) in manifest.tensors_of(kind) {
            let bytes = 4 * entry.elements().unwrap_or(0) as u64;
            let tensor = json!({ "dtype": "F32", "shape": entry.shape, "data_offsets": [end, end + bytes] });
            header.insert(name.to_owned(), tensor);
            offsets.insert(name.to_owned(), end);
            end += bytes;
        }
        let mut text = Value::Object(header).to_string();
        // Values begin at a multiple of their own size.
        text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
        let first = 8 + text.len() as u64;
        let mut file = File::create(&path).map_err(ToolError::io(&path))?;
        file.write_all(&(text.len() as u64).to_le_bytes())
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.set_len(first + end))
            .map_err(ToolError::io(&path))?;
        let places = offsets.into_iter().map(|(name, offset)| (name, first + offset)).collect();
        Ok(Self { path, file, places, bar: bytes_bar(end), failed: None })
    }

    fn write(&mut self, name: &str, values: &[f32]) -> Result<(), String> {
        let place = *self.places.get(name).ok_or("the manifest does not list it")?;
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let written = self.file.seek(SeekFrom::Start(place)).and_then(|_| self.file.write_all(&bytes));
        self.bar.inc(bytes.len() as u64);
        written.map_err(|source| {
            let text = source.to_string();
            self.failed = Some(ToolError::Io { path: self.path.clone(), source });
            text
        })
    }
}

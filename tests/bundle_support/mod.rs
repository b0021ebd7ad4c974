//! A small bundle, and the ways to spoil it.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::{cell::RefCell, collections::BTreeMap, fs, path::Path, sync::LazyLock};

use half::f16;
use sha2::{Digest, Sha256};
use showo::bundle::{
    About, Bundle, BundleError, BundleWriter, MemoryReader, ModelKind, Reader, TensorSink, block_on,
    manifest::{Source, TensorError, World},
};

/// What a sink received.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    Float(Vec<usize>, Vec<f32>),
    Q8(Vec<usize>, Vec<i8>, Vec<f16>),
}

/// Keeps everything.
#[derive(Debug, Default)]
pub struct Collect(pub BTreeMap<String, Received>);

impl TensorSink for Collect {
    fn float(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), String> {
        self.0.insert(name.into(), Received::Float(shape.into(), values));
        Ok(())
    }

    fn q8(&mut self, name: &str, shape: &[usize], q: &[i8], scale: &[f16]) -> Result<(), String> {
        self.0.insert(name.into(), Received::Q8(shape.into(), q.into(), scale.into()));
        Ok(())
    }
}

pub const TOKENIZER: &str = r#"{"model": {"type": "WordLevel"}}"#;
pub const COST: TensorError = TensorError { relative_rms: 0.005, worst_block: 0.01 };

pub fn source() -> Source {
    Source { checkpoint: "tiny.safetensors".into(), sha256: "0".repeat(64) }
}

pub fn about() -> About {
    About {
        name: "tiny".into(),
        licence: "MIT OR Apache-2.0".into(),
        attribution: vec!["Drawings by somebody, CC-BY-4.0".into()],
        world: Some(World::Shapes),
        decoding: None,
        judges: None,
    }
}

/// What [`write`] puts into model `showo`: 70 inputs, so that the last block of a row is not full.
pub fn showo() -> BTreeMap<String, Received> {
    let q = (0..8 * 70).map(|i| (i % 255 - 127) as i8).collect();
    let scale = (0..8 * 3).map(|i| f16::from_f32(i as f32 / 64.0)).collect();
    let half = (0..12).map(|i| i as f32 / 4.0).collect();
    BTreeMap::from([
        ("head.weight".to_string(), Received::Q8(vec![8, 70], q, scale)),
        ("head.bias".to_string(), Received::Float(vec![5], vec![0.1, -0.2, 0.3, -0.4, 0.5])),
        ("embed".to_string(), Received::Float(vec![3, 4], half)),
    ])
}

/// And into model `magvit`: a convolution over 2 channels of 3×3, flattened to 18 inputs.
pub fn magvit() -> BTreeMap<String, Received> {
    let q = (0..4 * 18).map(|i| (i % 100) as i8).collect();
    BTreeMap::from([("conv".to_string(), Received::Q8(vec![4, 2, 3, 3], q, vec![f16::from_f32(0.5); 4]))])
}

pub fn write(folder: &Path) {
    let mut writer = BundleWriter::create(folder, about()).unwrap();
    for (kind, tensors) in [(ModelKind::SHOWO, showo()), (ModelKind::Magvit, magvit())] {
        writer.model(kind, serde_json::json!({ "hidden_size": 64 }), source()).unwrap();
        for (name, tensor) in tensors {
            match tensor {
                Received::Q8(shape, q, scale) => writer.q8(&name, &shape, &q, &scale, COST).unwrap(),
                Received::Float(shape, values) if name == "embed" => {
                    let values: Vec<_> = values.into_iter().map(f16::from_f32).collect();
                    writer.f16(&name, &shape, &values, COST).unwrap();
                }
                Received::Float(shape, values) => writer.f32(&name, &shape, &values).unwrap(),
            }
        }
    }
    writer.finish(TOKENIZER.as_bytes()).unwrap();
}

/// The small bundle in memory; written once, because the writer waits for the disk.
pub fn sample() -> MemoryReader {
    static SAMPLE: LazyLock<MemoryReader> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("tiny");
        write(&target);
        in_memory(&target)
    });
    SAMPLE.clone()
}

pub fn in_memory(folder: &Path) -> MemoryReader {
    let files = fs::read_dir(folder).unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    });
    MemoryReader { files: files.collect() }
}

/// Rewrites the manifest.
pub fn edit_manifest(reader: &mut MemoryReader, edit: impl FnOnce(&mut serde_json::Value)) {
    let json = reader.files.get_mut("manifest.json").unwrap();
    let mut value = serde_json::from_slice(json).unwrap();
    edit(&mut value);
    *json = serde_json::to_vec(&value).unwrap();
}

/// Replaces a file and makes the manifest's length and hash agree with it: what is left to catch it is its content.
pub fn replace_sealed(reader: &mut MemoryReader, file: &str, bytes: Vec<u8>) {
    let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    edit_manifest(reader, |manifest| {
        let shards = manifest["shards"].as_array().unwrap().len();
        let places: Vec<String> =
            (0..shards).map(|i| format!("/shards/{i}")).chain(["/tokenizer".to_string()]).collect();
        for place in places {
            let entry = manifest.pointer_mut(&place).unwrap();
            if entry["file"] == file {
                entry["bytes"] = bytes.len().into();
                entry["sha256"] = sha256.clone().into();
            }
        }
    });
    reader.files.insert(file.into(), bytes);
}

/// A safetensors file of this header and these data, as they are.
pub fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

/// The header of a file, as JSON, and its data.
pub fn split(file: &[u8]) -> (serde_json::Value, Vec<u8>) {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&file[8..8 + length]).unwrap(), file[8 + length..].to_vec())
}

pub fn open(reader: &MemoryReader) -> Result<Bundle<&MemoryReader>, BundleError> {
    block_on(Bundle::open(reader))
}

/// Opens the bundle and loads all of it.
pub fn load_all(reader: &MemoryReader) -> Result<(), BundleError> {
    let bundle = open(reader)?;
    for &kind in bundle.manifest().models.keys() {
        block_on(bundle.load(kind, &mut Collect::default(), &mut |_| {}))?;
    }
    block_on(bundle.tokenizer_json())?;
    Ok(())
}

/// A cache with a bad copy: the right bytes come only after a refresh, if ever.
pub struct Stale {
    bad: MemoryReader,
    good: Option<MemoryReader>,
    pub reads: RefCell<Vec<String>>,
    pub refreshed: RefCell<Vec<String>>,
}

impl Stale {
    pub fn new(bad: MemoryReader, good: Option<MemoryReader>) -> Self {
        Self { bad, good, reads: RefCell::default(), refreshed: RefCell::default() }
    }
}

impl Reader for Stale {
    async fn read(&self, file: &str, _: Option<u64>, on_piece: &mut dyn FnMut(&[u8])) -> Result<(), BundleError> {
        self.reads.borrow_mut().push(file.into());
        let fresh = self.refreshed.borrow().iter().any(|refreshed| refreshed == file);
        let from = self.good.as_ref().filter(|_| fresh).unwrap_or(&self.bad);
        from.read(file, None, on_piece).await
    }

    async fn refresh(&self, file: &str) {
        self.refreshed.borrow_mut().push(file.into());
    }
}

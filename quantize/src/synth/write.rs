//! A model's tensors into safetensors files, a piece at a time.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

use indicatif::ProgressBar;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::values::{self, Dtype, Spread};
use crate::{
    error::ToolError,
    interrupt,
    layout::{Expected, ModelConfig},
};

/// Bytes that one core makes at a time.
const PIECE_BYTES: usize = 1 << 18;

/// Bytes that are made before they are written.
const BATCH_BYTES: usize = 1 << 24;

/// LFQ's table of entries, a buffer of the public checkpoint.
const TABLE: &str = "quantize.embedding";

/// Which tensor goes into which file.
pub struct Plan {
    files: Vec<Vec<Item>>,
    layers: usize,
}

/// A tensor and what it is filled with.
struct Item {
    tensor: Expected,
    content: Content,
}

#[derive(Clone, Copy)]
enum Content {
    /// Random values.
    Random(Dtype),
    /// LFQ's table: row `code` holds the code's bits as ±1, most significant first.
    Bits(Dtype),
    /// LFQ's weights of the bits, 64-bit integers.
    Powers,
}

impl Item {
    fn dtype(&self) -> &'static str {
        match self.content {
            Content::Random(dtype) | Content::Bits(dtype) => dtype.name(),
            Content::Powers => "I64",
        }
    }

    fn size(&self) -> usize {
        match self.content {
            Content::Random(dtype) | Content::Bits(dtype) => dtype.bytes(),
            Content::Powers => 8,
        }
    }

    fn elements(&self) -> usize {
        self.tensor.shape.iter().product()
    }

    fn bytes(&self) -> u64 {
        (self.elements() * self.size()) as u64
    }

    /// Fills `out` with the values from `first` on.
    fn fill(&self, first: usize, out: &mut [u8], seed: u64, layers: usize) {
        let count = out.len() / self.size();
        let width = self.tensor.shape.last().copied().unwrap_or(1).max(1);
        match self.content {
            Content::Random(dtype) => {
                let (key, spread) = (values::key(seed, &self.tensor.name), Spread::of(&self.tensor, layers));
                dtype.put(out, (first..first + count).map(|place| values::value(key, place as u64, spread)));
            }
            Content::Bits(dtype) => {
                let bit = |place: usize| ((place / width) >> (width - 1 - place % width)) & 1;
                dtype.put(out, (first..first + count).map(|place| if bit(place) == 1 { 1.0 } else { -1.0 }));
            }
            Content::Powers => {
                let powers = (first..first + count).map(|place| 1i64 << (width - 1 - place));
                out.as_chunks_mut().0.iter_mut().zip(powers).for_each(|(out, power)| *out = power.to_le_bytes());
            }
        }
    }
}

impl Plan {
    /// Every tensor of the model and the buffers of its public checkpoint; a new file begins where one would grow
    /// beyond `shard_bytes`.
    pub fn new(config: &ModelConfig, dtype: Dtype, shard_bytes: Option<u64>) -> Self {
        let mut items: Vec<Item> =
            config.tensors().into_iter().map(|tensor| Item { tensor, content: Content::Random(dtype) }).collect();
        let layers = match config {
            ModelConfig::Showo(config) => config.num_hidden_layers,
            ModelConfig::Preview(config) => config.num_res_blocks,
            ModelConfig::Clip(config) => config.vision_config.num_hidden_layers,
            ModelConfig::Reward(config) => config.num_hidden_layers,
            ModelConfig::Magvit(config) => {
                let bits = config.z_channels;
                let table = Expected { name: TABLE.into(), shape: vec![config.codebook_size(), bits] };
                let powers = Expected { name: "quantize.power_vals".into(), shape: vec![bits] };
                items.push(Item { tensor: table, content: Content::Bits(dtype) });
                items.push(Item { tensor: powers, content: Content::Powers });
                config.decoder_num_res_blocks.iter().sum()
            }
        };
        let mut files: Vec<Vec<Item>> = vec![Vec::new()];
        let mut held = 0;
        for item in items {
            if held > 0 && shard_bytes.is_some_and(|most| held + item.bytes() > most) {
                files.push(Vec::new());
                held = 0;
            }
            held += item.bytes();
            if let Some(file) = files.last_mut() {
                file.push(item);
            }
        }
        // 64-bit integers first, so that every tensor lies aligned.
        for file in &mut files {
            file.sort_by_key(|item| std::cmp::Reverse(item.size()));
        }
        Self { files, layers }
    }

    /// Tensors in all files.
    pub fn tensors(&self) -> usize {
        self.files.iter().map(Vec::len).sum()
    }

    /// Their elements.
    pub fn parameters(&self) -> usize {
        self.files.iter().flatten().map(Item::elements).sum()
    }

    /// Their bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().flatten().map(Item::bytes).sum()
    }

    /// Files.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// Writes the files, their index where there are several, and `config.json`.
    pub fn write(&self, folder: &Path, config: &Value, seed: u64, bar: &ProgressBar) -> Result<(), ToolError> {
        fs::create_dir(folder).map_err(ToolError::io(folder))?;
        let count = self.files.len();
        let mut places = serde_json::Map::new();
        for (index, items) in self.files.iter().enumerate() {
            let name = match count {
                1 => "model.safetensors".to_string(),
                _ => format!("model-{:05}-of-{count:05}.safetensors", index + 1),
            };
            let path = folder.join(&name);
            self.write_file(&path, items, seed, bar)?;
            places.extend(items.iter().map(|item| (item.tensor.name.clone(), name.clone().into())));
        }
        let small = |name: &str, json: &Value| {
            let path = folder.join(name);
            fs::write(&path, format!("{json:#}\n")).map_err(ToolError::io(&path))
        };
        if count > 1 {
            let index = json!({ "metadata": { "total_size": self.bytes() }, "weight_map": places });
            small("model.safetensors.index.json", &index)?;
        }
        small("config.json", config)
    }

    fn write_file(&self, path: &Path, items: &[Item], seed: u64, bar: &ProgressBar) -> Result<(), ToolError> {
        let mut file = File::create_new(path).map_err(ToolError::io(path))?;
        let mut write = |bytes: &[u8]| file.write_all(bytes).map_err(ToolError::io(path));
        let header = header(items);
        write(&(header.len() as u64).to_le_bytes())?;
        write(&header)?;
        let mut batch = Vec::with_capacity(BATCH_BYTES);
        for item in items {
            let (size, mut done, bytes) = (item.size(), 0, item.elements() * item.size());
            while done < bytes {
                interrupt::check()?;
                batch.resize(BATCH_BYTES.min(bytes - done), 0u8);
                batch.par_chunks_mut(PIECE_BYTES).enumerate().for_each(|(piece, out)| {
                    item.fill((done + piece * PIECE_BYTES) / size, out, seed, self.layers);
                });
                write(&batch)?;
                done += batch.len();
                bar.inc(batch.len() as u64);
            }
        }
        file.sync_all().map_err(ToolError::io(path))
    }
}

/// The safetensors header, padded with spaces to a multiple of 8.
fn header(items: &[Item]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), json!({ "format": "pt" }));
    let mut start = 0;
    for item in items {
        let end = start + item.bytes();
        let entry = json!({ "dtype": item.dtype(), "shape": item.tensor.shape, "data_offsets": [start, end] });
        header.insert(item.tensor.name.clone(), entry);
        start = end;
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    header
}

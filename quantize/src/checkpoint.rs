//! Checkpoints: which tensors a file holds, and any run of one tensor's values, read where it lies.
//!
//! Nothing is read whole: a tensor of the real Show-o is half a gigabyte in f32, and both cores read their own part.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
};

use half::{bf16, f16};
use sha2::{Digest, Sha256};
use showo::bundle::header::{self, Dtype, PREFIX_BYTES, TensorInfo};

use crate::error::ToolError;

/// Integer tensors that public checkpoints carry although they hold no weights: every network computes them from its
/// configuration. By model kind and name; they are left out of the bundle.
const COMPUTED: [(&str, &str); 3] = [
    ("magvit", "quantize.power_vals"),
    ("clip", "text_model.embeddings.position_ids"),
    ("clip", "vision_model.embeddings.position_ids"),
];

/// An open checkpoint. Every tensor in it is f32, f16 or bf16, and lies inside its file.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    tensors: BTreeMap<String, TensorInfo>,
    left_out: Vec<String>,
}

impl Checkpoint {
    /// Opens a `.safetensors` file that holds a model of this kind, and checks its header.
    ///
    /// # Errors
    /// A file that is missing, truncated, not safetensors, empty, or whose header lies; a tensor that is not of
    /// floating point, by name.
    pub fn open(path: &Path, kind: &str) -> Result<Self, ToolError> {
        let refused = |problem: &str| ToolError::Checkpoint { path: path.into(), problem: problem.into() };
        let header_error = |source| ToolError::Header { path: path.into(), source };
        let mut file = File::open(path).map_err(ToolError::io(path))?;
        let metadata = file.metadata().map_err(ToolError::io(path))?;
        if !metadata.is_file() {
            return Err(refused("is not a file; name the .safetensors file itself"));
        }
        let file_bytes = metadata.len();
        let mut prefix = [0; PREFIX_BYTES as usize];
        if file_bytes < PREFIX_BYTES {
            return Err(header_error(header::HeaderError::Truncated { needed: PREFIX_BYTES, found: file_bytes }));
        }
        file.read_exact(&mut prefix).map_err(ToolError::io(path))?;
        let header_bytes = header::header_bytes(prefix, file_bytes).map_err(header_error)?;
        let mut json = Vec::new();
        file.take(header_bytes).read_to_end(&mut json).map_err(ToolError::io(path))?;
        let mut tensors = header::parse(&json, file_bytes).map_err(header_error)?;
        if tensors.is_empty() {
            return Err(refused("holds no tensor"));
        }
        let is_float = |info: &TensorInfo| matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::Bf16);
        let is_computed = |name: &str, info: &TensorInfo| COMPUTED.contains(&(kind, name)) && !is_float(info);
        let left_out = tensors.extract_if(.., |name, info| is_computed(name, info)).map(|(name, _)| name).collect();
        let checkpoint = Self { path: path.into(), tensors, left_out };
        for (name, info) in &checkpoint.tensors {
            if !is_float(info) {
                let problem = format!("{} is not a dtype of weights; f32, f16 and bf16 are read", info.dtype.name());
                return Err(checkpoint.bad(name, problem));
            }
            if info.elements() == 0 {
                return Err(checkpoint.bad(name, format!("has no elements (shape {:?})", info.shape)));
            }
        }
        Ok(checkpoint)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its file name, as the manifest will give it.
    pub fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.tensors
    }

    /// Integer tensors in the file that every network computes for itself, and that no bundle holds.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Bytes of all tensors, as they lie in the file.
    pub fn data_bytes(&self) -> u64 {
        self.tensors.values().map(|info| info.bytes).sum()
    }

    /// A run of one tensor's values, row-major, as f32.
    ///
    /// # Errors
    /// An unknown tensor, a run outside it, an unreadable file, NaN or infinity.
    pub fn read(&self, name: &str, run: Range<usize>) -> Result<Vec<f32>, ToolError> {
        let info = self.tensors.get(name).ok_or_else(|| self.bad(name, "is not in the checkpoint"))?;
        if run.start > run.end || run.end > info.elements() {
            return Err(self.bad(name, format!("has {} elements, {run:?} are asked for", info.elements())));
        }
        let size = info.dtype.bytes();
        let mut bytes = vec![0; run.len() * size];
        // A handle of its own: two threads that share one would move each other's place.
        let mut file = File::open(&self.path).map_err(ToolError::io(&self.path))?;
        file.seek(SeekFrom::Start(info.start + (run.start * size) as u64)).map_err(ToolError::io(&self.path))?;
        file.read_exact(&mut bytes).map_err(ToolError::io(&self.path))?;
        let values: Vec<f32> = match info.dtype {
            Dtype::F16 => bytes.as_chunks().0.iter().map(|&value| f16::from_le_bytes(value).to_f32()).collect(),
            Dtype::Bf16 => bytes.as_chunks().0.iter().map(|&value| bf16::from_le_bytes(value).to_f32()).collect(),
            _ => bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect(),
        };
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => {
                Err(self.bad(name, format!("element {} is {}: the checkpoint is broken", run.start + at, values[at])))
            }
            None => Ok(values),
        }
    }

    /// The file's SHA-256, 64 lowercase hexadecimal digits. `on_progress` gets the bytes of every piece.
    ///
    /// # Errors
    /// An unreadable file.
    pub fn sha256(&self, mut on_progress: impl FnMut(u64)) -> Result<String, ToolError> {
        let mut file = File::open(&self.path).map_err(ToolError::io(&self.path))?;
        let mut hash = Sha256::new();
        let mut piece = vec![0; 1 << 20];
        loop {
            match file.read(&mut piece).map_err(ToolError::io(&self.path))? {
                0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
                read => {
                    hash.update(&piece[..read]);
                    on_progress(read as u64);
                }
            }
        }
    }

    /// An error of one tensor of this checkpoint.
    pub fn bad(&self, tensor: &str, problem: impl Into<String>) -> ToolError {
        ToolError::Tensor { path: self.path.clone(), tensor: tensor.into(), problem: problem.into() }
    }
}

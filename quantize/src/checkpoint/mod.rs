//! Checkpoints: which tensors they hold, and any run of one tensor's values, read where it lies.
//!
//! Nothing is read whole: a tensor of the real Show-o is half a gigabyte in f32, and both cores read their own part.
//! A safetensors file and a PyTorch archive both hold their tensors as plain bytes at an offset; what differs is how
//! a file says where.
//!
//! | file | its one idea |
//! |---|---|
//! | `mod.rs` | [`Checkpoint`]: tensors by name, read where they lie |
//! | `files.rs` | which files make a checkpoint |
//! | `names.rs` | names as the network has them, whatever wrapped it when it was saved |
//! | `format.rs` | what a file is, by what it begins with |
//! | `safetensors.rs` | a `.safetensors` header |
//! | `torch.rs` | PyTorch's zip archives |
//! | `pickle.rs`, `pickle/` | a pickle as a state dict, of which nothing is called |

mod files;
mod format;
mod names;
mod pickle;
mod safetensors;
mod torch;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
};

use half::{bf16, f16};
use sha2::{Digest, Sha256};
use showo::bundle::ModelKind;
use showo::bundle::header::{Dtype, TensorInfo};

use crate::{error::ToolError, interrupt, layout::ModelConfig, public};

/// One tensor of a checkpoint.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// Its file, an index into the checkpoint's.
    file: usize,
    /// Dtype, shape and place in the file.
    pub info: TensorInfo,
}

/// An open checkpoint of one or several files. Every tensor in it is f32, f16 or bf16, and lies inside its file.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    files: Vec<PathBuf>,
    tensors: BTreeMap<String, Tensor>,
    left_out: BTreeMap<String, &'static str>,
    notes: Vec<String>,
}

impl Checkpoint {
    /// Opens what `path` names (a safetensors or PyTorch file, an index of several, or a folder with one of these), which
    /// holds a model of this kind with tensors of the `expected` names, and checks every header.
    ///
    /// # Errors
    /// A file that is missing, truncated, in no known format, empty, or whose header lies; a pickle with anything but
    /// tensors; an index that contradicts its files; a tensor that is not of floating point; names that could be read
    /// in two ways. By name.
    pub fn open(path: &Path, kind: ModelKind, expected: &BTreeSet<String>) -> Result<Self, ToolError> {
        let found = files::find(path)?;
        let mut notes: Vec<String> = found.note.into_iter().collect();
        let mut raw: BTreeMap<String, Tensor> = BTreeMap::new();
        for (file, path) in found.weights.iter().enumerate() {
            let content = format::read(path)?;
            notes.extend(content.note);
            for (name, info) in content.tensors {
                if let Some(other) = raw.get(&name) {
                    let problem = format!("is in {}, too", found.weights[other.file].display());
                    return Err(ToolError::Tensor { path: path.clone(), tensor: name, problem });
                }
                raw.insert(name, Tensor { file, info });
            }
        }
        if let Some((index, places)) = found.index {
            agree(&found.weights, &raw, &index, &places)?;
        }
        let refused = |problem: String| ToolError::Checkpoint { path: path.into(), problem };
        let (names, note) = names::as_the_network_has_them(raw.keys(), expected).map_err(refused)?;
        notes.extend(note);
        let mut tensors = BTreeMap::new();
        let mut left_out = BTreeMap::new();
        for (name, tensor) in raw {
            let name = names.get(&name).cloned().unwrap_or(name);
            if let Some(reason) = public::left_out(kind, &name) {
                left_out.insert(name, reason);
                continue;
            }
            let Tensor { file, info } = &tensor;
            let bad = |problem: String| {
                let path = found.weights[*file].clone();
                Err(ToolError::Tensor { path, tensor: name.clone(), problem })
            };
            if !matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::Bf16) {
                let dtype = info.dtype.name();
                return bad(format!("{dtype} is not a dtype of weights; f32, f16 and bf16 are read"));
            }
            if info.elements() == 0 {
                return bad(format!("has no elements (shape {:?})", info.shape));
            }
            tensors.insert(name, tensor);
        }
        if tensors.is_empty() {
            return Err(refused("holds no tensor".into()));
        }
        Ok(Self { path: path.into(), files: found.weights, tensors, left_out, notes })
    }

    /// The checkpoint must hold every tensor of the model and no other, in the right shapes.
    ///
    /// # Errors
    /// The first tensor that is missing, misshapen or surplus, by name.
    pub fn fits(&self, config: &ModelConfig) -> Result<(), ToolError> {
        let mut left: BTreeMap<&str, &Tensor> =
            self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        for expected in config.tensors() {
            let Some(tensor) = left.remove(expected.name.as_str()) else {
                let shape = &expected.shape;
                let hint = self.shorter(&expected.name);
                let problem = format!("is missing; its shape by the configuration is {shape:?}{hint}");
                return Err(self.bad(&expected.name, problem));
            };
            // A scalar may be stored as one element.
            let scalar = expected.shape.is_empty() && tensor.info.shape == [1];
            if tensor.info.shape != expected.shape && !scalar {
                let (found, wanted) = (&tensor.info.shape, &expected.shape);
                let problem = format!("has the shape {found:?}, but {wanted:?} by the configuration");
                return Err(self.bad(&expected.name, problem));
            }
        }
        match left.keys().next() {
            Some(name) => {
                let others = match left.len() - 1 {
                    0 => String::new(),
                    others => format!(", like {others} other{}", if others == 1 { "" } else { "s" }),
                };
                Err(self.bad(name, format!("is not a part of the model by its configuration{others}")))
            }
            None => Ok(()),
        }
    }

    /// For a tensor that is missing: the one that has the rest of its name, if there is one.
    fn shorter(&self, name: &str) -> String {
        let rests = name.match_indices('.').map(|(at, _)| (&name[..=at], &name[at + 1..]));
        // One word may be the end of anything.
        let mut there = rests.filter(|(_, rest)| rest.contains('.') && self.tensors.contains_key(*rest));
        there.next().map_or(String::new(), |(prefix, rest)| {
            format!(". {rest} is there: save the names with `{prefix}` before them, as the whole model has them")
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its file or folder name, as the manifest will give it.
    pub fn name(&self) -> String {
        // `.` and `..` have names of their own, which only the system knows.
        let named = self.path.file_name().map(ToOwned::to_owned);
        let named = named.or_else(|| Some(self.path.canonicalize().ok()?.file_name()?.to_owned()));
        named.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// Tensors of the files that no bundle holds, and why.
    pub fn left_out(&self) -> &BTreeMap<String, &'static str> {
        &self.left_out
    }

    /// What was chosen or passed over on the way, for people.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Bytes of all tensors, as they lie in the files.
    pub fn data_bytes(&self) -> u64 {
        self.tensors.values().map(|tensor| tensor.info.bytes).sum()
    }

    /// A run of one tensor's values, row-major, as f32.
    ///
    /// # Errors
    /// An unknown tensor, a run outside it, an unreadable file, NaN or infinity.
    pub fn read(&self, name: &str, run: Range<usize>) -> Result<Vec<f32>, ToolError> {
        interrupt::check()?;
        let Tensor { file, info } = self.tensors.get(name).ok_or_else(|| self.bad(name, "is not in the checkpoint"))?;
        if run.start > run.end || run.end > info.elements() {
            return Err(self.bad(name, format!("has {} elements, {run:?} are asked for", info.elements())));
        }
        let size = info.dtype.bytes();
        let mut bytes = vec![0; run.len() * size];
        read_at(&self.files[*file], info.start + (run.start * size) as u64, &mut bytes)?;
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

    /// The SHA-256, 64 lowercase hexadecimal digits: of the file; of several, that of what `sha256sum` prints of
    /// them. `on_progress` gets the bytes of every piece.
    ///
    /// # Errors
    /// An unreadable file.
    pub fn sha256(&self, mut on_progress: impl FnMut(u64)) -> Result<String, ToolError> {
        if let [file] = &self.files[..] {
            return hash_file(file, &mut on_progress);
        }
        let mut lines = String::new();
        for file in &self.files {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            lines += &format!("{}  {name}\n", hash_file(file, &mut on_progress)?);
        }
        Ok(hex(&Sha256::digest(lines)))
    }

    /// An error of one tensor of this checkpoint.
    pub fn bad(&self, tensor: &str, problem: impl Into<String>) -> ToolError {
        let file = self.tensors.get(tensor).and_then(|tensor| self.files.get(tensor.file));
        let path = match (file, &self.files[..]) {
            (Some(file), _) => file.clone(),
            (None, [only]) => only.clone(),
            (None, _) => self.path.clone(),
        };
        ToolError::Tensor { path, tensor: tensor.into(), problem: problem.into() }
    }
}

/// An index must name every tensor, each in the file in which it is.
fn agree(
    files: &[PathBuf],
    tensors: &BTreeMap<String, Tensor>,
    index: &Path,
    places: &BTreeMap<String, usize>,
) -> Result<(), ToolError> {
    let bad = |tensor: &str, problem: String| ToolError::Tensor { path: index.into(), tensor: tensor.into(), problem };
    for (name, &file) in places {
        let place = files[file].display();
        match tensors.get(name) {
            Some(tensor) if tensor.file == file => {}
            Some(tensor) => {
                let found = files[tensor.file].display();
                return Err(bad(name, format!("should be in {place}, but is in {found}")));
            }
            None => return Err(bad(name, format!("should be in {place}, but is not"))),
        }
    }
    match tensors.iter().find(|(name, _)| !places.contains_key(*name)) {
        Some((name, tensor)) => Err(bad(name, format!("is in {}, but not in the index", files[tensor.file].display()))),
        None => Ok(()),
    }
}

/// Fills `bytes` from an offset. A handle of its own: two threads that share one would move each other's place.
fn read_at(path: &Path, start: u64, bytes: &mut [u8]) -> Result<(), ToolError> {
    let mut file = File::open(path).map_err(ToolError::io(path))?;
    file.seek(SeekFrom::Start(start)).map_err(ToolError::io(path))?;
    file.read_exact(bytes).map_err(ToolError::io(path))
}

fn hash_file(path: &Path, on_progress: &mut impl FnMut(u64)) -> Result<String, ToolError> {
    let mut file = File::open(path).map_err(ToolError::io(path))?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    loop {
        interrupt::check()?;
        match file.read(&mut piece).map_err(ToolError::io(path))? {
            0 => return Ok(hex(&hash.finalize())),
            read => {
                hash.update(&piece[..read]);
                on_progress(read as u64);
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! What a file is, by what it begins with. Its name says nothing: PyTorch's files are called `.safetensors`, and the other
//! way round.

use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

use showo::bundle::header::{MAX_HEADER_BYTES, TensorInfo};
use showo::stand_in::{LOOKED_AT, StandIn};

use super::{safetensors, torch};
use crate::error::ToolError;

/// What one file holds.
pub struct Content {
    /// The tensors by name, and where their bytes lie.
    pub tensors: BTreeMap<String, TensorInfo>,
    /// Where in the file they were found, for people.
    pub note: Option<String>,
}

/// The tensors of one file.
///
/// # Errors
/// Something else in the file's place; whatever its format refuses.
pub fn read(path: &Path) -> Result<Content, ToolError> {
    let mut beginning = Vec::new();
    let file = File::open(path).map_err(ToolError::io(path))?;
    file.take(LOOKED_AT as u64).read_to_end(&mut beginning).map_err(ToolError::io(path))?;
    if is_safetensors(&beginning) {
        return safetensors::read(path).map(|tensors| Content { tensors, note: None });
    }
    if let Some(found) = StandIn::of_weights(&beginning) {
        return Err(ToolError::Checkpoint { path: path.into(), problem: found.to_string() });
    }
    // What is cut off so early that it looks like nothing is called what its name promises.
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let named_so = matches!(extension.as_str(), "bin" | "pt" | "pth" | "ckpt");
    if beginning.starts_with(&torch::MAGIC) || is_pickle(&beginning) || named_so {
        torch::read(path)
    } else {
        safetensors::read(path).map(|tensors| Content { tensors, note: None })
    }
}

/// A length that a header may have, and the header's first letter.
fn is_safetensors(beginning: &[u8]) -> bool {
    beginning.split_first_chunk().is_some_and(|(length, header)| {
        u64::from_le_bytes(*length) <= MAX_HEADER_BYTES && header.first() == Some(&b'{')
    })
}

/// PROTO and a version: what `torch.save` wrote before PyTorch 1.6.
fn is_pickle(beginning: &[u8]) -> bool {
    matches!(beginning, [0x80, 1..=5, ..])
}

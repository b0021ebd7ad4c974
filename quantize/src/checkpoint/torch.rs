//! PyTorch's `.bin` and `.pt`: a zip archive of a pickle and, uncompressed, one file for each storage.
//!
//! `NAME/data.pkl` says which tensors there are and in which storage each lies; `NAME/data/KEY` is a storage.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use showo::bundle::header::TensorInfo;
use zip::{CompressionMethod, ZipArchive};

use super::format::Content;
use super::pickle::{self, Tensor};
use crate::error::ToolError;

/// The first bytes of every zip archive.
pub const MAGIC: [u8; 4] = *b"PK\x03\x04";

/// Every tensor of the file, and where its bytes lie.
///
/// # Errors
/// Anything but a zip archive as `torch.save` writes it; a pickle with anything but tensors; a tensor that does not
/// lie in its storage, or not in one piece.
pub fn read(path: &Path) -> Result<Content, ToolError> {
    let refused = |problem: String| ToolError::Checkpoint { path: path.into(), problem };
    let file = File::open(path).map_err(ToolError::io(path))?;
    let file_bytes = file.metadata().map_err(ToolError::io(path))?.len();
    let mut reader = BufReader::new(file);
    let mut first = Vec::new();
    reader.by_ref().take(4).read_to_end(&mut first).map_err(ToolError::io(path))?;
    if first != MAGIC {
        return Err(refused(
            "not a zip archive, as torch.save writes since PyTorch 1.6: it is truncated, or older; load it with \
             torch.load(…, weights_only=True) and save it again"
                .into(),
        ));
    }
    let mut archive =
        ZipArchive::new(reader).map_err(|error| refused(format!("its zip archive is broken or truncated: {error}")))?;
    let pickles: Vec<String> =
        archive.file_names().filter_map(|name| Some(name.strip_suffix("/data.pkl")?.to_string())).collect();
    let [prefix] = &pickles[..] else {
        return Err(refused(format!("its zip archive holds {} files data.pkl, not one", pickles.len())));
    };
    let byte_order = entry(&mut archive, &format!("{prefix}/byteorder"));
    if let Some(order) = byte_order.filter(|place| place.bytes <= 16) {
        let order = bytes(path, order)?;
        if order != b"little" {
            let problem = format!("its numbers are {}-endian; little is read", String::from_utf8_lossy(&order));
            return Err(refused(problem));
        }
    }
    let name = format!("{prefix}/data.pkl");
    let place = entry(&mut archive, &name)
        .ok_or_else(|| refused(format!("{name} cannot be read: it is compressed, or the archive is broken")))?;
    if place.bytes > pickle::MAX_BYTES {
        return Err(refused(format!("{name} is {} bytes long; a state dict's is much shorter", place.bytes)));
    }
    if place.start.saturating_add(place.bytes) > file_bytes {
        return Err(refused("its zip archive is truncated".into()));
    }
    let pickle::StateDict { tensors, note } =
        pickle::state_dict(&bytes(path, place)?).map_err(|error| refused(error.to_string()))?;
    let mut found = BTreeMap::new();
    for (name, tensor) in tensors {
        let bad = |problem: String| ToolError::Tensor { path: path.into(), tensor: name.clone(), problem };
        let storage = format!("{prefix}/data/{}", tensor.key);
        let place = entry(&mut archive, &storage)
            .ok_or_else(|| bad(format!("its storage {storage} is missing from the archive, or compressed")))?;
        let info = locate(&tensor, &place, file_bytes).map_err(|problem| bad(format!("{problem} ({storage})")))?;
        found.insert(name, info);
    }
    let note = note.map(|note| format!("{}: {note}", path.display()));
    Ok(Content { tensors: found, note })
}

/// Where an archive's file lies.
struct Place {
    start: u64,
    bytes: u64,
}

/// An uncompressed file of the archive.
fn entry<R: Read + std::io::Seek>(archive: &mut ZipArchive<R>, name: &str) -> Option<Place> {
    let file = archive.by_name(name).ok()?;
    let stored = file.compression() == CompressionMethod::Stored && file.size() == file.compressed_size();
    stored.then(|| Place { start: file.data_start(), bytes: file.size() })
}

fn bytes(path: &Path, place: Place) -> Result<Vec<u8>, ToolError> {
    let mut bytes = vec![0; place.bytes as usize];
    super::read_at(path, place.start, &mut bytes)?;
    Ok(bytes)
}

/// A tensor's bytes in the file, if they lie there in one piece.
fn locate(tensor: &Tensor, place: &Place, file_bytes: u64) -> Result<TensorInfo, String> {
    let size = tensor.dtype.bytes() as u64;
    if tensor.storage.checked_mul(size) != Some(place.bytes) {
        return Err(format!(
            "its storage should be {} elements of {}, but is {} bytes long",
            tensor.storage,
            tensor.dtype.name(),
            place.bytes
        ));
    }
    if place.start.checked_add(place.bytes).is_none_or(|end| end > file_bytes) {
        return Err("its storage ends behind the file: truncated, or the archive lies".into());
    }
    let overflows = || format!("the shape {:?} overflows", tensor.shape);
    let elements =
        tensor.shape.iter().try_fold(1u64, |product, &size| product.checked_mul(size as u64)).ok_or_else(overflows)?;
    if tensor.offset.checked_add(elements).is_none_or(|end| end > tensor.storage) {
        return Err(format!(
            "{:?} from element {} on does not lie in its storage of {}",
            tensor.shape, tensor.offset, tensor.storage
        ));
    }
    // A dimension of one element may have any stride.
    let mut expected = 1usize;
    let mut in_one_piece = tensor.strides.len() == tensor.shape.len();
    for (&size, &stride) in tensor.shape.iter().zip(&tensor.strides).rev() {
        in_one_piece &= size == 1 || stride == expected;
        expected = expected.saturating_mul(size);
    }
    if !in_one_piece && elements > 0 {
        return Err(format!(
            "does not lie in one piece (shape {:?}, strides {:?}); save it with .contiguous()",
            tensor.shape, tensor.strides
        ));
    }
    Ok(TensorInfo {
        dtype: tensor.dtype,
        shape: tensor.shape.clone(),
        start: place.start + tensor.offset * size,
        bytes: elements * size,
    })
}

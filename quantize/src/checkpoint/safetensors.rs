//! A `.safetensors` file's header.

use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

use showo::bundle::header::{self, HeaderError, PREFIX_BYTES, TensorInfo};

use crate::error::ToolError;

/// Every tensor of the file, and where its bytes lie.
///
/// # Errors
/// A file that is missing, truncated, not safetensors, or whose header lies.
pub fn read(path: &Path) -> Result<BTreeMap<String, TensorInfo>, ToolError> {
    let header_error = |source| ToolError::Header { path: path.into(), source };
    let mut file = File::open(path).map_err(ToolError::io(path))?;
    let file_bytes = file.metadata().map_err(ToolError::io(path))?.len();
    let mut prefix = [0; PREFIX_BYTES as usize];
    if file_bytes < PREFIX_BYTES {
        return Err(header_error(HeaderError::Truncated { needed: PREFIX_BYTES, found: file_bytes }));
    }
    file.read_exact(&mut prefix).map_err(ToolError::io(path))?;
    let header_bytes = header::header_bytes(prefix, file_bytes).map_err(header_error)?;
    let mut json = Vec::new();
    file.take(header_bytes).read_to_end(&mut json).map_err(ToolError::io(path))?;
    header::parse(&json, file_bytes).map_err(header_error)
}

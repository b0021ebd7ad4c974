//! What a safetensors file says of itself, checked before any of its tensors is touched.
//!
//! The format: 8 bytes little-endian header length, a JSON header, the data. The header gives every tensor a dtype, a
//! shape and a half-open range of bytes in the data. The ranges must cover the data exactly, without gap or overlap,
//! which leaves a file nowhere to hide anything. Source: the format's description in huggingface/safetensors.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::unique;

/// The length field at the start of every file, in bytes.
pub const PREFIX_BYTES: u64 = 8;

/// Longest header that is accepted, in bytes; the same limit as the format's reference implementation.
pub const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Element types that the format knows and this project can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the format's own")]
pub enum Dtype {
    Bool,
    U8,
    I8,
    I16,
    U16,
    F16,
    Bf16,
    I32,
    U32,
    F32,
    I64,
    U64,
    F64,
}

impl Dtype {
    const ALL: [(Self, &'static str, usize); 13] = [
        (Self::Bool, "BOOL", 1),
        (Self::U8, "U8", 1),
        (Self::I8, "I8", 1),
        (Self::I16, "I16", 2),
        (Self::U16, "U16", 2),
        (Self::F16, "F16", 2),
        (Self::Bf16, "BF16", 2),
        (Self::I32, "I32", 4),
        (Self::U32, "U32", 4),
        (Self::F32, "F32", 4),
        (Self::I64, "I64", 8),
        (Self::U64, "U64", 8),
        (Self::F64, "F64", 8),
    ];

    fn row(self) -> (Self, &'static str, usize) {
        // Every variant has its row: the test below walks them.
        Self::ALL.into_iter().find(|row| row.0 == self).unwrap_or(Self::ALL[0])
    }

    /// The name in the header.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        self.row().2
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Element type.
    pub dtype: Dtype,
    /// Sizes, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Offset of the first byte, from the start of the file.
    pub start: u64,
    /// Length in bytes: the product of the shape, times the element's size.
    pub bytes: u64,
}

impl TensorInfo {
    /// Number of elements.
    pub fn elements(&self) -> usize {
        // The product was checked when the header was read.
        self.shape.iter().product()
    }
}

/// A file that is not a sound safetensors file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The file ends before its header or before its tensors do.
    #[error("the file is truncated: {needed} bytes are needed, it has {found}")]
    Truncated {
        /// Bytes that the file would need.
        needed: u64,
        /// Bytes that it has.
        found: u64,
    },
    /// The header is not what the format says.
    #[error("not a safetensors file: {0}")]
    Malformed(String),
    /// One tensor's entry is a lie or is not supported.
    #[error("tensor {tensor}: {problem}")]
    Tensor {
        /// The tensor's name.
        tensor: String,
        /// What is wrong with its entry.
        problem: String,
    },
    /// Bytes that belong to no tensor.
    #[error("{0} bytes after the last tensor belong to no tensor")]
    Surplus(u64),
}

impl HeaderError {
    fn tensor(tensor: &str, problem: impl Into<String>) -> Self {
        Self::Tensor { tensor: tensor.into(), problem: problem.into() }
    }
}

/// The length of the JSON header in bytes, from the file's first eight.
///
/// # Errors
/// Where the header would not fit in the file or is longer than [`MAX_HEADER_BYTES`].
pub fn header_bytes(prefix: [u8; PREFIX_BYTES as usize], file_bytes: u64) -> Result<u64, HeaderError> {
    let bytes = u64::from_le_bytes(prefix);
    if bytes > MAX_HEADER_BYTES {
        return Err(HeaderError::Malformed(format!("its header would be {bytes} bytes long")));
    }
    let needed = PREFIX_BYTES + bytes;
    if needed > file_bytes {
        return Err(HeaderError::Truncated { needed, found: file_bytes });
    }
    Ok(bytes)
}

/// Reads a header's JSON for a file of `file_bytes` in all: every tensor by name.
///
/// # Errors
/// A [`HeaderError`]; afterwards every range lies in the file and fits its shape and dtype.
pub fn parse(json: &[u8], file_bytes: u64) -> Result<BTreeMap<String, TensorInfo>, HeaderError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Entry {
        dtype: String,
        shape: Vec<usize>,
        data_offsets: [u64; 2],
    }
    // `__metadata__` is free text about the file; nothing here depends on it.
    struct Entries(BTreeMap<String, Entry>);
    impl<'de> Deserialize<'de> for Entries {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            unique::map_without(deserializer, "__metadata__").map(Self)
        }
    }

    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let Entries(entries) = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| HeaderError::Malformed(format!("its header at {}: {}", error.path(), error.inner())))?;
    deserializer.end().map_err(|error| HeaderError::Malformed(format!("its header: {error}")))?;
    let data_start = PREFIX_BYTES + json.len() as u64;
    let data_bytes = file_bytes.saturating_sub(data_start);
    let mut tensors = BTreeMap::new();
    for (name, entry) in entries {
        let dtype = Dtype::from_name(&entry.dtype)
            .ok_or_else(|| HeaderError::tensor(&name, format!("the dtype {} is not supported", entry.dtype)))?;
        let [start, end] = entry.data_offsets;
        if start > end {
            return Err(HeaderError::tensor(&name, format!("its bytes end at {end}, before they begin at {start}")));
        }
        if end > data_bytes {
            return Err(HeaderError::tensor(
                &name,
                format!("its bytes end at {end}, but the file holds {data_bytes}: truncated, or the header lies"),
            ));
        }
        let expected = entry
            .shape
            .iter()
            .try_fold(dtype.bytes(), |product, &size| product.checked_mul(size))
            .ok_or_else(|| HeaderError::tensor(&name, format!("the shape {:?} overflows", entry.shape)))?;
        if expected as u64 != end - start {
            return Err(HeaderError::tensor(
                &name,
                format!(
                    "{} of shape {:?} takes {expected} bytes, but the header gives {}",
                    dtype.name(),
                    entry.shape,
                    end - start
                ),
            ));
        }
        tensors.insert(name, TensorInfo { dtype, shape: entry.shape, start: data_start + start, bytes: end - start });
    }
    cover(&tensors, data_start, file_bytes)?;
    Ok(tensors)
}

/// Reads the header of a file that is in memory.
///
/// # Errors
/// As [`header_bytes`] and [`parse`].
pub fn parse_file(file: &[u8]) -> Result<BTreeMap<String, TensorInfo>, HeaderError> {
    let found = file.len() as u64;
    let truncated = |needed| HeaderError::Truncated { needed, found };
    let (prefix, rest) = file.split_first_chunk().ok_or_else(|| truncated(PREFIX_BYTES))?;
    let bytes = header_bytes(*prefix, found)?;
    let json = usize::try_from(bytes)
        .ok()
        .and_then(|bytes| rest.get(..bytes))
        .ok_or_else(|| truncated(PREFIX_BYTES + bytes))?;
    parse(json, found)
}

/// The ranges must cover the data without gap or overlap.
fn cover(tensors: &BTreeMap<String, TensorInfo>, data_start: u64, file_bytes: u64) -> Result<(), HeaderError> {
    let mut ranges: Vec<_> = tensors.iter().collect();
    ranges.sort_by_key(|(_, info)| (info.start, info.bytes));
    let mut end = data_start;
    for (name, info) in ranges {
        if info.start != end {
            let relation = if info.start < end { "overlap another tensor's" } else { "leave a gap before them" };
            return Err(HeaderError::tensor(name, format!("its bytes {relation}")));
        }
        end = info.start + info.bytes;
    }
    match file_bytes.saturating_sub(end) {
        0 => Ok(()),
        surplus => Err(HeaderError::Surplus(surplus)),
    }
}

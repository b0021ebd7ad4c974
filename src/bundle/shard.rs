//! One shard: the agreement of its header with the manifest, and its tensors handed on.

use std::{borrow::Cow, collections::BTreeMap};

use half::f16;

use super::{
    BundleError, TensorSink,
    header::{self, Dtype, HeaderError, TensorInfo},
    manifest::{SCALE_SUFFIX, StoredDtype, TensorEntry},
};

/// A tensor of a shard, and where it lies there.
pub struct Placed<'a> {
    /// Its name inside the shard.
    pub name: &'a str,
    /// What the manifest says of it.
    pub entry: &'a TensorEntry,
    /// Its values.
    pub data: TensorInfo,
    /// Its scales, where it is q8.
    pub scales: Option<TensorInfo>,
}

/// Hands every tensor of a shard to the sink, in the order of their names.
///
/// `file` and `bytes` are the shard, already checked against its hash; `expected` is every tensor that the manifest
/// places in it.
pub fn deliver(
    file: &str,
    bytes: &[u8],
    expected: &BTreeMap<&str, &TensorEntry>,
    sink: &mut dyn TensorSink,
) -> Result<(), BundleError> {
    let found = header::parse_file(bytes).map_err(|error| malformed(file, &error))?;
    // All of the header before any of the data, so that a bad shard reaches the sink in no part.
    for placed in agree(file, found, expected)? {
        one(file, bytes, &placed, sink)?;
    }
    Ok(())
}

/// The tensors of a shard by the name, where its header and the manifest say the same of them, and of no others.
pub fn agree<'a>(
    file: &str,
    mut found: BTreeMap<String, TensorInfo>,
    expected: &BTreeMap<&'a str, &'a TensorEntry>,
) -> Result<Vec<Placed<'a>>, BundleError> {
    let mut placed = Vec::with_capacity(expected.len());
    for (&name, &entry) in expected {
        let (dtype, scales) = match entry.dtype {
            StoredDtype::F32 => (Dtype::F32, None),
            StoredDtype::F16 => (Dtype::F16, None),
            StoredDtype::Q8 => {
                let shape = entry.scale_shape().ok_or_else(|| BundleError::tensor(file, name, "cannot be q8"))?;
                let scales = take(file, &mut found, &format!("{name}{SCALE_SUFFIX}"), Dtype::F16, &shape)?;
                (Dtype::I8, Some(scales))
            }
        };
        placed.push(Placed { name, entry, data: take(file, &mut found, name, dtype, &entry.shape)?, scales });
    }
    match found.keys().next() {
        Some(surplus) => Err(BundleError::tensor(file, surplus, "is in the shard, but not in the manifest")),
        None => Ok(placed),
    }
}

/// A file that is not what its form says.
pub fn malformed(file: &str, error: &HeaderError) -> BundleError {
    BundleError::File { file: file.into(), problem: error.to_string() }
}

/// Removes a tensor from what was found, if it is there and is what the manifest says.
fn take(
    file: &str,
    found: &mut BTreeMap<String, TensorInfo>,
    name: &str,
    dtype: Dtype,
    shape: &[usize],
) -> Result<TensorInfo, BundleError> {
    let info = found
        .remove(name)
        .ok_or_else(|| BundleError::tensor(file, name, "is in the manifest, but missing from the shard"))?;
    if info.dtype != dtype {
        let problem = format!("is {}, but must be {} by the manifest", info.dtype.name(), dtype.name());
        return Err(BundleError::tensor(file, name, problem));
    }
    if info.shape != shape {
        let problem = format!("has the shape {:?}, but must have {shape:?} by the manifest", info.shape);
        return Err(BundleError::tensor(file, name, problem));
    }
    Ok(info)
}

/// Hands one tensor on, after a look at its values: a NaN would spread through the whole picture without a word.
fn one(file: &str, bytes: &[u8], placed: &Placed<'_>, sink: &mut dyn TensorSink) -> Result<(), BundleError> {
    let Placed { name, entry, data, scales } = placed;
    let bad = |problem: &str| BundleError::tensor(file, name, problem);
    let data = slice(bytes, data).ok_or_else(|| bad("its bytes are outside the file"))?;
    let accepted = match scales {
        Some(scales) => {
            let scales = slice(bytes, scales).ok_or_else(|| bad("its scales are outside the file"))?;
            let q = int8(data).map_err(bad)?;
            let scales = scales_of(scales).map_err(bad)?;
            sink.q8(name, &entry.shape, q, &scales)
        }
        None => sink.float(name, &entry.shape, floats(data, entry.dtype).map_err(bad)?),
    };
    accepted.map_err(|problem| bad(&problem))
}

/// The values of q8 blocks.
pub fn int8(bytes: &[u8]) -> Result<&[i8], &'static str> {
    let q: &[i8] = bytemuck::cast_slice(bytes);
    if q.contains(&i8::MIN) { Err("holds −128, which q8 does not use") } else { Ok(q) }
}

/// The scales of q8 blocks.
pub fn scales_of(bytes: &[u8]) -> Result<Cow<'_, [f16]>, &'static str> {
    let scales = halves(bytes);
    if scales.iter().any(|scale| !scale.is_finite() || *scale < f16::ZERO) {
        return Err("has a scale that is negative or not finite");
    }
    Ok(scales)
}

/// Values in half or single precision.
pub fn floats(bytes: &[u8], dtype: StoredDtype) -> Result<Vec<f32>, &'static str> {
    let values: Vec<f32> = match dtype {
        StoredDtype::F16 => halves(bytes).iter().map(|value| value.to_f32()).collect(),
        _ => bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect(),
    };
    if values.iter().all(|value| value.is_finite()) { Ok(values) } else { Err("holds NaN or infinity") }
}

fn slice<'a>(bytes: &'a [u8], info: &TensorInfo) -> Option<&'a [u8]> {
    let start = usize::try_from(info.start).ok()?;
    bytes.get(start..start.checked_add(usize::try_from(info.bytes).ok()?)?)
}

/// Little-endian halves, without a copy where the bytes lie as the machine wants them.
fn halves(bytes: &[u8]) -> Cow<'_, [f16]> {
    #[cfg(target_endian = "little")]
    if let Ok(aligned) = bytemuck::try_cast_slice(bytes) {
        return Cow::Borrowed(aligned);
    }
    Cow::Owned(bytes.as_chunks().0.iter().map(|&value| f16::from_le_bytes(value)).collect())
}

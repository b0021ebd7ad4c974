//! Checkpoints: parameters, their running mean, the optimizer's state and the loop's, replaced as one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::tensor::Device;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use showo::model::Weights;

pub use showo::model::weights::Named;

/// Parameters on a device, for a network to be built from.
///
/// # Errors
/// Values that are not as many as their shape says.
pub fn weights_of(named: &Named, device: &Device) -> Result<Weights> {
    let mut weights = Weights::new(device);
    for (name, (shape, values)) in named {
        weights.insert_float(name, shape, values.clone())?;
    }
    Ok(weights)
}

/// Where a training run stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Optimizer steps done.
    pub step: u64,
    /// Examples seen.
    pub examples: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// What the run was made with.
    pub made_with: MadeWith,
}

/// What decides a run besides its length: a checkpoint of another is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeWith {
    /// The task's whole configuration.
    pub config: serde_json::Value,
    /// [`crate::data::VERSION`].
    pub data_version: u32,
}

impl MadeWith {
    /// The first thing that differs, in words; `None` where nothing does.
    #[must_use]
    pub fn difference(&self, now: &Self) -> Option<String> {
        if self.data_version != now.data_version {
            return Some(format!(
                "data of version {}, which now are of version {}",
                self.data_version, now.data_version
            ));
        }
        difference("", &self.config, &now.config)
    }
}

fn difference(name: &str, was: &serde_json::Value, is: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    if let (Value::Object(was), Value::Object(is)) = (was, is) {
        let keys: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        let of = |table: &serde_json::Map<String, Value>, key| table.get(key).cloned().unwrap_or_default();
        return keys.into_iter().find_map(|key| {
            let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            difference(&name, &of(was, key), &of(is, key))
        });
    }
    (was != is).then(|| format!("{name} = {was}, which now is {is}"))
}

/// A checkpoint as read from disk.
pub struct Checkpoint {
    /// Where the run stood.
    pub state: State,
    /// Parameters, safetensors.
    pub model: Vec<u8>,
    /// Their running mean, safetensors.
    pub mean: Vec<u8>,
    /// Where it lies, with the optimizer's state.
    pub folder: PathBuf,
}

/// Writes a safetensors file.
///
/// # Errors
/// The file cannot be written.
pub fn write_named(path: &Path, named: &Named) -> Result<()> {
    let mut views = Vec::with_capacity(named.len());
    for (name, (shape, values)) in named {
        views.push((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes_of(values))?));
    }
    // Through a temporary name, so that a full disk leaves the previous file whole.
    let partial = path.with_extension("partial");
    safetensors::serialize_to_file(views, None, &partial)
        .with_context(|| format!("cannot write {}", partial.display()))?;
    std::fs::rename(&partial, path).with_context(|| format!("cannot write {}", path.display()))
}

fn bytes_of(values: &[f32]) -> &[u8] {
    bytemuck::cast_slice(values)
}

/// Parameters in a file.
///
/// # Errors
/// The file cannot be read, or is no safetensors file of f32.
pub fn read_named(path: &Path) -> Result<Named> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    named_from_bytes(&bytes)
}

/// Reads parameters from safetensors bytes.
///
/// # Errors
/// The bytes are no safetensors file of f32 tensors.
pub fn named_from_bytes(bytes: &[u8]) -> Result<Named> {
    let file = safetensors::SafeTensors::deserialize(bytes)?;
    Ok(file
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let values = view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            (name, (view.shape().to_vec(), values))
        })
        .collect())
}

/// Replaces the checkpoint in `folder`, with the state that `optimizer` writes: written beside it, then renamed, so that one whole checkpoint always exists.
///
/// # Errors
/// A full disk or a folder that cannot be written; the previous checkpoint survives.
pub fn write(
    folder: &Path,
    state: &State,
    model: &Named,
    mean: &Named,
    optimizer: impl Fn(&Path) -> Result<()>,
) -> Result<()> {
    let fresh = folder.join("checkpoint.partial");
    let place = folder.join("checkpoint");
    let old = folder.join("checkpoint.old");
    let _ = std::fs::remove_dir_all(&fresh);
    std::fs::create_dir_all(&fresh).with_context(|| format!("cannot make {}", fresh.display()))?;
    write_named(&fresh.join("model.safetensors"), model)?;
    write_named(&fresh.join("mean.safetensors"), mean)?;
    optimizer(&fresh)?;
    std::fs::write(fresh.join("state.json"), serde_json::to_vec_pretty(state)?)?;
    let _ = std::fs::remove_dir_all(&old);
    if place.exists() {
        std::fs::rename(&place, &old)?;
    }
    std::fs::rename(&fresh, &place)?;
    let _ = std::fs::remove_dir_all(&old);
    Ok(())
}

/// The checkpoint in `folder`, if there is one.
///
/// # Errors
/// It cannot be read.
pub fn read(folder: &Path) -> Result<Option<Checkpoint>> {
    let place = ["checkpoint", "checkpoint.old"].map(|name| folder.join(name)).into_iter().find(|path| path.exists());
    let Some(place) = place else { return Ok(None) };
    let file = |name: &str| {
        std::fs::read(place.join(name)).with_context(|| format!("cannot read {}", place.join(name).display()))
    };
    Ok(Some(Checkpoint {
        state: serde_json::from_slice(&file("state.json")?).with_context(|| {
            format!("{} is damaged, or of an older version of `train`", place.join("state.json").display())
        })?,
        model: file("model.safetensors")?,
        mean: file("mean.safetensors")?,
        folder: place,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let with = |text: &str| MadeWith { config: serde_json::from_str(text).unwrap(), data_version: 3 };
        let one = with(r#"{"fit": {"seed": 1, "batch": 64}, "scenes": 5}"#);
        assert_eq!(one.difference(&one), None);
        let other = with(r#"{"fit": {"seed": 2, "batch": 64}, "scenes": 5}"#);
        assert_eq!(one.difference(&other).unwrap(), "fit.seed = 1, which now is 2");
        let fewer = with(r#"{"fit": {"seed": 1, "batch": 64}}"#);
        assert_eq!(one.difference(&fewer).unwrap(), "scenes = 5, which now is null");
        let newer = MadeWith { data_version: 4, ..one.clone() };
        assert!(one.difference(&newer).unwrap().contains("version 3"));
    }

    /// A device that is always full stands where the file would be written.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_leaves_the_file_that_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let named = |value: f32| Named::from([("x".to_owned(), (vec![2], vec![value; 2]))]);
        write_named(&path, &named(1.0)).unwrap();
        std::os::unix::fs::symlink("/dev/full", path.with_extension("partial")).unwrap();
        let error = format!("{:#}", write_named(&path, &named(2.0)).unwrap_err());
        assert!(error.contains("model.partial") && error.contains("No space left"), "{error}");
        assert_eq!(named_from_bytes(&std::fs::read(&path).unwrap()).unwrap()["x"].1, [1.0; 2]);
    }
}

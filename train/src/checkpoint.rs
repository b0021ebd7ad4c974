//! Checkpoints: parameters, their running mean, the optimizer's state and the loop's, replaced as one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::optim::ModuleOptimizer;
use burn::tensor::Device;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
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
    /// Hash of the configuration: a checkpoint of another one is refused.
    pub fingerprint: String,
}

/// A checkpoint as read from disk.
pub struct Checkpoint {
    /// Where the run stood.
    pub state: State,
    /// Parameters, safetensors.
    pub model: Vec<u8>,
    /// Their running mean, safetensors.
    pub mean: Vec<u8>,
    /// File of the optimizer's state.
    pub optimizer: PathBuf,
}

/// Hash of a configuration.
///
/// # Errors
/// The configuration cannot be written as JSON.
pub fn fingerprint<C: Serialize>(config: &C) -> Result<String> {
    let json = serde_json::to_vec(config)?;
    Ok(Sha256::digest(json).iter().take(8).map(|byte| format!("{byte:02x}")).collect())
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

/// Replaces the checkpoint in `folder`: written beside it, then renamed, so that one whole checkpoint always exists.
///
/// # Errors
/// A full disk or a folder that cannot be written; the previous checkpoint survives.
pub fn write(folder: &Path, state: &State, model: &Named, mean: &Named, optimizer: &ModuleOptimizer) -> Result<()> {
    let fresh = folder.join("checkpoint.partial");
    let place = folder.join("checkpoint");
    let old = folder.join("checkpoint.old");
    let _ = std::fs::remove_dir_all(&fresh);
    std::fs::create_dir_all(&fresh).with_context(|| format!("cannot make {}", fresh.display()))?;
    write_named(&fresh.join("model.safetensors"), model)?;
    write_named(&fresh.join("mean.safetensors"), mean)?;
    optimizer.save(fresh.join("optimizer.bpk")).context("cannot save the optimizer's state")?;
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
        state: serde_json::from_slice(&file("state.json")?).context("state.json is damaged")?,
        model: file("model.safetensors")?,
        mean: file("mean.safetensors")?,
        optimizer: place.join("optimizer.bpk"),
    }))
}

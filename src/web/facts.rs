//! What can be said of a bundle before anything large of it is fetched: from its manifest, and from what the device was measured at.

use serde::Serialize;

use super::device::WebDevice;
use crate::bundle::manifest::{StoredDtype, World};
use crate::bundle::{Bundle, BundleError, ModelKind, Reader};
use crate::check::trial;
use crate::config::{MagvitConfig, ShowoConfig};
use crate::load::brings;
use crate::ops::PART_BYTES;
use crate::settings::{Judge, Recommended, VerifierMode};

/// A bundle and what it needs, as the page shows it.
#[derive(Debug, Serialize)]
pub struct Facts {
    name: String,
    created: String,
    licence: String,
    attribution: Vec<String>,
    world: Option<World>,
    models: Vec<ModelFacts>,
    /// Every shard, so that the page can count those that it has kept.
    shards: Vec<ShardFacts>,
    /// Bytes of all shards.
    bytes: u64,
    /// Bytes of those that have to be there before anything can be drawn.
    bytes_to_draw: u64,
    /// Bytes that the weights take on a device: what is stored as f16 becomes f32 there.
    device_bytes: u64,
    /// Bytes of the largest single buffer that the weights need.
    largest_needed: u64,
    /// Bytes of the largest buffer that the device gives; nothing for the processor, whose only limit is the engine's memory.
    largest_given: Option<u64>,
    grid: usize,
    image_side_px: usize,
    /// How the bundle recommends to draw, with what it holds.
    decoding: Recommended,
    /// Seconds of one guided forward on this device, estimated from a trial; nothing where none was run.
    seconds_a_forward: Option<f64>,
}

/// One network.
#[derive(Debug, Serialize)]
struct ModelFacts {
    kind: &'static str,
    checkpoint: String,
    bytes: u64,
}

/// One file.
#[derive(Debug, Serialize)]
struct ShardFacts {
    file: String,
    bytes: u64,
}

impl Facts {
    /// Of this bundle on this device; `trial_seconds` are what a [`Trial`](trial::Trial) took there.
    ///
    /// # Errors
    /// A bundle that lacks what drawing needs, or whose configurations cannot be read.
    pub fn of<R: Reader>(
        bundle: &Bundle<R>,
        device: &WebDevice,
        trial_seconds: Option<f64>,
    ) -> Result<Self, BundleError> {
        let manifest = bundle.manifest();
        let showo: ShowoConfig = bundle.config(ModelKind::SHOWO)?;
        let magvit: MagvitConfig = bundle.config(ModelKind::Magvit)?;
        let models = manifest.models.iter().map(|(&kind, model)| ModelFacts {
            kind: kind.word(),
            checkpoint: model.source.checkpoint.clone(),
            bytes: manifest.bytes_of(kind),
        });
        let first = [ModelKind::SHOWO, ModelKind::Magvit, ModelKind::Preview];
        // Sums of what a stranger wrote: they may be absurd, never a panic.
        let total = |bytes: &mut dyn Iterator<Item = u64>| bytes.fold(0, u64::saturating_add);
        let on_device = manifest.tensors.values().map(|tensor| {
            let floats = tensor.elements().map_or(u64::MAX, |elements| (elements as u64).saturating_mul(4));
            match tensor.dtype {
                // Long int8 matrices are cut into parts.
                StoredDtype::Q8 => (tensor.stored_bytes().unwrap_or(u64::MAX), true),
                StoredDtype::F16 | StoredDtype::F32 => (floats, false),
            }
        });
        let largest = on_device.clone().map(|(bytes, in_parts)| if in_parts { bytes.min(PART_BYTES) } else { bytes });
        let decoding = manifest.decoding.unwrap_or(Recommended::DEFAULT);
        Ok(Self {
            name: manifest.name.clone(),
            created: manifest.created.clone(),
            licence: manifest.licence.clone(),
            attribution: manifest.attribution.clone(),
            world: manifest.world,
            models: models.collect(),
            shards: manifest
                .shards
                .iter()
                .map(|shard| ShardFacts { file: shard.file.clone(), bytes: shard.bytes })
                .collect(),
            bytes: total(&mut manifest.shards.iter().map(|shard| shard.bytes)),
            bytes_to_draw: total(&mut first.into_iter().map(|kind| manifest.bytes_of(kind))),
            device_bytes: total(&mut on_device.clone().map(|(bytes, _)| bytes)),
            largest_needed: largest.max().unwrap_or(0),
            largest_given: Some(device.place.largest_buffer).filter(|_| device.is_graphics()),
            grid: showo.grid(),
            image_side_px: magvit.resolution,
            decoding: usable(decoding, bundle),
            seconds_a_forward: trial_seconds.map(|seconds| trial::estimate(&showo, seconds)),
        })
    }

    /// Bytes of all shards.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// What is recommended, without a verifier that the bundle does not bring or does not judge with: then there is nothing to choose among.
fn usable<R: Reader>(decoding: Recommended, bundle: &Bundle<R>) -> Recommended {
    let judges = bundle.manifest().judges.as_ref();
    let may = |judge| judges.is_none_or(|judges| judges.contains(&judge));
    let mode = decoding.verifier;
    match Judge::of(mode).is_none_or(may) && ModelKind::verifying(mode).is_none_or(|kind| brings(bundle, kind)) {
        true => decoding,
        false => Recommended { verifier: VerifierMode::None, candidates: 1, ..decoding },
    }
}

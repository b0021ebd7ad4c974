//! `quantize verify`: every byte of a bundle against its manifest, and every value against a checkpoint.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use half::f16;
use rayon::prelude::*;
use showo::bundle::{Bundle, FolderReader, Manifest, ModelKind, TensorSink, block, block_on, manifest::MANIFEST_FILE};

use crate::{
    checkpoint::{Checkpoint, Tensor},
    convert::Input,
    encode::{rows_and_inputs, rows_of_a_part},
    error::ToolError,
    inspect::{dtype, kinds},
    measure::Cost,
    probe::{self, Agreement},
    progress::{bytes_bar, human, say, spinner},
};

/// Reads the whole bundle, compares it with the checkpoints, prints what it found.
pub fn run(folder: &Path, against: &[Input], probe: probe::Request) -> Result<(), ToolError> {
    let bundle = block_on(Bundle::open(FolderReader::new(folder))).map_err(ToolError::bundle(folder))?;
    let manifest = bundle.manifest();
    let mut checkpoints = BTreeMap::new();
    for input in against {
        let option = || format!("--against {}=", input.kind);
        if !bundle.has(input.kind) {
            return Err(ToolError::Option { option: option(), problem: "the bundle has no such model".into() });
        }
        let expected = manifest.tensors_of(input.kind).map(|(name, _)| name.to_owned()).collect();
        if checkpoints.insert(input.kind, Checkpoint::open(&input.weights, input.kind, &expected)?).is_some() {
            return Err(ToolError::Option { option: option(), problem: "is given twice".into() });
        }
    }
    block_on(bundle.tokenizer_json()).map_err(ToolError::bundle(folder))?;
    for kind in kinds(manifest) {
        block_on(bundle.own_tokenizer_json(kind)).map_err(ToolError::bundle(folder))?;
    }
    let hashed: u64 = checkpoints.values().map(Checkpoint::data_bytes).sum();
    let bar = bytes_bar(manifest.shards.iter().map(|shard| shard.bytes).sum::<u64>() + hashed);
    let mut before = 0;
    for kind in kinds(manifest) {
        let checkpoint = checkpoints.get(&kind);
        if let Some(checkpoint) = checkpoint {
            same_tensors(checkpoint, manifest, kind)?;
        }
        let mut sink = Comparison { checkpoint, failure: None, costs: Vec::new() };
        let loaded = block_on(bundle.load(kind, &mut sink, &mut |progress| {
            bar.set_position(before + progress.bytes_done);
            bar.set_message(progress.file.to_string());
        }));
        if let Some(failure) = sink.failure {
            return Err(failure);
        }
        loaded.map_err(ToolError::bundle(folder))?;
        before += manifest.bytes_of(kind);
        let mut other_source = false;
        if let (Some(checkpoint), Some(model)) = (checkpoint, manifest.models.get(&kind)) {
            bar.set_message(format!("{kind}: hashing the checkpoint"));
            other_source = checkpoint.sha256(|bytes| bar.inc(bytes))? != model.source.sha256;
            before += checkpoint.data_bytes();
        }
        bar.suspend(|| {
            say!(
                "{kind}: {} tensors, {}: hashes, shapes and values are sound",
                manifest.tensors_of(kind).count(),
                human(manifest.bytes_of(kind))
            )?;
            let Some(checkpoint) = checkpoint else { return Ok::<_, ToolError>(()) };
            print_costs(manifest, kind, checkpoint, &sink.costs)?;
            if other_source {
                let path = checkpoint.path().display();
                say!("  note: the bundle was made from other files than {path} (their SHA-256 differ)")?;
            }
            Ok(())
        })?;
    }
    bar.finish_and_clear();
    if let Some(checkpoint) = checkpoints.get(&ModelKind::SHOWO).filter(|_| probe.layers != Some(0)) {
        let spinner = spinner();
        let outcome = probe::run(folder, &bundle, checkpoint, probe, &spinner)?;
        spinner.finish_and_clear();
        match outcome {
            Ok(agreement) => print_agreement(agreement)?,
            Err(reason) => say!("note: the logits were not compared: {reason}")?,
        }
    }
    for stranger in strangers(folder, manifest)? {
        say!("note: {stranger} is in the folder, but not in the manifest")?;
    }
    say!("{}: sound", folder.display())
}

/// The bundle and the checkpoint must hold the same tensors, in the same shapes.
fn same_tensors(checkpoint: &Checkpoint, manifest: &Manifest, kind: ModelKind) -> Result<(), ToolError> {
    let mut left: BTreeMap<_, _> = manifest.tensors_of(kind).collect();
    for (name, Tensor { info, .. }) in checkpoint.tensors() {
        match left.remove(name.as_str()) {
            None => return Err(checkpoint.bad(name, "is missing from the bundle")),
            Some(entry) if entry.shape != info.shape => {
                return Err(
                    checkpoint.bad(name, format!("has the shape {:?}, in the bundle {:?}", info.shape, entry.shape))
                );
            }
            Some(_) => {}
        }
    }
    match left.keys().next() {
        Some(name) => Err(checkpoint.bad(name, "is in the bundle, but not in the checkpoint")),
        None => Ok(()),
    }
}

/// Receives the bundle's tensors and measures them against the checkpoint's.
struct Comparison<'a> {
    checkpoint: Option<&'a Checkpoint>,
    /// The checkpoint's own failure, which the bundle's error would hide.
    failure: Option<ToolError>,
    costs: Vec<(String, Cost)>,
}

impl Comparison<'_> {
    /// `stored` gives the bundle's values of whole rows: first row, number of rows.
    fn compare(
        &mut self,
        name: &str,
        shape: &[usize],
        stored: impl Fn(usize, usize) -> Result<Vec<f32>, String> + Sync,
    ) -> Result<(), String> {
        let Some(checkpoint) = self.checkpoint else { return Ok(()) };
        let (rows, inputs) = rows_and_inputs(shape);
        let step = rows_of_a_part(inputs);
        let cost: Result<Cost, ToolError> = (0..rows.div_ceil(step))
            .into_par_iter()
            .map(|index| {
                let first = index * step;
                let count = step.min(rows - first);
                let source = checkpoint.read(name, first * inputs..(first + count) * inputs)?;
                let stored = stored(first, count).map_err(|problem| checkpoint.bad(name, problem))?;
                Ok(Cost::of(&source, &stored, inputs, first))
            })
            .try_reduce(Cost::default, |a, b| Ok(a.join(b)));
        match cost {
            Ok(cost) => {
                self.costs.push((name.into(), cost));
                Ok(())
            }
            Err(error) => {
                let problem = error.to_string();
                self.failure = Some(error);
                Err(problem)
            }
        }
    }
}

impl TensorSink for Comparison<'_> {
    fn float(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), String> {
        let (_, inputs) = rows_and_inputs(shape);
        self.compare(name, shape, |first, count| {
            values.get(first * inputs..(first + count) * inputs).map(<[f32]>::to_vec).ok_or("is too short".into())
        })
    }

    fn q8(&mut self, name: &str, shape: &[usize], q: &[i8], scale: &[f16]) -> Result<(), String> {
        let (rows, inputs) = rows_and_inputs(shape);
        block::check(q, scale, rows, inputs).map_err(|error| error.to_string())?;
        let blocks = block::blocks(inputs);
        self.compare(name, shape, |first, out| {
            let q = q.get(first * inputs..(first + out) * inputs).ok_or("is too short")?;
            let scale = scale.get(first * blocks..(first + out) * blocks).ok_or("has too few scales")?;
            Ok(block::dequantize(&block::Quantized { q: q.into(), scale: scale.into(), out, inputs }))
        })
    }
}

fn print_costs(
    manifest: &Manifest,
    kind: ModelKind,
    checkpoint: &Checkpoint,
    costs: &[(String, Cost)],
) -> Result<(), ToolError> {
    say!("  against {}:", checkpoint.path().display())?;
    let width = costs.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max("tensor".len());
    say!("  {:<width$}  {:<5} {:>12} {:>12}  where", "tensor", "dtype", "relative RMS", "worst block")?;
    let entries: BTreeMap<_, _> = manifest.tensors_of(kind).collect();
    for (name, cost) in costs {
        let dtype = entries.get(name.as_str()).map_or(String::new(), |entry| dtype(entry));
        let (worst, place) = match cost.worst() {
            Some(worst) if worst.relative_rms > 0.0 => {
                (worst.relative_rms, format!("row {}, block {}", worst.row, worst.block))
            }
            _ => (0.0, String::new()),
        };
        say!("  {name:<width$}  {dtype:<5} {:>12.2e} {worst:>12.2e}  {place}", cost.relative_rms())?;
    }
    let total = costs.iter().fold(Cost::default(), |total, (_, cost)| total.join(*cost));
    say!("  {:<width$}  {:<5} {:>12.2e}", "all of them", "", total.relative_rms())
}

fn print_agreement(agreement: Agreement) -> Result<(), ToolError> {
    let Agreement { positions, layers, mean_kl, worst_kl, same_argmax, relative_rms } = agreement;
    say!(
        "showo: logits of a probe sequence through {layers} layers, bundle against checkpoint, {positions} positions:"
    )?;
    say!("  relative RMS {relative_rms:.2e}, KL divergence {mean_kl:.2e} nats (worst position {worst_kl:.2e})")?;
    let share = 100.0 * same_argmax as f64 / positions.max(1) as f64;
    say!("  the same code is likeliest at {same_argmax} of {positions} positions ({share:.1} %)")
}

/// Files that nobody will load, but that would be published with the folder.
fn strangers(folder: &Path, manifest: &Manifest) -> Result<Vec<String>, ToolError> {
    let known: BTreeSet<&str> = manifest
        .shards
        .iter()
        .chain(manifest.tokenizers().map(|(_, entry)| entry))
        .map(|entry| entry.file.as_str())
        .chain([MANIFEST_FILE])
        .collect();
    let mut strangers = Vec::new();
    for entry in fs::read_dir(folder).map_err(ToolError::io(folder))? {
        let name = entry.map_err(ToolError::io(folder))?.file_name().to_string_lossy().into_owned();
        if !known.contains(name.as_str()) {
            strangers.push(name);
        }
    }
    strangers.sort();
    Ok(strangers)
}

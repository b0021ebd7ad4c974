//! What storing the generator cost where it counts: its logits, from the bundle and from the checkpoint.
//!
//! One sequence of random words and a half-revealed random picture goes through the engine's own network twice, as
//! the bundle stores it and in f32. One network is in memory at a time.

use std::{fs, path::Path};

use burn::tensor::{Device, Int, Tensor, TensorData};
use indicatif::ProgressBar;
use rayon::prelude::*;
use showo::{
    bundle::{Bundle, FolderReader, ModelKind, block_on},
    config::ShowoConfig,
    load::WeightSink,
    model::{
        ModelError, Weights,
        showo::{FORBIDDEN, Showo},
    },
    prompt::{attention_allowed, image_segment, text_segment},
};

use crate::{
    checkpoint::Checkpoint,
    encode::{rows_and_inputs, rows_of_a_part},
    error::ToolError,
    progress::human,
    synth::values,
};

/// Words of the probe's prompt, where so many fit.
const WORDS: usize = 16;

/// What the probe is to be.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Layers of the generator that are run; all of them where not given.
    pub layers: Option<usize>,
    /// What words and picture are drawn from.
    pub seed: u64,
}

/// How well the bundle's logits agree with the checkpoint's, over the picture's positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Positions.
    pub positions: usize,
    /// Layers that were run.
    pub layers: usize,
    /// Mean Kullback–Leibler divergence of the bundle's distribution over codes from the checkpoint's, in nats.
    pub mean_kl: f64,
    /// The largest of one position.
    pub worst_kl: f64,
    /// Positions at which both prefer the same code.
    pub same_argmax: usize,
    /// `‖bundle − checkpoint‖₂ / ‖checkpoint‖₂` of the logits.
    pub relative_rms: f64,
}

/// Runs the probe; the text says why where it cannot be run on this machine.
pub fn run(
    folder: &Path,
    bundle: &Bundle<FolderReader>,
    checkpoint: &Checkpoint,
    request: Request,
    spinner: &ProgressBar,
) -> Result<Result<Agreement, String>, ToolError> {
    let mut config: ShowoConfig = bundle.config(ModelKind::SHOWO).map_err(ToolError::bundle(folder))?;
    config.validate().map_err(|problem| ToolError::Json { path: folder.join("manifest.json"), problem })?;
    config.num_hidden_layers = config.num_hidden_layers.min(request.layers.unwrap_or(usize::MAX));
    let wanted = |name: &str| layer_of(name).is_none_or(|layer| layer < config.num_hidden_layers);
    let needed: u64 = checkpoint
        .tensors()
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(_, tensor)| 4 * tensor.info.elements() as u64)
        .sum();
    if let Some(available) = available_bytes()
        && needed + needed / 8 > available
    {
        return Ok(Err(format!(
            "the checkpoint takes {} in f32, {} are free; --probe-layers runs fewer layers",
            human(needed),
            human(available)
        )));
    }
    let device = Device::flex();
    let sequence = Sequence::new(&config, request.seed);
    spinner.set_message("probe: loading the bundle's generator");
    let mut sink = WeightSink::only(Weights::new(&device), &wanted);
    block_on(bundle.load(ModelKind::SHOWO, &mut sink, &mut |_| {})).map_err(ToolError::bundle(folder))?;
    spinner.set_message("probe: running it");
    let stored = logits(&config, sink.weights, &sequence, folder)?;
    spinner.set_message("probe: loading the checkpoint's generator in f32");
    let exact = exact(checkpoint, &wanted, &device)?;
    spinner.set_message("probe: running it");
    let exact = logits(&config, exact, &sequence, checkpoint.path())?;
    Ok(Ok(Agreement { layers: config.num_hidden_layers, ..compare(&exact, &stored, config.codebook_size) }))
}

/// Which layer a tensor belongs to.
fn layer_of(name: &str) -> Option<usize> {
    name.strip_prefix("showo.model.layers.")?.split('.').next()?.parse().ok()
}

/// The probe's tokens, and which of them see which.
struct Sequence {
    ids: Vec<i32>,
    bias: Vec<f32>,
    /// Where the picture begins.
    start: usize,
}

impl Sequence {
    fn new(config: &ShowoConfig, seed: u64) -> Self {
        let (words, codes) = (values::key(seed, "words"), values::key(seed, "codes"));
        let below = |key: u64, place: usize, end: usize| (values::bits(key, place as u64) % end.max(1) as u64) as usize;
        let count = WORDS.min(config.max_text_len.saturating_sub(2));
        let prompt: Vec<u32> = (0..count).map(|place| below(words, place, config.llm_vocab_size) as u32).collect();
        // A negative code is a masked one: the first half of the numbers, so that about half the picture is known.
        let code = |place| below(codes, place, 2 * config.codebook_size) as i32 - config.codebook_size as i32;
        let picture: Vec<i32> = (0..config.num_vq_tokens).map(code).collect();
        let mut ids = text_segment(config, &prompt);
        let start = ids.len() + 1;
        ids.extend(image_segment(config, &picture));
        let allowed = attention_allowed(config, &ids);
        let bias = allowed.iter().flatten().map(|&allowed| if allowed { 0.0 } else { FORBIDDEN }).collect();
        Self { ids: ids.into_iter().map(|id| id as i32).collect(), bias, start }
    }
}

/// The checkpoint's tensors in f32.
fn exact(checkpoint: &Checkpoint, wanted: &dyn Fn(&str) -> bool, device: &Device) -> Result<Weights, ToolError> {
    let mut weights = Weights::new(device);
    for (name, tensor) in checkpoint.tensors().iter().filter(|(name, _)| wanted(name)) {
        let (_, inputs) = rows_and_inputs(&tensor.info.shape);
        let mut values = vec![0f32; tensor.info.elements()];
        let step = rows_of_a_part(inputs) * inputs;
        values.par_chunks_mut(step).enumerate().try_for_each(|(index, out)| {
            let first = index * step;
            out.copy_from_slice(&checkpoint.read(name, first..first + out.len())?);
            Ok::<_, ToolError>(())
        })?;
        weights
            .insert_float(name, &tensor.info.shape, values)
            .map_err(|error| ToolError::Checkpoint { path: checkpoint.path().into(), problem: error.to_string() })?;
    }
    Ok(weights)
}

/// The logits over the codes at the picture's positions, `[positions, codes]` row by row.
fn logits(config: &ShowoConfig, weights: Weights, probe: &Sequence, path: &Path) -> Result<Vec<f32>, ToolError> {
    let model_error = |error: ModelError| ToolError::Checkpoint { path: path.into(), problem: error.to_string() };
    let device = weights.device().clone();
    let network = Showo::new(config, weights).map_err(model_error)?;
    let length = probe.ids.len();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(probe.ids.clone(), [1, length]), &device);
    let bias = Tensor::<4>::from_data(TensorData::new(probe.bias.clone(), [1, 1, length, length]), &device);
    let hidden = network.forward(ids, bias).narrow(1, probe.start, config.num_vq_tokens);
    let hidden = hidden.reshape([config.num_vq_tokens, config.hidden_size]);
    network
        .code_logits(hidden)
        .try_into_vec_as::<f32>()
        .map_err(|error| ToolError::Checkpoint { path: path.into(), problem: format!("its logits: {error}") })
}

fn compare(exact: &[f32], stored: &[f32], codes: usize) -> Agreement {
    let mut agreement =
        Agreement { positions: 0, layers: 0, mean_kl: 0.0, worst_kl: 0.0, same_argmax: 0, relative_rms: 0.0 };
    let (mut error, mut power) = (0f64, 0f64);
    for (exact, stored) in exact.chunks(codes.max(1)).zip(stored.chunks(codes.max(1))) {
        let kl = kl(exact, stored);
        agreement.positions += 1;
        agreement.mean_kl += kl;
        agreement.worst_kl = agreement.worst_kl.max(kl);
        agreement.same_argmax += usize::from(argmax(exact) == argmax(stored));
        for (&exact, &stored) in exact.iter().zip(stored) {
            error += (f64::from(stored) - f64::from(exact)).powi(2);
            power += f64::from(exact).powi(2);
        }
    }
    agreement.mean_kl /= agreement.positions.max(1) as f64;
    agreement.relative_rms = if power > 0.0 { (error / power).sqrt() } else { 0.0 };
    agreement
}

/// `Σ p·(ln p − ln q)` of two rows of logits.
fn kl(p: &[f32], q: &[f32]) -> f64 {
    let log_sum = |row: &[f32]| {
        let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        f64::from(highest) + row.iter().map(|&x| f64::from(x - highest).exp()).sum::<f64>().ln()
    };
    let (p_sum, q_sum) = (log_sum(p), log_sum(q));
    let terms = p.iter().zip(q).map(|(&p, &q)| {
        let (p, q) = (f64::from(p) - p_sum, f64::from(q) - q_sum);
        p.exp() * (p - q)
    });
    // Rounding can leave a hair below zero.
    terms.sum::<f64>().max(0.0)
}

fn argmax(row: &[f32]) -> Option<usize> {
    (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]))
}

/// Memory that can be had without swapping, where the system says (Linux).
fn available_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_is_what_it_should_be() {
        // p = (3/4, 1/4), q = (1/2, 1/2): 3/4·ln(3/2) + 1/4·ln(1/2).
        let p = [3f32.ln() + 5.0, 5.0];
        let expected = 0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln();
        assert!((kl(&p, &[7.0, 7.0]) - expected).abs() < 1e-6);
        assert!(kl(&p, &p) < 1e-12);
        let agreement = compare(&[1.0, 2.0, 5.0, 4.0], &[1.0, 2.0, 4.0, 5.0], 2);
        assert_eq!((agreement.positions, agreement.same_argmax), (2, 1));
        assert!((agreement.relative_rms - (2f64 / 46.0).sqrt()).abs() < 1e-12);
    }
}

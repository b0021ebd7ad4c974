//! Training on LibTorch's device for the processor against training on burn's: the same losses, step for step.

use std::path::Path;

use burn::tensor::Device;
use serde_json::Value;

use super::{FitConfig, Start, Task, fit};
use crate::generator::{GeneratorConfig, GeneratorTask};
use crate::source::Source;
use crate::tokens::TokenSet;
use crate::vq::{VqConfig, VqTask};

fn fit_config(bf16: bool, muon: bool) -> FitConfig {
    FitConfig {
        steps: 5,
        seconds: None,
        // One: of more, burn's workers would each take the mean of their own.
        batch: 1,
        // Small steps: what differs in the last bits grows with every large one.
        learning_rate: 1e-4,
        warmup_steps: 1,
        final_rate: 0.1,
        weight_decay: 0.01,
        ema_decay: 0.9,
        muon,
        bf16,
        seed: 3,
        checkpoint_seconds: 3600,
        sample_steps: 100,
    }
}

/// Each step's loss.
fn losses(task: &impl Task, config: &FitConfig, folder: &Path, device: Device) -> Vec<f64> {
    fit(task, config, folder, &Start::default(), device).unwrap();
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["loss"].as_f64().unwrap()).collect()
}

/// The same task on both, once in f32 and once in bfloat16.
#[allow(deprecated)] // as in `device`
fn compare<T: Task>(what: &str, task: impl Fn(FitConfig) -> T, muon: bool) {
    let folder = tempfile::tempdir().unwrap();
    // Without AVX-512 BF16 burn's own is in f32 either way; with it, in the same precision as what it is compared with.
    for (bf16, tolerance) in [(false, 1e-3), (true, 2e-2)] {
        let config = fit_config(bf16, muon);
        let [torch, flex] = [("torch", Device::libtorch()), ("flex", Device::flex())].map(|(name, device)| {
            losses(&task(config.clone()), &config, &folder.path().join(format!("{name}-{bf16}")), device)
        });
        eprintln!("{what}, bf16 {bf16}: {torch:?} on LibTorch, {flex:?} on burn's");
        assert_eq!((torch.len(), flex.len()), (5, 5));
        assert!(torch.iter().all(|loss| loss.is_finite()), "{what}: {torch:?}");
        for (torch, flex) in torch.iter().zip(&flex) {
            assert!((torch - flex).abs() < tolerance * flex.abs().max(1.0), "{what}, bf16 {bf16}: {torch}, not {flex}");
        }
    }
}

#[test]
fn a_tokenizer_trains_alike() {
    let text = include_str!("../../configs/vq.toml");
    let mut config: VqConfig = toml::from_str(text).unwrap();
    config.model.ch = 8;
    compare("tokenizer", |fit| VqTask { config: VqConfig { fit, ..config.clone() } }, false);
}

#[test]
fn a_generator_trains_alike() {
    let shipped = Source::Bundle(concat!(env!("CARGO_MANIFEST_DIR"), "/../www/models/scenes").into());
    let text = include_str!("../../configs/showo.toml");
    let config: GeneratorConfig = toml::from_str(text).unwrap();
    let config = GeneratorConfig { hidden_size: 64, intermediate_size: 128, num_hidden_layers: 3, ..config };
    let folder = tempfile::tempdir().unwrap();
    let task = |fit: FitConfig| {
        let (magvit, tokenizer) = shipped.tokenizer(&Device::flex()).unwrap();
        let bits = magvit.z_channels;
        let set = TokenSet::prepare(&tokenizer, 5, 16, &folder.path().join("tokens.json")).unwrap();
        let config = GeneratorConfig { fit, ..config.clone() };
        GeneratorTask { network: config.network(bits), config, bits, set, tokenizer }
    };
    for muon in [false, true] {
        compare(if muon { "generator with Muon" } else { "generator" }, &task, muon);
    }
}

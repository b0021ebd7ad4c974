//! A reward network of twice the width that computes the same (Net2Net, arXiv 1511.05641; bert2BERT, arXiv 2110.07143):
//! most of a long training then costs a quarter.
//!
//! Every feature stands there twice. A matrix that reads doubled features splits its entries between the two copies, at
//! random, so that their gradients differ and the copies part; norms see the same mean and variance; heads keep their width
//! and are twice as many.

use anyhow::{Context, Result, bail};
use rng::Rng;

use crate::checkpoint::Named;

/// How far a split may be from halves, as a part of the entry.
const UNEVEN: f32 = 0.5;

/// The parameters of a reward network in training, each width doubled.
///
/// # Errors
/// A parameter of another shape than a reward network has.
pub fn double(narrow: &Named, seed: u64) -> Result<Named> {
    let mut wide = Named::new();
    for (index, (name, (shape, values))) in narrow.iter().enumerate() {
        let mut rng = Rng::keyed(&[seed, 0x6772_6f77, index as u64]);
        let plain = name.trim_start_matches("base.");
        let kind = plain.rsplit_once('.').map_or(plain, |(layer, _)| layer);
        let table = matches!(kind, "text" | "image" | "bits_in" | "segment" | "position");
        let grown = match (shape.as_slice(), table) {
            ([_], _) if kind == "head2" => (shape.clone(), values.clone()),
            ([width], _) => (vec![2 * width], twice(values, *width)),
            ([rows, width], true) => (vec![*rows, 2 * width], twice(values, *width)),
            // `[d, classes]`: reads from its rows.
            ([rows, classes], _) if kind == "ground" => {
                (vec![2 * rows, *classes], values.iter().chain(values).map(|value| value / 2.0).collect())
            }
            ([rows, width], _) => {
                let outputs = if kind == "head2" { 1 } else { 2 };
                let read = |_| values.chunks(*width).map(|row| split(row, &mut rng)).collect::<Vec<_>>().concat();
                (vec![outputs * rows, 2 * width], (0..outputs).map(read).collect::<Vec<_>>().concat())
            }
            _ => bail!("{name} of shape {shape:?} is no parameter of a reward network"),
        };
        wide.insert(name.clone(), grown);
    }
    wide.get("bits_in").context("these are not the parameters of a reward network in training")?;
    Ok(wide)
}

/// Each row, and once more behind it.
fn twice(values: &[f32], width: usize) -> Vec<f32> {
    values.chunks(width).flat_map(|row| row.iter().chain(row)).copied().collect()
}

/// A row that reads two copies of what `row` reads.
fn split(row: &[f32], rng: &mut Rng) -> Vec<f32> {
    let shares: Vec<f32> = row.iter().map(|_| 0.5 + UNEVEN * (rng.unit() - 0.5)).collect();
    let first = row.iter().zip(&shares).map(|(value, share)| value * share);
    first.chain(row.iter().zip(&shares).map(|(value, share)| value * (1.0 - share))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use burn::tensor::Device;
    use showo::config::RewardLabel;
    use showo::model::weights::named_parameters;

    use super::*;
    use crate::checkpoint::weights_of;
    use crate::fit::Task;
    use crate::reward::{self, RewardTask, RewardTrainConfig, Rollouts};
    use crate::source::Source;
    use showo::load::RewardModel;

    #[test]
    fn the_wide_network_says_what_the_narrow_one_says_and_its_copies_differ() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/configs/reward.toml")).unwrap();
        let narrow: RewardTrainConfig = toml::from_str(&text).unwrap();
        let wide = RewardTrainConfig {
            hidden_size: 2 * narrow.hidden_size,
            num_attention_heads: 2 * narrow.num_attention_heads,
            intermediate_size: 2 * narrow.intermediate_size,
            head_size: 2 * narrow.head_size,
            ..narrow.clone()
        };
        let shipped = Source::Bundle(concat!(env!("CARGO_MANIFEST_DIR"), "/../www/models/scenes").into());
        let (magvit, tokenizer) = shipped.tokenizer(&Device::flex()).unwrap();
        let bits = magvit.z_channels;
        let task = |config: &RewardTrainConfig| RewardTask {
            config: config.clone(),
            network: config.network(bits, RewardLabel::Potential),
            bits,
            rollouts: Rollouts::new(Vec::new()),
            held_out: Rollouts::new(Vec::new()),
            synthetic: Vec::new(),
            tokenizer: tokenizer.clone(),
            words: crate::data::Words::new(),
            ground: Vec::new(),
            teacher: None,
        };
        let device = Device::flex();
        let said = |config: &RewardTrainConfig, parameters: Named| {
            let network = config.network(bits, RewardLabel::Potential);
            let exported = reward::export(&network, bits, parameters).unwrap();
            let reward = showo::model::reward::Reward::new(&network, weights_of(&exported, &device).unwrap()).unwrap();
            let state: Vec<i32> = (0..64).map(|at| if at % 3 == 0 { -1 } else { at * 7 % 500 }).collect();
            let network = RewardModel { config: network, reward, device: device.clone() };
            crate::parm::logits(&network, &[("a circle", &state), ("two red stars", &state)])
        };
        let random = task(&narrow).build(showo::model::Weights::random(&device, 1)).unwrap();
        let parameters = named_parameters(&random).unwrap();
        let doubled = double(&parameters, 1).unwrap();
        let halves: BTreeSet<bool> = {
            let (shape, values) = &doubled["base.layers.0.q.weight"];
            values.chunks(shape[1]).map(|row| row[0] == row[shape[1] / 2]).collect()
        };
        assert_eq!(halves, [false].into());
        let before = said(&narrow, parameters);
        let after = said(&wide, doubled);
        for (before, after) in before.iter().zip(&after) {
            assert!((before - after).abs() < 1e-4, "{before} {after}");
        }
        assert!((before[0] - before[1]).abs() > 1e-3, "the prompt matters: {before:?}");
        assert!(double(&[("x".to_owned(), (vec![1, 1, 1], vec![0.0]))].into(), 1).is_err());
    }
}

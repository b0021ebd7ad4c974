//! `train eval`: the figures of docs/results.md that are no rows of a table, each measured on the exported weights with the engine's own code.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use burn::tensor::Device;
use indicatif::ProgressBar;
use scenes::{Category, Spec, Split};
use serde_json::json;
use showo::config::RewardLabel;
use showo::load::RewardModel;
use showo::model::magvit::Magvit;
use showo::settings::Tuning;

use crate::data;
use crate::reward::auc;
use crate::rollouts::{Decoding, Lane, Roller, Rollout};
use crate::source::Source;

/// Everything that `train eval` measures, of the networks in `source`; written to `eval.json` in `runs`.
///
/// # Errors
/// A network is missing, or the device fails.
pub fn run(source: &Source, tuning: Tuning, runs: &Path, prompts: usize, decoding: Decoding) -> Result<()> {
    println!("{}", source.describe()?);
    let (_, tokenizer) = source.tokenizer(&Device::flex())?;
    println!("{}", crate::vq::report(&tokenizer, 1000)?);
    if let Some(clip) = source.clip()? {
        println!("{}", crate::clip::report(&clip, 1000)?);
    }
    let (config, generator) = source.generator(tuning, &Device::flex())?;
    std::fs::create_dir_all(runs).with_context(|| format!("cannot make {}", runs.display()))?;
    let mut figures = BTreeMap::new();
    let mut aucs = Vec::new();
    let roller = Roller {
        network: &generator,
        config: &config,
        tokenizer: &tokenizer,
        device: &Device::flex(),
        decoding,
        previews: false,
        chooser: None,
    };
    for split in [Split::Train, Split::Compositional] {
        let rolled = success(&roller, prompts, split)?;
        figures.insert(split.word(), table(split, &rolled));
        if split == Split::Train {
            sheet(&runs.join("eval-samples.png"), &tokenizer, &rolled)?;
            if let Some(network) = source.reward(RewardLabel::Potential, &Device::flex())? {
                aucs = parm(&network, &rolled);
            }
        }
    }
    let out = runs.join("eval.json");
    let document = json!({
        "prompts": prompts, "steps": decoding.steps, "guidance_scale": decoding.guidance_scale,
        "temperature": decoding.temperature, "seed": decoding.seed,
        "weights": source.describe()?, "generator": tuning, "success": figures, "parm_auc_by_step": aucs,
    });
    std::fs::write(&out, serde_json::to_vec_pretty(&document)?)?;
    println!("written to {}", out.display());
    Ok(())
}

type Rolled = Vec<(Category, Spec, Rollout)>;

/// One picture for each evaluation prompt, evenly over the categories.
fn success(roller: &Roller, prompts: usize, split: Split) -> Result<Rolled> {
    let specs = scenes::evaluation_prompts(prompts / Category::ALL.len(), split, roller.decoding.seed);
    let bar = ProgressBar::new(specs.len() as u64);
    // Numbers far above those of training rollouts.
    let lanes: Vec<Lane> = specs.iter().zip(1 << 40..).map(|((_, spec), number)| Lane::new(number, spec)).collect();
    let rollouts = roller.roll_all(&lanes, |done| bar.inc(done as u64))?;
    bar.finish_and_clear();
    let mut rolled: Rolled =
        specs.iter().zip(rollouts).map(|((category, spec), rollout)| (*category, spec.clone(), rollout)).collect();
    rolled.sort_by_key(|(category, _, rollout)| (*category as usize, rollout.prompt.clone()));
    Ok(rolled)
}

fn table(split: Split, rolled: &Rolled) -> serde_json::Value {
    let mut rows = serde_json::Map::new();
    let rate = |accepted: usize, n: usize| accepted as f64 / n.max(1) as f64;
    println!("success of mode `none`, split {split}:");
    for category in Category::ALL {
        let of: Vec<bool> = rolled.iter().filter(|row| row.0 == category).map(|row| row.2.accepted).collect();
        let accepted = of.iter().filter(|accepted| **accepted).count();
        println!("  {:<20} {accepted:>4} of {:<4} {:.3}", category.word(), of.len(), rate(accepted, of.len()));
        rows.insert(category.word().to_owned(), json!({ "accepted": accepted, "n": of.len() }));
    }
    let accepted = rolled.iter().filter(|row| row.2.accepted).count();
    println!("  {:<20} {accepted:>4} of {:<4} {:.3}", "overall", rolled.len(), rate(accepted, rolled.len()));
    rows.insert("overall".into(), json!({ "accepted": accepted, "n": rolled.len() }));
    rows.into()
}

/// The first finished pictures of every category, four a row.
fn sheet(path: &Path, tokenizer: &Magvit, rolled: &Rolled) -> Result<()> {
    let mut grids = Vec::new();
    for category in Category::ALL {
        grids.extend(
            rolled.iter().filter(|row| row.0 == category).take(8).filter_map(|row| row.2.states.last().cloned()),
        );
    }
    data::write_sheet(path, &crate::vq::decode(tokenizer, &grids, &Device::flex()), 8, 2)
}

/// ROC-AUC of PARM for the final verdict at every step; prompts that training rollouts may hold, pictures that they
/// do not.
fn parm(network: &RewardModel, rolled: &Rolled) -> Vec<f64> {
    let steps = rolled.first().map_or(0, |row| row.2.states.len());
    println!("PARM's ROC-AUC for potential by step (of {steps}), held-out rollouts:");
    let by_step = (0..steps).map(|step| {
        let states: Vec<_> = rolled.iter().map(|row| (row.2.prompt.as_str(), row.2.states[step].as_slice())).collect();
        let scores = crate::parm::logits(network, &states);
        let scored: Vec<_> = scores.into_iter().zip(rolled.iter().map(|row| row.2.accepted)).collect();
        let auc = auc(&scored);
        println!("  step {:>2}: {auc:.3}", step + 1);
        auc
    });
    by_step.collect()
}

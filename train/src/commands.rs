//! The commands: each reads what it needs, trains or measures, and writes its folder.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use burn::tensor::Device;
use showo::bundle::ModelKind;
use showo::config::{RewardLabel, ShowoConfig};
use showo::load::RewardModel;
use showo::model::clip::Clip;
use showo::model::magvit::Magvit;
use showo::settings::Tuning;

use crate::cli::{LearntFrom, ResultsArgs, RolloutsConfig, TrainArgs, configuration};
use crate::source::Source;
use crate::{checkpoint, clip, data, fit, generator, preference, results, reward, rollouts, shuffle, tokens, vq};

/// What every command works with.
pub struct Context {
    pub runs: PathBuf,
    pub source: Source,
    pub tuning: Tuning,
    pub device: Device,
}

/// `train vq`.
///
/// # Errors
/// A configuration that is none; what it needs is missing or does not fit; files that cannot be written.
pub fn train_vq(args: &TrainArgs, context: &Context) -> Result<()> {
    let config: vq::VqConfig = args.read("vq")?;
    let folder = args.folder(&context.runs, "vq");
    let model = config.model.clone();
    let fit_config = config.fit.clone();
    let named = fit::fit(&vq::VqTask { config }, &fit_config, &folder, &args.start, context.device.clone())?;
    checkpoint::write_named(&folder.join("magvit.safetensors"), &named)?;
    std::fs::write(folder.join("magvit.json"), serde_json::to_vec_pretty(&model)?)?;
    let trained = Magvit::new(&model, checkpoint::weights_of(&named, &Device::flex())?, true)?;
    println!("{}", vq::report(&trained, 1000)?);
    Ok(())
}

/// `train showo`.
///
/// # Errors
/// A configuration that is none; what it needs is missing or does not fit; files that cannot be written.
pub fn train_showo(args: &TrainArgs, context: &Context) -> Result<()> {
    let config: generator::GeneratorConfig = args.read("showo")?;
    let folder = args.folder(&context.runs, "showo");
    std::fs::create_dir_all(&folder)?;
    let (magvit, tokenizer) = context.source.tokenizer(&Device::flex())?;
    let bits = magvit.z_channels;
    let network = config.network(bits);
    let set = tokens::TokenSet::prepare(&tokenizer, config.fit.seed, config.scenes, &folder.join("tokens.json"))?;
    let fit_config = config.fit.clone();
    let task = generator::GeneratorTask { config, network: network.clone(), bits, set, tokenizer };
    let named = fit::fit(&task, &fit_config, &folder, &args.start, context.device.clone())?;
    write_generator(&folder, &network, bits, named)
}

/// What `quantize` makes a bundle of.
fn write_generator(folder: &Path, network: &ShowoConfig, bits: usize, named: checkpoint::Named) -> Result<()> {
    checkpoint::write_named(&folder.join("showo.safetensors"), &generator::export(network, bits, named)?)?;
    std::fs::write(folder.join("showo.json"), serde_json::to_vec_pretty(network)?)?;
    let tokenizer = data::Words::new().tokenizer_json();
    std::fs::write(folder.join("tokenizer.json"), serde_json::to_vec_pretty(&tokenizer)?)?;
    Ok(())
}

/// `train clip`.
///
/// # Errors
/// A configuration that is none; what it needs is missing or does not fit; files that cannot be written.
pub fn train_clip(args: &TrainArgs, context: &Context) -> Result<()> {
    let config: clip::ClipTrainConfig = args.read("clip")?;
    let folder = args.folder(&context.runs, "clip");
    let network = config.network();
    let fit_config = config.fit.clone();
    let task = clip::ClipTask { config, network: network.clone(), words: data::Words::new() };
    let named = fit::fit(&task, &fit_config, &folder, &args.start, context.device.clone())?;
    checkpoint::write_named(&folder.join("clip.safetensors"), &named)?;
    std::fs::write(folder.join("clip.json"), serde_json::to_vec_pretty(&network)?)?;
    let trained = Clip::new(&network, checkpoint::weights_of(&named, &Device::flex())?)?;
    println!("{}", clip::report(&trained, 1000)?);
    Ok(())
}

/// `train rollouts`, of the prompts of the world or `from` states of other rollouts; with `candidates` PARM chooses among so many at every step.
///
/// # Errors
/// A configuration that is none; what it needs is missing or does not fit; files that cannot be written.
pub fn roll(
    context: &Context,
    config: &RolloutsConfig,
    candidates: Option<u32>,
    from: &[rollouts::Rollout],
) -> Result<()> {
    let device = &context.device;
    let (_, tokenizer) = context.source.tokenizer(device)?;
    let (network_config, network) = context.source.generator(context.tuning, device)?;
    std::fs::create_dir_all(&context.runs)?;
    let parm = match candidates {
        Some(candidates) => Some((parm(context, device)?, candidates)),
        None => None,
    };
    let chooser = parm.as_ref().map(|(parm, candidates)| rollouts::Chooser { parm, candidates: *candidates });
    let roller = rollouts::Roller {
        network: &network,
        config: &network_config,
        tokenizer: &tokenizer,
        device,
        decoding: config.decoding,
        previews: config.previews,
        chooser,
    };
    rollouts::run(&roller, config.count, config.group, from, &context.runs.join("rollouts.jsonl"))
}

fn parm(context: &Context, device: &Device) -> Result<RewardModel> {
    context.source.reward(RewardLabel::Potential, device)?.context("there is no PARM to ask; train it first")
}

/// `train dpo`.
///
/// # Errors
/// A configuration that is none; what it needs is missing or does not fit; files that cannot be written.
pub fn train_dpo(args: &TrainArgs, learnt_from: &LearntFrom, context: &Context) -> Result<()> {
    let config = args.read::<preference::DpoConfig>("dpo")?.checked()?;
    let folder = args.folder(&context.runs, Tuning::Dpo.word());
    let (magvit, tokenizer) = context.source.tokenizer(&Device::flex())?;
    let bits = magvit.z_channels;
    let (network, _) = context.source.generator(context.tuning, &Device::flex())?;
    let begin = generator::import(&network, bits, context.source.generator_parameters(context.tuning)?)?;
    let rollouts = learnt_from.read(&context.runs)?;
    let mut ranks = rollouts.iter().map(|rollout| f32::from(u8::from(rollout.accepted))).collect();
    let (mut surprise, mut parm_model) = (None, None);
    if config.needs_parm() {
        let parm = parm(context, &Device::flex())?;
        if config.ranked_by == preference::Ranking::Parm {
            ranks = preference::parm_ranks(&parm, &rollouts);
        }
        if config.reward_coefficient > 0.0 {
            let named =
                context.source.parameters(ModelKind::Reward(RewardLabel::Potential), "reward-potential", "reward")?;
            let device = context.device.clone().autodiff();
            surprise = Some(preference::Surprise::new(parm.config.clone(), &named, device)?);
        }
        parm_model = Some(parm);
    }
    let pairs = preference::Pairs::new(&rollouts, &ranks)?;
    let reference = preference::reference(&network, bits, &begin, &context.device)?;
    let fit_config = config.fit.clone();
    let task = preference::DpoTask {
        config,
        network: network.clone(),
        bits,
        pairs,
        begin,
        reference,
        surprise,
        parm: parm_model,
        tokenizer,
    };
    let named = fit::fit(&task, &fit_config, &folder, &args.start, context.device.clone())?;
    write_generator(&folder, &network, bits, named)
}

/// `train results`.
///
/// # Errors
/// As [`results::run`] and [`results::quick`].
pub fn measure(args: &ResultsArgs, context: &Context) -> Result<()> {
    let config: results::ResultsConfig = configuration(args.config.as_deref(), "results")?;
    let shipped = PathBuf::from("www/models/scenes");
    let places = results::Places {
        bundle: if let Source::Bundle(folder) = &context.source { folder } else { &shipped },
        pictures: &args.out.join("pictures"),
        results: &args.out,
        readme: &args.readme,
    };
    if args.quick { results::quick(&places) } else { results::run(&config, &places) }
}

/// `train reward`.
///
/// # Errors
/// A configuration that is none; what it needs is missing or does not fit; files that cannot be written.
pub fn train_reward(args: &TrainArgs, learnt_from: &LearntFrom, label: RewardLabel, context: &Context) -> Result<()> {
    let config: reward::RewardTrainConfig = args.read("reward")?;
    let folder = args.folder(&context.runs, &format!("reward-{}", label.word()));
    let (magvit, tokenizer) = context.source.tokenizer(&Device::flex())?;
    let bits = magvit.z_channels;
    let network = config.network(bits, label);
    let all = learnt_from.read(&context.runs)?;
    let judged = |rollout: &rollouts::Rollout| rollout.preview_accepted.len() == rollout.states.len();
    ensure!(
        label != RewardLabel::Preview || all.iter().all(judged),
        "some rollouts were made without previews; make them again with --previews true"
    );
    // Whole groups are held out: no prompt's rollouts stand on both sides.
    let (held_out, rollouts): (Vec<_>, Vec<rollouts::Rollout>) =
        all.into_iter().partition(|rollout| rollout.group.is_multiple_of(config.holdout));
    let ground = shuffle::ground(rollouts.iter().filter_map(|rollout| rollout.states.last()).map(Vec::as_slice));
    let synthetic = reward::synthetic(&tokenizer, config.fit.seed, config.scenes)?;
    let teacher = if config.foreseen > 0.0 { Some(parm(context, &Device::flex())?) } else { None };
    let fit_config = config.fit.clone();
    let task = reward::RewardTask {
        config,
        network: network.clone(),
        bits,
        rollouts: reward::Rollouts::new(rollouts),
        held_out: reward::Rollouts::new(held_out),
        synthetic,
        tokenizer,
        words: data::Words::new(),
        ground,
        teacher,
    };
    let named = fit::fit(&task, &fit_config, &folder, &args.start, context.device.clone())?;
    checkpoint::write_named(&folder.join("reward.safetensors"), &reward::export(&network, bits, named)?)?;
    std::fs::write(folder.join("reward.json"), serde_json::to_vec_pretty(&network)?)?;
    Ok(())
}

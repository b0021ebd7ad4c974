//! The commands for the world of things: as [`crate::commands`], each reads what it needs, trains or measures, and writes its folder.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use burn::tensor::Device;
use scenes::icons::checker::Options;
use scenes::icons::{Checker, Class};
use showo::bundle::ModelKind;
use showo::model::clip::Clip;
use showo::model::magvit::Magvit;
use showo::model::preview::Preview;
use showo::settings::Tuning;

use super::clip::{self, ClipTask, ClipTrainConfig};
use super::decode::Painter;
use super::decodes::Decodes;
use super::eval::Measured;
use super::generator::{GeneratorConfig, GeneratorTask};
use super::patches::PatchEncoder;
use super::preview::{self, PreviewTask, PreviewTrainConfig};
use super::questions::Speech;
use super::reward::{self, RewardTask, RewardTrainConfig};
use super::rollouts::{self, Roller};
use super::vq::{self, VqConfig, VqTask};
use super::world::{Preset, Width, World};
use crate::cli::{Command, DecodingArgs, EvalConfig, RolloutsConfig, TrainArgs, configuration};
use crate::commands::Context;
use crate::{checkpoint, fit, generator, source};

/// A command in this world.
///
/// # Errors
/// As the command; one that this world does not have yet.
pub fn run(command: Command, context: &Context) -> Result<()> {
    match command {
        Command::Vq(args) => train_vq(&args, context),
        Command::Preview(args) => train_preview(&args, context),
        Command::Showo(args) => train_showo(&args, context),
        Command::Decodes { scenes, pictures } => decodes(scenes, pictures.as_deref(), context),
        Command::Clip(args) => train_clip(&args, context),
        Command::Rollouts { count, group, decoding, candidates: None, branch: None, previews: _ } => {
            roll(count, group, &decoding, context)
        }
        Command::Reward { args, learnt_from, .. } => train_reward(&args, &learnt_from.rollouts, context),
        Command::Eval { prompts, images, decoding } => evaluate(prompts, images, &decoding, context),
        _ => bail!(
            "the world of things has vq, decodes, preview, showo, clip, rollouts (without --candidates and --branch), reward and eval; leave --world out for the others"
        ),
    }
}

/// Pictures to codes, by the tokenizer that is there.
fn patch_encoder(context: &Context) -> Result<PatchEncoder> {
    PatchEncoder::new(&context.source.parameters(ModelKind::Magvit, "icons-vq", "magvit")?)
}

/// `train --world icons vq`.
fn train_vq(args: &TrainArgs, context: &Context) -> Result<()> {
    let config: VqConfig = args.read("icons-vq")?;
    let folder = args.folder(&context.runs, "icons-vq");
    let (model, fit_config) = (config.model.clone(), config.fit.clone());
    let encoder = match (&args.start.init, config.encoder_kept) {
        (Some(bundle), true) => Some(PatchEncoder::new(&source::parameters(bundle, ModelKind::Magvit)?)?),
        (None, true) => bail!("encoder_kept needs --init BUNDLE, whose encoder it is"),
        (_, false) => None,
    };
    let task = VqTask { world: World::new(&config.world), config, encoder };
    let named = fit::fit(&task, &fit_config, &folder, &args.start, context.device.clone())?;
    checkpoint::write_named(&folder.join("magvit.safetensors"), &named)?;
    std::fs::write(folder.join("magvit.json"), serde_json::to_vec_pretty(&model)?)?;
    let device = &context.device;
    let trained = Magvit::new(&model, checkpoint::weights_of(&named, device)?, true)?;
    let through = |pictures: &[_]| Ok(vq::decode(&trained, &vq::codes(&trained, pictures, device)?, device));
    println!("{}", vq::Figures::of(&task.world, 400, through)?);
    Ok(())
}

/// `train --world icons preview`.
fn train_preview(args: &TrainArgs, context: &Context) -> Result<()> {
    let config: PreviewTrainConfig = args.read("icons-preview")?;
    let folder = args.folder(&context.runs, "icons-preview");
    let device = &context.device;
    let (magvit, tokenizer) = context.source.tokenizer_of("icons-vq", device)?;
    config.fits(&magvit)?;
    let encoder = patch_encoder(context)?;
    let (model, fit_config) = (config.model.clone(), config.fit.clone());
    let task = PreviewTask { world: World::new(&config.world), encoder, config };
    let named = fit::fit(&task, &fit_config, &folder, &args.start, device.clone())?;
    checkpoint::write_named(&folder.join("preview.safetensors"), &named)?;
    std::fs::write(folder.join("preview.json"), serde_json::to_vec_pretty(&model)?)?;
    let trained = Preview::new(&model, checkpoint::weights_of(&named, device)?)?;
    println!("{}", preview::figures(&task, &trained, &tokenizer, device));
    Ok(())
}

/// `train --world icons showo`.
fn train_showo(args: &TrainArgs, context: &Context) -> Result<()> {
    let config: GeneratorConfig = args.read("icons-showo")?;
    let folder = args.folder(&context.runs, "icons-showo");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (magvit, tokenizer) = context.source.tokenizer_of("icons-vq", &Device::flex())?;
    let encoder = patch_encoder(context)?;
    let bits = magvit.z_channels;
    let world = World::new(&config.world);
    let (network, fit_config) = (config.network(&world, bits), config.fit.clone());
    let speech = Speech::new(&world.words);
    let task = GeneratorTask { config, network: network.clone(), bits, world, encoder, tokenizer, speech };
    let named = fit::fit(&task, &fit_config, &folder, &args.start, context.device.clone())?;
    checkpoint::write_named(&folder.join("showo.safetensors"), &generator::export(&network, bits, named)?)?;
    std::fs::write(folder.join("showo.json"), serde_json::to_vec_pretty(&network)?)?;
    let words = task.world.words.tokenizer_json();
    std::fs::write(folder.join("tokenizer.json"), serde_json::to_vec_pretty(&words)?)?;
    Ok(())
}

/// `train --world icons clip`.
fn train_clip(args: &TrainArgs, context: &Context) -> Result<()> {
    let config: ClipTrainConfig = args.read("icons-clip")?;
    let folder = args.folder(&context.runs, "icons-clip");
    let world = World::new(&config.world);
    let (network, fit_config) = (config.network(&world.words), config.fit.clone());
    let task = ClipTask { config, network: network.clone(), world };
    let named = fit::fit(&task, &fit_config, &folder, &args.start, context.device.clone())?;
    checkpoint::write_named(&folder.join("clip.safetensors"), &named)?;
    std::fs::write(folder.join("clip.json"), serde_json::to_vec_pretty(&network)?)?;
    let trained = Clip::new(&network, checkpoint::weights_of(&named, &context.device)?)?;
    println!("{}", clip::report(&trained, &task.world, 1000, &context.device)?);
    Ok(())
}

/// The checker of rollouts: it knows the glyphs, sizes and mirrors of the world that the generator learnt alone, and is ten times as
/// quick so. Figures are judged by one that knows all.
fn narrow_checker(world: &World) -> Checker {
    let most = world.variety.glyphs_per_class;
    let glyphs = Class::all().flat_map(|class| world.atlas.of_class(class).iter().copied().take(most)).collect();
    let options =
        Options { glyphs: Some(glyphs), sizes: Some(world.variety.sizes()), mirrored: world.variety.mirrored > 0.0 };
    Checker::new(world.atlas, &options)
}

/// `train --world icons rollouts`.
fn roll(count: Option<u64>, group: Option<u64>, decoding: &DecodingArgs, context: &Context) -> Result<()> {
    let config: RolloutsConfig = configuration(decoding.config.as_deref(), "icons-rollouts")?;
    let device = &context.device;
    let world = World::new(&Width::Preset(Preset::Narrow));
    let (_, tokenizer) = context.source.tokenizer_of("icons-vq", device)?;
    let (network_config, network) = context.source.generator_of(Tuning::Base, "icons-showo", device)?;
    std::fs::create_dir_all(&context.runs)?;
    let painter = Painter {
        network: &network,
        config: &network_config,
        words: &world.words,
        device,
        decoding: decoding.over(config.decoding),
    };
    let roller = Roller { painter, tokenizer: &tokenizer, checker: &narrow_checker(&world) };
    let path = context.runs.join("icons-rollouts.jsonl");
    roller.run(count.unwrap_or(config.count), group.unwrap_or(config.group), &path)
}

/// `train --world icons reward`.
fn train_reward(args: &TrainArgs, files: &[std::path::PathBuf], context: &Context) -> Result<()> {
    let config: RewardTrainConfig = args.read("icons-reward")?;
    let folder = args.folder(&context.runs, "icons-reward");
    let (magvit, _) = context.source.tokenizer_of("icons-vq", &Device::flex())?;
    let encoder = patch_encoder(context)?;
    let world = World::new(&config.world);
    let own = [context.runs.join("icons-rollouts.jsonl")];
    let files = if files.is_empty() { &own[..] } else { files };
    let mut all = Vec::new();
    for (file, path) in (0_u64..).zip(files) {
        all.extend(
            rollouts::read(path)?.into_iter().map(|one| rollouts::Rollout { group: one.group | file << 32, ..one }),
        );
    }
    ensure!(!all.is_empty(), "there are no rollouts to learn from; run `train --world icons rollouts` first");
    // Whole groups are held out: no prompt's rollouts stand on both sides.
    let (held_out, rollouts): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|rollout| rollout.group.is_multiple_of(config.holdout));
    let (bits, fit_config) = (magvit.z_channels, config.fit.clone());
    let network = config.network(&world, bits);
    let rivals = reward::rivals(&rollouts);
    eprintln!("{} rollouts, {} pairs of them, {} held out", rollouts.len(), rivals.len(), held_out.len());
    let task = RewardTask { config, network: network.clone(), bits, world, encoder, rollouts, rivals, held_out };
    let named = fit::fit(&task, &fit_config, &folder, &args.start, context.device.clone())?;
    checkpoint::write_named(&folder.join("reward.safetensors"), &crate::reward::export(&network, bits, named)?)?;
    std::fs::write(folder.join("reward.json"), serde_json::to_vec_pretty(&network)?)?;
    Ok(())
}

/// `train --world icons decodes`.
fn decodes(scenes: u64, pictures: Option<&Path>, context: &Context) -> Result<()> {
    let device = &context.device;
    let world = World::new(&Width::Preset(Preset::Narrow));
    let (_, tokenizer) = context.source.tokenizer_of("icons-vq", device)?;
    let checker = &Checker::new(world.atlas, &Options::default());
    Decodes { world: &world, tokenizer: &tokenizer, checker, device }.run(scenes, &context.runs, pictures)
}

/// `train --world icons eval`: `images` pictures of each of so many of GenEval's prompts.
fn evaluate(prompts: Option<usize>, images: Option<usize>, decoding: &DecodingArgs, context: &Context) -> Result<()> {
    let config: EvalConfig = configuration(decoding.config.as_deref(), "icons-eval")?;
    let device = &context.device;
    println!("{}", context.source.describe()?);
    let world = World::new(&Width::Preset(Preset::Narrow));
    let (_, tokenizer) = context.source.tokenizer_of("icons-vq", device)?;
    let encoder = patch_encoder(context)?;
    let parameters = context.source.parameters(ModelKind::SHOWO, "icons-showo", "showo")?;
    let network_config = context.source.config(ModelKind::SHOWO, "icons-showo", "showo")?;
    let measured = Measured {
        world: &world,
        tokenizer: &tokenizer,
        encoder: &encoder,
        config: &network_config,
        parameters,
        checker: &Checker::new(world.atlas, &Options::default()),
        device,
        decoding: decoding.over(config.decoding),
    };
    let (prompts, images) = (prompts.unwrap_or(config.prompts), images.unwrap_or(config.images));
    measured.compare(prompts, images, &config.also)?;
    measured.run(prompts, images, &context.runs)
}

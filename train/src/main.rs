//! Trains and measures the models that the page ships with.

mod axes;
mod checkpoint;
mod clip;
mod critic;
mod data;
mod device;
mod eval;
mod fit;
mod generator;
mod grounding;
mod grow;
mod metrics;
mod preference;
mod reprompt;
mod results;
mod reward;
mod rollouts;
mod shuffle;
mod source;
mod tie;
mod tokens;
mod vq;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result, ensure};
use burn::tensor::Device;
use clap::{Args, Parser, Subcommand};
use critic::Critic;
use device::DeviceName;
use rollouts::Decoding;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use showo::config::{RewardLabel, ShowoConfig};
use showo::model::clip::Clip;
use showo::model::magvit::Magvit;
use showo::settings::Tuning;
use source::Source;

/// Trains and measures the models that the page ships with.
///
/// Each command writes into its folder under --runs: metrics.jsonl, loss.png, sample sheets, a checkpoint every few
/// minutes (go on with --resume), and at the end the exported weights. Ctrl-C saves a checkpoint and ends.
#[derive(Parser)]
#[command(name = "train", version)]
struct Cli {
    /// Folder that holds every run.
    #[arg(long, global = true, default_value = "runs")]
    runs: PathBuf,
    /// Take trained networks from this bundle (int8, as shipped) instead of from the runs.
    #[arg(long, global = true, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Which weights of the generator draw, or are trained on.
    #[arg(long, global = true, default_value_t = Tuning::Base)]
    generator: Tuning,
    /// Who computes gradients.
    #[arg(long, global = true, value_enum, default_value = "cpu")]
    device: DeviceName,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The image tokenizer (MAGVIT-v2 with lookup-free quantization).
    Vq(TrainArgs),
    /// The generator (Show-o); needs `train vq`.
    Showo(TrainArgs),
    /// CLIP, over whole pictures and patches.
    Clip(TrainArgs),
    /// Decodings to the end, for the reward networks to learn from; needs `train showo`.
    Rollouts {
        /// How many in all, instead of the configuration's; the file is continued.
        #[arg(long)]
        count: Option<u64>,
        /// How many share a prompt, instead of the configuration's.
        #[arg(long)]
        group: Option<u64>,
        /// Whether the checker looks at every step's preview, instead of the configuration's word.
        #[arg(long)]
        previews: Option<bool>,
        /// Let PARM choose among so many candidates at every step: it learns from these what its own choices lead to.
        #[arg(long, value_parser = clap::value_parser!(u32).range(2..=16))]
        candidates: Option<u32>,
        /// Go on from states of this file's rollouts, every group from one of them at a step drawn for it: what a choice among
        /// candidates of one step is between. Groups of eight are quickest.
        #[arg(long, value_name = "FILE")]
        branch: Option<PathBuf>,
        #[command(flatten)]
        decoding: DecodingArgs,
    },
    /// A reward network; needs `train rollouts`.
    Reward {
        /// What it learns to predict.
        #[arg(long, value_enum, default_value_t = Label::Potential)]
        label: Label,
        #[command(flatten)]
        learnt_from: LearntFrom,
        #[command(flatten)]
        args: TrainArgs,
    },
    /// A reward network in training made twice as wide, computing the same: what `reward --init` goes on with.
    Grow {
        /// A `model.safetensors` or `mean.safetensors` of a checkpoint.
        narrow: PathBuf,
        /// The file to write.
        wide: PathBuf,
        /// Seed of how matrices are split between the two copies of what they read.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// A reward network in training whose positions get rows and columns ([`axes`]): what `reward --init` goes on with.
    Axes {
        /// A `model.safetensors` or `mean.safetensors` of a checkpoint.
        from: PathBuf,
        /// The file to write.
        to: PathBuf,
        /// Standard deviation of what is added at the picture's edge.
        #[arg(long, default_value_t = axes::STRENGTH)]
        strength: f32,
        /// Seed of the directions.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// The generator, aligned with preferences among its own rollouts (DPO); needs `train rollouts`.
    Dpo {
        #[command(flatten)]
        learnt_from: LearntFrom,
        #[command(flatten)]
        args: TrainArgs,
    },
    /// The figures that the README states; with --bundle, of what the page loads.
    Eval {
        /// Prompts, evenly over the six categories, instead of the configuration's.
        #[arg(long)]
        prompts: Option<usize>,
        #[command(flatten)]
        decoding: DecodingArgs,
    },
    /// Every strategy on the same prompts and seeds, from the bundle (www/models/scenes by default): results/scenes.json,
    /// plots, and the README's table. Goes on where it was interrupted.
    Results(ResultsArgs),
}

/// What `train results` asks for.
#[derive(Args)]
struct ResultsArgs {
    /// Configuration; the committed one in train/configs by default.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Draw a few of the pictures again, and fail where they are worse than the recorded figures allow.
    #[arg(long)]
    quick: bool,
    /// Folder of scenes.json and the plots.
    #[arg(long, default_value = "results")]
    out: PathBuf,
    /// The file whose table is replaced.
    #[arg(long, default_value = "README.md")]
    readme: PathBuf,
}

/// `train/configs/rollouts.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RolloutsConfig {
    count: u64,
    group: u64,
    previews: bool,
    decoding: Decoding,
}

/// `train/configs/eval.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EvalConfig {
    prompts: usize,
    decoding: Decoding,
}

/// The configuration's file, and what a flag says instead of it.
#[derive(Args)]
struct DecodingArgs {
    /// Configuration; the committed one in train/configs by default.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Decoding steps T.
    #[arg(long)]
    steps: Option<usize>,
    /// Guidance scale g.
    #[arg(long)]
    guidance_scale: Option<f32>,
    /// Temperature of the re-masking noise.
    #[arg(long)]
    temperature: Option<f32>,
    /// Seed of all decodings.
    #[arg(long)]
    seed: Option<u64>,
}

impl DecodingArgs {
    fn over(&self, configured: Decoding) -> Decoding {
        Decoding {
            steps: self.steps.unwrap_or(configured.steps),
            guidance_scale: self.guidance_scale.unwrap_or(configured.guidance_scale),
            temperature: self.temperature.unwrap_or(configured.temperature),
            seed: self.seed.unwrap_or(configured.seed),
        }
    }
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Label {
    /// Finishing from here satisfies the prompt (PARM).
    Potential,
    /// This preview satisfies the prompt (PRM).
    Preview,
    /// This finished picture satisfies the prompt (ORM).
    Outcome,
}

impl From<Label> for RewardLabel {
    fn from(label: Label) -> Self {
        match label {
            Label::Potential => Self::Potential,
            Label::Preview => Self::Preview,
            Label::Outcome => Self::Outcome,
        }
    }
}

#[derive(Args)]
struct TrainArgs {
    /// Configuration; the committed one in train/configs by default.
    #[arg(long)]
    config: Option<PathBuf>,
    #[command(flatten)]
    start: fit::Start,
    /// Name of the run's folder, instead of the command's own name.
    #[arg(long)]
    out: Option<String>,
}

/// Which rollouts a run learns from.
#[derive(Args)]
struct LearntFrom {
    /// Files of `train rollouts`, each with prompts of its own, instead of rollouts.jsonl under --runs.
    #[arg(long, value_name = "FILE")]
    rollouts: Vec<PathBuf>,
}

impl LearntFrom {
    fn read(&self, runs: &Path) -> Result<Vec<rollouts::Rollout>> {
        let own = [runs.join("rollouts.jsonl")];
        let files = if self.rollouts.is_empty() { own.as_slice() } else { &self.rollouts };
        let mut all = Vec::new();
        for (file, path) in (0_u64..).zip(files) {
            // Two files number their groups alike.
            let apart =
                rollouts::read(path)?.into_iter().map(|one| rollouts::Rollout { group: one.group | file << 32, ..one });
            all.extend(apart);
        }
        Ok(all)
    }
}

/// The configuration of the command `name`: `given`, or the committed one.
fn configuration<C: DeserializeOwned>(given: Option<&Path>, name: &str) -> Result<C> {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs").join(format!("{name}.toml"));
    let path = given.unwrap_or(&committed);
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is no configuration of `train {name}`", path.display()))
}

impl TrainArgs {
    fn read<C: DeserializeOwned>(&self, name: &str) -> Result<C> {
        configuration(self.config.as_deref(), name)
    }

    fn folder(&self, runs: &Path, name: &str) -> PathBuf {
        runs.join(self.out.as_deref().unwrap_or(name))
    }
}

/// What every command works with.
struct Context {
    runs: PathBuf,
    source: Source,
    tuning: Tuning,
    device: Device,
}

fn main() -> Result<()> {
    ctrlc::set_handler(|| fit::STOP.store(true, Ordering::Relaxed))?;
    let Cli { runs, bundle, generator, device, command } = Cli::parse();
    let source = bundle.map_or_else(|| Source::Runs(runs.clone()), Source::Bundle);
    let context = Context { runs, source, tuning: generator, device: device.open()? };
    match command {
        Command::Vq(args) => train_vq(&args, &context),
        Command::Showo(args) => train_showo(&args, &context),
        Command::Clip(args) => train_clip(&args, &context),
        Command::Rollouts { count, group, previews, candidates, branch, decoding } => {
            let config: RolloutsConfig = configuration(decoding.config.as_deref(), "rollouts")?;
            let config = RolloutsConfig {
                count: count.unwrap_or(config.count),
                group: group.unwrap_or(config.group),
                previews: previews.unwrap_or(config.previews),
                decoding: decoding.over(config.decoding),
            };
            let from = branch.as_deref().map(rollouts::read).transpose()?.unwrap_or_default();
            roll(&context, &config, candidates, &from)
        }
        Command::Reward { label, learnt_from, args } => train_reward(&args, &learnt_from, label.into(), &context),
        Command::Grow { narrow, wide, seed } => {
            checkpoint::write_named(&wide, &grow::double(&checkpoint::read_named(&narrow)?, seed)?)
        }
        Command::Axes { from, to, strength, seed } => {
            let mut named = checkpoint::read_named(&from)?;
            axes::add(&mut named, strength, seed)?;
            checkpoint::write_named(&to, &named)
        }
        Command::Dpo { learnt_from, args } => train_dpo(&args, &learnt_from, &context),
        Command::Eval { prompts, decoding } => {
            let config: EvalConfig = configuration(decoding.config.as_deref(), "eval")?;
            let prompts = prompts.unwrap_or(config.prompts);
            eval::run(&context.source, context.tuning, &context.runs, prompts, decoding.over(config.decoding))
        }
        Command::Results(args) => measure(&args, &context),
    }
}

fn train_vq(args: &TrainArgs, context: &Context) -> Result<()> {
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

fn train_showo(args: &TrainArgs, context: &Context) -> Result<()> {
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

fn train_clip(args: &TrainArgs, context: &Context) -> Result<()> {
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

fn roll(context: &Context, config: &RolloutsConfig, candidates: Option<u32>, from: &[rollouts::Rollout]) -> Result<()> {
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

fn parm(context: &Context, device: &Device) -> Result<Critic> {
    context.source.reward(RewardLabel::Potential, device)?.context("there is no PARM to ask; train it first")
}

fn train_dpo(args: &TrainArgs, learnt_from: &LearntFrom, context: &Context) -> Result<()> {
    let config = args.read::<preference::DpoConfig>("dpo")?.checked()?;
    let folder = args.folder(&context.runs, Tuning::Dpo.word());
    let (magvit, tokenizer) = context.source.tokenizer(&Device::flex())?;
    let bits = magvit.z_channels;
    let (network, _) = context.source.generator(context.tuning, &Device::flex())?;
    let begin = generator::import(&network, bits, context.source.generator_parameters(context.tuning)?)?;
    let rollouts = learnt_from.read(&context.runs)?;
    let mut ranks = rollouts.iter().map(|rollout| f32::from(u8::from(rollout.accepted))).collect();
    let (mut judge, mut critic) = (None, None);
    if config.needs_parm() {
        let parm = parm(context, &Device::flex())?;
        if config.ranked_by == preference::Ranking::Parm {
            ranks = preference::parm_ranks(&parm, &rollouts);
        }
        if config.reward_coefficient > 0.0 {
            let named = context.source.parameters(RewardLabel::Potential.kind(), "reward-potential", "reward")?;
            let device = context.device.clone().autodiff();
            judge = Some(preference::Judge::new(parm.config.clone(), &named, device)?);
        }
        critic = Some(parm);
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
        judge,
        critic,
        tokenizer,
    };
    let named = fit::fit(&task, &fit_config, &folder, &args.start, context.device.clone())?;
    write_generator(&folder, &network, bits, named)
}

fn measure(args: &ResultsArgs, context: &Context) -> Result<()> {
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

fn train_reward(args: &TrainArgs, learnt_from: &LearntFrom, label: RewardLabel, context: &Context) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_files_of_rollouts_have_no_group_in_common() {
        let folder = tempfile::tempdir().unwrap();
        let one = rollouts::Rollout { group: 3, ..rollouts::Rollout::default() };
        let files = ["a.jsonl", "b.jsonl"].map(|name| folder.path().join(name));
        for file in &files {
            std::fs::write(file, serde_json::to_string(&one).unwrap()).unwrap();
        }
        let read = LearntFrom { rollouts: files.to_vec() }.read(folder.path()).unwrap();
        assert_eq!(read.len(), 2);
        assert!(read[0].group != read[1].group);
        assert!(LearntFrom { rollouts: Vec::new() }.read(folder.path()).is_err(), "there is no rollouts.jsonl");
    }

    #[test]
    fn every_committed_configuration_is_one_and_an_unknown_key_is_named() {
        for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/configs")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            // What stands behind a dash is one of several runs of a command.
            match name.split('-').next().unwrap() {
                "vq" => drop(configuration::<vq::VqConfig>(None, name).unwrap()),
                "showo" => drop(configuration::<generator::GeneratorConfig>(None, name).unwrap()),
                "clip" => drop(configuration::<clip::ClipTrainConfig>(None, name).unwrap()),
                "reward" => drop(configuration::<reward::RewardTrainConfig>(None, name).unwrap()),
                "dpo" => drop(configuration::<preference::DpoConfig>(None, name).unwrap()),
                "rollouts" => drop(configuration::<RolloutsConfig>(None, name).unwrap()),
                "eval" => drop(configuration::<EvalConfig>(None, name).unwrap()),
                "results" => drop(configuration::<results::ResultsConfig>(None, name).unwrap()),
                other => panic!("no command is called {other}"),
            }
        }

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/configs/showo.toml")).unwrap();
        std::fs::write(&path, text.replace("warmup_steps", "warm_up_steps")).unwrap();
        let error = configuration::<generator::GeneratorConfig>(Some(&path), "showo").unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("mine.toml") && error.contains("warm_up_steps"), "{error}");
    }
}

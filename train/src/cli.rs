//! What can be asked of `train`, and the configurations that it names.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use showo::config::RewardLabel;
use showo::settings::Tuning;

use crate::device::DeviceName;
use crate::rollouts::Decoding;
use crate::{axes, fit, rollouts};

/// Trains and measures the models that the page ships with.
///
/// Each command writes into its folder under --runs: metrics.jsonl, loss.png, sample sheets, a checkpoint every few
/// minutes (go on with --resume), and at the end the exported weights. Ctrl-C saves a checkpoint and ends.
#[derive(Parser)]
#[command(name = "train", version)]
pub struct Cli {
    /// Folder that holds every run.
    #[arg(long, global = true, default_value = "runs")]
    pub runs: PathBuf,
    /// Take trained networks from this bundle (int8, as shipped) instead of from the runs.
    #[arg(long, global = true, value_name = "DIR")]
    pub bundle: Option<PathBuf>,
    /// Which weights of the generator draw, or are trained on.
    #[arg(long, global = true, default_value_t = Tuning::Base)]
    pub generator: Tuning,
    /// Who computes gradients.
    #[arg(long, global = true, value_enum, default_value = "cpu")]
    pub device: DeviceName,
    /// Which world is learnt, or measured.
    #[arg(long, global = true, value_enum, default_value = "shapes")]
    pub world: WorldName,
    #[command(subcommand)]
    pub command: Command,
}

/// A world to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum WorldName {
    /// Coloured shapes on sixteen places
    Shapes,
    /// GenEval's eighty kinds of things as a picture book
    Icons,
}

/// What is to be done.
#[derive(Subcommand)]
pub enum Command {
    /// The image tokenizer (MAGVIT-v2 with lookup-free quantization).
    Vq(TrainArgs),
    /// The preview decoder, which shows candidates small; needs `train vq`.
    Preview(TrainArgs),
    /// The generator (Show-o); needs `train vq`.
    Showo(TrainArgs),
    /// What the image tokenizer leaves of scenes that it has not seen: decibels, the checker's verdicts, and a sheet; in the world
    /// of things.
    Decodes {
        /// How many scenes.
        #[arg(long, default_value_t = 1000)]
        scenes: u64,
        /// Write the decodes as PNG files here, too, for `icons_checker --pictures`.
        #[arg(long, value_name = "DIR")]
        pictures: Option<PathBuf>,
    },
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
    /// Success by category, what the tokenizer keeps, what CLIP and PARM tell apart; with --bundle, of what the page loads.
    Eval {
        /// Prompts, evenly over the six categories, instead of the configuration's.
        #[arg(long)]
        prompts: Option<usize>,
        /// Pictures of each prompt, instead of the configuration's; in the world of things.
        #[arg(long)]
        images: Option<usize>,
        #[command(flatten)]
        decoding: DecodingArgs,
    },
    /// Every strategy on the same prompts and seeds, from the bundle (www/models/scenes by default): results/scenes.json,
    /// plots, and the table of docs/results.md. Goes on where it was interrupted.
    Results(ResultsArgs),
    /// A file of train/recipes: commands with what each took and why, run in their order. Without a name, lists the recipes.
    ///
    /// --runs and --device are passed on to every command; commands name --bundle, --generator and --world themselves.
    Recipe(RecipeArgs),
}

/// What `train recipe` asks for.
#[derive(Args)]
pub struct RecipeArgs {
    /// Which one; without a name they are listed.
    pub name: Option<String>,
    /// Print the commands, and run nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Begin at this step.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub from: usize,
}

/// What `train results` asks for.
#[derive(Args)]
pub struct ResultsArgs {
    /// Configuration; the committed one in train/configs by default.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Draw a few of the pictures again, and fail where they are worse than the recorded figures allow.
    #[arg(long)]
    pub quick: bool,
    /// Folder of scenes.json and the plots.
    #[arg(long, default_value = "results")]
    pub out: PathBuf,
    /// The file whose table is replaced.
    #[arg(long, default_value = "docs/results.md")]
    pub readme: PathBuf,
}

/// `train/configs/rollouts.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolloutsConfig {
    pub count: u64,
    pub group: u64,
    pub previews: bool,
    pub decoding: Decoding,
}

/// `train/configs/eval.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvalConfig {
    pub prompts: usize,
    #[serde(default = "one_picture")]
    pub images: usize,
    pub decoding: Decoding,
    /// Other settings of decoding, of which the same pictures' verdicts are measured and nothing else.
    #[serde(default)]
    pub also: Vec<Decoding>,
}

fn one_picture() -> usize {
    1
}

/// The configuration's file, and what a flag says instead of it.
#[derive(Args)]
pub struct DecodingArgs {
    /// Configuration; the committed one in train/configs by default.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Decoding steps T.
    #[arg(long)]
    pub steps: Option<usize>,
    /// Guidance scale g.
    #[arg(long)]
    pub guidance_scale: Option<f32>,
    /// Temperature of the re-masking noise.
    #[arg(long)]
    pub temperature: Option<f32>,
    /// Seed of all decodings.
    #[arg(long)]
    pub seed: Option<u64>,
}

impl DecodingArgs {
    /// `configured`, but for what a flag says.
    pub fn over(&self, configured: Decoding) -> Decoding {
        Decoding {
            steps: self.steps.unwrap_or(configured.steps),
            guidance_scale: self.guidance_scale.unwrap_or(configured.guidance_scale),
            temperature: self.temperature.unwrap_or(configured.temperature),
            seed: self.seed.unwrap_or(configured.seed),
        }
    }
}

/// What a reward network learns to predict.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Label {
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

/// What every command that trains asks for.
#[derive(Args)]
pub struct TrainArgs {
    /// Configuration; the committed one in train/configs by default.
    #[arg(long)]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub start: fit::Start,
    /// Replaces a value of the configuration, as `fit.steps=600`. May be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Name of the run's folder, instead of the command's own name.
    #[arg(long)]
    pub out: Option<String>,
}

/// Which rollouts a run learns from.
#[derive(Args)]
pub struct LearntFrom {
    /// Files of `train rollouts`, each with prompts of its own, instead of rollouts.jsonl under --runs.
    #[arg(long, value_name = "FILE")]
    pub rollouts: Vec<PathBuf>,
}

impl LearntFrom {
    /// All of them; no group is of two files.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read(&self, runs: &Path) -> Result<Vec<rollouts::Rollout>> {
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
///
/// # Errors
/// The file cannot be read, or is no such configuration: the file and the key.
pub fn configuration<C: DeserializeOwned>(given: Option<&Path>, name: &str) -> Result<C> {
    let (path, text) = text_of(given, name)?;
    toml::from_str(&text).with_context(|| no_configuration(&path, name))
}

fn text_of(given: Option<&Path>, name: &str) -> Result<(PathBuf, String)> {
    let committed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("configs").join(format!("{name}.toml"));
    let path = given.map_or_else(committed, Path::to_owned);
    let text = showo::text::read_file(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok((path, text))
}

fn no_configuration(path: &Path, name: &str) -> String {
    format!("{} is no configuration of `train {name}`", path.display())
}

/// Puts `more` in place of what `table` holds under the same keys.
fn replace(table: &mut toml::Table, more: toml::Table) {
    for (key, value) in more {
        match (table.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(more)) => replace(inner, more),
            (_, value) => drop(table.insert(key, value)),
        }
    }
}

impl TrainArgs {
    /// The configuration of the command `name`, with what `--set` says.
    ///
    /// # Errors
    /// As [`configuration`]; what `--set` says is no key with a value.
    pub fn read<C: DeserializeOwned>(&self, name: &str) -> Result<C> {
        if self.set.is_empty() {
            // This way an error names its line.
            return configuration(self.config.as_deref(), name);
        }
        let (path, text) = text_of(self.config.as_deref(), name)?;
        let mut table: toml::Table = toml::from_str(&text).with_context(|| no_configuration(&path, name))?;
        for one in &self.set {
            let one = toml::from_str(one).with_context(|| format!("--set {one} is not of the form KEY=VALUE"))?;
            replace(&mut table, one);
        }
        table.try_into().with_context(|| {
            format!("{} with {} is no configuration of `train {name}`", path.display(), self.set.join(", "))
        })
    }

    /// The run's folder.
    pub fn folder(&self, runs: &Path, name: &str) -> PathBuf {
        runs.join(self.out.as_deref().unwrap_or(name))
    }
}

#[cfg(test)]
mod tests;

//! Turns checkpoints into bundles that the page and the native programs load; shows and verifies them.
//!
//! | file | its one idea |
//! |---|---|
//! | `main.rs` | the commands |
//! | `convert.rs`, `add.rs` | checkpoints in, bundle out; models added to a bundle that is there |
//! | `checkpoint/` | which tensors a checkpoint holds, and any run of their values |
//! | `configuration.rs`, `public.rs` | a `config.json`, ours or a public one; what the public ones leave unsaid |
//! | `layout.rs` | which tensors a model has, by its configuration |
//! | `scheme.rs`, `encode.rs`, `measure.rs` | how each tensor is stored; one tensor stored; what that cost |
//! | `tokenizer.rs` | the generator's `tokenizer.json` |
//! | `clip/` | what a public CLIP brings: its words, and its way with pictures |
//! | `recommend.rs`, `judges.rs` | how a bundle is best drawn with; what it judges with |
//! | `preview/` | a preview decoder for a bundle, fitted to its image tokenizer |
//! | `unpack.rs` | a bundle's models as checkpoints |
//! | `inspect.rs`, `verify.rs`, `probe.rs` | what a bundle holds; every byte and value; the logits |
//! | `synth/` | checkpoints of the public shapes with random weights |
//! | `error.rs`, `interrupt.rs`, `progress.rs` | refusals; Ctrl-C; what the user sees |

mod add;
mod checkpoint;
mod clip;
mod configuration;
mod convert;
mod encode;
mod error;
mod inspect;
mod interrupt;
mod judges;
mod layout;
mod measure;
mod preview;
mod probe;
mod progress;
mod public;
mod recommend;
mod scheme;
mod synth;
mod tokenizer;
mod unpack;
mod verify;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};
use showo::bundle::manifest::{StoredDtype, World};
use showo::settings::{Judge, Recommended};

use crate::{
    convert::{Input, Request},
    error::ToolError,
    scheme::{Keep, Scheme},
};

/// Turns checkpoints into int8 bundles, shows and verifies them
///
/// A bundle is a folder of manifest.json, safetensors shards of at most 16 MiB, and tokenizer.json, with one more for a CLIP that
/// reads words of its own.
/// Any program can open a shard; the manifest carries the hash of every file and the error of every
/// quantized tensor. Checkpoints are what the hub holds: safetensors or PyTorch files, whole or
/// sharded, with their config.json.
#[derive(Parser)]
#[command(name = "quantize", version, verbatim_doc_comment, after_long_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a bundle from one or more checkpoints
    ///
    /// Weights of two dimensions or more and at least 4,096 elements are stored as the scheme says; a
    /// convolution is quantized over its flattened input. Norms, biases and smaller tensors stay in f32, and so do those
    /// whose values are too small for the scheme; each of these is named.
    /// The bundle is written into a hidden folder beside DIR, which takes its name at the very end;
    /// nothing is ever overwritten.
    /// With --bundle the models are added to one that is there, whose files are copied as they are.
    #[command(verbatim_doc_comment, after_long_help = CONVERT_EXAMPLES)]
    Convert {
        /// A model: its kind, its weights and, unless it lies beside them, its configuration
        ///
        /// KIND is showo, magvit, preview, clip, reward:parm, reward:prm, reward:orm, or weights of the generator that
        /// were aligned with preferences: showo:dpo, showo:dpo-free, showo:dpo-iterated, showo:dpo-parm. PATH is a safetensors
        /// or PyTorch file of any name, an index of several (model.safetensors.index.json), or a folder with one of
        /// these, as on the hub; weights are f32, f16 or bf16. Of a pickle nothing is ever run: it is
        /// read for tensors, also where they lie below state_dict, model or the like, and refused for anything that
        /// could run. What DataParallel or torch.compile put before the names is taken away. The configuration is config.json in the
        /// folder, or beside PATH (or PATH with .json for its extension); what the public ones leave
        /// unsaid is filled in, and said. A public CLIP brings tokenizer.json (or vocab.json and merges.txt) and
        /// preprocessor_config.json in its folder. Give this option once for each model.
        #[arg(verbatim_doc_comment, long = "input", short, required = true, value_name = "KIND=PATH[:CONFIG.json]")]
        inputs: Vec<Input>,
        /// A bundle to add the models to, instead of beginning a new one
        ///
        /// DIR gets all that it holds, byte for byte, and the new models. Its tokenizer and world stay; name, licence
        /// and decoding do unless they are given, and the lines of --attribution are added to its own.
        #[arg(verbatim_doc_comment, long, value_name = "BUNDLE", conflicts_with_all = ["tokenizer", "world"])]
        bundle: Option<PathBuf>,
        /// The generator's tokenizer, a Hugging Face tokenizer.json or a folder with one
        ///
        /// Show-o's own tokens (PAD, soi and the rest) are added where the file is the language model's.
        #[arg(verbatim_doc_comment, long, value_name = "FILE", required_unless_present = "bundle")]
        tokenizer: Option<PathBuf>,
        /// The bundle's name, for people
        #[arg(long, required_unless_present = "bundle")]
        name: Option<String>,
        /// The weights' licence, for example "MIT OR Apache-2.0"
        #[arg(long, required_unless_present = "bundle")]
        licence: Option<String>,
        /// Who must be named wherever the weights or their pictures are shown: a text file, a line each
        ///
        /// The page shows these lines at its foot. Empty lines do not count. Those whose drawings the world's own
        /// pictures are made of come first, and need no file.
        #[arg(verbatim_doc_comment, long, value_name = "FILE")]
        attribution: Option<PathBuf>,
        /// The world that the models were trained on, if this project has a checker for it
        #[arg(long, value_enum)]
        world: Option<WorldName>,
        /// How the models are best drawn with, as NAME=VALUE,…: steps, guidance_scale, temperature, candidates, verifier
        #[arg(long, value_name = "DECODING", value_parser = recommend::parse)]
        decoding: Option<Recommended>,
        /// What the bundle judges with, and nothing else: self, clip, orm, prm, parm, separated by commas [default: all it can]
        ///
        /// self is the generator, asked about its own pictures. clip judges finished pictures, and the patches that reflection looks
        /// at: without it there is no reflection.
        #[arg(verbatim_doc_comment, long = "judge", value_name = "JUDGES", value_delimiter = ',')]
        judges: Vec<Judge>,
        /// The folder to make; it must not exist
        #[arg(long, short, value_name = "DIR")]
        out: PathBuf,
        /// How the large weights are stored
        #[arg(long, value_enum, default_value_t = Scheme::Q8)]
        scheme: Scheme,
        /// Store the tensors that match in this precision instead
        ///
        /// PRECISION is f16 or f32. GLOB is matched against NAME and KIND/NAME; * stands for any text,
        /// ? for one character. May be given several times; the first that matches decides.
        #[arg(verbatim_doc_comment, long, num_args = 2, value_names = ["PRECISION", "GLOB"])]
        keep: Vec<String>,
    },
    /// Make a checkpoint folder of the public shapes with random weights, for tests and benchmarks
    ///
    /// DIR gets showo/ and magvit/ (each config.json and model.safetensors, as on the hub), the models of
    /// --with, and a tokenizer.json of invented words. The same seed gives the same weights, whatever
    /// the dtype and the files.
    #[command(verbatim_doc_comment, after_long_help = SYNTH_EXAMPLES)]
    Synth {
        /// Which checkpoint is imitated
        #[arg(long, value_enum)]
        config: synth::Preset,
        /// Layers of the generator, if not the checkpoint's own number
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
        layers: Option<u16>,
        /// A model beside generator and image tokenizer; may be given several times
        #[arg(long = "with", value_enum, value_name = "MODEL")]
        beside: Vec<synth::Beside>,
        /// What the weights are drawn from
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// How the weights are stored
        #[arg(long, value_enum, default_value_t = synth::Dtype::F32)]
        dtype: synth::Dtype,
        /// Begin a new file where one would be longer, and write an index; a single tensor may be longer
        #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
        shard_bytes: Option<u64>,
        /// The folder to make; it must not exist
        #[arg(long, short, value_name = "DIR")]
        out: PathBuf,
    },
    /// Show what a bundle holds: tensors, shapes, dtypes, sizes, totals
    Inspect {
        /// The bundle's folder
        bundle: PathBuf,
        /// Print JSON: totals, and the manifest
        #[arg(long)]
        json: bool,
    },
    /// Say in a bundle's manifest how its models are best drawn with
    Recommend {
        /// The bundle's folder
        bundle: PathBuf,
        /// As NAME=VALUE,…: steps, guidance_scale, temperature, candidates, verifier
        #[arg(long, value_name = "DECODING", value_parser = recommend::parse)]
        decoding: Recommended,
    },
    /// Fit a small decoder to a bundle's image tokenizer, to show candidates by
    ///
    /// DIR gets all that the bundle holds, byte for byte, and the preview decoder: two layers from the codes of a token
    /// and its eight neighbours to the token's pixels. It learns from pictures what the image tokenizer's own decoder
    /// shows for their codes, so that any MAGVIT-v2 can have one, and how near it comes is printed. A hundred pictures
    /// do, more come nearer; each goes once through the image tokenizer, which at full size takes half a minute of a
    /// processor. The same pictures and the same seed give the same decoder. One that the bundle has already is replaced.
    #[command(verbatim_doc_comment, after_long_help = PREVIEW_EXAMPLES)]
    Preview {
        /// The bundle's folder
        bundle: PathBuf,
        /// PNG pictures like those that are to be drawn, also in folders below; made ones where not given
        #[arg(long, value_name = "FOLDER")]
        pictures: Option<PathBuf>,
        /// How many pictures, at most; a quarter of them only chooses and measures
        #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(16..=100_000))]
        examples: u32,
        /// Side of a preview in pixels; 128 where the picture is at least twice as large, else half of the picture's
        #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(1..))]
        side: Option<u16>,
        /// Hidden units: more come nearer, and take more time at every step
        #[arg(long, value_name = "N", default_value_t = 2_048, value_parser = clap::value_parser!(u16).range(1..=4_096))]
        width: u16,
        /// What made pictures, hidden units and masks are drawn from
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// The folder to make; it must not exist
        #[arg(long, short, value_name = "DIR")]
        out: PathBuf,
    },
    /// Write a bundle's models as checkpoints in f32
    ///
    /// DIR gets a folder for each model (config.json and model.safetensors) and tokenizer.json: what
    /// convert reads. Quantizing them again gives the same int8 values.
    #[command(verbatim_doc_comment, after_long_help = UNPACK_EXAMPLES)]
    Unpack {
        /// The bundle's folder
        bundle: PathBuf,
        /// The folder to make; it must not exist
        #[arg(long, short, value_name = "DIR")]
        out: PathBuf,
    },
    /// Check every hash, shape and value of a bundle
    #[command(after_long_help = VERIFY_EXAMPLES)]
    Verify {
        /// The bundle's folder
        bundle: PathBuf,
        /// Also compare a model with its checkpoint: relative RMS error and worst block of every tensor
        ///
        /// PATH is what convert reads. May be given once for each model. For showo the logits of a probe
        /// sequence are compared, too: the network is run once from the bundle and once from the
        /// checkpoint, which takes the checkpoint's parameters in f32 (Show-o: 5.8 GB of memory).
        #[arg(verbatim_doc_comment, long, value_name = "KIND=PATH")]
        against: Vec<Input>,
        /// Run only the first N layers for the probe; 0 leaves it out
        #[arg(long, value_name = "N", requires = "against")]
        probe_layers: Option<u16>,
        /// What the probe's words and picture are drawn from
        #[arg(long, value_name = "SEED", default_value_t = 0)]
        probe_seed: u64,
    },
}

const EXAMPLES: &str = "\
From a checkpoint to a page:
  quantize convert --input showo=hub/show-o --input magvit=hub/magvitv2 --tokenizer hub/phi-1_5 \\
      --name show-o --licence Apache-2.0 --out bundles/show-o
  quantize verify bundles/show-o --against showo=hub/show-o
  quantize inspect bundles/show-o

`quantize COMMAND --help` says more, with examples.";

const SYNTH_EXAMPLES: &str = "\
Examples:
  quantize synth --config showo-256 --dtype bf16 --out big/showo-256
  quantize synth --config showo-512 --layers 2 --shard-bytes 1000000000 --out big/two-layers
  quantize synth --config tiny --with clip --with parm --out tiny";

const PREVIEW_EXAMPLES: &str = "\
Examples:
  quantize preview bundles/show-o --out bundles/show-o-previews
  quantize preview bundles/show-o --pictures photos --examples 500 --out bundles/show-o-previews";

const UNPACK_EXAMPLES: &str = "\
One model of a bundle replaced by a new one:
  quantize unpack www/models/scenes --out unpacked
  quantize convert --input showo=runs/showo/showo.safetensors --input magvit=unpacked/magvit \\
      --input clip=unpacked/clip --input reward:parm=unpacked/reward-parm --tokenizer unpacked \\
      --name scenes --licence 'MIT OR Apache-2.0' --world scenes --out bundles/scenes";

const VERIFY_EXAMPLES: &str = "\
Examples:
  quantize verify www/models/scenes
  quantize verify bundles/show-o --against showo=hub/show-o --against magvit=hub/magvitv2";

const CONVERT_EXAMPLES: &str = "\
Examples:
  quantize convert --input showo=hub/show-o --input magvit=hub/magvitv2 --tokenizer hub/phi-1_5 \\
      --name show-o --licence Apache-2.0 --out bundles/show-o
  quantize convert --input showo=runs/showo.safetensors --input magvit=runs/vq.safetensors \\
      --input reward:parm=runs/parm.safetensors --tokenizer runs/tokenizer.json \\
      --name scenes --licence 'MIT OR Apache-2.0' --world scenes \\
      --keep f16 '*embed_tokens*' --out www/models/scenes
  quantize convert --input showo=hub/show-o --input magvit=hub/magvitv2 --input clip=hub/clip-vit-base-patch32 \\
      --tokenizer hub/phi-1_5 --judge self,clip --name show-o --licence 'Apache-2.0; CLIP: MIT' --out bundles/show-o
A PARM added to a bundle:
  quantize convert --bundle bundles/show-o --input reward:parm=runs/own-reward/reward.safetensors \\
      --judge self,clip,parm --out bundles/show-o-parm";

#[derive(Clone, Copy, ValueEnum)]
enum WorldName {
    /// Shapes and colours on a dark ground; prompts and pictures can be checked
    Scenes,
    /// Eighty kinds of things as a picture book; prompts and pictures can be checked
    Icons,
}

impl From<WorldName> for World {
    fn from(name: WorldName) -> Self {
        match name {
            WorldName::Scenes => Self::Shapes,
            WorldName::Icons => Self::Icons,
        }
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        // `inspect … | head` has seen enough: no message, and the code that a shell gives for SIGPIPE.
        Err(ToolError::Print(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(141),
        Err(error) => {
            eprintln!("error: {error}");
            // The code that a shell gives for SIGINT.
            if matches!(error, ToolError::Interrupted) { ExitCode::from(130) } else { ExitCode::FAILURE }
        }
    }
}

fn run(command: Command) -> Result<(), ToolError> {
    match command {
        Command::Convert {
            inputs,
            bundle,
            tokenizer,
            name,
            licence,
            attribution,
            world,
            decoding,
            judges,
            out,
            scheme,
            keep,
        } => {
            let world = world.map(World::from);
            let keep = parse_keep(&keep)?;
            match (bundle, tokenizer, name, licence) {
                (None, Some(tokenizer), Some(name), Some(licence)) => convert::run(&Request {
                    inputs,
                    tokenizer,
                    name,
                    licence,
                    attribution,
                    world,
                    decoding,
                    judges,
                    out,
                    scheme,
                    keep,
                }),
                (Some(bundle), _, name, licence) => add::run(&add::Request {
                    bundle,
                    inputs,
                    name,
                    licence,
                    attribution,
                    decoding,
                    judges,
                    out,
                    scheme,
                    keep,
                }),
                // The command line has asked for them.
                _ => Err(ToolError::Option {
                    option: "convert".into(),
                    problem: "needs --tokenizer, --name and --licence, or --bundle".into(),
                }),
            }
        }
        Command::Synth { config: preset, layers, beside, seed, dtype, shard_bytes, out } => {
            let layers = layers.map(usize::from);
            synth::run(&synth::Request { preset, layers, beside, seed, dtype, shard_bytes, out })
        }
        Command::Preview { bundle, pictures, examples, side, width, seed, out } => {
            let (examples, side, width) = (examples as usize, side.map(usize::from), usize::from(width));
            preview::run(&preview::Request { bundle, pictures, examples, side, width, seed, out })
        }
        Command::Recommend { bundle, decoding } => recommend::run(&bundle, decoding),
        Command::Unpack { bundle, out } => unpack::run(&bundle, &out),
        Command::Inspect { bundle, json } => inspect::run(&bundle, json),
        Command::Verify { bundle, against, probe_layers, probe_seed } => {
            let probe = probe::Request { layers: probe_layers.map(usize::from), seed: probe_seed };
            verify::run(&bundle, &against, probe)
        }
    }
}

/// clap hands over `[precision, pattern, precision, pattern, …]`.
fn parse_keep(words: &[String]) -> Result<Vec<Keep>, ToolError> {
    words
        .as_chunks()
        .0
        .iter()
        .map(|[precision, pattern]| {
            let dtype = match precision.as_str() {
                "f16" => StoredDtype::F16,
                "f32" => StoredDtype::F32,
                _ => {
                    let option = format!("--keep {precision} '{pattern}'");
                    return Err(ToolError::Option { option, problem: "the precision must be f16 or f32".into() });
                }
            };
            Ok(Keep { dtype, pattern: pattern.clone() })
        })
        .collect()
}

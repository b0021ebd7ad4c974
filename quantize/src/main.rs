//! Turns checkpoints into bundles that the page and the native programs load; shows and verifies them.

mod checkpoint;
mod convert;
mod encode;
mod error;
mod inspect;
mod measure;
mod progress;
mod scheme;
mod verify;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};
use showo::bundle::manifest::{StoredDtype, World};

use crate::{
    convert::{Input, Request},
    error::ToolError,
    scheme::{Keep, Scheme},
};

/// Turns checkpoints into int8 bundles, shows and verifies them
///
/// A bundle is a folder of manifest.json, safetensors shards of at most 16 MiB, and tokenizer.json.
/// Any program can open a shard; the manifest carries the hash of every file and the error of every
/// quantized tensor.
#[derive(Parser)]
#[command(name = "quantize", version, verbatim_doc_comment)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a bundle from one or more checkpoints
    ///
    /// Weights of two dimensions or more and at least 4,096 elements are stored as the scheme says; a
    /// convolution is quantized over its flattened input. Norms, biases and smaller tensors stay in f32.
    /// The bundle is written into a hidden folder beside DIR, which takes its name at the very end;
    /// nothing is ever overwritten.
    #[command(verbatim_doc_comment, after_long_help = CONVERT_EXAMPLES)]
    Convert {
        /// A model: its kind, its weights and, unless it lies beside them, its configuration
        ///
        /// KIND is showo, magvit, clip, reward:parm, reward:prm or reward:orm; PATH is a .safetensors
        /// file of f32, f16 or bf16. The configuration is looked for in PATH with .json for its
        /// extension, then in config.json beside PATH. Give this option once for each model.
        #[arg(verbatim_doc_comment, long = "input", short, required = true, value_name = "KIND=PATH[:CONFIG.json]")]
        inputs: Vec<Input>,
        /// The generator's tokenizer, a Hugging Face tokenizer.json
        #[arg(long, value_name = "FILE")]
        tokenizer: PathBuf,
        /// The bundle's name, for people
        #[arg(long)]
        name: String,
        /// The weights' licence, for example "MIT OR Apache-2.0"
        #[arg(long)]
        licence: String,
        /// The world that the models were trained on, if this project has a checker for it
        #[arg(long, value_enum)]
        world: Option<WorldName>,
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
    /// Show what a bundle holds: tensors, shapes, dtypes, sizes, totals
    Inspect {
        /// The bundle's folder
        bundle: PathBuf,
        /// Print JSON: totals, and the manifest
        #[arg(long)]
        json: bool,
    },
    /// Check every hash, shape and value of a bundle
    Verify {
        /// The bundle's folder
        bundle: PathBuf,
        /// Also compare a model with its checkpoint: relative RMS error and worst block of every tensor
        ///
        /// May be given once for each model.
        #[arg(long, value_name = "KIND=PATH")]
        against: Vec<Input>,
    },
}

const CONVERT_EXAMPLES: &str = "\
Example:
  quantize convert --input showo=runs/showo.safetensors --input magvit=runs/vq.safetensors \\
      --input reward:parm=runs/parm.safetensors --tokenizer runs/tokenizer.json \\
      --name scenes --licence 'MIT OR Apache-2.0' --world scenes \\
      --keep f16 '*embed_tokens*' --out www/models/scenes";

#[derive(Clone, Copy, ValueEnum)]
enum WorldName {
    /// Shapes and colours on a dark ground; prompts and pictures can be checked
    Scenes,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        // `inspect … | head` has seen enough: no message, and the code that a shell gives for SIGPIPE.
        Err(ToolError::Print(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(141),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), ToolError> {
    match command {
        Command::Convert { inputs, tokenizer, name, licence, world, out, scheme, keep } => {
            let world = world.map(|WorldName::Scenes| World::Scenes);
            let keep = parse_keep(&keep)?;
            convert::run(&Request { inputs, tokenizer, name, licence, world, out, scheme, keep })
        }
        Command::Inspect { bundle, json } => inspect::run(&bundle, json),
        Command::Verify { bundle, against } => verify::run(&bundle, &against),
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

//! `quantize synth`: a checkpoint folder of the public shapes with random weights, for tests and benchmarks.
//!
//! | file | its one idea |
//! |---|---|
//! | `presets.rs` | the shapes of the public checkpoints |
//! | `values.rs` | counted random weights |
//! | `write.rs` | tensors into files, a piece at a time |
//! | `tokenizer.rs` | a tokenizer of the size and form of Phi's |
//! | `clip.rs` | CLIP's words, and how it wants its pictures |

mod clip;
mod presets;
mod tokenizer;
pub mod values;
mod write;

use std::{fs, path::PathBuf, time::Instant};

use showo::bundle::PartialFolder;

pub use presets::{Beside, Preset};
pub use values::Dtype;

use crate::{
    error::ToolError,
    interrupt,
    layout::ModelConfig,
    progress::{bytes_bar, human, say},
};

/// Everything that `synth` is told.
pub struct Request {
    /// Which checkpoint is imitated.
    pub preset: Preset,
    /// Blocks of the generator, where not the preset's.
    pub layers: Option<usize>,
    /// Models beside generator and image tokenizer.
    pub beside: Vec<Beside>,
    /// What the values are drawn from.
    pub seed: u64,
    /// How they are stored.
    pub dtype: Dtype,
    /// Longest file in bytes; one file a model where not given.
    pub shard_bytes: Option<u64>,
    /// The folder to make.
    pub out: PathBuf,
}

/// Makes the folder and prints what is in it.
pub fn run(request: &Request) -> Result<(), ToolError> {
    let started = Instant::now();
    interrupt::listen()?;
    let models = request.preset.models(request.layers, &request.beside);
    let plans: Vec<_> =
        models.iter().map(|model| write::Plan::new(&model.config, request.dtype, request.shard_bytes)).collect();
    let folder = PartialFolder::create(&request.out)?;
    let bar = bytes_bar(plans.iter().map(write::Plan::bytes).sum());
    for (model, plan) in models.iter().zip(&plans) {
        bar.set_message(model.folder);
        let place = folder.path().join(model.folder);
        plan.write(&place, &model.json, request.seed, &bar)?;
        if let ModelConfig::Clip(config) = &model.config {
            for (name, content) in clip::files(config) {
                let path = place.join(name);
                fs::write(&path, content).map_err(ToolError::io(path))?;
            }
        }
    }
    let tokenizer = tokenizer::json(request.preset.showo(None).llm_vocab_size);
    folder.write("tokenizer.json", tokenizer.to_string().as_bytes())?;
    folder.write("README.txt", readme(request).as_bytes())?;
    folder.finish()?;
    bar.finish_and_clear();
    for (model, plan) in models.iter().zip(&plans) {
        say!(
            "{:<7} {:>4} tensors, {:>13} parameters, {:>10} in {} file{}",
            model.folder,
            plan.tensors(),
            plan.parameters(),
            human(plan.bytes()),
            plan.files(),
            if plan.files() == 1 { "" } else { "s" }
        )?;
    }
    say!(
        "{}: random weights of seed {} and an invented tokenizer, {:.1} s",
        request.out.display(),
        request.seed,
        started.elapsed().as_secs_f64()
    )
}

fn readme(request: &Request) -> String {
    format!(
        "Synthetic: random weights (seed {}) under the names and in the shapes of the public checkpoints, and an\n\
         invented tokenizer of the public one's size. For tests and benchmarks of `quantize` and `showo`; what it\n\
         draws means nothing.\n",
        request.seed
    )
}

//! `quantize convert`: checkpoints in, bundle out.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use indicatif::ProgressBar;
use showo::bundle::{
    About, BundleWriter, Manifest, ModelKind,
    manifest::{Source, StoredDtype, World},
};
use showo::config::ShowoConfig;
use showo::load::fit;
use showo::settings::{Judge, Recommended};

use crate::{
    checkpoint::{Checkpoint, Tensor},
    clip,
    configuration::{self, Configuration},
    encode::{self, Stored},
    error::ToolError,
    interrupt, judges,
    layout::ModelConfig,
    measure::{self, Cost},
    progress::{bytes_bar, human, say},
    public,
    scheme::{self, Keep, Scheme},
    tokenizer,
};

/// One `--input`: a model's kind, its weights and its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What it is.
    pub kind: ModelKind,
    /// The weights.
    pub weights: PathBuf,
    /// The configuration; found beside the weights where it is not given.
    pub config: Option<PathBuf>,
}

impl std::str::FromStr for Input {
    type Err = String;

    /// `KIND=PATH` or `KIND=PATH:CONFIG.json`. A colon inside the path is left alone unless a `.json` follows it.
    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once('=').ok_or("expected KIND=PATH[:CONFIG.json]")?;
        let kind = kind.parse()?;
        let (weights, config) = match rest.rsplit_once(':') {
            Some((weights, config)) if config.ends_with(".json") => (weights, Some(config.into())),
            _ => (rest, None),
        };
        if weights.is_empty() {
            return Err("the path is empty".into());
        }
        Ok(Self { kind, weights: weights.into(), config })
    }
}

/// Everything that `convert` is told.
pub struct Request {
    /// The models.
    pub inputs: Vec<Input>,
    /// A Hugging Face `tokenizer.json`, or a folder with one.
    pub tokenizer: PathBuf,
    /// The bundle's name.
    pub name: String,
    /// The weights' licence.
    pub licence: String,
    /// A text file of those who must be named, a line each.
    pub attribution: Option<PathBuf>,
    /// The model's world.
    pub world: Option<World>,
    /// How the models are best drawn with.
    pub decoding: Option<Recommended>,
    /// What the bundle judges with; with all that it can where nobody is named.
    pub judges: Vec<Judge>,
    /// The bundle's folder, which must not exist.
    pub out: PathBuf,
    /// How the large weights are stored.
    pub scheme: Scheme,
    /// What is stored otherwise.
    pub keep: Vec<Keep>,
}

/// How tensors are stored.
pub struct Storing<'a> {
    /// The large weights.
    pub scheme: Scheme,
    /// Those that are stored otherwise.
    pub keep: &'a [Keep],
}

/// What storing the tensors of some models cost.
pub struct Written {
    /// Of each model.
    costs: Vec<Cost>,
    /// Of each tensor, by `kind/name`.
    stored: Vec<(String, Stored)>,
}

/// Converts, and prints what it did. Everything that can be refused is refused before the output is begun, except what
/// only shows in the values.
pub fn run(request: &Request) -> Result<(), ToolError> {
    let started = Instant::now();
    interrupt::listen()?;
    let storing = Storing { scheme: request.scheme, keep: &request.keep };
    let models = open(&request.inputs, &storing, None)?;
    let tokenizer = tokenizer::read(&request.tokenizer, generator_of(&models))?;
    let judged = judges::Bundle {
        models: models.iter().map(Model::configured).collect(),
        tokenizer: &tokenizer.json,
        world: request.world,
        decoding: request.decoding,
    };
    let about = About {
        name: request.name.clone(),
        licence: request.licence.clone(),
        attribution: attribution(request.world, request.attribution.as_deref())?,
        world: request.world,
        decoding: request.decoding,
        judges: judges::check(&request.judges, &judged)?,
    };
    let mut writer = BundleWriter::create(&request.out, about)?;
    let bar = bytes_bar(bytes_to_read(&models));
    let written = write(&models, &storing, &mut writer, &bar)?;
    let manifest = writer.finish(&tokenizer.json)?;
    bar.finish_and_clear();
    report(&request.out, &models, &written, &manifest, started)?;
    tokenizer.note.map_or(Ok(()), |note| say!("note: {note}"))
}

/// Every byte is read twice: once for the hash, once for the values.
pub fn bytes_to_read(models: &[Model]) -> u64 {
    models.iter().map(|model| 2 * model.checkpoint.data_bytes()).sum()
}

/// Stores models in the bundle that is being written.
///
/// # Errors
/// Values that no bundle may hold; a checkpoint that cannot be read; a full disk; it was interrupted.
pub fn write(
    models: &[Model],
    storing: &Storing<'_>,
    writer: &mut BundleWriter,
    bar: &ProgressBar,
) -> Result<Written, ToolError> {
    let mut costs = Vec::new();
    let mut stored = Vec::new();
    for Model { kind, checkpoint, config, own_tokenizer, .. } in models {
        bar.set_message(format!("{kind}: hashing"));
        let sha256 = checkpoint.sha256(|bytes| bar.inc(bytes))?;
        let source = Source { checkpoint: checkpoint.name(), sha256 };
        let config = config
            .to_json()
            .map_err(|error| ToolError::Json { path: checkpoint.path().into(), problem: error.to_string() })?;
        writer.model(*kind, config, source)?;
        if let Some(json) = own_tokenizer {
            writer.tokenizer(json)?;
        }
        let mut total = Cost::default();
        for (name, Tensor { info, .. }) in checkpoint.tensors() {
            bar.set_message(format!("{kind}/{name}"));
            let (dtype, keep) = scheme::stored_as(storing.scheme, storing.keep, *kind, name, &info.shape);
            let size = info.dtype.bytes();
            let on_progress = |elements: usize| bar.inc((elements * size) as u64);
            let as_stored = encode::tensor(checkpoint, name, dtype, keep.is_some(), writer, &on_progress)?;
            total = total.join(as_stored.cost);
            stored.push((format!("{kind}/{name}"), as_stored));
        }
        costs.push(total);
    }
    interrupt::check()?;
    Ok(Written { costs, stored })
}

/// Says which tensors could not be stored as asked, and which lost much more than the others.
fn warn_of(stored: &[(String, Stored)]) -> Result<(), ToolError> {
    let int8 = stored.iter().filter(|(_, stored)| stored.dtype == StoredDtype::Q8);
    let usual = measure::usual(int8.map(|(_, stored)| stored.cost.relative_rms()));
    let percent = |part: f64| format!("{:.1} %", 100.0 * part);
    for (name, Stored { dtype, cost, spared }) in stored {
        let error = percent(cost.relative_rms());
        if let Some(spared) = spared {
            let error = percent(spared.relative_rms());
            say!("warning: {name} is kept in f32: its values are too small for less, it would be {error} wrong")?;
        } else if cost.is_doubtful() {
            say!(
                "warning: {name} is {error} wrong; of its blocks, {} have values too small for what they are stored in, \
                 the worst is {} wrong; keep it with --keep f32 '{name}'",
                percent(cost.coarse_share()),
                percent(cost.worst().map_or(0.0, |worst| worst.relative_rms))
            )?;
        } else if *dtype == StoredDtype::Q8 && cost.is_far_above(usual) {
            let usual = percent(usual);
            say!("warning: {name} is {error} wrong, most tensors {usual}; keep it with --keep f16 '{name}'")?;
        }
    }
    Ok(())
}

/// Whom the world's pictures are owed to, and the lines of a text file that say something.
pub fn attribution(world: Option<World>, path: Option<&Path>) -> Result<Vec<String>, ToolError> {
    let mut lines = world.map_or(Vec::new(), World::attribution);
    if let Some(path) = path {
        let text = showo::text::read_file(path).map_err(ToolError::io(path))?;
        let own =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !lines.iter().any(|known| known == line));
        let own: Vec<String> = own.map(str::to_owned).collect();
        lines.extend(own);
    }
    Ok(lines)
}

/// A model that is about to be converted.
pub struct Model {
    kind: ModelKind,
    checkpoint: Checkpoint,
    config: ModelConfig,
    /// The tokenizer that it reads words by, where that is not the generator's.
    own_tokenizer: Option<Vec<u8>>,
    /// What was filled in or passed over, for people.
    notes: Vec<String>,
}

impl Model {
    /// Its kind and configuration.
    pub const fn configured(&self) -> (ModelKind, &ModelConfig) {
        (self.kind, &self.config)
    }
}

/// Opens every input, in the order in which a program will load them; they fit each other, and the generator that is `there`.
///
/// # Errors
/// An input that is given twice, cannot be read, or contradicts another; a `--keep` that decides over nothing.
pub fn open(inputs: &[Input], storing: &Storing<'_>, there: Option<&ShowoConfig>) -> Result<Vec<Model>, ToolError> {
    let mut used = vec![false; storing.keep.len()];
    let mut models: Vec<Model> = Vec::new();
    for kind in ModelKind::ALL {
        let mut inputs = inputs.iter().filter(|input| input.kind == kind);
        let Some(input) = inputs.next() else { continue };
        if inputs.next().is_some() {
            return Err(ToolError::Option { option: format!("--input {kind}="), problem: "is given twice".into() });
        }
        let tokens = generator_of(&models).or(there).map(|config| config.num_vq_tokens);
        let model = open_one(input, tokens)?;
        for (name, tensor) in model.checkpoint.tensors() {
            if let (_, Some(index)) = scheme::stored_as(storing.scheme, storing.keep, kind, name, &tensor.info.shape) {
                used[index] = true;
            }
        }
        models.push(model);
    }
    if let Some(generator) = generator_of(&models).or(there) {
        fit_each_other(&models, generator)?;
    }
    // A pattern with a typing error would otherwise pass in silence.
    if let Some(idle) = used.iter().position(|used| !used) {
        let option = format!("--keep '{}'", storing.keep[idle].pattern);
        return Err(ToolError::Option { option, problem: "decides over no tensor".into() });
    }
    Ok(models)
}

/// The generator among models, whichever weights it has.
fn generator_of(models: &[Model]) -> Option<&ShowoConfig> {
    models.iter().find_map(|model| match &model.config {
        ModelConfig::Showo(config) => Some(config),
        _ => None,
    })
}

/// The models of a bundle must fit the generator, as the program that loads them will demand.
fn fit_each_other(models: &[Model], showo: &ShowoConfig) -> Result<(), ToolError> {
    // One that reads words of its own was held to those when it was opened.
    for Model { kind, config, .. } in models.iter().filter(|model| model.own_tokenizer.is_none()) {
        fit::check(showo, *kind, config.any()).map_err(ToolError::Mismatch)?;
    }
    Ok(())
}

/// Opens one input; its tensors are those of its configuration.
fn open_one(input: &Input, tokens: Option<usize>) -> Result<Model, ToolError> {
    let kind = input.kind;
    // Weights that are not there have no configuration either; they are what is missing.
    std::fs::metadata(&input.weights).map_err(ToolError::io(&input.weights))?;
    let path = configuration::find(&input.weights, input.config.as_deref(), kind)?;
    let Configuration { mut config, mut notes } = configuration::read(kind, &path, tokens)?;
    let expected = config.tensors().into_iter().map(|tensor| tensor.name).collect();
    let checkpoint = Checkpoint::open(&input.weights, kind, &expected)?;
    notes.extend_from_slice(checkpoint.notes());
    if matches!(kind, ModelKind::Showo(_))
        && let Some((name, _)) = checkpoint.left_out().iter().find(|(name, _)| name.starts_with(public::PROJECTOR))
    {
        return Err(checkpoint.bad(name, public::WITH_CLIP_VIT));
    }
    let public = match &mut config {
        ModelConfig::Clip(config) => clip::complete(&input.weights, &path, config)?,
        _ => None,
    };
    let own_tokenizer = public.map(|public| {
        notes.extend(public.notes);
        public.tokenizer
    });
    if let ModelConfig::Showo(config) = &mut config {
        // The weights decide, as they do when the network is built: the public code norms queries and keys whatever
        // its configuration says.
        let normed = checkpoint.tensors().contains_key("showo.model.layers.0.self_attn.q_layernorm.weight");
        if normed && !config.qk_layernorm {
            config.qk_layernorm = true;
            notes.push("the checkpoint normalizes queries and keys, although its configuration does not say so".into());
        }
    }
    checkpoint.fits(&config)?;
    for (name, reason) in checkpoint.left_out() {
        notes.push(format!("{name} is left out: {reason}"));
    }
    Ok(Model { kind, checkpoint, config, own_tokenizer, notes })
}

/// Prints what was made of the models, and what is to be known of them.
///
/// # Errors
/// Nobody reads it.
pub fn report(
    out: &Path,
    models: &[Model],
    written: &Written,
    manifest: &Manifest,
    started: Instant,
) -> Result<(), ToolError> {
    say!("{:<12} {:>8} {:>12} {:>11} {:>11} {:>13}", "model", "tensors", "parameters", "was", "is", "relative RMS")?;
    for (Model { kind, checkpoint, .. }, cost) in models.iter().zip(&written.costs) {
        let parameters: usize = checkpoint.tensors().values().map(|tensor| tensor.info.elements()).sum();
        say!(
            "{kind:<12} {:>8} {parameters:>12} {:>11} {:>11} {:>13.2e}",
            checkpoint.tensors().len(),
            human(checkpoint.data_bytes()),
            human(manifest.bytes_of(*kind)),
            cost.relative_rms()
        )?;
    }
    say!(
        "{}: {} in {} shards, {:.1} s",
        out.display(),
        human(manifest.bytes()),
        manifest.shards.len(),
        started.elapsed().as_secs_f64()
    )?;
    for model in models {
        for note in &model.notes {
            say!("note: {}: {note}", model.kind)?;
        }
    }
    warn_of(&written.stored)
}

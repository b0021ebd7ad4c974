//! `quantize convert`: checkpoints in, bundle out.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use showo::bundle::{
    About, BundleWriter, Manifest,
    manifest::{KINDS, Source, World},
};

use crate::{
    checkpoint::Checkpoint,
    encode,
    error::ToolError,
    measure::Cost,
    progress::{bytes_bar, human, say},
    scheme::{self, Keep, Scheme},
};

/// One `--input`: a model's kind, its weights and its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// One of [`KINDS`].
    pub kind: String,
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
        if !KINDS.contains(&kind) {
            return Err(format!("the kind {kind:?} is unknown; the kinds are {}", KINDS.join(", ")));
        }
        let (weights, config) = match rest.rsplit_once(':') {
            Some((weights, config)) if config.ends_with(".json") => (weights, Some(config.into())),
            _ => (rest, None),
        };
        if weights.is_empty() {
            return Err("the path is empty".into());
        }
        Ok(Self { kind: kind.into(), weights: weights.into(), config })
    }
}

/// Everything that `convert` is told.
pub struct Request {
    /// The models.
    pub inputs: Vec<Input>,
    /// A Hugging Face `tokenizer.json`.
    pub tokenizer: PathBuf,
    /// The bundle's name.
    pub name: String,
    /// The weights' licence.
    pub licence: String,
    /// The model's world.
    pub world: Option<World>,
    /// The bundle's folder, which must not exist.
    pub out: PathBuf,
    /// How the large weights are stored.
    pub scheme: Scheme,
    /// What is stored otherwise.
    pub keep: Vec<Keep>,
}

/// Converts, and prints what it did. Everything that can be refused is refused before the output is begun, except what
/// only shows in the values.
pub fn run(request: &Request) -> Result<(), ToolError> {
    let started = Instant::now();
    let tokenizer = read_tokenizer(&request.tokenizer)?;
    let models = open(request)?;
    let about = About { name: request.name.clone(), licence: request.licence.clone(), world: request.world };
    let mut writer = BundleWriter::create(&request.out, about)?;
    // Every byte is read twice: once for the hash, once for the values.
    let bar = bytes_bar(models.iter().map(|model| 2 * model.checkpoint.data_bytes()).sum());
    let mut costs = Vec::new();
    for Model { kind, checkpoint, config } in &models {
        bar.set_message(format!("{kind}: hashing"));
        let sha256 = checkpoint.sha256(|bytes| bar.inc(bytes))?;
        let source = Source { checkpoint: checkpoint.name(), sha256 };
        writer.model(kind, config.clone(), source)?;
        let mut total = Cost::default();
        for (name, info) in checkpoint.tensors() {
            bar.set_message(format!("{kind}/{name}"));
            let (dtype, _) = scheme::stored_as(request.scheme, &request.keep, kind, name, &info.shape);
            let size = info.dtype.bytes();
            let on_progress = |elements: usize| bar.inc((elements * size) as u64);
            total = total.join(encode::tensor(checkpoint, name, dtype, &mut writer, &on_progress)?);
        }
        costs.push(total);
    }
    let manifest = writer.finish(&tokenizer)?;
    bar.finish_and_clear();
    report(request, &models, &costs, &manifest, started)
}

/// A model that is about to be converted.
struct Model {
    kind: String,
    checkpoint: Checkpoint,
    config: serde_json::Value,
}

/// Opens every input, in the order in which a program will load them.
fn open(request: &Request) -> Result<Vec<Model>, ToolError> {
    let mut used = vec![false; request.keep.len()];
    let mut models = Vec::new();
    for kind in KINDS {
        let mut inputs = request.inputs.iter().filter(|input| input.kind == kind);
        let Some(input) = inputs.next() else { continue };
        if inputs.next().is_some() {
            return Err(ToolError::Option { option: format!("--input {kind}="), problem: "is given twice".into() });
        }
        let checkpoint = Checkpoint::open(&input.weights, kind)?;
        let config = read_config(input)?;
        for (name, info) in checkpoint.tensors() {
            if let (_, Some(index)) = scheme::stored_as(request.scheme, &request.keep, kind, name, &info.shape) {
                used[index] = true;
            }
        }
        models.push(Model { kind: kind.into(), checkpoint, config });
    }
    // A pattern with a typing error would otherwise pass in silence.
    if let Some(idle) = used.iter().position(|used| !used) {
        let option = format!("--keep '{}'", request.keep[idle].pattern);
        return Err(ToolError::Option { option, problem: "decides over no tensor".into() });
    }
    Ok(models)
}

/// `CONFIG.json` as given, else the weights' name with `.json`, else `config.json` beside them.
fn read_config(input: &Input) -> Result<serde_json::Value, ToolError> {
    let beside = [input.weights.with_extension("json"), input.weights.with_file_name("config.json")];
    let path = match &input.config {
        Some(path) => path.clone(),
        None => beside.iter().find(|path| path.is_file()).cloned().ok_or_else(|| ToolError::Json {
            path: beside[0].clone(),
            problem: format!(
                "there is no configuration here and no config.json beside it; name one: --input {}={}:CONFIG.json",
                input.kind,
                input.weights.display()
            ),
        })?,
    };
    let config = read_json(&path)?;
    if config.is_object() { Ok(config) } else { Err(ToolError::Json { path, problem: "not a JSON object".into() }) }
}

/// The tokenizer goes into the bundle as it is; whether it is one, its reader will say.
fn read_tokenizer(path: &Path) -> Result<Vec<u8>, ToolError> {
    if read_json(path)?.get("model").is_none() {
        return Err(ToolError::Json { path: path.into(), problem: "not a tokenizer.json: it has no \"model\"".into() });
    }
    fs::read(path).map_err(ToolError::io(path))
}

fn read_json(path: &Path) -> Result<serde_json::Value, ToolError> {
    let text = fs::read(path).map_err(ToolError::io(path))?;
    serde_json::from_slice(&text)
        .map_err(|error| ToolError::Json { path: path.into(), problem: format!("not JSON: {error}") })
}

fn report(
    request: &Request,
    models: &[Model],
    costs: &[Cost],
    manifest: &Manifest,
    started: Instant,
) -> Result<(), ToolError> {
    say!("{:<12} {:>8} {:>12} {:>11} {:>11} {:>13}", "model", "tensors", "parameters", "was", "is", "relative RMS")?;
    for (Model { kind, checkpoint, .. }, cost) in models.iter().zip(costs) {
        let parameters: usize = checkpoint.tensors().values().map(|info| info.elements()).sum();
        say!(
            "{kind:<12} {:>8} {parameters:>12} {:>11} {:>11} {:>13.2e}",
            checkpoint.tensors().len(),
            human(checkpoint.data_bytes()),
            human(manifest.bytes_of(kind)),
            cost.relative_rms()
        )?;
    }
    for Model { kind, checkpoint, .. } in models {
        for name in checkpoint.left_out() {
            say!("left out {kind}/{name}: the network computes it")?;
        }
    }
    let total: u64 = manifest.shards.iter().map(|shard| shard.bytes).sum::<u64>() + manifest.tokenizer.bytes;
    say!(
        "{}: {} in {} shards, {:.1} s",
        request.out.display(),
        human(total),
        manifest.shards.len(),
        started.elapsed().as_secs_f64()
    )
}

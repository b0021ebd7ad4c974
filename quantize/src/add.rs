//! `quantize convert --bundle`: models added to a bundle that is there. All that it holds is copied byte for byte, not quantized again.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use showo::{
    bundle::{Bundle, BundleWriter, FolderReader, Manifest, ModelKind, block_on},
    config::ShowoConfig,
    settings::{Judge, Recommended},
};

use crate::{
    convert::{self, Input, Storing},
    error::ToolError,
    interrupt, judges,
    layout::ModelConfig,
    progress::{bytes_bar, say},
    scheme::{Keep, Scheme},
};

/// Everything that `convert --bundle` is told.
pub struct Request {
    /// The bundle that is built on.
    pub bundle: PathBuf,
    /// The models to add.
    pub inputs: Vec<Input>,
    /// The new bundle's name, if not the old one's.
    pub name: Option<String>,
    /// The weights' licence, if not the old one's.
    pub licence: Option<String>,
    /// A text file of those who must be named besides, a line each.
    pub attribution: Option<PathBuf>,
    /// How the models are best drawn with, if not as before.
    pub decoding: Option<Recommended>,
    /// What the new bundle judges with; as before where nobody is named.
    pub judges: Vec<Judge>,
    /// The new bundle's folder, which must not exist.
    pub out: PathBuf,
    /// How the large weights are stored.
    pub scheme: Scheme,
    /// What is stored otherwise.
    pub keep: Vec<Keep>,
}

/// Adds the models, and prints what it did. The bundle that is built on stays as it is.
///
/// # Errors
/// A bundle that cannot be read or holds such a model already; whatever [`convert::run`] refuses.
pub fn run(request: &Request) -> Result<(), ToolError> {
    let started = Instant::now();
    interrupt::listen()?;
    let opened =
        block_on(Bundle::open(FolderReader::new(&request.bundle))).map_err(ToolError::bundle(&request.bundle))?;
    for input in &request.inputs {
        if opened.has(input.kind) {
            let option = format!("--input {}=", input.kind);
            let problem = format!(
                "{} holds such a model already; name a bundle without it, or take it apart with `quantize unpack`",
                request.bundle.display()
            );
            return Err(ToolError::Option { option, problem });
        }
    }
    let generator: Option<ShowoConfig> = match opened.has(ModelKind::SHOWO) {
        true => Some(opened.config(ModelKind::SHOWO).map_err(ToolError::bundle(&request.bundle))?),
        false => None,
    };
    let storing = Storing { scheme: request.scheme, keep: &request.keep };
    let models = convert::open(&request.inputs, &storing, generator.as_ref())?;
    let mut about = renamed(opened.manifest().clone(), request)?;
    if let Some(judges) = judges_of(request, &opened, &models, &about)? {
        about.judges = Some(judges);
    }
    let bar = bytes_bar(about.bytes() + convert::bytes_to_read(&models));
    bar.set_message("copying");
    let mut writer = BundleWriter::onto(&request.out, &request.bundle, about, &mut |bytes| bar.inc(bytes))?;
    interrupt::check()?;
    let written = convert::write(&models, &storing, &mut writer, &bar)?;
    let manifest = writer.finish_as_begun()?;
    bar.finish_and_clear();
    convert::report(&request.out, &models, &written, &manifest, started)?;
    match manifest.judges.filter(|_| request.judges.is_empty()) {
        Some(judges) => {
            let judges = Judge::list(&judges);
            say!("note: as before, the bundle judges with {judges} and nothing else; --judge names others")
        }
        None => Ok(()),
    }
}

/// What the new bundle judges with, where that was said.
fn judges_of(
    request: &Request,
    opened: &Bundle<FolderReader>,
    models: &[convert::Model],
    about: &Manifest,
) -> Result<Option<Vec<Judge>>, ToolError> {
    let there = opened.manifest().models.keys().map(|&kind| Ok((kind, ModelConfig::of_bundle(opened, kind)?)));
    let there: Vec<(ModelKind, ModelConfig)> =
        there.collect::<Result<_, _>>().map_err(ToolError::bundle(&request.bundle))?;
    let tokenizer = block_on(opened.tokenizer_json()).map_err(ToolError::bundle(&request.bundle))?;
    let added = models.iter().map(convert::Model::configured);
    let judged = judges::Bundle {
        models: there.iter().map(|(kind, config)| (*kind, config)).chain(added).collect(),
        tokenizer: tokenizer.as_bytes(),
        world: about.world,
        decoding: about.decoding,
    };
    judges::check(&request.judges, &judged)
}

/// What the new bundle says of itself.
fn renamed(manifest: Manifest, request: &Request) -> Result<Manifest, ToolError> {
    let more = convert::attribution(None, request.attribution.as_deref().map(Path::new))?;
    let more: Vec<String> = more.into_iter().filter(|line| !manifest.attribution.contains(line)).collect();
    Ok(Manifest {
        name: request.name.clone().unwrap_or(manifest.name),
        licence: request.licence.clone().unwrap_or(manifest.licence),
        attribution: [manifest.attribution, more].concat(),
        decoding: request.decoding.or(manifest.decoding),
        ..manifest
    })
}

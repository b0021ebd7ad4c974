//! `--judge`: what a bundle judges with, checked before anything is written.

use showo::bundle::ModelKind;
use showo::bundle::manifest::World;
use showo::prompt::TextTokenizer;
use showo::settings::{Judge, Recommended};

use crate::{error::ToolError, layout::ModelConfig};

/// What the judges are looked for in.
pub struct Bundle<'a> {
    /// The models that it will hold.
    pub models: Vec<(ModelKind, &'a ModelConfig)>,
    /// The generator's `tokenizer.json`.
    pub tokenizer: &'a [u8],
    /// The models' world.
    pub world: Option<World>,
    /// How it is best drawn with.
    pub decoding: Option<Recommended>,
}

/// Checks the judges; `None` where nobody named any.
///
/// # Errors
/// One that is named twice, or that the bundle will lack; a generator that cannot be asked; a recommended verifier that is none of
/// them.
pub fn check(judges: &[Judge], bundle: &Bundle<'_>) -> Result<Option<Vec<Judge>>, ToolError> {
    if judges.is_empty() {
        return Ok(None);
    }
    for (at, &judge) in judges.iter().enumerate() {
        let refused = |problem: String| Err(ToolError::Option { option: format!("--judge {judge}"), problem });
        if judges[..at].contains(&judge) {
            return refused("is given twice".into());
        }
        if !bundle.models.iter().any(|(kind, config)| answers(*kind, config, judge)) {
            let kind = ModelKind::judging(judge);
            return refused(format!(
                "the bundle would hold no such model; add it with --input {kind}=PATH, or leave {judge} out"
            ));
        }
        if judge == Judge::Own
            && let Err(why) = asked(bundle)
        {
            return refused(format!("the generator cannot be asked about pictures: {why}; leave self out"));
        }
    }
    let unnamed = bundle.decoding.and_then(|decoding| Some((decoding.verifier, Judge::of(decoding.verifier)?)));
    match unnamed.filter(|(_, judge)| !judges.contains(judge)) {
        Some((mode, judge)) => Err(ToolError::Option {
            option: format!("--decoding verifier={mode}"),
            problem: format!(
                "{judge} is not among --judge {}; add it there, or recommend another verifier",
                Judge::list(judges)
            ),
        }),
        None => Ok(Some(judges.to_vec())),
    }
}

/// Whether a model can be asked what a judge is asked; one reward network may answer every question.
fn answers(kind: ModelKind, config: &ModelConfig, judge: Judge) -> bool {
    match (config, ModelKind::judging(judge)) {
        (ModelConfig::Reward(config), ModelKind::Reward(label)) => config.labels().contains(&label),
        (_, asked) => kind == asked,
    }
}

/// Whether the generator has words to be asked and to answer with.
fn asked(bundle: &Bundle<'_>) -> Result<(), String> {
    let tokenizer = TextTokenizer::from_json(bundle.tokenizer).map_err(|error| error.to_string())?;
    let showo = bundle.models.iter().find_map(|(kind, config)| match config {
        ModelConfig::Showo(config) if *kind == ModelKind::SHOWO => Some(config),
        _ => None,
    });
    let Some(showo) = showo else { return Err("there is none".into()) };
    tokenizer.self_question(showo, bundle.world, &[]).map(drop).map_err(|error| error.to_string())
}

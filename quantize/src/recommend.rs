//! `quantize recommend`: how a bundle is best drawn with, written into its manifest. Nothing else changes.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};
use showo::bundle::manifest::{MANIFEST_FILE, Manifest};
use showo::settings::Recommended;

use crate::{error::ToolError, progress::say};

/// `NAME=VALUE,…` over what programs draw with where nothing is recommended.
///
/// # Errors
/// A name that is none, a value of another kind, in a sentence.
pub fn parse(text: &str) -> Result<Recommended, String> {
    let known = serde_json::to_value(Recommended::DEFAULT).map_err(|error| error.to_string())?;
    let mut fields: Map<String, Value> = known.as_object().cloned().unwrap_or_default();
    for one in text.split(',') {
        let (name, value) = one.split_once('=').ok_or(format!("expected NAME=VALUE, not {one:?}"))?;
        let names = fields.keys().cloned().collect::<Vec<_>>().join(", ");
        let slot = fields.get_mut(name).ok_or(format!("{name} is not recommended; there are {names}"))?;
        *slot = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    }
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| error.to_string())
}

/// Replaces what the manifest of `bundle` recommends.
///
/// # Errors
/// No sound manifest; a recommendation out of range; a file that cannot be written.
pub fn run(bundle: &Path, decoding: Recommended) -> Result<(), ToolError> {
    let path = bundle.join(MANIFEST_FILE);
    let json = fs::read(&path).map_err(ToolError::io(&path))?;
    let manifest = Manifest::parse(&json).map_err(ToolError::bundle(bundle))?;
    let manifest = Manifest { decoding: Some(decoding), ..manifest };
    manifest.validate().map_err(ToolError::bundle(bundle))?;
    let mut json = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| ToolError::Json { path: path.clone(), problem: error.to_string() })?;
    json.push(b'\n');
    // Through another name, so that a full disk leaves the manifest that was there.
    let partial = path.with_extension("partial");
    fs::write(&partial, json).and_then(|()| fs::rename(&partial, &path)).map_err(ToolError::io(&path))?;
    let Recommended { steps, guidance_scale, temperature, candidates, verifier } = decoding;
    say!(
        "{}: {steps} steps, guidance scale {guidance_scale}, temperature {temperature}, {candidates} candidates, verifier {verifier}",
        bundle.display()
    )
}

#[cfg(test)]
mod tests {
    use showo::settings::VerifierMode;

    use super::*;

    #[test]
    fn what_is_not_said_stays_and_what_is_none_is_named() {
        let read = parse("steps=14,temperature=8,verifier=none").unwrap();
        assert_eq!((read.steps, read.temperature, read.verifier), (14, 8.0, VerifierMode::None));
        assert_eq!(read.candidates, Recommended::DEFAULT.candidates);
        assert!(parse("step=14").unwrap_err().contains("guidance_scale"));
        assert!(parse("steps=many").is_err() && parse("steps").is_err());
    }
}

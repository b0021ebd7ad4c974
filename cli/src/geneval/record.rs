//! What a folder of pictures was drawn with, so that nothing else is mixed in.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use showo::settings::Settings;
use showo::text;

use super::files::write_new;
use crate::drawing::BundleName;
use crate::failure::Failure;

/// Beside the prompts' folders; the evaluator passes over it.
const FILE: &str = "showo-geneval.json";

/// Everything that decides the pictures: names and what they are, in words.
pub struct Record(BTreeMap<String, String>);

impl Record {
    /// Of a run; `settings` are those of any prompt.
    pub fn new(bundle: &BundleName, metadata_sha256: &str, images: u32, settings: &Settings) -> Result<Self, Failure> {
        let settings = serde_json::to_value(settings).map_err(|error| Failure::Refused(error.to_string()))?;
        let settings = settings.as_object().into_iter().flatten();
        let mut record: BTreeMap<String, String> = settings
            // These differ from prompt to prompt, or decide no picture.
            .filter(|(name, _)| !["prompt", "previews"].contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect();
        record.insert("images".into(), images.to_string());
        record.insert("metadata".into(), format!("sha256 {metadata_sha256}"));
        record.insert("bundle".into(), format!("{} {}", bundle.name, bundle.sha256));
        Ok(Self(record))
    }

    /// Leaves the record in a new folder; in one that was begun already, compares.
    ///
    /// # Errors
    /// The folder was begun with something else, by name; it holds pictures without a record.
    pub fn keep_in(&self, out: &Path) -> Result<(), Failure> {
        fs::create_dir_all(out).map_err(|error| Failure::file(out, error))?;
        let path = out.join(FILE);
        if !path.exists() {
            if holds_prompts(out)? {
                let why = format!("holds numbered folders, but no {FILE}; begin in a folder of its own");
                return Err(Failure::file(out, why));
            }
            let json = serde_json::to_string_pretty(&self.0).map_err(|error| Failure::Refused(error.to_string()))?;
            // Another machine may have been quicker; then its record counts.
            write_new(&path, json.as_bytes())?;
        }
        let json = text::read_file(&path).map_err(|error| Failure::file(&path, error))?;
        let begun: BTreeMap<String, String> = serde_json::from_str(&json)
            .map_err(|error| Failure::file(&path, format!("is no record of a run: {error}")))?;
        self.compare(&path, &begun)
    }

    fn compare(&self, path: &Path, begun: &BTreeMap<String, String>) -> Result<(), Failure> {
        let names = self.0.keys().chain(begun.keys());
        let Some(name) = names.into_iter().find(|name| self.0.get(*name) != begun.get(*name)) else { return Ok(()) };
        let words = |record: &BTreeMap<String, String>| record.get(name).cloned().unwrap_or("absent".to_owned());
        Err(Failure::Refused(format!(
            "{}: the pictures here were begun with {name} {}, but now it is {}; \
             go on with what they were begun with, or give another --out",
            path.display(),
            words(begun),
            words(&self.0)
        )))
    }
}

/// Whether there are folders that the evaluator would read.
fn holds_prompts(out: &Path) -> Result<bool, Failure> {
    let entries = fs::read_dir(out).map_err(|error| Failure::file(out, error))?;
    Ok(entries.flatten().any(|entry| entry.file_name().to_string_lossy().chars().all(|c| c.is_ascii_digit())))
}

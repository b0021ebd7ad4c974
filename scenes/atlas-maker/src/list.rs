//! The list of glyphs that is committed: which drawings the world has, in the order in which a narrow world takes them.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// The set of our own drawings.
pub const OWN: &str = "own";

/// Licences under which a glyph may be shipped, recoloured.
const ALLOWED: [&str; 5] = ["Apache-2.0", "MIT", "CC-BY-4.0", "CC0-1.0", "MIT OR Apache-2.0"];

/// One glyph of the list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// GenEval's name of the kind of thing.
    pub class: String,
    /// The npm package `@iconify-json/SET`, or `own`.
    pub set: String,
    /// The icon's name in its set; for our own drawings the file's, without `.svg`.
    pub id: String,
    /// The colour that it has by itself, where that is one of the ten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_colour: Option<String>,
    /// For a glyph of one colour that is drawn in two tones: the main one, `#RRGGBB`.
    #[serde(default, skip_serializing)]
    pub duotone: Option<String>,
    /// How it is tinted, where the rule by area does not do; read by the renderer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tint: Option<serde_json::Value>,
    /// SPDX. Optional here only so that its absence can be named with the glyph.
    #[serde(default)]
    pub licence: Option<String>,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.class, self.set, self.id)
    }
}

/// Reads and checks the list.
///
/// # Errors
/// For a list that cannot be read, a glyph without a licence or with one that is not allowed, a glyph listed twice.
pub fn read(path: &Path) -> Result<Vec<Entry>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let entries: Vec<Entry> =
        serde_json::from_str(&text).with_context(|| format!("{} is not a list of glyphs", path.display()))?;
    check(&entries)?;
    Ok(entries)
}

fn check(entries: &[Entry]) -> Result<()> {
    let mut seen = HashSet::new();
    for entry in entries {
        match entry.licence.as_deref() {
            None => bail!("{entry} has no licence; add `\"licence\"` to its line or take the glyph out"),
            Some(licence) if !ALLOWED.contains(&licence) => {
                bail!("{entry} is under {licence}, which is not one of {}; take the glyph out", ALLOWED.join(", "))
            }
            Some(_) => {}
        }
        if !seen.insert((&entry.set, &entry.id)) {
            bail!("{entry} is listed twice; take one of the lines out");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(licence: Option<&str>) -> Entry {
        Entry {
            class: "dog".into(),
            set: "noto".into(),
            id: "dog".into(),
            own_colour: None,
            duotone: None,
            tint: None,
            licence: licence.map(str::to_owned),
        }
    }

    #[test]
    fn a_missing_licence_is_named_with_its_glyph() {
        let error = check(&[entry(None)]).unwrap_err().to_string();
        assert!(error.contains("dog noto/dog") && error.contains("licence"), "{error}");
    }

    #[test]
    fn a_foreign_licence_is_refused() {
        let error = check(&[entry(Some("CC-BY-SA-4.0"))]).unwrap_err().to_string();
        assert!(error.contains("CC-BY-SA-4.0"), "{error}");
    }

    #[test]
    fn a_glyph_is_listed_once() {
        assert!(check(&[entry(Some("MIT"))]).is_ok());
        assert!(check(&[entry(Some("MIT")), entry(Some("MIT"))]).is_err());
    }
}

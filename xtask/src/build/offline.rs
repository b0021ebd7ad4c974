//! The list of what a visitor needs to keep for a visit without a network (`www/sw.js`).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::folder;

/// The list's name in the built page.
const LIST: &str = "offline.json";

/// Writes the list: every file of the page but the shards, which the engine keeps by itself, and their like.
///
/// # Errors
/// Names the file that cannot be read or written.
pub fn write_list(out: &Path) -> Result<()> {
    let mut names = Vec::new();
    for file in folder::files(out)? {
        let name = file.strip_prefix(out).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        if !name.ends_with(".safetensors") && name != LIST {
            names.push(name);
        }
    }
    let list = out.join(LIST);
    fs::write(&list, serde_json::to_vec(&names)?).with_context(|| format!("cannot write {}", list.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_on_the_list_but_shards_and_the_list() {
        let page = tempfile::tempdir().unwrap();
        fs::create_dir(page.path().join("models")).unwrap();
        for file in ["index.html", "models/manifest.json", "models/showo-000.safetensors", LIST] {
            fs::write(page.path().join(file), "x").unwrap();
        }
        write_list(page.path()).unwrap();
        let list: Vec<String> = serde_json::from_slice(&fs::read(page.path().join(LIST)).unwrap()).unwrap();
        assert_eq!(list, ["index.html", "models/manifest.json"]);
    }
}

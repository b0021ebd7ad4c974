//! The list of what a visitor needs to keep for a visit without a network (`www/sw.js`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::folder;

/// The list's name in the built page.
const LIST: &str = "offline.json";

/// The service worker, which reads the list; the browser keeps it by rules of its own.
const SERVICE_WORKER: &str = "sw.js";

/// Writes the list, `{ "files": { NAME: SHA-256 } }`: every file of the page but the shards, which the engine keeps by
/// itself, the service worker and the list. By the hashes a visitor's browser knows that all its files are of one version.
///
/// # Errors
/// Names the file that cannot be read or written.
pub fn write_list(out: &Path) -> Result<()> {
    let mut files = BTreeMap::new();
    for file in folder::files(out)? {
        let name = file.strip_prefix(out).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        if !name.ends_with(".safetensors") && name != LIST && name != SERVICE_WORKER {
            let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            files.insert(name, sha256(&bytes));
        }
    }
    let list = out.join(LIST);
    fs::write(&list, serde_json::to_vec(&serde_json::json!({ "files": files }))?)
        .with_context(|| format!("cannot write {}", list.display()))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of "x", by sha256sum.
    const X: &str = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";

    #[test]
    fn everything_is_on_the_list_but_what_is_kept_otherwise() {
        let page = tempfile::tempdir().unwrap();
        fs::create_dir(page.path().join("models")).unwrap();
        for file in ["index.html", "models/manifest.json", "models/showo-000.safetensors", SERVICE_WORKER, LIST] {
            fs::write(page.path().join(file), "x").unwrap();
        }
        write_list(page.path()).unwrap();
        let list: serde_json::Value = serde_json::from_slice(&fs::read(page.path().join(LIST)).unwrap()).unwrap();
        assert_eq!(list, serde_json::json!({ "files": { "index.html": X, "models/manifest.json": X } }));
    }

    #[test]
    fn another_file_makes_another_list() {
        let page = tempfile::tempdir().unwrap();
        let list_with = |text: &str| {
            fs::write(page.path().join("index.html"), text).unwrap();
            write_list(page.path()).unwrap();
            fs::read(page.path().join(LIST)).unwrap()
        };
        let first = list_with("a");
        assert_ne!(list_with("b"), first);
        assert_eq!(list_with("a"), first, "the same page is the same version");
    }
}

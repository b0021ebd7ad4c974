//! What the built page weighs, as it lies and as brotli.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::folder::files;
use crate::command::{capture, program};
use crate::places::Places;

/// The most that the wasm may be as brotli: what a visitor waits for before anything else.
const WASM_LIMIT: u64 = 2_500_000;
/// Files that a web server compresses. Weights are noise to a compressor, and pictures are compressed already.
const COMPRESSED: [&str; 9] = ["wasm", "js", "mjs", "css", "html", "json", "svg", "txt", "webmanifest"];

/// A file of the page.
pub struct Size {
    /// Its path in the page, with `/`.
    pub name: String,
    /// Bytes as it lies.
    pub raw: u64,
    /// Bytes as brotli, where a web server would compress it.
    pub brotli: Option<u64>,
}

/// Measures every file under `folder`; the wasm as it lies only, when it is `dev`: compressing what nobody has made small
/// takes a minute and says little.
///
/// # Errors
/// When a file cannot be read or node fails.
pub fn measure(places: &Places, folder: &Path, dev: bool) -> Result<Vec<Size>> {
    let mut sizes = Vec::new();
    for file in files(folder)? {
        let raw = file.metadata().with_context(|| format!("cannot look at {}", file.display()))?.len();
        let compressed = file.extension().is_some_and(|extension| COMPRESSED.iter().any(|known| extension == *known));
        let raw_only = dev && file.extension().is_some_and(|extension| extension == "wasm");
        let brotli = if compressed && !raw_only { Some(brotli(places, &file)?) } else { None };
        let name = file.strip_prefix(folder).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        sizes.push(Size { name, raw, brotli });
    }
    Ok(sizes)
}

/// Bytes of `file` as brotli; kept by the file's hash, because the wasm takes 20 seconds.
fn brotli(places: &Places, file: &Path) -> Result<u64> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let name: String = Sha256::digest(&bytes).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    let kept = places.cache.join("brotli").join(name);
    if let Some(size) = fs::read_to_string(&kept).ok().and_then(|text| text.trim().parse().ok()) {
        return Ok(size);
    }
    let mut node = program(places, "node");
    let printed = capture(node.args(["--input-type=module", "--eval", include_str!("brotli.mjs"), "--"]).arg(file))?;
    let size: u64 =
        printed.trim().parse().with_context(|| format!("node printed `{printed}` for {}", file.display()))?;
    let written = fs::create_dir_all(places.cache.join("brotli")).and_then(|()| fs::write(&kept, format!("{size}")));
    written.with_context(|| format!("cannot write {}", kept.display()))?;
    Ok(size)
}

/// The sizes as a table with sums, in bytes.
pub fn table(sizes: &[Size]) -> String {
    let width = sizes.iter().map(|size| size.name.len()).max().unwrap_or(0).max("in all, as served".len());
    let row = |name: &str, raw: &str, brotli: &str| format!("{name:width$}  {raw:>12}  {brotli:>12}\n");
    let mut text = row("file", "bytes", "brotli");
    for size in sizes {
        text += &row(&size.name, &thousands(size.raw), &size.brotli.map_or_else(|| "-".into(), thousands));
    }
    let raw: u64 = sizes.iter().map(|size| size.raw).sum();
    let served: u64 = sizes.iter().map(|size| size.brotli.unwrap_or(size.raw)).sum();
    text + row("in all, as served", &thousands(raw), &thousands(served)).trim_end()
}

/// Refuses wasm above the limit.
///
/// # Errors
/// Names the file and by how much it is too large.
pub fn check_limit(sizes: &[Size]) -> Result<()> {
    for size in sizes.iter().filter(|size| size.name.ends_with(".wasm")) {
        let brotli = size.brotli.unwrap_or(size.raw);
        if brotli > WASM_LIMIT {
            bail!(
                "{} is {} bytes as brotli, {} above the limit of {}; see what it holds with `twiggy top`, and which features of burn are on",
                size.name,
                thousands(brotli),
                thousands(brotli - WASM_LIMIT),
                thousands(WASM_LIMIT)
            );
        }
    }
    Ok(())
}

/// `1234567` as `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wasm(brotli: u64) -> Vec<Size> {
        vec![Size { name: "showo_bg.wasm".into(), raw: 9_000_000, brotli: Some(brotli) }]
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn the_limit_is_inclusive() {
        assert!(check_limit(&wasm(2_500_000)).is_ok());
        let error = check_limit(&wasm(2_500_001)).unwrap_err().to_string();
        assert!(error.contains("showo_bg.wasm") && error.contains("2,500,001"), "{error}");
    }

    #[test]
    fn what_is_not_compressed_counts_as_it_is() {
        let mut sizes = wasm(2_000_000);
        sizes.push(Size { name: "models/a.safetensors".into(), raw: 1_000_000, brotli: None });
        let table = table(&sizes);
        assert!(
            table.lines().last().is_some_and(|line| line.contains("10,000,000") && line.contains("3,000,000")),
            "{table}"
        );
    }

    #[test]
    fn node_measures_brotli() -> Result<()> {
        let place = tempfile::tempdir()?;
        let places =
            Places { root: place.path().into(), cache: place.path().join("cache"), target: place.path().into() };
        let file = place.path().join("a.json");
        fs::write(&file, "a".repeat(10_000))?;
        let size = brotli(&places, &file)?;
        assert!(size > 0 && size < 100, "{size}");
        assert_eq!(brotli(&places, &file)?, size, "the second time from the cache");
        Ok(())
    }
}

//! Running the scripts of `tests/e2e` under node, with the browser and the built page.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::checks::Counts;
use crate::command::{program, run};
use crate::places::Places;
use crate::setup;

/// Runs the end-to-end tests on `dist/`.
///
/// # Errors
/// When there is no built page, no Chromium, or node cannot start; failed tests are counted instead.
pub fn test(places: &Places, filter: Option<&str>) -> Result<Counts> {
    let report = places.cache.join(format!("e2e-{}.tap", std::process::id()));
    let mut node = node(places)?;
    // One file after the other: two browsers drawing on two cores would only time each other out.
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec", "--test-reporter-destination=stdout"]);
    node.arg("--test-reporter=tap").arg(with("--test-reporter-destination=", &report));
    if let Some(filter) = filter {
        node.arg(format!("--test-name-pattern={}", literal(filter)));
    }
    let outcome = run(node.args(test_files(places)?));
    let text = fs::read_to_string(&report).unwrap_or_default();
    let _ = fs::remove_file(&report);
    Ok(Counts::from_tap(&text).unwrap_or_default().of_runner(outcome.is_ok()))
}

/// Runs one script of `tests/e2e` on `dist/`.
///
/// # Errors
/// As [`test`], and when the script fails.
pub fn script(places: &Places, name: &str, arguments: &[String]) -> Result<()> {
    run(node(places)?.arg(places.root.join("tests/e2e").join(name)).args(arguments))
}

/// Node, told by environment variables where everything is (`tests/e2e/places.mjs` reads them).
fn node(places: &Places) -> Result<Command> {
    let dist = places.dist();
    if !dist.join("index.html").is_file() {
        bail!("{} holds no page; build it with `cargo xtask build`", dist.display());
    }
    let chromium = setup::chromium().context("no Chromium was found; run `cargo xtask setup`, or set CHROMIUM to its executable")?;
    let mut node = program(places, "node");
    node.env("CHROMIUM", chromium)
        .env("SHOWO_DIST", &dist)
        .env("SHOWO_XTASK", std::env::current_exe().context("cannot find this program")?)
        .env("SHOWO_NATIVE", places.target.join("release").join(format!("showo{}", std::env::consts::EXE_SUFFIX)))
        .env("SHOWO_NODE_MODULES", setup::npm::test_modules(places)?);
    Ok(node)
}

fn test_files(places: &Places) -> Result<Vec<PathBuf>> {
    let folder = places.root.join("tests/e2e");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with(".test.mjs")).collect();
    files.sort();
    Ok(files)
}

fn with(prefix: &str, path: &Path) -> std::ffi::OsString {
    let mut text = std::ffi::OsString::from(prefix);
    text.push(path);
    text
}

/// A regular expression that matches `text` itself.
fn literal(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_alphanumeric() || c == ' ' { vec![c] } else { vec!['\\', c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn a_filter_is_no_pattern() {
        assert_eq!(literal("k=2 (webgpu)"), r"k\=2 \(webgpu\)");
    }
}

//! Node's test runner, and what it counts.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::counts::Counts;
use crate::command::run;
use crate::places::Places;

/// Runs every `*.test.mjs` in `folder` with `node`, of those tests only the ones whose name contains `filter`.
///
/// # Errors
/// When the folder cannot be read; failed tests are counted instead.
pub fn tests(places: &Places, mut node: Command, folder: &Path, filter: Option<&str>) -> Result<Counts> {
    let report = places.cache.join(format!("node-{}.tap", std::process::id()));
    // One file after the other: two browsers drawing on two cores would only time each other out.
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec", "--test-reporter-destination=stdout"]);
    let mut destination = OsString::from("--test-reporter-destination=");
    destination.push(&report);
    node.arg("--test-reporter=tap").arg(destination);
    if let Some(filter) = filter {
        node.arg(format!("--test-name-pattern={}", literal(filter)));
    }
    let outcome = run(node.args(files(folder)?));
    let text = fs::read_to_string(&report).unwrap_or_default();
    // Best effort: what is left does no harm.
    let _ = fs::remove_file(&report);
    Ok(Counts::from_tap(&text).unwrap_or_default().of_runner(outcome.is_ok()))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();
    Ok(files)
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

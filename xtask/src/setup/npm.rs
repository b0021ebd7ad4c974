//! What comes from npm: installed from a committed package-lock.json into a folder of our own, named by the lock's hash.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::need::{Fix, Need};
use crate::command::{capture, program, run};
use crate::places::Places;

/// The folder that holds the lock of what `build` runs under node.
const BUILD: &str = "xtask/npm";
/// The folder that holds the lock of what the end-to-end tests run with.
const TEST: &str = "tests/e2e";
/// The folder that holds the lock of the icon sets.
const ICONS: &str = "scenes/atlas/npm";

/// Node itself, with npm.
pub fn node() -> Need {
    const OLDEST: u32 = 20;
    Need {
        name: "node and npm",
        why: format!("wasm-opt and the end-to-end tests run under node {OLDEST} or newer"),
        optional: false,
        find: Box::new(|places| {
            let node = capture(program(places, "node").arg("--version")).ok()?;
            let npm = capture(program(places, "npm").arg("--version")).ok()?;
            let major: u32 = node.trim().trim_start_matches('v').split('.').next()?.parse().ok()?;
            (major >= OLDEST).then(|| format!("node {}, npm {}", node.trim(), npm.trim()))
        }),
        fix: Fix::Tell(format!(
            "install node {OLDEST} or newer with npm, from https://nodejs.org or your system's packages"
        )),
    }
}

/// binaryen, whose wasm-opt makes the wasm small.
pub fn build_tools() -> Need {
    need("binaryen", BUILD, "the wasm stays five times as large")
}

/// playwright-core, puppeteer-core and axe-core.
pub fn test_tools() -> Need {
    need("playwright, axe", TEST, "end-to-end tests do not run")
}

/// The icon sets that the atlas is drawn from.
pub fn icon_sets() -> Need {
    need("icon sets", ICONS, "the atlas is drawn from them")
}

/// Where the icon sets are: a `node_modules` folder.
pub fn icon_modules(places: &Places) -> Result<PathBuf> {
    Ok(folder(places, ICONS)?.join("node_modules"))
}

/// Where `build`'s packages are: a `node_modules` folder.
pub fn build_modules(places: &Places) -> Result<PathBuf> {
    Ok(folder(places, BUILD)?.join("node_modules"))
}

/// Where the end-to-end tests' packages are: a `node_modules` folder.
pub fn test_modules(places: &Places) -> Result<PathBuf> {
    Ok(folder(places, TEST)?.join("node_modules"))
}

fn need(name: &'static str, source: &'static str, why: &str) -> Need {
    Need {
        name,
        why: why.into(),
        optional: false,
        find: Box::new(move |places| {
            let folder = folder(places, source).ok()?;
            folder.is_dir().then(|| folder.display().to_string())
        }),
        fix: Fix::Install {
            line: format!("npm ci (the versions of {source}/package-lock.json)"),
            run: Box::new(move |places| install(places, source)),
        },
    }
}

/// `tools/npm-<first bytes of the lock's hash>`: a new lock is a new folder, and two checkouts do not disturb each other.
fn folder(places: &Places, source: &str) -> Result<PathBuf> {
    let lock = places.root.join(source).join("package-lock.json");
    let bytes = fs::read(&lock).with_context(|| format!("cannot read {}; restore it with git", lock.display()))?;
    let name: String = Sha256::digest(&bytes).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Ok(places.tools().join(format!("npm-{name}")))
}

fn install(places: &Places, source: &str) -> Result<()> {
    let folder = folder(places, source)?;
    // Installed beside and renamed: what stands under the final name is complete.
    let partial = folder.with_extension(format!("{}.partial", std::process::id()));
    fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
    let outcome =
        fill(places, &places.root.join(source), &partial).and_then(|()| match fs::rename(&partial, &folder) {
            // Another xtask was quicker.
            Err(_) if folder.is_dir() => Ok(()),
            other => other.with_context(|| format!("cannot make {}", folder.display())),
        });
    if outcome.is_err() || partial.exists() {
        // Best effort: what is left does no harm.
        let _ = fs::remove_dir_all(&partial);
    }
    outcome
}

fn fill(places: &Places, source: &Path, folder: &Path) -> Result<()> {
    for name in ["package.json", "package-lock.json"] {
        fs::copy(source.join(name), folder.join(name))
            .with_context(|| format!("cannot copy {name} to {}", folder.display()))?;
    }
    let mut npm = program(places, "npm");
    run(npm.current_dir(folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]))
}

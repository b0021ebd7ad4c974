//! Programs for the browser: compiled, given their JavaScript glue, made small. The result is kept by the hash of
//! what went in, because wasm-opt takes minutes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, anyhow};
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::command::{cargo, program, run};
use crate::places::Places;
use crate::setup::npm;

/// What rustc emits for wasm32 since 1.87, and `simd` from `.cargo/config.toml`.
const FEATURES: [&str; 9] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-call-indirect-overlong",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];
const LEVEL: &str = "-Oz";
/// How many results are kept: enough to go back and forth between a few branches.
const KEPT: usize = 8;

/// A program: the package that is compiled, and what its files are called.
struct Program {
    package: &'static str,
    name: &'static str,
}

/// A folder with `showo.js` and `showo_bg.wasm`, to be copied and not changed: the engine that visitors load.
///
/// # Errors
/// What cargo, wasm-bindgen or wasm-opt say.
pub fn engine(places: &Places, dev: bool) -> Result<PathBuf> {
    program_of(places, &Program { package: "showo", name: "showo" }, dev)
}

/// A folder with `parity.js` and `parity_bg.wasm`: the same engine's code behind another door, for a test alone, and so
/// not made small. Where the engine is compiled, this takes the linker, wasm-bindgen and some seconds.
///
/// # Errors
/// As [`engine`].
pub fn parity(places: &Places) -> Result<PathBuf> {
    program_of(places, &Program { package: "parity-page", name: "parity" }, true)
}

fn program_of(places: &Places, which: &Program, dev: bool) -> Result<PathBuf> {
    let compiled = compile(places, which.package)?;
    // Apart, so that a day of changes clears away nothing that took wasm-opt minutes.
    let kept = places.cache.join(if dev { "wasm-dev" } else { "wasm" });
    let folder = kept.join(key(&compiled, dev)?);
    if !folder.is_dir() {
        let partial = folder.with_extension(format!("{}.partial", std::process::id()));
        make(places, which.name, &compiled, &partial, dev)?;
        match fs::rename(&partial, &folder) {
            // Another xtask was quicker; its result is the same.
            Err(_) if folder.is_dir() => {
                fs::remove_dir_all(&partial).with_context(|| format!("cannot remove {}", partial.display()))?
            }
            other => other.with_context(|| format!("cannot make {}", folder.display()))?,
        }
        prune(&kept);
    }
    Ok(folder)
}

/// Compiles and says where the wasm is.
fn compile(places: &Places, package: &str) -> Result<PathBuf> {
    run(cargo(places).args([
        "build",
        "--profile",
        "wasm",
        "--target",
        "wasm32-unknown-unknown",
        "--package",
        package,
        "--lib",
    ]))?;
    let file = format!("{}.wasm", package.replace('-', "_"));
    Ok(places.target.join("wasm32-unknown-unknown/wasm").join(file))
}

/// Names the result by everything that decides it.
fn key(wasm: &Path, dev: bool) -> Result<String> {
    let bytes = fs::read(wasm).with_context(|| format!("cannot read {}, which cargo has just made", wasm.display()))?;
    let mut hash = Sha256::new();
    hash.update(bytes);
    hash.update(wasm_bindgen_version());
    hash.update(include_bytes!("../../npm/package-lock.json"));
    hash.update(FEATURES.concat());
    hash.update(if dev { "" } else { LEVEL });
    Ok(hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect())
}

/// The version in Cargo.lock, which is that of the library this program is linked with.
fn wasm_bindgen_version() -> &'static str {
    let lock = include_str!("../../../Cargo.lock");
    let package = lock.split("[[package]]").find(|package| package.contains("name = \"wasm-bindgen-cli-support\""));
    package.and_then(|package| package.split("version = \"").nth(1)?.split('"').next()).unwrap_or_default()
}

fn make(places: &Places, name: &str, compiled: &Path, out: &Path, dev: bool) -> Result<()> {
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let start = Instant::now();
    Bindgen::new()
        .input_path(compiled)
        .out_name(name)
        .web(true)
        .and_then(|bindgen| {
            bindgen.typescript(false).remove_name_section(!dev).remove_producers_section(true).generate(out)
        })
        .map_err(|error| anyhow!("wasm-bindgen refuses {}: {error:#}", compiled.display()))?;
    println!("wasm-bindgen {}: {:.1} s", wasm_bindgen_version(), start.elapsed().as_secs_f32());
    if dev {
        return Ok(());
    }
    let start = Instant::now();
    println!("wasm-opt {LEVEL}, some minutes (`--dev` leaves it out)");
    let wasm = out.join(format!("{name}_bg.wasm"));
    let small = out.join(format!("{name}_bg.wasm.small"));
    let script = npm::build_modules(places)?.join("binaryen/bin/wasm-opt");
    run(program(places, "node").arg(script).arg(&wasm).arg(LEVEL).args(FEATURES).arg("-o").arg(&small))?;
    fs::rename(&small, &wasm).with_context(|| format!("cannot replace {}", wasm.display()))?;
    println!("wasm-opt: {:.0} s", start.elapsed().as_secs_f32());
    Ok(())
}

/// Removes the oldest results, and what a killed run left. Best effort: nothing depends on it.
fn prune(kept: &Path) {
    let age = |path: &Path| path.metadata().and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut folders: Vec<PathBuf> =
        fs::read_dir(kept).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders.sort_by_key(|path| std::cmp::Reverse(age(path)));
    for old in folders.into_iter().skip(KEPT) {
        let _ = fs::remove_dir_all(old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_glue_is_written_by_the_version_in_the_wasm() {
        let lock = include_str!("../../../Cargo.lock");
        let engine = format!("name = \"wasm-bindgen\"\nversion = \"{}\"\n", wasm_bindgen_version());
        assert!(lock.contains(&engine), "run `cargo update -p wasm-bindgen -p wasm-bindgen-cli-support`");
        assert_eq!(lock.matches("name = \"wasm-bindgen\"\n").count(), 1);
    }

    #[test]
    fn the_name_depends_on_the_bytes_and_the_kind() -> Result<()> {
        let place = tempfile::tempdir()?;
        let (one, two) = (place.path().join("1.wasm"), place.path().join("2.wasm"));
        fs::write(&one, "1")?;
        fs::write(&two, "2")?;
        assert_eq!(key(&one, false)?, key(&one, false)?);
        assert_ne!(key(&one, false)?, key(&two, false)?);
        assert_ne!(key(&one, false)?, key(&one, true)?);
        Ok(())
    }

    #[test]
    fn only_the_newest_results_stay() -> Result<()> {
        let place = tempfile::tempdir()?;
        for index in 0..KEPT + 3 {
            fs::create_dir(place.path().join(index.to_string()))?;
        }
        prune(place.path());
        assert_eq!(fs::read_dir(place.path())?.count(), KEPT);
        Ok(())
    }
}

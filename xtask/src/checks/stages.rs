//! The stages, quickest to fail first. The native ones share profile and features, so that burn is compiled once.
//!
//! `gpu` does not run by default: a second native build with the GPU backend costs a quarter of an hour, and `e2e` runs
//! the same checks of the same kernels in Chromium. `--only gpu` runs it. Nor does `unit`, which is a part of `native`.

use anyhow::{Context, Result};

use super::counts::Counts;
use super::node;
use crate::browser;
use crate::build;
use crate::command::{cargo, program, run, run_watching_stderr};
use crate::places::Places;
use crate::setup::{self, Scope};

/// The whole workspace, as the native tests want it.
const NATIVE: [&str; 2] = ["--workspace", "--release"];

/// Of that, the tests that stand beside what they test: those in `tests/` draw whole pictures.
const UNIT: [&str; 4] = ["--workspace", "--release", "--lib", "--bins"];

/// The engine and the training with the GPU backend.
const GPU: [&str; 7] =
    ["--release", "--package", "showo", "--package", "train", "--features", "showo/webgpu,train/vulkan"];

/// One named check.
pub struct Stage {
    /// For `--only`.
    pub name: &'static str,
    /// What it does, for the log.
    pub about: &'static str,
    /// Whether it runs without being named.
    pub by_default: bool,
    /// Whether it is part of `--quick`.
    pub quick: bool,
    /// Runs it; the second argument is a part of the tests' names.
    pub run: fn(&Places, Option<&str>) -> Result<Counts>,
}

/// Every check, in order.
pub const STAGES: &[Stage] = &[
    Stage {
        name: "setup",
        about: "what the checks need",
        by_default: true,
        quick: false,
        run: |places, _| passed(setup::ensure(places, Scope::Test)),
    },
    Stage {
        name: "fmt",
        about: "formatting",
        by_default: true,
        quick: true,
        run: |places, _| passed(run(cargo(places).args(["fmt", "--all", "--check"]))),
    },
    Stage { name: "clippy", about: "lints, warnings refused", by_default: true, quick: true, run: clippy },
    Stage { name: "page", about: "the page's modules under node", by_default: true, quick: true, run: page },
    Stage { name: "unit", about: "unit tests of libraries and programs", by_default: false, quick: true, run: unit },
    Stage {
        name: "native",
        about: "unit, property and integration tests",
        by_default: true,
        quick: false,
        run: native,
    },
    Stage {
        name: "results",
        about: "the shipped bundle against its recorded figures",
        by_default: true,
        quick: false,
        run: results,
    },
    Stage { name: "gpu", about: "kernels on a native GPU device", by_default: false, quick: false, run: gpu },
    Stage { name: "doc", about: "documentation and its examples", by_default: true, quick: false, run: doc },
    Stage { name: "dist", about: "the page, and its size", by_default: true, quick: false, run: dist },
    Stage { name: "e2e", about: "the built page in headless Chromium", by_default: true, quick: false, run: e2e },
];

fn passed(outcome: Result<()>) -> Result<Counts> {
    outcome.map(|()| Counts::PASSED)
}

fn clippy(places: &Places, _: Option<&str>) -> Result<Counts> {
    passed(run(cargo(places).arg("clippy").args(NATIVE).args(["--all-targets", "--", "--deny", "warnings"])))
}

fn page(places: &Places, filter: Option<&str>) -> Result<Counts> {
    node::tests(places, program(places, "node"), &places.www().join("tests"), filter)
}

fn unit(places: &Places, filter: Option<&str>) -> Result<Counts> {
    nextest(places, &UNIT, filter)
}

fn native(places: &Places, filter: Option<&str>) -> Result<Counts> {
    nextest(places, &NATIVE, filter)
}

/// Some pictures of `results/scenes.json` again.
fn results(places: &Places, _: Option<&str>) -> Result<Counts> {
    passed(run(cargo(places)
        .args(["run", "--release", "--quiet", "--package", "train", "--"])
        .args(["results", "--quick"])))
}

/// Where there is a device, a kernel test that skips itself is a failure.
fn gpu(places: &Places, filter: Option<&str>) -> Result<Counts> {
    nextest(places, &GPU, filter)
}

fn nextest(places: &Places, selection: &[&str], filter: Option<&str>) -> Result<Counts> {
    let mut command = cargo(places);
    command.args(["nextest", "run"]).args(selection).arg("--no-fail-fast");
    if selection == GPU && setup::has_lavapipe() {
        command.env("SHOWO_REQUIRE_GPU", "1");
    }
    if let Some(filter) = filter {
        command.args(["--no-tests", "pass", filter]);
    }
    let mut counts = Counts::default();
    let succeeded = run_watching_stderr(&mut command, |line| counts = Counts::from_nextest(line).unwrap_or(counts))?;
    Ok(counts.of_runner(succeeded))
}

fn doc(places: &Places, _: Option<&str>) -> Result<Counts> {
    run(cargo(places)
        .env("RUSTDOCFLAGS", "--deny warnings")
        .arg("doc")
        .args(NATIVE)
        .args(["--no-deps", "--document-private-items"]))?;
    passed(run(cargo(places).args(["test", "--doc", "--quiet"]).args(NATIVE)))
}

fn dist(places: &Places, _: Option<&str>) -> Result<Counts> {
    passed(build::build(places, &build::Options { dev: false, out: None }))
}

fn e2e(places: &Places, filter: Option<&str>) -> Result<Counts> {
    // Also where this stage alone is run: browsers and packages change with the tests.
    setup::ensure(places, Scope::Test)?;
    // The same selection as the native tests' build, so that only what they did not need is compiled.
    run(cargo(places).args(["build", "--quiet"]).args(NATIVE).args(["--bins", "--tests"]))
        .context("the native decoder that pictures are compared with")?;
    let mut node = browser::node(places)?;
    // Parity has a program of its own, which visitors do not load: half a minute where the page was just built.
    node.env("SHOWO_PARITY", build::parity(places)?);
    node::tests(places, node, &browser::scripts(places), filter)
}

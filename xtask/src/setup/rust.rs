//! What comes from rustup and crates.io.

use std::path::Path;

use super::need::{Fix, Need};
use crate::command::{capture, cargo, program, run};
use crate::places::Places;

/// 0.22 asks for a newer compiler than the one this repository is built with.
const TRUNK: &str = "0.21.14";
const NEXTEST: &str = "0.9.143";

/// The standard library for the browser.
pub fn wasm_target() -> Need {
    const TARGET: &str = "wasm32-unknown-unknown";
    Need {
        name: "wasm32 target",
        why: "the engine cannot be compiled for the browser".into(),
        optional: false,
        find: Box::new(|places| {
            let folder =
                capture(program(places, "rustc").args(["--print", "target-libdir", "--target", TARGET])).ok()?;
            Path::new(folder.trim()).is_dir().then(|| TARGET.to_owned())
        }),
        fix: Fix::Install {
            line: format!("rustup target add {TARGET}"),
            run: Box::new(|places| run(program(places, "rustup").args(["target", "add", TARGET]))),
        },
    }
}

/// `rustfmt` or `clippy`.
pub fn component(name: &'static str) -> Need {
    let subcommand = if name == "rustfmt" { "fmt" } else { name };
    Need {
        name,
        why: format!("`cargo {subcommand}` is one of the checks"),
        optional: false,
        find: Box::new(move |places| version(places, &[subcommand, "--version"])),
        fix: Fix::Install {
            line: format!("rustup component add {name}"),
            run: Box::new(move |places| run(program(places, "rustup").args(["component", "add", name]))),
        },
    }
}

/// The runner of the native tests; whatever version is there already will do.
pub fn nextest() -> Need {
    installed("cargo-nextest", NEXTEST, "native tests do not run", |places| version(places, &["nextest", "--version"]))
}

/// Only for those who ask for it: `cargo xtask build` does without.
pub fn trunk() -> Need {
    installed("trunk", TRUNK, "`trunk build` does not run (`cargo xtask build` does the same)", |places| {
        capture(program(places, places.tools().join("bin/trunk")).arg("--version"))
            .ok()
            .map(|text| text.trim().to_owned())
    })
}

/// A command from crates.io, in our own folder.
fn installed(name: &'static str, version: &'static str, why: &str, find: fn(&Places) -> Option<String>) -> Need {
    Need {
        name,
        why: why.into(),
        optional: false,
        find: Box::new(find),
        fix: Fix::Install {
            line: format!("cargo install {name} --version {version} --locked --root ~/.cache/showo-parm/tools"),
            run: Box::new(move |places| {
                let mut command = cargo(places);
                // Its flags and its dependencies are not ours: a target folder of its own, and no flags of this repository.
                command.env_remove("CARGO_TARGET_DIR").current_dir(&places.cache);
                run(command.args(["install", name, "--version", version, "--locked", "--root"]).arg(places.tools()))
            }),
        },
    }
}

fn version(places: &Places, arguments: &[&str]) -> Option<String> {
    capture(cargo(places).args(arguments)).ok().map(|text| text.lines().next().unwrap_or_default().to_owned())
}

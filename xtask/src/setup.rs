//! `setup`: installs what is missing where that touches nothing but our own folder, and names the rest.
//!
//! A tool is a [`Need`]: how to find it, why it is wanted, and the command that brings it. Tools that we install go to
//! `~/.cache/showo-parm/tools`, never into the user's own bin; only the compiler's parts (rustup) and, for root on
//! Debian, its packages (apt-get) go where their installers put them.

mod debian;
mod need;
pub mod npm;
mod rust;

use anyhow::{Result, bail};
use clap::Args;

use crate::places::Places;
use need::{Fix, Need};

pub use debian::{chromium, firefox, has_lavapipe};

/// Install what is missing, or name it with the command that installs it.
///
/// Goes into ~/.cache/showo-parm/tools: cargo-nextest, binaryen, playwright-core, puppeteer-core, axe-core (and trunk on request).
/// Goes elsewhere: the wasm32 target, rustfmt and clippy (rustup); Chromium, Firefox and Mesa's software Vulkan (apt-get,
/// only as root on Debian, otherwise they are named).
#[derive(Args)]
pub struct Options {
    /// Only say what is missing; install nothing.
    #[arg(long)]
    check: bool,
    /// Only what building and serving needs, not what the tests need.
    #[arg(long)]
    build_only: bool,
    /// Also install trunk, for those who like `trunk build`; nothing here needs it (8 minutes).
    #[arg(long)]
    trunk: bool,
}

/// What the tools are for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Building and serving the page.
    Build,
    /// The checks of `test --quick`.
    QuickTest,
    /// Every check.
    Test,
}

/// The subcommand.
pub fn run(places: &Places, options: &Options) -> Result<()> {
    let scope = if options.build_only { Scope::Build } else { Scope::Test };
    let mut needs = needs(scope);
    if options.trunk {
        needs.push(rust::trunk());
    }
    provide(places, &needs, !options.check, true)
}

/// Makes sure of what the atlas is drawn from, silently where it is there already.
///
/// # Errors
/// Names what is missing and could not be installed.
pub fn ensure_icon_sets(places: &Places) -> Result<()> {
    provide(places, &[npm::node(), npm::icon_sets()], true, false)
}

/// Makes sure of everything that `scope` needs, silently where it is there already.
///
/// # Errors
/// Names everything that is missing and could not be installed.
pub fn ensure(places: &Places, scope: Scope) -> Result<()> {
    provide(places, &needs(scope), true, false)
}

fn needs(scope: Scope) -> Vec<Need> {
    let mut needs = vec![npm::node()];
    if scope != Scope::QuickTest {
        needs.extend([rust::wasm_target(), npm::build_tools()]);
    }
    if scope != Scope::Build {
        needs.extend([rust::component("rustfmt"), rust::component("clippy"), rust::nextest()]);
    }
    if scope == Scope::Test {
        needs.extend([npm::test_tools(), debian::chromium_need(), debian::firefox_need(), debian::lavapipe_need()]);
    }
    needs
}

fn provide(places: &Places, needs: &[Need], install: bool, say_all: bool) -> Result<()> {
    let mut missing = Vec::new();
    for need in needs {
        let mut found = (need.find)(places);
        if let (None, Fix::Install { line, run }, true) = (&found, &need.fix, install) {
            println!("{:<18} installing: {line}", need.name);
            match run(places) {
                Ok(()) => found = (need.find)(places),
                Err(error) => println!("{:<18} {error:#}", need.name),
            }
        }
        match found {
            Some(what) if say_all => println!("{:<18} {what}", need.name),
            Some(_) => {}
            None => {
                let kind = if need.optional { "missing (optional)" } else { "missing" };
                println!("{:<18} {kind}: {}\n{:<18} to get it: {}", need.name, need.why, "", need.fix.line());
                if !need.optional {
                    missing.push(format!("{} (`{}`)", need.name, need.fix.line()));
                }
            }
        }
    }
    if !missing.is_empty() {
        bail!("still missing: {}", missing.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn places() -> Places {
        Places { root: PathBuf::new(), cache: PathBuf::new(), target: PathBuf::new() }
    }

    fn absent(optional: bool) -> Need {
        Need {
            name: "thing",
            why: "it is wanted".into(),
            optional,
            find: Box::new(|_| None),
            fix: Fix::Tell("get thing".into()),
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_command() {
        let error = provide(&places(), &[absent(false)], true, false).unwrap_err().to_string();
        assert!(error.contains("thing") && error.contains("get thing"), "{error}");
    }

    #[test]
    fn quick_tests_need_no_browser_and_no_wasm() {
        let names = |scope| needs(scope).iter().map(|need| need.name).collect::<Vec<_>>();
        assert_eq!(names(Scope::QuickTest), ["node and npm", "rustfmt", "clippy", "cargo-nextest"]);
        assert!(names(Scope::Test).len() > names(Scope::QuickTest).len() + names(Scope::Build).len() - 1);
    }

    #[test]
    fn what_is_optional_does_not_fail() {
        assert!(provide(&places(), &[absent(true)], true, false).is_ok());
    }

    #[test]
    fn checking_installs_nothing() {
        let mut need = absent(false);
        need.fix = Fix::Install { line: "install thing".into(), run: Box::new(|_| panic!("installed")) };
        assert!(provide(&places(), &[need], false, false).is_err());
    }
}

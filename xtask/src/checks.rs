//! `test`: every check as a named stage with its time; what CI runs.

mod counts;
mod node;
mod stages;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::places::Places;
use crate::setup::{self, Scope};
use counts::Counts;
use stages::{STAGES, Stage};

/// Run every check: what CI runs.
///
/// The last line is `N passed, N failed`: the tests of the test stages, and one for every other stage.
#[derive(Args)]
pub struct Options {
    /// Only what says within minutes whether a change holds: fmt, clippy, page and unit. No browser, nothing for wasm.
    ///
    /// On two cores: fmt and page take seconds, clippy ten to twenty. unit is mostly compiling, up to three minutes after a
    /// change in the engine and little after one in the page, then ten seconds of tests. The first time clippy and unit
    /// compile burn: a quarter of an hour.
    #[arg(long, conflicts_with = "only")]
    quick: bool,
    /// Only this stage (can be given several times).
    #[arg(long, value_name = "STAGE", value_parser = PossibleValuesParser::new(STAGES.iter().map(|stage| stage.name)))]
    only: Vec<String>,
    /// Go on with the next stage after a failure.
    #[arg(long)]
    keep_going: bool,
    /// Only tests whose name contains this (stages native, unit, page and e2e).
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

/// A stage that has run.
struct Ran {
    name: &'static str,
    counts: Counts,
    took: Duration,
}

/// The subcommand; its exit code says whether something ran and nothing failed.
pub fn run(places: &Places, options: &Options) -> Result<ExitCode> {
    if options.quick {
        setup::ensure(places, Scope::QuickTest)?;
    }
    let mut ran = Vec::new();
    for stage in chosen(options) {
        println!("\n=== {}: {}", stage.name, stage.about);
        let start = Instant::now();
        let counts = (stage.run)(places, options.filter.as_deref()).unwrap_or_else(|error| {
            println!("{}: {error:#}", stage.name);
            Counts::FAILED
        });
        ran.push(Ran { name: stage.name, counts, took: start.elapsed() });
        if counts.failed > 0 && !options.keep_going {
            break;
        }
    }
    let total = ran.iter().map(|stage| stage.counts).fold(Counts::default(), Counts::plus);
    println!("\n{}\n", summary(&ran));
    if let Some(failed) = ran.iter().find(|stage| stage.counts.failed > 0) {
        println!("Run what failed alone with `cargo xtask test --only {}`.", failed.name);
    } else if total == Counts::default() {
        let filter = options.filter.as_deref().unwrap_or_default();
        println!("Nothing ran: no test of these stages has `{filter}` in its name.");
    }
    // The last line, on failure too: whoever reads the log by machine looks here.
    println!("{total}");
    Ok(if total.passed > 0 && total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The stages that these options name, in their order.
fn chosen(options: &Options) -> impl Iterator<Item = &'static Stage> {
    STAGES.iter().filter(|stage| match options.only.as_slice() {
        [] if options.quick => stage.quick,
        [] => stage.by_default,
        only => only.iter().any(|name| name == stage.name),
    })
}

fn summary(ran: &[Ran]) -> String {
    let row = |stage: &Ran| {
        let verdict = if stage.counts.failed == 0 { "ok" } else { "FAILED" };
        format!("{:<8} {:<6} {:>7.1} s   {}", stage.name, verdict, stage.took.as_secs_f32(), stage.counts)
    };
    ran.iter().map(row).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn names(arguments: &[&str]) -> Vec<&'static str> {
        let line = Line::try_parse_from(["test"].iter().chain(arguments)).unwrap();
        chosen(&line.options).map(|stage| stage.name).collect()
    }

    #[test]
    fn quick_is_what_needs_no_browser_and_no_wasm() {
        assert_eq!(names(&["--quick"]), ["fmt", "clippy", "page", "unit"]);
        assert!(Line::try_parse_from(["test", "--quick", "--only", "e2e"]).is_err());
    }

    #[test]
    fn without_options_no_test_runs_twice() {
        let all = names(&[]);
        assert!(all.contains(&"native") && !all.contains(&"unit"), "{all:?}");
        assert_eq!(names(&["--only", "unit"]), ["unit"]);
    }
}

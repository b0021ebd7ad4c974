//! `cargo xtask`: set-up, build, demo, test and bench; everything README names.
//!
//! Every subcommand is one module. Nothing here depends on burn, so that the first thing a newcomer compiles is small.
//!
//! | file | its one idea |
//! |---|---|
//! | `setup.rs`, `setup/` | `setup`: what is missing is installed, or named |
//! | `demo.rs` | `demo`: from a clean clone to the page |
//! | `watch.rs`, `watch/` | `demo --watch`: changes are built and shown |
//! | `build.rs`, `build/` | `build`: engine and page into `dist/`, and what they weigh |
//! | `layout.rs`, `places.rs` | which folders make up the page; where everything lies |
//! | `serve.rs`, `serve/` | the file server |
//! | `checks.rs`, `checks/` | `test`: every check as a named stage |
//! | `bench.rs`, `bench/` | `bench`: figures of docs/results.md |
//! | `atlas.rs` | `atlas`: the drawings of the world of things |
//! | `card.rs` | `card`: the trainer for a machine with an NVIDIA card |
//! | `browser.rs`, `command.rs` | node for the scripts of `tests/e2e`; running other programs |

mod atlas;
mod bench;
mod browser;
mod build;
mod card;
mod checks;
mod command;
mod demo;
mod layout;
mod places;
mod serve;
mod setup;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::places::Places;

/// Set-up, build, demo, test and bench of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    // What each does, and at which length, stands at its options.
    Demo(demo::Options),
    Build(build::Options),
    Test(checks::Options),
    Bench(bench::Options),
    Card(card::Options),
    Setup(setup::Options),
    Atlas(atlas::Options),
    #[command(hide = true)]
    Serve(serve::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let success = |()| ExitCode::SUCCESS;
    let outcome = Places::find().and_then(|places| match cli.task {
        Task::Demo(options) => demo::run(places, &options).map(success),
        Task::Build(options) => build::run(&places, &options).map(success),
        Task::Test(options) => checks::run(&places, &options),
        Task::Bench(options) => bench::run(&places, &options).map(success),
        Task::Card(options) => card::run(&places, &options).map(success),
        Task::Setup(options) => setup::run(&places, &options).map(success),
        Task::Atlas(options) => atlas::run(&places, &options).map(success),
        Task::Serve(options) => serve::run(&places, &options).map(success),
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

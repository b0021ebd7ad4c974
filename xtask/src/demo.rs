//! `demo`: one command from a clean clone to the page.

use std::process::{Command, Stdio};

use anyhow::Result;
use clap::Args;

use crate::build;
use crate::places::Places;
use crate::serve::{self, Server, answer};
use crate::setup::{self, Scope};
use crate::watch;

/// Tried first when no port is asked for.
const USUAL_PORT: u16 = 8080;

/// Set up what is missing, build, and serve the page on 127.0.0.1.
///
/// Needs rustup, a C compiler, node and npm; brings the rest. The first time takes a quarter of an hour or more, because
/// burn is compiled for the browser; after that it is a matter of what has changed.
#[derive(Args)]
pub struct Options {
    /// Open the page in the default browser.
    #[arg(long)]
    open: bool,
    /// The port [default: 8080, or a free one where that is taken].
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Leave out wasm-opt: minutes quicker, several times larger.
    #[arg(long)]
    dev: bool,
    /// Serve www/ as it lies over the engine that was built last, and follow changes.
    ///
    /// A change in www/ reloads the page within a quarter of a second. One in what the engine is compiled from builds the
    /// engine without wasm-opt, then reloads: about a minute on two cores. A build that fails leaves the last engine in
    /// place. dist/ stays as it is.
    #[arg(long)]
    watch: bool,
}

/// The subcommand: serves until it is interrupted.
pub fn run(places: Places, options: &Options) -> Result<()> {
    setup::ensure(&places, Scope::Build)?;
    if options.watch {
        let server = server(options)?;
        announce(&server, options);
        return watch::run(places, server);
    }
    build::build(&places, &build::Options { dev: options.dev, out: None })?;
    let page = serve::page(&places.dist(), None)?;
    let server = server(options)?;
    announce(&server, options);
    server.serve(move |request| answer(&page, request));
    Ok(())
}

fn server(options: &Options) -> Result<Server> {
    match options.port {
        Some(port) => Server::open(port),
        None => Server::open(USUAL_PORT).or_else(|_| Server::open(0)),
    }
}

/// Says where the page is. Whoever opens it before it is served waits for it.
fn announce(server: &Server, options: &Options) {
    println!("\nThe page is at {} (Ctrl-C ends it)", server.address());
    if options.open && !open(&server.address()) {
        println!("No program to open it with was found; open the address by hand.");
    }
}

/// Opens `address` with what the system has for that; says whether there was something.
fn open(address: &str) -> bool {
    let (name, arguments): (&str, &[&str]) = match std::env::consts::OS {
        "macos" => ("open", &[]),
        "windows" => ("cmd", &["/C", "start", ""]),
        _ => ("xdg-open", &[]),
    };
    Command::new(name)
        .args(arguments)
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .is_ok()
}

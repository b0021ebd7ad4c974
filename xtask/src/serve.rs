//! A file server for the page: 127.0.0.1 only, a thread a connection, ranges, and nothing outside its folder.
//!
//! Written here on std because tiny_http 0.12 can queue a request behind a connection on which nothing comes, and
//! browsers open such connections ahead of need.

mod answer;
mod connection;
mod layers;
mod range;
mod resource;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::layout::Source;
use crate::places::Places;

pub use answer::answer;
pub use connection::{Answer, Body, Request};
pub use layers::Layers;

/// Serve a folder on 127.0.0.1 without building.
#[derive(Args)]
pub struct Options {
    /// The folder [default: dist].
    folder: Option<PathBuf>,
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Another folder, served beside the first as /bundle/.
    #[arg(long, value_name = "FOLDER")]
    bundle: Option<PathBuf>,
}

/// The subcommand: prints the address as its only line of output, and serves until it is killed.
pub fn run(places: &Places, options: &Options) -> Result<()> {
    let layers = page(options.folder.as_deref().unwrap_or(&places.dist()), options.bundle.as_deref())?;
    let server = Server::open(options.port)?;
    println!("{}", server.address());
    server.serve(move |request| answer(&layers, request));
    Ok(())
}

/// A built page, and perhaps another folder beside it as `/bundle/`.
///
/// # Errors
/// When one of the folders is missing.
pub fn page(folder: &Path, bundle: Option<&Path>) -> Result<Layers> {
    if !folder.is_dir() {
        bail!("there is no folder {}; build the page with `cargo xtask build`", folder.display());
    }
    let bundle = bundle.map(|folder| Source { under: "bundle", ..Source::whole(folder) });
    Layers::of([Source::whole(folder)].into_iter().chain(bundle))
}

/// A port on this machine.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Binds the port; connections wait until [`Server::serve`].
    ///
    /// # Errors
    /// When the port is taken.
    pub fn open(port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port));
        let listener = listener
            .with_context(|| format!("cannot listen on 127.0.0.1:{port}; choose another port with `--port`"))?;
        let address = listener.local_addr().context("the system gave no address")?;
        Ok(Self { listener, address })
    }

    /// `http://127.0.0.1:8080/`
    pub fn address(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Answers for as long as the process lives.
    pub fn serve(&self, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
        let answer = Arc::new(answer);
        for stream in self.listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            // A visitor who has left is none of our errors.
            thread::spawn(move || connection::serve(&stream, |request| answer(request)));
        }
    }
}

#[cfg(test)]
mod tests;

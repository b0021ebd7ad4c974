//! A file server for the page: 127.0.0.1 only, a thread a connection, ranges, and nothing outside its folder.
//!
//! Written here on std because tiny_http 0.12 can queue a request behind a connection on which nothing comes, and
//! browsers open such connections ahead of need.

mod answer;
mod connection;
mod range;
mod resource;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::places::Places;

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
    let mut site = Site::open(options.folder.as_deref().unwrap_or(&places.dist()), options.port)?;
    if let Some(bundle) = &options.bundle {
        site.add_bundle(bundle)?;
    }
    println!("{}", site.address());
    site.serve();
    Ok(())
}

/// What is served: a folder, and perhaps another beside it.
#[derive(Clone)]
struct Folders {
    page: Arc<Path>,
    bundle: Option<Arc<Path>>,
}

impl Folders {
    /// The folder that a URL is about, and the URL inside it.
    fn of<'a>(&self, url: &'a str) -> (&Path, &'a str) {
        match (&self.bundle, url.strip_prefix("/bundle")) {
            (Some(bundle), Some(inside)) if inside.starts_with('/') => (bundle, inside),
            _ => (&self.page, url),
        }
    }
}

/// A folder that is being served.
pub struct Site {
    folders: Folders,
    listener: TcpListener,
    address: SocketAddr,
}

impl Site {
    /// Binds the port; connections wait until [`Site::serve`].
    ///
    /// # Errors
    /// When `folder` is missing or the port is taken.
    pub fn open(folder: &Path, port: u16) -> Result<Self> {
        let Some(page) = canonical(folder) else {
            bail!("there is no folder {}; build the page with `cargo xtask build`", folder.display());
        };
        let listener = TcpListener::bind(("127.0.0.1", port));
        let listener = listener
            .with_context(|| format!("cannot listen on 127.0.0.1:{port}; choose another port with `--port`"))?;
        let address = listener.local_addr().context("the system gave no address")?;
        Ok(Self { folders: Folders { page, bundle: None }, listener, address })
    }

    /// Serves another folder, too, as `/bundle/`.
    ///
    /// # Errors
    /// When `folder` is missing.
    pub fn add_bundle(&mut self, folder: &Path) -> Result<()> {
        self.folders.bundle =
            Some(canonical(folder).with_context(|| format!("there is no folder {}", folder.display()))?);
        Ok(())
    }

    /// `http://127.0.0.1:8080/`
    pub fn address(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves for as long as the process lives.
    pub fn serve(&self) {
        for stream in self.listener.incoming().flatten() {
            let folders = self.folders.clone();
            // A visitor who has left is none of our errors.
            thread::spawn(move || connection::serve(&stream, |request| answer::answer(&folders, request)));
        }
    }
}

fn canonical(folder: &Path) -> Option<Arc<Path>> {
    folder.canonicalize().ok().filter(|folder| folder.is_dir()).map(Into::into)
}

#[cfg(test)]
mod tests;

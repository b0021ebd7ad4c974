//! `demo --watch`: www/ as it lies over the last engine. What changes is seen, built anew where it must be, and shown.

mod builder;
mod changes;
mod files;
mod live;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use anyhow::{Context, Result};

use crate::build::{self, folder, last_engine};
use crate::places::Places;
use crate::serve::Server;
use changes::Change;
use files::Files;
use live::Live;

/// Serves the page and follows its sources until it is interrupted.
///
/// # Errors
/// When the sources are missing or cannot be watched.
pub fn run(mut places: Places, server: Server) -> Result<()> {
    folder::require_page(&places.www())?;
    // macOS tells of changes by a path without links. (On Windows such a path is of a kind that cargo does not take.)
    if !cfg!(windows) {
        places.root = places.root.canonicalize().context("the checkout is gone")?;
    }
    let last = last_engine(&places);
    // Before anything is looked at, so that no change falls between.
    let files = Files::watch(&changes::watched(&places))?;
    let behind = match &last {
        Some(last) => changes::newest_of_the_engine(&places).is_some_and(|newest| newest > last.began),
        None => true,
    };
    let places = Arc::new(places);
    let live = Arc::new(Live::new(Arc::clone(&places), last.as_ref().map(|last| last.folder.as_path()))?);

    let (wanted, requests) = channel();
    thread::spawn({
        let (places, live) = (Arc::clone(&places), Arc::clone(&live));
        move || builder::keep_built(&requests, || build::engine(&places, true), &live)
    });
    thread::spawn({
        let live = Arc::clone(&live);
        move || server.serve(move |request| live.answer(request))
    });

    if behind {
        let why = match last {
            Some(_) => "sources are newer than the last engine, which is served until then",
            None => "there is none yet, and until then the page says so",
        };
        println!("The engine is built: {why}");
        // The other end lives as long as this process.
        let _ = wanted.send(());
    }
    loop {
        act(&places, &files.next()?, &live, &wanted);
    }
}

/// Reloads the page, asks for an engine, or neither.
fn act(places: &Places, paths: &BTreeSet<PathBuf>, live: &Live, wanted: &Sender<()>) {
    let (mut page, mut engine) = (false, false);
    for path in paths {
        let Some(change) = Change::of(places, path) else { continue };
        let name = path.strip_prefix(&places.root).unwrap_or(path).display();
        match change {
            Change::Page => {
                println!("{name}: the page reloads");
                page = true;
            }
            Change::Engine => {
                println!("{name}: the engine is built anew");
                engine = true;
            }
        }
    }
    if page {
        live.reload();
    }
    if engine {
        let _ = wanted.send(());
    }
}

#[cfg(test)]
mod tests;

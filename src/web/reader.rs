//! Bundles from a server: shards through the page's cache, the small files as they are.

use std::cell::Cell;

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::javascript::{answered, field, forget_shard, message, object, shard_pieces, text};
use crate::bundle::{BundleError, Reader};

/// Bytes of a piece that are in the engine's memory at once.
const HELD_BYTES: usize = 1 << 20;

/// Reads the files of the bundle at an address.
pub struct FetchReader {
    /// Ends with a slash.
    base: String,
    /// Where what was read last came from.
    source: Cell<&'static str>,
}

impl FetchReader {
    /// A reader of the folder at `base`.
    pub fn new(base: &str) -> Self {
        let slash = if base.ends_with('/') { "" } else { "/" };
        Self { base: format!("{base}{slash}"), source: Cell::new("network") }
    }

    /// Where the bytes that were reported last came from: `network`, `cache`, or `disk` for a folder that the visitor opened.
    pub fn source(&self) -> &'static str {
        self.source.get()
    }

    fn address(&self, file: &str) -> String {
        format!("{}{file}", self.base)
    }

    async fn read_small(&self, file: &str, on_piece: &mut dyn FnMut(&[u8])) -> Result<(), BundleError> {
        let unreadable = |reason: String| BundleError::Read { file: file.to_owned(), reason };
        let failed = |error: JsValue| unreadable(message(&error));
        // Never an old manifest beside new shards.
        let options = object(&[("cache", "no-cache".into())]);
        let (response, bytes) = answered(&self.address(file), &options).await.map_err(failed)?;
        match response.status() {
            _ if response.ok() => {}
            404 | 410 => return Err(BundleError::Missing { file: file.to_owned() }),
            status => return Err(unreadable(format!("the server answered {status}"))),
        }
        self.source.set("network");
        on_piece(&bytes);
        Ok(())
    }

    async fn read_shard(&self, file: &str, bytes: u64, on_piece: &mut dyn FnMut(&[u8])) -> Result<(), BundleError> {
        let failed = |error: JsValue| refused(file, &error);
        let pieces = shard_pieces(&self.address(file), bytes as f64);
        let mut held = vec![0; HELD_BYTES];
        loop {
            let next = JsFuture::from(pieces.next().map_err(failed)?).await.map_err(failed)?;
            if field(&next, "done").is_truthy() {
                return Ok(());
            }
            let piece = field(&next, "value");
            self.source.set(match text(&piece, "source").as_deref() {
                Some("cache") => "cache",
                Some("disk") => "disk",
                _ => "network",
            });
            let piece: Uint8Array = field(&piece, "bytes").dyn_into().map_err(failed)?;
            // A piece can be larger than what should ever be in this memory at once.
            for start in (0..piece.length()).step_by(HELD_BYTES) {
                let end = piece.length().min(start + HELD_BYTES as u32);
                let here = &mut held[..(end - start) as usize];
                piece.subarray(start, end).copy_to(here);
                on_piece(here);
            }
        }
    }
}

impl Reader for FetchReader {
    async fn read(
        &self,
        file: &str,
        shard_bytes: Option<u64>,
        on_piece: &mut dyn FnMut(&[u8]),
    ) -> Result<(), BundleError> {
        match shard_bytes {
            Some(bytes) => self.read_shard(file, bytes, on_piece).await,
            None => self.read_small(file, on_piece).await,
        }
    }

    async fn refresh(&self, file: &str) {
        // A cache that cannot be cleared is no reason to stop: the next read decides.
        if let Ok(promise) = forget_shard(&self.address(file)) {
            let _ = JsFuture::from(promise).await;
        }
    }
}

/// The page's own error, as the bundle's.
fn refused(file: &str, error: &JsValue) -> BundleError {
    let reason = match (text(error, "message"), text(error, "remedy")) {
        (Some(message), Some(remedy)) => format!("{message}. {remedy}"),
        _ => message(error),
    };
    BundleError::Read { file: file.to_owned(), reason }
}

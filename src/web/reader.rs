//! Bundles from a server: shards through the page's cache, the small files as they are.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

use super::javascript::{fetch, fetch_shard, field, forget_shard, message, object, text};
use crate::bundle::manifest::MANIFEST_FILE;
use crate::bundle::{BundleError, Reader};

/// Reads the files of the bundle at an address.
pub struct FetchReader {
    /// Ends with a slash.
    base: String,
    /// Bytes of each shard, by the manifest; known once that has been read.
    shards: RefCell<HashMap<String, u64>>,
    /// Whether what was read last came from the cache.
    cached: Cell<bool>,
}

impl FetchReader {
    /// A reader of the folder at `base`.
    pub fn new(base: &str) -> Self {
        let slash = if base.ends_with('/') { "" } else { "/" };
        Self { base: format!("{base}{slash}"), shards: RefCell::default(), cached: Cell::new(false) }
    }

    /// Where the bytes that were reported last came from: `network` or `cache`.
    pub fn source(&self) -> &'static str {
        if self.cached.get() { "cache" } else { "network" }
    }

    fn address(&self, file: &str) -> String {
        format!("{}{file}", self.base)
    }

    /// Remembers the shards' lengths. The bundle's own reading of the manifest decides whether it is sound.
    fn remember(&self, manifest: &[u8]) {
        let Ok(manifest) = serde_json::from_slice::<serde_json::Value>(manifest) else { return };
        let shards = manifest["shards"].as_array().map(Vec::as_slice).unwrap_or_default();
        let lengths =
            shards.iter().filter_map(|shard| Some((shard["file"].as_str()?.to_owned(), shard["bytes"].as_u64()?)));
        *self.shards.borrow_mut() = lengths.collect();
    }

    async fn read_small(&self, file: &str) -> Result<Vec<u8>, BundleError> {
        let unreadable = |reason: String| BundleError::Read { file: file.to_owned(), reason };
        let failed = |error: JsValue| unreadable(message(&error));
        // Never an old manifest beside new shards.
        let options = object(&[("cache", "no-cache".into())]);
        let response = JsFuture::from(fetch(&self.address(file), &options).map_err(failed)?).await.map_err(failed)?;
        let response: Response = response.dyn_into().map_err(failed)?;
        match response.status() {
            _ if response.ok() => {}
            404 | 410 => return Err(BundleError::Missing { file: file.to_owned() }),
            status => return Err(unreadable(format!("the server answered {status}"))),
        }
        let bytes = JsFuture::from(response.array_buffer().map_err(failed)?).await.map_err(failed)?;
        self.cached.set(false);
        Ok(Uint8Array::new(&bytes).to_vec())
    }

    async fn read_shard(
        &self,
        file: &str,
        bytes: u64,
        on_progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<u8>, BundleError> {
        let failed = |error: JsValue| refused(file, &error);
        let news = Rc::new(News::default());
        let hear = {
            let news = news.clone();
            Closure::<dyn FnMut(JsValue)>::new(move |progress: JsValue| news.hear(&progress))
        };
        let url = self.address(file);
        let promise = fetch_shard(&url, bytes as f64, hear.as_ref().unchecked_ref()).map_err(failed)?;
        let shard = news
            .tell(promise, |bytes, cached| {
                self.cached.set(cached);
                on_progress(bytes);
            })
            .await
            .map_err(failed)?;
        let shard: Uint8Array = field(&shard, "bytes").dyn_into().map_err(failed)?;
        Ok(shard.to_vec())
    }
}

impl Reader for FetchReader {
    async fn read(&self, file: &str, on_progress: &mut dyn FnMut(u64)) -> Result<Vec<u8>, BundleError> {
        let shard = self.shards.borrow().get(file).copied();
        if let Some(bytes) = shard {
            return self.read_shard(file, bytes, on_progress).await;
        }
        let bytes = self.read_small(file).await?;
        if file == MANIFEST_FILE {
            self.remember(&bytes);
        }
        on_progress(bytes.len() as u64);
        Ok(bytes)
    }

    async fn refresh(&self, file: &str) {
        // A cache that cannot be cleared is no reason to stop: the next read decides.
        if let Ok(promise) = forget_shard(&self.address(file)) {
            let _ = JsFuture::from(promise).await;
        }
    }
}

/// What the download says while somebody waits for its end.
#[derive(Default)]
struct News {
    latest: Cell<Option<(u64, bool)>>,
    waker: RefCell<Option<Waker>>,
}

impl News {
    fn hear(&self, progress: &JsValue) {
        let bytes = field(progress, "bytes_done").as_f64().unwrap_or(0.0);
        self.latest.set(Some((bytes as u64, text(progress, "source").as_deref() == Some("cache"))));
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits for the promise; what is heard meanwhile is told on.
    async fn tell(&self, promise: Promise, mut on_news: impl FnMut(u64, bool)) -> Result<JsValue, JsValue> {
        let mut end = pin!(JsFuture::from(promise));
        poll_fn(|context| {
            *self.waker.borrow_mut() = Some(context.waker().clone());
            if let Some((bytes, cached)) = self.latest.take() {
                on_news(bytes, cached);
            }
            match end.as_mut().poll(context) {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
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

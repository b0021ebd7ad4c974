//! The page as it is now, and the word to a browser that it has changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Result;

use crate::layout;
use crate::places::Places;
use crate::serve::{Answer, Body, Layers, Request, answer};

/// Put into every page that is served: asks [`CHANGES`], and reloads.
const SCRIPT: (&str, &str) = ("/xtask-watch/reload.js", include_str!("reload.js"));
/// Answers when the page is not of the version named after `?` any more, or after [`PATIENCE`].
const CHANGES: &str = "/xtask-watch/changes";
/// Stands in for the service worker, which would keep this page for visits without a network.
const SERVICE_WORKER: (&str, &str) = ("/sw.js", include_str!("no_offline_copy.js"));
/// Shorter than a browser or a proxy waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The page as it is now.
pub struct Live {
    places: Arc<Places>,
    now: Mutex<Now>,
    changed: Condvar,
}

struct Now {
    engine: Option<PathBuf>,
    layers: Layers,
    version: u64,
}

impl Live {
    /// The sources with this engine, or without one: the page says then that it is missing.
    ///
    /// # Errors
    /// When a folder is missing.
    pub fn new(places: Arc<Places>, engine: Option<&Path>) -> Result<Self> {
        let layers = layers(&places, engine)?;
        // Never one that an earlier run has used: its pages, still open, are to reload.
        let version = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(0));
        let now = Now { engine: engine.map(Path::to_path_buf), layers, version };
        Ok(Self { places, now: Mutex::new(now), changed: Condvar::new() })
    }

    /// Makes every open page load again.
    pub fn reload(&self) {
        self.now().version += 1;
        self.changed.notify_all();
    }

    /// Puts this engine in the place of the last one, and reloads; says whether it is another.
    ///
    /// # Errors
    /// When there is no such folder; the last engine stays.
    pub fn use_engine(&self, engine: &Path) -> Result<bool> {
        let layers = layers(&self.places, Some(engine))?;
        let mut now = self.now();
        if now.engine.as_deref() == Some(engine) {
            return Ok(false);
        }
        now.engine = Some(engine.to_path_buf());
        now.layers = layers;
        drop(now);
        self.reload();
        Ok(true)
    }

    /// Answers as the plain server does, but for pages, the service worker, and what the script asks.
    pub fn answer(&self, request: &Request) -> Answer {
        let (layers, version) = {
            let now = self.now();
            (now.layers.clone(), now.version)
        };
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return answer(&layers, request);
        }
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        for (name, script) in [SCRIPT, SERVICE_WORKER] {
            if path == name {
                return fresh("text/javascript; charset=utf-8", script.to_owned());
            }
        }
        if path == CHANGES {
            return fresh("text/plain; charset=utf-8", self.wait_for_other_than(query).to_string());
        }
        match layers.find(&request.target) {
            Ok(page) if page.mime().starts_with("text/html") => match fs::read_to_string(&page.path) {
                Ok(html) => fresh(page.mime(), with_script(&html, version)),
                // Said by the plain server.
                Err(_) => answer(&layers, request),
            },
            _ => answer(&layers, request),
        }
    }

    /// The version, as soon as it is not `known`.
    fn wait_for_other_than(&self, known: &str) -> u64 {
        let same = |now: &mut Now| now.version.to_string() == known;
        let waited = self.changed.wait_timeout_while(self.now(), PATIENCE, same);
        waited.unwrap_or_else(PoisonError::into_inner).0.version
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        // What is in it is whole between any two statements.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn layers(places: &Places, engine: Option<&Path>) -> Result<Layers> {
    match engine {
        Some(engine) => Layers::of(layout::with_engine(places, engine)),
        None => Layers::of(layout::without_engine(places)),
    }
}

/// An answer that is made here, and never kept by a browser.
fn fresh(mime: &str, text: String) -> Answer {
    let headers = vec![
        ("Content-Type", mime.to_owned()),
        ("Cache-Control", "no-store".to_owned()),
        ("X-Content-Type-Options", "nosniff".to_owned()),
    ];
    Answer { status: "200 OK", headers, body: Body::Text(text) }
}

/// The page with our script at the end of its head. From a file of this server, which is all that the page's content
/// security policy allows.
fn with_script(html: &str, version: u64) -> String {
    let script = format!("<script src=\"{}\" data-version=\"{version}\"></script>\n", SCRIPT.0);
    let at = html.find("</head>").unwrap_or(html.len());
    format!("{}{script}{}", &html[..at], &html[at..])
}

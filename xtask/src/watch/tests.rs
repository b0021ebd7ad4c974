//! What is served while watching, and what a change does to it.

use std::fs;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::bail;

use super::*;
use crate::serve::{self, Answer, Body, Request};

const PAGE: &str = "<html><head><title>t</title></head><body></body></html>";

/// A checkout with a page, an atlas and two engines.
struct Checkout {
    _place: tempfile::TempDir,
    places: Arc<Places>,
}

impl Checkout {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        let places = Places { cache: root.join("cache"), target: root.join("target"), root };
        let checkout = Self { _place: place, places: Arc::new(places) };
        checkout.write("www/index.html", PAGE);
        checkout.write("www/sw.js", "keeps the page");
        checkout.write("www/app/main.js", "main");
        checkout.write("www/README.md", "for developers");
        checkout.write("scenes/atlas/atlas.png", "pixels");
        checkout.write("cache/one/showo.js", "engine one");
        checkout.write("cache/two/showo.js", "engine two");
        checkout
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.places.root.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn engine(&self, name: &str) -> PathBuf {
        self.places.cache.join(name)
    }

    fn live(&self) -> Live {
        Live::new(Arc::clone(&self.places), Some(&self.engine("one"))).unwrap()
    }
}

/// What a GET of `target` gives: its status and its text.
fn get(live: &Live, target: &str) -> (&'static str, String) {
    text(live.answer(&Request::get(target)))
}

fn text(answer: Answer) -> (&'static str, String) {
    let body = match answer.body {
        Body::None => String::new(),
        Body::Text(text) => text,
        Body::File(file, _) => std::io::read_to_string(file).unwrap(),
    };
    (answer.status, body)
}

/// The version that a page was served with.
fn version(live: &Live) -> String {
    let (_, page) = get(live, "/");
    page.split("data-version=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

fn is_asked(requests: &Receiver<()>) -> bool {
    requests.try_iter().count() > 0
}

#[test]
fn sources_are_served_as_they_lie_with_engine_and_atlas_beside_them() {
    let checkout = Checkout::new();
    let live = checkout.live();
    assert_eq!(get(&live, "/app/main.js"), ("200 OK", "main".into()));
    assert_eq!(get(&live, "/showo.js"), ("200 OK", "engine one".into()));
    assert_eq!(get(&live, "/atlas/atlas.png"), ("200 OK", "pixels".into()));
    assert_eq!(get(&live, "/README.md").0, "404 Not Found");
    checkout.write("www/app/main.js", "other");
    assert_eq!(get(&live, "/app/main.js").1, "other", "no step between saving and seeing");
}

#[test]
fn the_page_has_the_script_here_and_nowhere_else() {
    let checkout = Checkout::new();
    let live = checkout.live();
    for target in ["/", "/index.html", "/?model=icons&embed"] {
        let (_, page) = get(&live, target);
        let script = "<script src=\"/xtask-watch/reload.js\" data-version=\"";
        assert_eq!(page.matches(script).count(), 1, "{target}: {page}");
        assert!(page.ends_with("</script>\n</head><body></body></html>"), "{page}");
        let kept = live.answer(&Request::get(target)).headers;
        assert!(kept.contains(&("Cache-Control", "no-store".into())), "{kept:?}");
    }
    assert!(get(&live, "/xtask-watch/reload.js").1.contains("location.reload"));

    let built = serve::page(&checkout.places.www(), None).unwrap();
    assert_eq!(text(serve::answer(&built, &Request::get("/"))).1, PAGE);
    assert_eq!(text(serve::answer(&built, &Request::get("/xtask-watch/reload.js"))).0, "404 Not Found");
    let sources = include_str!("../../../www/index.html").to_owned() + include_str!("../../../www/app/main.js");
    assert!(!sources.contains("xtask-watch"));
}

#[test]
fn the_offline_copy_is_cleared_away() {
    let checkout = Checkout::new();
    let (_, worker) = get(&checkout.live(), "/sw.js");
    assert!(worker.contains("unregister()") && !worker.contains("\"fetch\""), "{worker}");
    // A page that the copy was shown in is loaded again.
    assert!(worker.contains("navigate(page.url)"), "{worker}");
    // It clears away what the page's own service worker keeps.
    assert!(worker.contains("startsWith(\"showo-page-\")"));
    assert!(include_str!("../../../www/sw.js").contains("const CACHE_NAME = \"showo-page-"));
}

#[test]
fn a_page_that_asks_is_told_when_it_changes() {
    let checkout = Checkout::new();
    let live = Arc::new(checkout.live());
    let old = version(&live);
    let start = Instant::now();
    thread::spawn({
        let live = Arc::clone(&live);
        move || {
            thread::sleep(Duration::from_millis(100));
            live.reload();
        }
    });
    let (_, told) = get(&live, &format!("/xtask-watch/changes?{old}"));
    assert!(start.elapsed() >= Duration::from_millis(100), "it was told too early");
    assert_ne!(told, old);
    assert_eq!(version(&live), told);
    // What changed before the page asked is told at once.
    assert_eq!(get(&live, &format!("/xtask-watch/changes?{old}")).1, told);
    assert_eq!(get(&live, "/xtask-watch/changes?of-an-earlier-run").1, told);
}

#[test]
fn a_change_reloads_or_rebuilds_or_does_nothing() {
    let checkout = Checkout::new();
    let live = checkout.live();
    let (wanted, requests) = channel();
    let mut last = version(&live);
    for (path, reloads, rebuilds) in [
        ("www/app/main.js", true, false),
        ("src/lib.rs", false, true),
        ("www/tests/a.test.mjs", false, false),
        ("train/src/main.rs", false, false),
    ] {
        act(&checkout.places, &BTreeSet::from([checkout.places.root.join(path)]), &live, &wanted);
        let now = version(&live);
        assert_eq!((now != last, is_asked(&requests)), (reloads, rebuilds), "{path}");
        last = now;
    }
}

#[test]
fn a_build_that_fails_leaves_the_last_engine() {
    let checkout = Checkout::new();
    let live = checkout.live();
    let old = version(&live);
    let (wanted, requests) = channel();
    wanted.send(()).unwrap();
    drop(wanted);
    builder::keep_built(&requests, || bail!("error[E0308]: mismatched types"), &live);
    assert_eq!(version(&live), old);
    assert_eq!(get(&live, "/showo.js").1, "engine one");
}

#[test]
fn several_changes_are_one_build_and_a_new_engine_reloads() {
    let checkout = Checkout::new();
    let live = checkout.live();
    let old = version(&live);
    let (wanted, requests) = channel();
    for _ in 0..5 {
        wanted.send(()).unwrap();
    }
    drop(wanted);
    let mut builds = 0;
    let build = || {
        builds += 1;
        Ok(checkout.engine("two"))
    };
    builder::keep_built(&requests, build, &live);
    assert_eq!(builds, 1);
    assert_eq!(get(&live, "/showo.js").1, "engine two");
    let new = version(&live);
    assert_ne!(new, old);
    assert!(!live.use_engine(&checkout.engine("two")).unwrap());
    assert_eq!(version(&live), new, "the same engine is nothing to reload for");
    assert!(live.use_engine(&checkout.engine("gone")).is_err());
    assert_eq!(get(&live, "/showo.js").1, "engine two");
}

#[test]
fn before_the_first_engine_there_is_a_page() {
    let checkout = Checkout::new();
    let live = Live::new(Arc::clone(&checkout.places), None).unwrap();
    assert_eq!(get(&live, "/").0, "200 OK");
    assert_eq!(get(&live, "/showo.js").0, "404 Not Found");
    assert!(live.use_engine(&checkout.engine("one")).unwrap());
    assert_eq!(get(&live, "/showo.js").1, "engine one");
}

#[test]
fn an_engine_is_behind_when_a_source_of_it_is_newer() {
    let checkout = Checkout::new();
    assert_eq!(changes::newest_of_the_engine(&checkout.places), None);
    checkout.write("src/lib.rs", "");
    let of_library = changes::newest_of_the_engine(&checkout.places).unwrap();
    checkout.write("cli/src/main.rs", "");
    checkout.write("www/app/main.js", "later");
    assert_eq!(changes::newest_of_the_engine(&checkout.places), Some(of_library));
}

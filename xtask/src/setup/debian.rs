//! What comes from the system: Chromium, Firefox and Mesa's software Vulkan, by apt-get where we are root on Debian.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::need::{Fix, Need};
use crate::command::{capture, find_in_path, program, run};
use crate::places::Places;

/// The browser of the end-to-end tests.
pub fn chromium_need() -> Need {
    Need {
        name: "chromium",
        why: "end-to-end tests do not run".into(),
        optional: false,
        find: Box::new(|_| chromium().map(|path| path.display().to_string())),
        fix: package("chromium", "install Chromium, or set CHROMIUM to the executable of a Chromium or Chrome"),
    }
}

/// Another maker's browser.
pub fn firefox_need() -> Need {
    Need {
        name: "firefox",
        why: "the page is not tried in Firefox".into(),
        optional: true,
        find: Box::new(|_| firefox().map(|path| path.display().to_string())),
        fix: package("firefox-esr", "install Firefox, or set FIREFOX to its executable"),
    }
}

/// A Vulkan device without a graphics card.
pub fn lavapipe_need() -> Need {
    Need {
        name: "lavapipe",
        why: "the kernels' native tests run only where there is a graphics card".into(),
        optional: true,
        find: Box::new(|_| has_lavapipe().then(|| "Mesa's software Vulkan".to_owned())),
        fix: package("mesa-vulkan-drivers", "install Mesa's Vulkan drivers"),
    }
}

/// `CHROMIUM`, or the first browser in `PATH` that can run the tests.
pub fn chromium() -> Option<PathBuf> {
    match env::var_os("CHROMIUM").filter(|value| !value.is_empty()) {
        Some(path) => Some(PathBuf::from(path)).filter(|path| path.is_file()),
        None => find_in_path(&["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]),
    }
}

/// `FIREFOX`, or the first one in `PATH`.
pub fn firefox() -> Option<PathBuf> {
    match env::var_os("FIREFOX").filter(|value| !value.is_empty()) {
        Some(path) => Some(PathBuf::from(path)).filter(|path| path.is_file()),
        None => find_in_path(&["firefox-esr", "firefox"]),
    }
}

/// Whether Mesa's software Vulkan is installed.
pub fn has_lavapipe() -> bool {
    ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"].iter().any(|folder| {
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        files.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("lvp_icd"))
    })
}

/// A Debian package: installed by root on Debian, named with `otherwise` elsewhere.
fn package(name: &'static str, otherwise: &str) -> Fix {
    let line = format!("apt-get install -y --no-install-recommends {name}");
    if !is_debian() {
        return Fix::Tell(otherwise.to_owned());
    }
    if !is_root() {
        return Fix::Tell(format!("sudo {line}"));
    }
    Fix::Install { line, run: Box::new(move |places| install(places, name)) }
}

fn install(places: &Places, name: &str) -> Result<()> {
    run(program(places, "apt-get").args(["update", "-qq"]))?;
    let mut command = program(places, "apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    run(command.args(["install", "-y", "-qq", "--no-install-recommends", name]))
}

/// Debian itself: Ubuntu's `chromium` package is a pointer to a snap, which cannot run as root in a container.
fn is_debian() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    Path::new("/etc/debian_version").exists() && release.lines().any(|line| line == "ID=debian")
}

fn is_root() -> bool {
    capture(std::process::Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

//! From a URL to a file inside the folder, or to a refusal.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A file that may be served.
#[derive(Debug)]
pub struct Resource {
    /// Where it lies.
    pub path: PathBuf,
    /// Its bytes.
    pub length: u64,
    /// Changes when the file is written again.
    pub etag: String,
}

/// Why a URL is not answered with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The URL is not well formed, or leaves the folder.
    BadPath,
    /// Nothing there.
    Missing,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadPath => "this path is not one inside the page",
            Self::Missing => "there is no such file",
        })
    }
}

impl Resource {
    /// The file at `path`, which [`inside`] gave, in `folder`, which must be canonical. A folder is its `index.html`.
    ///
    /// # Errors
    /// When a link there leads out of `folder`, or nothing is there.
    pub fn find(folder: &Path, path: &Path) -> Result<Self, Refusal> {
        let mut file = folder.join(path);
        if file.is_dir() {
            file.push("index.html");
        }
        let file = file.canonicalize().map_err(|_| Refusal::Missing)?;
        if !file.starts_with(folder) {
            return Err(Refusal::BadPath);
        }
        let data = file.metadata().map_err(|_| Refusal::Missing)?;
        if !data.is_file() {
            return Err(Refusal::Missing);
        }
        let written = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        Ok(Self { path: file, length: data.len(), etag: format!("\"{:x}-{:x}\"", data.len(), written.as_nanos()) })
    }

    /// The media type, by the name's end.
    pub fn mime(&self) -> &'static str {
        match self.path.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
            "html" => "text/html; charset=utf-8",
            "js" | "mjs" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "wasm" => "application/wasm",
            "json" | "map" => "application/json",
            "webmanifest" => "application/manifest+json",
            "txt" | "md" => "text/plain; charset=utf-8",
            "svg" => "image/svg+xml",
            "png" => "image/png",
            "webp" => "image/webp",
            "jpg" | "jpeg" => "image/jpeg",
            "ico" => "image/x-icon",
            "woff2" => "font/woff2",
            _ => "application/octet-stream",
        }
    }
}

/// The path that `url` (`/models/scenes/manifest.json?x`) names, relative to the page and inside it.
///
/// # Errors
/// When there is none.
pub fn inside(url: &str) -> Result<PathBuf, Refusal> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = percent_decoded(path.strip_prefix('/').ok_or(Refusal::BadPath)?).ok_or(Refusal::BadPath)?;
    let parts = path.split('/').filter(|part| !part.is_empty());
    // Backslash and colon mean something on Windows; a leading dot is `.`, `..` or a hidden file.
    let plain = |part: &str| !part.starts_with('.') && !part.contains(['\\', ':', '\0']);
    parts.map(|part| plain(part).then_some(part)).collect::<Option<_>>().ok_or(Refusal::BadPath)
}

/// `%41` as `A`; `None` for a broken escape or for what is not UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit =
            || rest.next().and_then(|byte| char::from(byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(if byte == b'%' { digit()? * 16 + digit()? } else { byte });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn nothing_outside_is_found() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        let folder = root.join("dist");
        fs::create_dir_all(folder.join("models")).unwrap();
        fs::write(root.join("secret"), "s").unwrap();
        fs::write(folder.join("index.html"), "i").unwrap();
        fs::write(folder.join(".hidden"), "h").unwrap();
        fs::write(folder.join("models/a b.json"), "{}").unwrap();
        let find = |url| -> Result<PathBuf, Refusal> {
            let resource = Resource::find(&folder, &inside(url)?)?;
            Ok(resource.path.strip_prefix(&folder).unwrap().to_path_buf())
        };
        assert_eq!(find("/"), Ok("index.html".into()));
        assert_eq!(find("/index.html?v=1"), Ok("index.html".into()));
        assert_eq!(find("//models//a%20b.json"), Ok("models/a b.json".into()));
        for url in [
            "/../secret",
            "/%2e%2e/secret",
            "/%2E./secret",
            "/models/../../secret",
            "/..%2fsecret",
            "/..\\secret",
            "/.hidden",
            "/c:/x",
            "/%00",
            "/%zz",
            "/%f",
            "/%ff",
            "secret",
            "",
        ] {
            assert_eq!(find(url), Err(Refusal::BadPath), "{url}");
        }
        for url in ["/absent", "/models", "/models/", "/index.html/x"] {
            assert_eq!(find(url), Err(Refusal::Missing), "{url}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_does_not_lead_outside() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        let folder = root.join("dist");
        fs::create_dir(&folder).unwrap();
        fs::write(root.join("secret"), "s").unwrap();
        std::os::unix::fs::symlink(root.join("secret"), folder.join("link")).unwrap();
        assert_eq!(Resource::find(&folder, Path::new("link")).unwrap_err(), Refusal::BadPath);
    }
}

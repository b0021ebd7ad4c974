//! What often lies in place of a file: a Git LFS pointer, a web page, a server's message.
//!
//! Each of them is a sound file, of the right name, in the right place; whoever reads it as what it should be says
//! something absurd of it. So it is looked for first, by what it begins with, and called what it is.

/// As many bytes as [`StandIn::of`] looks at.
pub const LOOKED_AT: usize = 512;

/// Something in place of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StandIn {
    /// What Git keeps instead of a large file.
    #[error(
        "is a Git LFS pointer{}, not the file itself; run `git lfs pull` in the folder that was cloned, or download the file itself", of(.bytes)
    )]
    LfsPointer {
        /// Bytes of the file that it stands for, if it says so.
        bytes: Option<u64>,
    },
    /// What git-annex keeps instead of a large file.
    #[error("is a git-annex pointer, not the file itself; run `git annex get` in the folder that was cloned")]
    AnnexPointer,
    /// HTML.
    #[error(
        "is a web page, not the file itself; download the file itself: on the hub by its /resolve/ link instead of its /blob/ link, logged in where the model asks for that"
    )]
    WebPage,
    /// What macOS keeps beside a file on foreign disks and in archives.
    #[error("is what macOS notes about another file (its name begins with ._); name that file instead")]
    MacNotes,
    /// XML, most often a storage server's refusal.
    #[error("is an XML message, most often a server's refusal, not the file itself; download the file again")]
    Xml,
    /// An empty download that was given its whole length.
    #[error("holds nothing but zeros: its download never ended; fetch it again")]
    Zeros,
    /// Text where there should be numbers.
    #[error("is a text that begins with {0:?}, not weights; download the file itself")]
    Text(String),
    /// A format that holds weights, or a whole folder, in another way.
    #[error("is {0}")]
    Other(&'static str),
}

fn of(bytes: &Option<u64>) -> String {
    bytes.map_or(String::new(), |bytes| format!(" to a file of {bytes} bytes"))
}

/// What files begin with that are handed over in place of weights; what each is, and what to do.
const OTHERS: [(&[u8], &str); 9] = [
    (b"\x1f\x8b", "a gzip archive; unpack it, and give what is in it"),
    (b"BZh", "a bzip2 archive; unpack it, and give what is in it"),
    (b"\xfd7zXZ", "an xz archive; unpack it, and give what is in it"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive; unpack it, and give what is in it"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it, and give what is in it"),
    (b"Rar!", "a rar archive; unpack it, and give what is in it"),
    (b"GGUF", "a GGUF file, quantized already; give the safetensors or PyTorch file that it was made from"),
    (b"\x89HDF", "an HDF5 file, as Keras writes it; give a safetensors or PyTorch file"),
    (b"\x93NUMPY", "a NumPy array; give a safetensors or PyTorch file"),
];

impl StandIn {
    /// What lies in place of any file at all that begins so; [`LOOKED_AT`] bytes are enough.
    #[must_use]
    pub fn of(beginning: &[u8]) -> Option<Self> {
        if beginning.starts_with(b"\x00\x05\x16\x07") {
            return Some(Self::MacNotes);
        }
        let beginning = &beginning[..beginning.len().min(LOOKED_AT)];
        let text = String::from_utf8_lossy(beginning);
        let text = text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let is_lfs = ["https://git-lfs.github.com/spec/", "https://hawser.github.com/spec/"];
        if first.strip_prefix("version ").is_some_and(|url| is_lfs.iter().any(|known| url.starts_with(known))) {
            let bytes = lines.find_map(|line| line.strip_prefix("size ")?.trim().parse().ok());
            return Some(Self::LfsPointer { bytes });
        }
        // A pointer is a path, relative or from the repository's root: `/annex/objects/…`, `../.git/annex/objects/…`.
        if first.contains("/annex/objects/") && !first.contains(['{', '"', ' ']) {
            return Some(Self::AnnexPointer);
        }
        is_page(text).then_some(Self::WebPage)
    }

    /// What lies in place of weights: these are no text, whatever it says, and no archive.
    #[must_use]
    pub fn of_weights(beginning: &[u8]) -> Option<Self> {
        if let Some(known) = Self::of(beginning) {
            return Some(known);
        }
        if let Some((_, what)) = OTHERS.iter().find(|(magic, _)| beginning.starts_with(magic)) {
            return Some(Self::Other(what));
        }
        if beginning.get(257..262) == Some(b"ustar") {
            return Some(Self::Other("a tar archive; unpack it, and give what is in it"));
        }
        let beginning = &beginning[..beginning.len().min(LOOKED_AT)];
        if beginning.len() >= 64 && beginning.iter().all(|&byte| byte == 0) {
            return Some(Self::Zeros);
        }
        // A character may be cut in two at the end.
        let text = match std::str::from_utf8(beginning) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() => std::str::from_utf8(&beginning[..error.valid_up_to()]).ok()?,
            Err(_) => return None,
        };
        let is_text = |c: char| c == '\u{feff}' || c.is_whitespace() || !c.is_control();
        // A few bytes may look like anything.
        if beginning.len() < 9 || !text.chars().all(is_text) {
            return None;
        }
        let text = text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
        if text.starts_with('<') {
            return Some(Self::Xml);
        }
        Some(Self::Text(text.lines().next().unwrap_or_default().chars().take(60).collect()))
    }
}

/// Whether a text, its white space taken away, begins as HTML does.
fn is_page(mut text: &str) -> bool {
    // A declaration and comments may come first.
    for (begin, end) in [("<?xml", "?>"), ("<!--", "-->"), ("<!--", "-->")] {
        if let Some((_, rest)) = text.strip_prefix(begin).and_then(|rest| rest.split_once(end)) {
            text = rest.trim_start();
        }
    }
    let tag: String = text.chars().take(14).collect::<String>().to_ascii_lowercase();
    ["<!doctype html", "<html", "<head", "<body", "<title", "<meta", "<script"]
        .iter()
        .any(|begin| tag.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 5814\n";

    #[test]
    fn a_git_lfs_pointer_is_called_that_whatever_it_should_be() {
        let unix = StandIn::of(POINTER.as_bytes());
        assert_eq!(unix, Some(StandIn::LfsPointer { bytes: Some(5814) }));
        assert_eq!(StandIn::of(POINTER.replace('\n', "\r\n").as_bytes()), unix);
        assert_eq!(StandIn::of_weights(format!("\u{feff}{POINTER}").as_bytes()), unix);
        let old = POINTER.replace("git-lfs", "hawser");
        assert_eq!(StandIn::of(old.as_bytes()), unix);
        let words = unix.map(|pointer| pointer.to_string()).unwrap_or_default();
        assert!(words.contains("5814 bytes") && words.contains("git lfs pull"), "{words}");
        assert_eq!(StandIn::of(b"../../.git/annex/objects/x3/Xk/SHA256E-s5--1"), Some(StandIn::AnnexPointer));
    }

    #[test]
    fn a_web_page_is_called_that_however_it_begins() {
        for page in [
            "<!DOCTYPE html><html>",
            "<!doctype HTML>\n",
            "\u{feff}\r\n  <html class=\"\">",
            "<!-- a comment --> <!-- another --><HTML>",
            "<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC>",
            "<head><title>404</title>",
        ] {
            assert_eq!(StandIn::of(page.as_bytes()), Some(StandIn::WebPage), "{page}");
            assert_eq!(StandIn::of_weights(page.as_bytes()), Some(StandIn::WebPage), "{page}");
        }
        // These may well be somebody's text, but are no weights.
        let refusal = b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>";
        assert_eq!((StandIn::of(refusal), StandIn::of_weights(refusal)), (None, Some(StandIn::Xml)));
        let message = b"{\"error\":\"Repository not found\"}";
        assert_eq!(StandIn::of(message), None);
        assert!(matches!(StandIn::of_weights(message), Some(StandIn::Text(begin)) if begin.contains("not found")));
        assert!(matches!(StandIn::of_weights("Entry not found é".as_bytes()), Some(StandIn::Text(_))));
    }

    #[test]
    fn weights_are_none_of_these() {
        let header = b"{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header);
        file.extend([0; 4]);
        for weights in [&file[..], b"PK\x03\x04\0\0\0\0\0\0", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9", b"", b"\x40\0\0"] {
            assert_eq!(StandIn::of_weights(weights), None, "{weights:?}");
        }
        assert_eq!(StandIn::of_weights(&[0; 600]), Some(StandIn::Zeros));
        for archive in [&b"\x1f\x8b\x08\0\0\0\0\0\0"[..], b"GGUF\x03\0\0\0\0"] {
            assert!(matches!(StandIn::of_weights(archive), Some(StandIn::Other(_))));
        }
    }
}

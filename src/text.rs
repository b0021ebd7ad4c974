//! The text of a file that somebody hands over: JSON, JSON lines, TOML, a list.
//!
//! Editors and shells put a byte order mark before it, or write it in UTF-16; a download leaves something else in its
//! place. Whoever reads such a file reads it through here, so that all of them take the same files.

use crate::stand_in::StandIn;

/// The byte order mark, which says nothing in UTF-8.
const MARK: char = '\u{feff}';

/// Why bytes are no text that is read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Something else lies in the file's place.
    #[error(transparent)]
    StandIn(#[from] StandIn),
    /// Another encoding than UTF-8.
    #[error("is written in {0}; save it as UTF-8, in an editor or with `iconv -f {0} -t UTF-8`")]
    Encoding(&'static str),
    /// No text, or in an encoding of one country.
    #[error("is no UTF-8 text: byte {at} is none; save it as UTF-8, or fetch it again")]
    NotText {
        /// The first byte that is none, from 0.
        at: usize,
    },
}

/// The text of a file, without the byte order mark that may stand before it.
///
/// # Errors
/// Another encoding than UTF-8, by its name; what lies in the file's place.
pub fn read(bytes: &[u8]) -> Result<&str, TextError> {
    if let Some(stand_in) = StandIn::of(bytes) {
        return Err(stand_in.into());
    }
    if let Some(encoding) = other_encoding(bytes) {
        return Err(TextError::Encoding(encoding));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| TextError::NotText { at: error.valid_up_to() })?;
    Ok(text.trim_start_matches(MARK))
}

/// The lines of a text. Files that were joined have a mark before each of them.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.trim_start_matches(MARK))
}

/// [`read`] from a file on disk.
///
/// # Errors
/// As the system says, or a [`TextError`] in an [`std::io::Error`].
#[cfg(not(target_arch = "wasm32"))]
pub fn read_file(path: &std::path::Path) -> std::io::Result<String> {
    let bytes = std::fs::read(path)?;
    let text = read(&bytes).map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))?;
    Ok(text.to_owned())
}

/// UTF-16 and UTF-32, by their marks or, without them, by the zeros in what would otherwise be the first letters.
fn other_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [1..=255, 0, 0, 0, ..] => Some("UTF-32LE"),
        [0, 0, 0, 1..=255, ..] => Some("UTF-32BE"),
        [1..=255, 0, 1..=255, 0, ..] => Some("UTF-16LE"),
        [0, 1..=255, 0, 1..=255, ..] => Some("UTF-16BE"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_passed_over() {
        assert_eq!(read("\u{feff}{}".as_bytes()), Ok("{}"));
        assert_eq!(read("\u{feff}\u{feff}é".as_bytes()), Ok("é"));
        assert_eq!(read(b""), Ok(""));
        // Within a text it may mean something.
        assert_eq!(read("a\u{feff}".as_bytes()), Ok("a\u{feff}"));
        assert_eq!(lines("a\r\n\u{feff}b\n").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn another_encoding_is_named() {
        let wide = |mark: bool, big: bool| -> Vec<u8> {
            let text = if mark { "\u{feff}{\"a\"" } else { "{\"a\"" };
            text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
        };
        assert_eq!(read(&wide(true, false)), Err(TextError::Encoding("UTF-16")));
        assert_eq!(read(&wide(true, true)), Err(TextError::Encoding("UTF-16")));
        assert_eq!(read(&wide(false, false)), Err(TextError::Encoding("UTF-16LE")));
        assert_eq!(read(&wide(false, true)), Err(TextError::Encoding("UTF-16BE")));
        assert_eq!(read(b"\xff\xfe\0\0{\0\0\0"), Err(TextError::Encoding("UTF-32")));
        assert_eq!(read(b"ein Kreis, gr\xfcn"), Err(TextError::NotText { at: 13 }));
        let words = TextError::Encoding("UTF-16").to_string();
        assert!(words.contains("UTF-16") && words.contains("UTF-8"), "{words}");
    }

    #[test]
    fn what_lies_in_its_place_is_named() {
        assert_eq!(read(b"<!doctype html>"), Err(StandIn::WebPage.into()));
    }
}

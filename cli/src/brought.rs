//! Pictures that people bring: a PNG, or the finished picture of a recording.

use std::fs;
use std::path::Path;

use showo::picture::{PictureError, Rgb};
use showo::stand_in::StandIn;
use showo::text;
use showo::trace::{Event, Picture};

use crate::failure::Failure;

/// The pixels of a PNG.
///
/// # Errors
/// The file cannot be read, is something else, or is no PNG.
pub fn read_png(path: &Path) -> Result<Rgb, Failure> {
    let bytes = fs::read(path).map_err(|error| Failure::file(path, error))?;
    if let Some(stand_in) = StandIn::of(&bytes) {
        return Err(Failure::file(path, stand_in));
    }
    Rgb::from_png(&bytes).map_err(|error| match error {
        PictureError::Unreadable(why) => Failure::file(path, format!("is no PNG: {why}; save the picture as PNG")),
        other => Failure::file(path, other),
    })
}

/// The codes of a recording's finished picture, and the picture.
///
/// # Errors
/// The file cannot be read, is no recording, or was cut off before the picture was finished.
pub fn finished(path: &Path) -> Result<(Vec<i32>, Picture), Failure> {
    let bad = |why: String| Failure::file(path, why);
    let json = text::read_file(path).map_err(|error| bad(error.to_string()))?;
    let events: Vec<Event> =
        serde_json::from_str(&json).map_err(|error| bad(format!("is no recording of a drawing: {error}")))?;
    let finished = events.into_iter().find_map(|event| match event {
        Event::Finished { tokens, picture, .. } => Some((tokens, picture)),
        _ => None,
    });
    finished.ok_or_else(|| bad("has no finished picture; bring a recording that goes on to its end".into()))
}

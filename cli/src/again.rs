//! A recording drawn again: from its settings and from what it began with, by whatever computes here.

use std::path::Path;

use showo::bundle::block_on;
use showo::load::{Models, Uses};
use showo::session::{NativeHost, Session};
use showo::settings::Settings;
use showo::trace::{Event, Picture, TRACE_VERSION};

use crate::device::DeviceName;
use crate::drawing::load;
use crate::failure::Failure;
use crate::progress::steps;

/// What came of it.
pub struct Again {
    /// The picture of this time.
    pub picture: Picture,
    /// Tokens of the picture.
    pub tokens: usize,
    /// Those of them that differ from the recorded ones.
    pub others: usize,
}

/// Draws the recording again with the bundle in a folder, which has to be the recording's own.
///
/// # Errors
/// The recording was cut off, is of an older form or of another bundle; the bundle cannot be read; as [`Session::draw_from`].
pub fn draw_again(events: &[Event], bundle: &Path, device: DeviceName) -> Result<Again, Failure> {
    let (Some(Event::Started { version, settings, begin, bundle: recorded, .. }), Some(Event::Finished { tokens, .. })) =
        (events.first(), events.last())
    else {
        let why = "the recording has no finished picture to compare with; bring one that goes on to its end, or leave --bundle out";
        return Err(Failure::Refused(why.into()));
    };
    if *version != TRACE_VERSION {
        let why = "the recording was made with other noise, before version 2 of its form: its pictures can be written, but drawn \
                   again it becomes another picture; leave --bundle out, or record it anew";
        return Err(Failure::Refused(why.into()));
    }
    let (models, _) = load(bundle, device, settings.generator, Uses::default())?;
    if models.about.bundle != *recorded {
        let here = &models.about.bundle;
        let why =
            format!("the recording was drawn with “{recorded}”, but --bundle holds “{here}”; name its own bundle");
        return Err(Failure::Refused(why));
    }
    let drawn = draw(models, Settings { previews: false, ..settings.clone() }, begin.clone())?;
    let Some(Event::Finished { tokens: drawn, picture, .. }) = drawn else {
        return Err(Failure::Refused("the drawing was stopped before its end; begin again".into()));
    };
    let others = drawn.iter().zip(tokens).filter(|(here, there)| here != there).count();
    Ok(Again { picture, tokens: tokens.len(), others: others + drawn.len().abs_diff(tokens.len()) })
}

/// The last event of a drawing.
fn draw(models: Models, settings: Settings, begin: Vec<i32>) -> Result<Option<Event>, Failure> {
    let paths = if settings.verifier.draws_paths() { settings.candidates } else { 1 };
    let bar = steps(u64::from(settings.steps) * u64::from(paths));
    let mut last = None;
    let mut host = NativeHost::new(|event: &Event| {
        if let Event::Step { .. } = event {
            bar.inc(1);
        }
        last = Some(event.clone());
    });
    let drawn = block_on(Session::new(models).draw_from(settings, begin, &mut host));
    bar.finish_and_clear();
    drawn?;
    Ok(last)
}

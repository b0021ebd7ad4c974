//! `replay`: the pictures of a recorded drawing, as files; with a bundle, the same drawn again.

use std::path::PathBuf;

use clap::Args;
use showo::text;
use showo::trace::{Event, Picture, TRACE_VERSION, is_readable};

use crate::again::{Again, draw_again};
use crate::device::DeviceName;
use crate::failure::Failure;
use crate::one::print_verdict;
use crate::output::{ready_folder, write};

/// What `replay` asks for.
#[derive(Args)]
pub struct Options {
    /// The recording
    #[arg(value_name = "TRACE.json")]
    trace: PathBuf,
    /// The folder for the pictures
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Draw it again with its bundle, which is in this folder, and say whether the same tokens come of it
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Who computes
    #[arg(long, value_enum, default_value = "cpu", requires = "bundle")]
    device: DeviceName,
}

/// What the picture that is drawn again is called.
const AGAIN: &str = "the-picture-again.png";

pub fn run(options: &Options) -> Result<(), Failure> {
    ready_folder(&options.out)?;
    let bad = |why: String| Failure::file(&options.trace, why);
    let json = text::read_file(&options.trace).map_err(|error| bad(error.to_string()))?;
    let events: Vec<Event> =
        serde_json::from_str(&json).map_err(|error| bad(format!("is no recording of a drawing: {error}")))?;
    match events.first() {
        Some(Event::Started { version, .. }) if is_readable(*version) => {}
        Some(Event::Started { version, .. }) => {
            return Err(bad(format!("has version {version}; this program reads versions up to {TRACE_VERSION}")));
        }
        _ => return Err(bad("does not begin with `started`".into())),
    }
    let mut written = 0;
    for (name, picture) in events.iter().flat_map(pictures) {
        let png = picture.png().map_err(|error| bad(format!("{name}: {error}")))?;
        write(&options.out.join(format!("{name}.png")), &png)?;
        written += 1;
    }
    println!("{written} pictures in {}", options.out.display());
    if let Some(Event::Finished { verdict, unchecked, .. }) = events.last() {
        print_verdict(verdict.as_ref(), unchecked.as_deref());
    }
    let Some(bundle) = &options.bundle else { return Ok(()) };
    let again = draw_again(&events, bundle, options.device)?;
    let picture = again.picture.png().map_err(|error| Failure::file(bundle, error))?;
    write(&options.out.join(AGAIN), &picture)?;
    if again.others > 0 {
        let Again { tokens, others, .. } = again;
        return Err(bad(format!(
            "drawn again here, {others} of {tokens} tokens are others: rounding differs between devices, and a near tie may \
             then fall the other way; compare the-picture.png with {AGAIN}"
        )));
    }
    println!("drawn again: the same {} tokens, {AGAIN}", again.tokens);
    Ok(())
}

/// The pictures of an event, with names that sort as they happened.
fn pictures(event: &Event) -> Vec<(String, &Picture)> {
    match event {
        Event::Step { path, step, candidates, chosen, .. } => candidates
            .iter()
            .enumerate()
            .filter_map(|(index, candidate)| {
                let kept = if index == *chosen as usize { "-chosen" } else { "" };
                Some((format!("path-{path:02}-step-{step:02}-draw-{index:02}{kept}"), candidate.preview.as_ref()?))
            })
            .collect(),
        Event::Image { path, picture, .. } => vec![(format!("path-{path:02}-whole"), picture)],
        Event::Reflection { round, before, after, kept, .. } => {
            let kept = if *kept { "kept" } else { "dropped" };
            vec![(format!("round-{round:02}-a-before"), before), (format!("round-{round:02}-b-after-{kept}"), after)]
        }
        Event::Finished { picture, .. } => vec![("the-picture".to_owned(), picture)],
        _ => Vec::new(),
    }
}

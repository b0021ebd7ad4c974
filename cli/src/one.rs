//! One drawing: its bar, its recording, its picture.

use std::path::PathBuf;

use clap::Args;
use showo::bundle::block_on;
use showo::load::Models;
use showo::session::{NativeHost, Session};
use showo::settings::Settings;
use showo::trace::{CheckerVerdict, Event};

use crate::failure::Failure;
use crate::output::{ready_file, write};
use crate::progress::steps;

/// Where a drawing goes.
#[derive(Args)]
pub struct Output {
    /// Record every candidate as a picture too
    #[arg(long, requires = "trace")]
    previews: bool,
    /// Where the picture goes
    #[arg(long, value_name = "PNG")]
    out: PathBuf,
    /// Where the recording goes
    #[arg(long, value_name = "JSON")]
    trace: Option<PathBuf>,
    /// Say at the end how long loading and each step took
    #[arg(long)]
    timings: bool,
}

impl Output {
    /// Tries the places before the long work.
    pub fn ready(&self) -> Result<(), Failure> {
        ready_file(&self.out)?;
        if let Some(trace) = &self.trace {
            ready_file(trace)?;
            if *trace == self.out {
                return Err(Failure::Refused("--out and --trace name the same file; give each its own".into()));
            }
        }
        Ok(())
    }

    /// Draws, and writes what came of it. `begin` holds the tokens that are there already, nothing where all is drawn;
    /// loading took `load` seconds.
    pub fn draw(&self, models: Models, settings: Settings, begin: Vec<i32>, load: f64) -> Result<(), Failure> {
        let weights = models.device_bytes();
        let settings = Settings { previews: self.previews, ..settings };
        let typed = settings.prompt.clone();
        let paths = if settings.verifier.draws_paths() { settings.candidates } else { 1 };
        let bar = steps(u64::from(settings.steps) * u64::from(paths));
        let mut events = Vec::new();
        let mut session = Session::new(models);
        let mut host = NativeHost::new(|event: &Event| {
            match event {
                Event::Step { candidates, chosen, .. } => {
                    bar.inc(1);
                    if let Some(score) = candidates.get(*chosen as usize).and_then(|kept| kept.score) {
                        bar.set_message(format!("score {score:.2}"));
                    }
                }
                Event::Reflection { round, .. } => bar.set_message(format!("round {round} of reflection")),
                _ => {}
            }
            events.push(event.clone());
        });
        let drawn = block_on(session.draw_from(settings, begin, &mut host));
        bar.finish_and_clear();
        // What was drawn before a failure is worth keeping, too.
        if let Some(path) = &self.trace {
            let json = serde_json::to_vec(&events).map_err(|error| Failure::file(path, error))?;
            write(path, &json)?;
        }
        drawn?;
        if let Some(Event::Started { notes, settings, .. }) = events.first() {
            for note in notes {
                println!("{note}");
            }
            if settings.prompt != typed {
                println!("drawn: {}", settings.prompt);
            }
        }
        if let Some(Event::Finished { picture, verdict, unchecked, totals, .. }) = events.last() {
            write(&self.out, &picture.png().map_err(|error| Failure::file(&self.out, error))?)?;
            print_verdict(verdict.as_ref(), unchecked.as_deref());
            println!(
                "{}: {:.1} s, {} generator forwards, {} scored, {} decoded",
                self.out.display(),
                totals.seconds,
                totals.generator_forwards,
                totals.reward_forwards,
                totals.decoded_pictures
            );
        }
        if self.timings {
            println!("load: {load:.1} s, {:.0} MB of weights", weights as f64 / 1e6);
            for event in &events {
                if let Event::Step { step, milliseconds, .. } = event {
                    println!("step {}: {:.1} s", step + 1, milliseconds / 1e3);
                }
            }
        }
        Ok(())
    }
}

/// Says what the checker saw and what it thinks of that, or why it did not.
pub fn print_verdict(verdict: Option<&CheckerVerdict>, unchecked: Option<&str>) {
    if let Some(verdict) = verdict {
        println!("{}", verdict.sentence);
        if let Some(exact) = verdict.exact {
            println!("as GenEval judges: {}; exactly: {}", yes_or_no(verdict.accepted), yes_or_no(exact));
        }
    }
    if let Some(why) = unchecked {
        println!("not checked: {why}");
    }
}

/// A verdict in a word.
pub fn yes_or_no(holds: bool) -> &'static str {
    if holds { "yes" } else { "no" }
}

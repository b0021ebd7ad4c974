//! `geneval`: every prompt of a GenEval metadata file, drawn into the folders that the official evaluator reads
//! (djghosh13/geneval, `evaluation/evaluate_images.py`): `00000/metadata.jsonl`, `00000/samples/0000.png`, …
//!
//! Picture i of a prompt has the seed `--seed + i`, so that `showo generate` draws it again. Whatever lies in the folder
//! is whole: files are written beside their place and renamed.

mod files;
mod metadata;
mod record;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use indicatif::ProgressBar;
use showo::bundle::block_on;
use showo::load::Uses;
use showo::session::{NativeHost, Outcome, Session, SessionError};
use showo::settings::Settings;
use showo::trace::{CheckerVerdict, Event};

use crate::drawing::DrawingOptions;
use crate::failure::Failure;
use crate::one::yes_or_no;
use crate::output::ready_folder;
use crate::progress::pictures;
use files::PromptFolder;
use metadata::{Line, Shard};
use record::Record;

/// A PNG, and what the checker says of it.
type Drawn = (Vec<u8>, Option<CheckerVerdict>);

/// How many prompts are named that cannot be drawn.
const NAMED: usize = 20;

/// What `geneval` asks for.
#[derive(Args)]
pub struct Options {
    /// GenEval's evaluation_metadata.jsonl, or a file of the same form: a JSON object with a "prompt" on each line
    #[arg(long, value_name = "JSONL")]
    metadata: PathBuf,
    /// The folder for the pictures; a run that was interrupted goes on there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Pictures a prompt; picture i has the seed --seed + i
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    images: u32,
    /// Draw only the i-th of n parts of the prompts, so that n machines share a run: 1/n, 2/n, … n/n
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    shard: Shard,
    /// Pass over prompts that the model cannot read
    #[arg(long)]
    skip_unknown: bool,
    #[command(flatten)]
    drawing: DrawingOptions,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    let (lines, metadata_sha256) = metadata::read(&options.metadata)?;
    ready_folder(&options.out)?;
    let (models, bundle) = options.drawing.load(Uses::default())?;
    let common = options.drawing.settings(&models, "");
    // The last picture's seed must be one, too.
    let last = Settings { seed: last_seed(options)?, ..common.clone() };
    last.validate(models.generator.config.grid() as u32).map_err(SessionError::from)?;

    let mut session = Session::new(models);
    let mut work = readable(&session, lines, &common, options)?;
    Record::new(&bundle, &metadata_sha256, options.images, &common)?.keep_in(&options.out)?;

    work.retain(|line| options.shard.holds(line.index));
    let folders: Vec<PromptFolder> =
        work.iter().map(|line| PromptFolder::new(&options.out, line.index, options.images)).collect();
    let done: usize = folders.iter().map(PromptFolder::finished).sum();
    let total = work.len() * options.images as usize;

    let stop = Stop::on_ctrl_c(&session)?;
    let bar = pictures(total as u64, done as u64);
    let mut drawn = 0;
    let mut judged = Judged::default();
    for (line, folder) in work.iter().zip(&folders) {
        folder.begin(line)?;
        for image in folder.missing() {
            let seed = common.seed + u64::from(image);
            let settings = Settings { prompt: line.prompt.clone(), seed, ..common.clone() };
            match draw(&mut session, settings, &bar)? {
                Some((png, verdict)) if !stop.asked() => {
                    folder.write_sample(image, &png)?;
                    if let Some(verdict) = verdict {
                        bar.suspend(|| println!("\"{}\", seed {seed}: {}", line.prompt, judged.words(&verdict)));
                    }
                }
                _ => {
                    bar.finish_and_clear();
                    return Err(interrupted(options, done + drawn, total));
                }
            }
            drawn += 1;
            bar.inc(1);
        }
        folder.write_grid()?;
    }
    bar.finish_and_clear();
    println!("{}: {total} pictures of {} prompts, {drawn} of them drawn now", options.out.display(), work.len());
    if let Some(words) = judged.sum() {
        println!("{words}");
    }
    Ok(())
}

/// What the checker said of the pictures that were drawn now.
#[derive(Default)]
struct Judged {
    pictures: u32,
    accepted: u32,
    /// Where the world has both verdicts.
    exact: Option<u32>,
}

impl Judged {
    /// Counts a verdict, and says it.
    fn words(&mut self, verdict: &CheckerVerdict) -> String {
        self.pictures += 1;
        self.accepted += u32::from(verdict.accepted);
        let said = yes_or_no(verdict.accepted);
        match verdict.exact {
            Some(exact) => {
                *self.exact.get_or_insert_default() += u32::from(exact);
                format!("{said}, exactly: {}; {}", yes_or_no(exact), verdict.sentence)
            }
            None => format!("{said}; {}", verdict.sentence),
        }
    }

    /// All of them, where there are any. The official evaluator may see other things.
    fn sum(&self) -> Option<String> {
        let exact = self.exact.map_or(String::new(), |exact| format!(", {exact} of these exactly"));
        (self.pictures > 0)
            .then(|| format!("this project's checker accepts {} of these {}{exact}", self.accepted, self.pictures))
    }
}

fn last_seed(options: &Options) -> Result<u64, Failure> {
    let last = options.drawing.seed.checked_add(u64::from(options.images) - 1);
    last.ok_or_else(|| Failure::Refused(format!("--seed {} leaves no seeds for --images", options.drawing.seed)))
}

/// The prompts that can be drawn; all that cannot are named before anything is drawn.
fn readable(session: &Session, lines: Vec<Line>, common: &Settings, options: &Options) -> Result<Vec<Line>, Failure> {
    let (mut readable, mut unreadable) = (Vec::with_capacity(lines.len()), Vec::new());
    for line in lines {
        match session.check(&Settings { prompt: line.prompt.clone(), ..common.clone() }) {
            Ok(_) => readable.push(line),
            Err(why @ SessionError::Prompt(_)) => {
                unreadable.push(format!("line {}: \"{}\": {why}", line.number, line.prompt));
            }
            // A setting or a verifier: the same for every prompt.
            Err(other) => return Err(other.into()),
        }
    }
    if unreadable.is_empty() {
        return Ok(readable);
    }
    let (count, of) = (unreadable.len(), unreadable.len() + readable.len());
    let more = count.saturating_sub(NAMED);
    unreadable.truncate(NAMED);
    if more > 0 {
        unreadable.push(format!("and {more} more"));
    }
    let list = unreadable.join("\n  ");
    let path = options.metadata.display();
    if !options.skip_unknown {
        let remedy = "change them, or pass over them with --skip-unknown";
        return Err(Failure::Refused(format!("{path}: {count} of {of} prompts cannot be drawn; {remedy}\n  {list}")));
    }
    if readable.is_empty() {
        return Err(Failure::Refused(format!("{path}: none of {of} prompts can be drawn\n  {list}")));
    }
    eprintln!("{path}: {count} of {of} prompts are passed over\n  {list}");
    Ok(readable)
}

/// One picture as a PNG with the checker's word, or nothing where it was stopped.
fn draw(session: &mut Session, settings: Settings, bar: &ProgressBar) -> Result<Option<Drawn>, Failure> {
    let (prompt, steps) = (settings.prompt.clone(), settings.steps);
    let mut picture = None;
    let mut host = NativeHost::new(|event: &Event| match event {
        Event::Step { step, .. } => bar.set_message(format!("{prompt} (step {}/{steps})", step + 1)),
        Event::Finished { picture: finished, verdict, .. } => picture = Some((finished.clone(), verdict.clone())),
        _ => {}
    });
    let outcome = block_on(session.draw(settings, &mut host))?;
    match (outcome, picture) {
        (Outcome::Finished, Some((picture, verdict))) => {
            Ok(Some((picture.png().map_err(SessionError::from)?, verdict)))
        }
        _ => Ok(None),
    }
}

fn interrupted(options: &Options, done: usize, total: usize) -> Failure {
    let out = options.out.display();
    Failure::Interrupted(format!("stopped; {out} holds {done} of {total} pictures, the same command goes on"))
}

/// Whether Ctrl-C was pressed. The first lets the step end; the second ends the program, which leaves nothing half
/// written either.
struct Stop(Arc<AtomicBool>);

impl Stop {
    fn on_ctrl_c(session: &Session) -> Result<Self, Failure> {
        let asked = Arc::new(AtomicBool::new(false));
        let (heard, stop) = (asked.clone(), session.stopper());
        ctrlc::set_handler(move || {
            if heard.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            stop.raise();
        })
        .map_err(|error| Failure::Device(format!("Ctrl-C cannot be heard: {error}")))?;
        Ok(Self(asked))
    }

    fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

//! A row: all of its pictures, in a file that an interrupted run goes on with.

use std::io::{BufRead, BufReader, Write};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use scenes::{Category, Spec, Split};
use serde::{Deserialize, Serialize};
use showo::bundle::block_on;
use showo::models::{Models, Place};
use showo::session::Session;
use showo::settings::Tuning;

use super::config::{ResultsConfig, Row};
use super::picture::{Drawn, draw};
use crate::fit::STOP;
use crate::source::open;

/// The first line of a row's file: pictures of other settings or another bundle are not added to it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    bundle_sha256: String,
    prompts: usize,
    seed: u64,
    steps: u32,
    guidance_scale: f32,
    temperature: f32,
    row: Row,
}

/// What is to be drawn for a row, in order: category, words, seed.
#[must_use]
pub fn work(config: &ResultsConfig, row: &Row) -> Vec<(Category, Spec, u64)> {
    let split = if row.compositional { Split::Compositional } else { Split::Train };
    let per_category = config.prompts / Category::ALL.len();
    let specs = scenes::evaluation_prompts(per_category, split, config.seed);
    let limit = row.per_category.unwrap_or(per_category);
    // The same prompt has the same seeds in every row, and two prompts never share one.
    let seed = |number: usize, nth: u64| config.seed * 1_000_000 + nth * 100_000 + number as u64;
    let of_one_seed = |nth: u64| {
        let numbered = specs.iter().enumerate().filter(|(number, _)| number % per_category < limit);
        numbered.map(move |(number, (category, spec))| (*category, spec.clone(), seed(number, nth)))
    };
    (0..row.seeds).flat_map(of_one_seed).collect()
}

/// Draws what the row's file in `folder` lacks, every core busy; gives all pictures in order, or nothing where Ctrl-C
/// came first.
///
/// # Errors
/// A file of other settings, a bundle without what the row needs, a device that fails.
pub fn run(
    config: &ResultsConfig,
    row: &Row,
    bundle: &Path,
    folder: &Path,
    bar: &ProgressBar,
) -> Result<Option<Vec<Drawn>>> {
    let work = work(config, row);
    let path = folder.join(format!("{}.jsonl", file_name(&row.name)));
    let header = Header {
        bundle_sha256: sha256(bundle)?,
        prompts: config.prompts,
        seed: config.seed,
        steps: config.steps,
        guidance_scale: config.guidance_scale,
        temperature: config.temperature,
        row: row.clone(),
    };
    let mut drawn = existing(&path, &header)?;
    let mut file = std::fs::File::create(path.with_extension("partial"))?;
    writeln!(file, "{}", serde_json::to_string(&header)?)?;
    for one in &drawn {
        writeln!(file, "{}", serde_json::to_string(one)?)?;
    }
    std::fs::rename(path.with_extension("partial"), &path)?;
    bar.inc(drawn.len() as u64);
    let missing: Vec<usize> =
        (0..work.len()).filter(|number| !drawn.iter().any(|drawn| drawn.number == *number)).collect();

    let next = AtomicUsize::new(0);
    let (send, receive) = mpsc::channel::<Drawn>();
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(missing.len());
    let worker = |send: mpsc::Sender<Drawn>| -> Result<()> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
        pool.install(|| {
            let mut session = Session::new(models(bundle, row.generator)?);
            while let Some(&number) = missing.get(next.fetch_add(1, Ordering::Relaxed))
                && !STOP.load(Ordering::Relaxed)
            {
                let (category, spec, seed) = &work[number];
                let settings = config.settings(row, &spec.prompt(), *seed);
                let mut one = draw(&mut session, settings, spec)
                    .with_context(|| format!("row {}, {}", row.name, spec.prompt()))?;
                if row.oracle {
                    one.accepted = one.paths.iter().any(|path| path.accepted);
                }
                // Whoever waits for it is gone only after an error of its own.
                let _ = send.send(Drawn { number, category: category.word().to_owned(), ..one });
            }
            Ok(())
        })
    };
    std::thread::scope(|scope| -> Result<()> {
        let worker = &worker;
        let spawn = |send: mpsc::Sender<Drawn>| scope.spawn(move || worker(send));
        let handles: Vec<_> = (0..workers).map(|_| spawn(send.clone())).collect();
        drop(send);
        for one in receive {
            writeln!(file, "{}", serde_json::to_string(&one)?)?;
            drawn.push(one);
            bar.inc(1);
        }
        handles.into_iter().try_for_each(|handle| handle.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })?;
    if drawn.len() < work.len() {
        return Ok(None);
    }
    drawn.sort_by_key(|drawn| drawn.number);
    Ok(Some(drawn))
}

/// `PARM++, k = 4` as `parm----k---4`.
fn file_name(row: &str) -> String {
    row.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// The pictures that are there already; a last line that was cut off is drawn again.
fn existing(path: &Path, header: &Header) -> Result<Vec<Drawn>> {
    let Ok(file) = std::fs::File::open(path) else { return Ok(Vec::new()) };
    let mut lines = BufReader::new(file).lines().map_while(Result::ok);
    let found = lines.next().and_then(|line| serde_json::from_str::<Header>(&line).ok());
    if found.as_ref() != Some(header) {
        bail!(
            "{} holds pictures of other settings or of another bundle: draw into another folder with --out, or delete it",
            path.display()
        );
    }
    Ok(lines.filter_map(|line| serde_json::from_str(&line).ok()).collect())
}

/// Whether the bundle can draw every row.
///
/// # Errors
/// The bundle is damaged, or lacks what a row judges with: the row and what there is.
pub fn drawable(config: &ResultsConfig, bundle: &Path) -> Result<()> {
    for row in &config.row {
        let session = Session::new(models(bundle, row.generator)?);
        let (_, spec, seed) = work(config, row).into_iter().next().context("no prompts: at least 6 are needed")?;
        session.check(&config.settings(row, &spec.prompt(), seed)).with_context(|| format!("row {}", row.name))?;
    }
    Ok(())
}

/// The bundle's networks on this thread's processor, the generator also with the weights that are asked for.
fn models(folder: &Path, tuning: Tuning) -> Result<Models> {
    let bundle = open(folder)?;
    let place = Place::cpu("CPU");
    let mut models = block_on(Models::load(&bundle, &place, &mut |_| {}))?;
    if tuning != Tuning::Base {
        let generator = block_on(models.load_generator(&bundle, tuning, &mut |_| {}))?;
        models.add_generator(tuning, generator)?;
    }
    block_on(models.load_judges(&bundle, &mut |_| {}))?;
    Ok(models)
}

/// Hash of the bundle's manifest, which holds every shard's.
///
/// # Errors
/// The bundle cannot be read.
pub fn sha256(folder: &Path) -> Result<String> {
    Ok(open(folder)?.sha256().to_owned())
}

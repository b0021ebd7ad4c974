//! A row: all of its pictures, in a file that an interrupted run goes on with.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use scenes::{Category, Spec, Split};
use serde::{Deserialize, Serialize};
use showo::bundle::{ModelKind, block_on};
use showo::load::{Models, Place};
use showo::session::Session;
use showo::settings::{AcceptRule, ReflectionSettings, Tuning, VerifierMode};
use showo::trace::TRACE_VERSION;

use super::config::{ResultsConfig, Row};
use super::picture::{Drawn, draw};
use crate::fit::STOP;
use crate::source::open;

/// The first line of a row's file: what every picture in it depends on besides its prompt and seed. Pictures of other
/// settings or other weights are not added to it; more prompts or seeds are.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    /// Hashes of the models that draw and judge, by kind: another model of the bundle may change.
    models: BTreeMap<String, String>,
    steps: u32,
    guidance_scale: f32,
    temperature: f32,
    generator: Tuning,
    verifier: VerifierMode,
    candidates: u32,
    reflection: Option<ReflectionSettings>,
    oracle: bool,
    /// The trace's version, by which the same seed has the same noise; rows of before say nothing.
    #[serde(default = "first_version")]
    trace_version: u32,
}

const fn first_version() -> u32 {
    1
}

impl Header {
    fn new(config: &ResultsConfig, row: &Row, bundle: &Path) -> Result<Self> {
        let manifest = open(bundle)?.manifest().clone();
        let mut kinds = vec![ModelKind::Showo(row.generator), ModelKind::Magvit];
        kinds.extend(ModelKind::verifying(row.verifier));
        if let Some(reflection) = row.reflection {
            kinds.push(ModelKind::Clip);
            // Without one of its own a mode asks whichever reward network there is.
            if reflection.accept != AcceptRule::Every && !row.verifier.gives_odds() {
                kinds.extend(ModelKind::verifiers().filter(|kind| matches!(kind, ModelKind::Reward(_))));
            }
        }
        let hash = |kind: ModelKind| {
            let entry = manifest.models.get(&kind)?;
            let shards = entry.shards.iter().filter_map(|&shard| manifest.shards.get(shard));
            Some((kind.to_string(), shards.map(|shard| shard.sha256.as_str()).collect::<Vec<_>>().join(" ")))
        };
        Ok(Self {
            models: kinds.into_iter().filter_map(hash).collect(),
            steps: config.steps,
            guidance_scale: config.guidance_scale,
            temperature: config.temperature,
            generator: row.generator,
            verifier: row.verifier,
            candidates: row.candidates,
            reflection: row.reflection,
            oracle: row.oracle,
            trace_version: TRACE_VERSION,
        })
    }
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
    let header = Header::new(config, row, bundle)?;
    let mut drawn = existing(&path, &header, &work)?;
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

/// The pictures of `work` that are there already; a last line that was cut off is drawn again.
fn existing(path: &Path, header: &Header, work: &[(Category, Spec, u64)]) -> Result<Vec<Drawn>> {
    let Ok(file) = std::fs::File::open(path) else { return Ok(Vec::new()) };
    let mut lines = BufReader::new(file).lines().map_while(Result::ok);
    let found = lines.next().and_then(|line| serde_json::from_str::<Header>(&line).ok());
    if found.as_ref() != Some(header) {
        bail!("{} holds pictures of other settings, of other weights or with other noise: delete it to draw them anew", path.display());
    }
    let places: BTreeMap<(String, u64), usize> =
        work.iter().enumerate().map(|(number, (_, spec, seed))| ((spec.prompt(), *seed), number)).collect();
    let placed = |drawn: Drawn| {
        let number = *places.get(&(drawn.prompt.clone(), drawn.seed))?;
        Some(Drawn { number, ..drawn })
    };
    Ok(lines.filter_map(|line| serde_json::from_str(&line).ok()).filter_map(placed).collect())
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
    block_on(models.fetch(&bundle, ModelKind::Showo(tuning), &mut |_| {}))?;
    block_on(models.load_verifiers(&bundle, &mut |_| {}))?;
    Ok(models)
}

/// Hash of the bundle's manifest, which holds every shard's.
///
/// # Errors
/// The bundle cannot be read.
pub fn sha256(folder: &Path) -> Result<String> {
    Ok(open(folder)?.sha256().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_s_pictures_outlive_what_they_do_not_depend_on() {
        let mut config: ResultsConfig = toml::from_str(include_str!("../../configs/results.toml")).unwrap();
        config.prompts = 12;
        let row = config.row[0].clone();
        let bundle = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../www/models/scenes"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.jsonl");
        let header = Header::new(&config, &row, bundle).unwrap();
        assert_eq!(header.models.keys().collect::<Vec<_>>(), ["magvit", "showo"]);
        let all = work(&config, &row);
        let one = |number: usize| Drawn {
            number,
            category: all[number].0.word().into(),
            prompt: all[number].1.prompt(),
            seed: all[number].2,
            accepted: true,
            paths: Vec::new(),
            chosen: None,
            step_scores: Vec::new(),
            rounds: Vec::new(),
            totals: Default::default(),
        };
        let lines = [serde_json::to_string(&header).unwrap(), serde_json::to_string(&one(3)).unwrap()];
        std::fs::write(&path, lines.join("\n") + "\n{\"number\":").unwrap();
        assert_eq!(existing(&path, &header, &all).unwrap(), [one(3)]);
        // Fewer prompts: the picture keeps its prompt and seed, and gets another number.
        let fewer = work(&config, &Row { per_category: Some(1), seeds: 1, ..row.clone() });
        assert_eq!(existing(&path, &header, &fewer[..1]).unwrap(), []);
        assert_eq!(existing(&path, &header, &all[3..]).unwrap()[0].number, 0);
        let other = Header::new(&ResultsConfig { steps: 3, ..config.clone() }, &row, bundle).unwrap();
        assert!(existing(&path, &other, &all).unwrap_err().to_string().contains("none.jsonl"));
        let reflected = Row { reflection: Some(ReflectionSettings::default()), ..row };
        assert!(Header::new(&config, &reflected, bundle).unwrap().models.contains_key("reward:parm"));
    }
}

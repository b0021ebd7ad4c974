//! A folder of pictures in the layout of GenEval (`00000/metadata.jsonl`, `00000/samples/00000.png`), which its evaluator reads
//! as it is, and of the states that they came out of (`00000/states/00000.json`), which it passes over.
//!
//! Whatever lies there is whole: files are written beside their place and renamed. A picture can always be made again from its
//! states, so the states alone say what is drawn already.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use showo::config::ShowoConfig;

use super::key::Key;
use super::prompts::{self, Line};
use super::record::Record;

/// Beside the prompts' folders.
const RECORD: &str = "rollouts.json";

/// One drawing from its first step to its last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct States {
    /// The prompt as the model reads it.
    pub prompt: String,
    /// Its token ids.
    pub ids: Vec<u32>,
    /// The picture's seed.
    pub seed: u64,
    /// The tokens after each step (−1 where masked); the last entry is the finished picture.
    pub states: Vec<Vec<i32>>,
    /// The whole draw of each step before re-masking: what its preview shows.
    pub sampled: Vec<Vec<i32>>,
}

impl States {
    /// The codes that a picture of this drawing shows, where it has that step.
    #[must_use]
    pub fn codes(&self, step: Option<u32>) -> Option<&[i32]> {
        match step {
            None => self.states.last(),
            Some(step) => self.sampled.get(step as usize),
        }
        .map(Vec::as_slice)
    }

    /// Whether a generator of this configuration can have drawn it in so many steps.
    fn check(&self, config: &ShowoConfig, steps: usize) -> Result<()> {
        let (n, codes) = (config.num_vq_tokens, config.codebook_size as i32);
        ensure!(self.states.len() == steps && self.sampled.len() == steps, "it has not {steps} steps");
        for grid in self.states.iter().chain(&self.sampled) {
            ensure!(grid.len() == n, "a step has {} tokens, not {n}", grid.len());
            ensure!(
                grid.iter().all(|token| (-1..codes).contains(token)),
                "a step has a token that is not from −1 to {}",
                codes - 1
            );
        }
        let whole = |grid: &Vec<i32>| !grid.contains(&-1);
        ensure!(
            self.states.last().is_some_and(whole) && self.sampled.iter().all(whole),
            "a picture of it has masked tokens"
        );
        ensure!(self.ids.iter().all(|&id| (id as usize) < config.first_code()), "its prompt has an unknown token");
        Ok(())
    }
}

/// A drawing with its name and its prompt's text.
#[derive(Debug, Clone, PartialEq)]
pub struct Rolled {
    /// Its finished picture.
    pub key: Key,
    /// What was asked for, as typed.
    pub asked: String,
    /// How it came about.
    pub states: States,
}

/// The folder.
#[derive(Debug, Clone)]
pub struct Gallery {
    folder: PathBuf,
}

impl Gallery {
    /// Whatever lies in `folder`, which need not exist yet.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Where it lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a picture lies.
    #[must_use]
    pub fn picture(&self, key: Key) -> PathBuf {
        self.folder.join(key.to_string())
    }

    fn states(&self, key: Key) -> PathBuf {
        self.folder.join(format!("{:05}/states/{:05}.json", key.prompt, key.image))
    }

    /// Leaves the record in a new folder; compares it with that of one that was begun.
    ///
    /// # Errors
    /// The folder was begun with something else, by its name; it holds pictures of another program.
    pub fn begin(&self, record: &Record) -> Result<()> {
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        if self.folder.join(RECORD).exists() {
            return self.read_record()?.expect(record, &self.folder);
        }
        ensure!(
            self.prompts()?.is_empty(),
            "{} holds numbered folders, but no {RECORD} of `train rollouts`; begin in a folder of its own with --out",
            self.folder.display()
        );
        write_whole(&self.folder.join(RECORD), &serde_json::to_vec_pretty(record)?)
    }

    /// What the pictures were drawn with.
    ///
    /// # Errors
    /// There is no record, or none that is understood.
    pub fn read_record(&self) -> Result<Record> {
        let path = self.folder.join(RECORD);
        let json = fs::read(&path).with_context(|| {
            format!("cannot read {}; make the folder with `train rollouts --prompts FILE --out DIR`", path.display())
        })?;
        serde_json::from_slice(&json).with_context(|| format!("{} is no record of `train rollouts`", path.display()))
    }

    /// Makes the folders of a prompt with the line that the evaluator compares the pictures with.
    ///
    /// # Errors
    /// The folder is of another prompt; the disk refuses.
    pub fn begin_prompt(&self, line: &Line, previews: bool) -> Result<()> {
        let own = format!("{:05}", line.index);
        let layouts: &[PathBuf] = &[self.folder.join(&own), self.folder.join("previews").join(&own)];
        for folder in &layouts[..1 + usize::from(previews)] {
            let path = folder.join("metadata.jsonl");
            if let Ok(text) = fs::read_to_string(&path) {
                ensure!(
                    text.trim_end() == line.json,
                    "{} is of another prompt than line {} of the prompts, \"{}\"; go on with the same prompts (more may follow), \
                     or give another --out",
                    path.display(),
                    line.number,
                    line.prompt
                );
                continue;
            }
            let samples = folder.join("samples");
            fs::create_dir_all(&samples).with_context(|| format!("cannot make {}", samples.display()))?;
            write_whole(&path, format!("{}\n", line.json).as_bytes())?;
        }
        let states = self.folder.join(own).join("states");
        fs::create_dir_all(&states).with_context(|| format!("cannot make {}", states.display()))
    }

    /// Whether the states of a picture are there.
    #[must_use]
    pub fn is_drawn(&self, key: Key) -> bool {
        self.states(key).exists()
    }

    /// Keeps the states of a picture.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn write_states(&self, key: Key, states: &States) -> Result<()> {
        write_whole(&self.states(key), &serde_json::to_vec(states)?)
    }

    /// Keeps a picture.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn write_picture(&self, key: Key, png: &[u8]) -> Result<()> {
        write_whole(&self.picture(key), png)
    }

    /// The states of a picture, as a generator of this configuration draws them.
    ///
    /// # Errors
    /// They cannot be read, or are no such states.
    pub fn read_states(&self, key: Key, config: &ShowoConfig, steps: usize) -> Result<States> {
        let path = self.states(key);
        let json = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let states: Result<States> = serde_json::from_slice(&json).map_err(Into::into);
        let states = states.and_then(|states| states.check(config, steps).map(|()| states));
        states.with_context(|| {
            format!("{} is damaged; delete it, and `train rollouts` draws the picture again", path.display())
        })
    }

    /// Everything that was drawn, in the order of the pictures' names.
    ///
    /// # Errors
    /// Something cannot be read; nothing was drawn.
    pub fn read(&self, config: &ShowoConfig) -> Result<Vec<Rolled>> {
        let record = self.read_record()?;
        let mut all = Vec::new();
        for prompt in self.prompts()? {
            let folder = self.folder.join(format!("{prompt:05}"));
            let path = folder.join("metadata.jsonl");
            let json = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let asked = prompts::prompt_of(json.trim())
                .with_context(|| format!("{} is no JSON object with a \"prompt\"", path.display()))?;
            for image in numbers(&folder.join("states"), ".json")? {
                let key = Key::finished(prompt, image);
                let states = self.read_states(key, config, record.steps)?;
                all.push(Rolled { key, asked: asked.clone(), states });
            }
        }
        ensure!(!all.is_empty(), "{} holds no drawing yet; `train rollouts` makes them", self.folder.display());
        Ok(all)
    }

    /// The prompts that have a folder.
    fn prompts(&self) -> Result<Vec<u32>> {
        numbers(&self.folder, "")
    }
}

/// The numbers, five digits and more, that with `end` behind them name something in a folder, rising.
fn numbers(folder: &Path, end: &str) -> Result<Vec<u32>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let number = |name: &str| {
        let digits = name.strip_suffix(end)?;
        let is_number = digits.len() >= 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok())?
    };
    let mut found: Vec<u32> =
        entries.flatten().filter_map(|entry| number(&entry.file_name().to_string_lossy())).collect();
    found.sort_unstable();
    Ok(found)
}

/// Writes a file beside its place, then renames it: nobody ever finds half of it.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".unfinished-");
    // A temporary file is its owner's alone by default; these are for whoever evaluates them.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let write = || -> Result<()> {
        let mut file = builder.tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

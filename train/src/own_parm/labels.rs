//! Whether pictures are right, from files: the results of GenEval's evaluator, or lines that a person or a script wrote.
//!
//! The evaluator (djghosh13/geneval, `evaluation/evaluate_images.py`) writes a JSON object a picture, with its path as `filename` and
//! its word as `correct`; anybody else writes `{"picture": "00000/samples/00001.png", "yes": true}`. Of a path the last parts count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use showo::text;

use super::first_of;
use super::gallery::Rolled;
use super::key::Key;

/// Somebody's word on pictures, finished ones and previews.
pub type Labels = BTreeMap<Key, bool>;

/// What becomes of pictures that nobody has labelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Missing {
    /// Nothing is trained until they are
    Refuse,
    /// Training passes over them
    Skip,
}

/// One line, in either form; whatever else it says does not count.
#[derive(Deserialize)]
struct Line {
    filename: Option<String>,
    correct: Option<bool>,
    picture: Option<String>,
    yes: Option<bool>,
    prompt: Option<String>,
}

impl Line {
    /// The picture's path and the word on it.
    fn said(&self) -> Option<(&str, bool)> {
        match self {
            Self { filename: Some(path), correct: Some(yes), picture: None, yes: None, .. }
            | Self { picture: Some(path), yes: Some(yes), filename: None, correct: None, .. } => Some((path, *yes)),
            _ => None,
        }
    }
}

/// What files say of drawings.
///
/// # Errors
/// A file that cannot be read, or a line of neither form, by its number; lines that name pictures that are not among the drawings,
/// give them another prompt, or contradict each other: the first of each, and what to do.
pub fn read(files: &[PathBuf], rolled: &[Rolled]) -> Result<Labels> {
    let known: BTreeMap<Key, &Rolled> = rolled.iter().map(|rolled| (rolled.key, rolled)).collect();
    let mut labels: BTreeMap<Key, (bool, String)> = BTreeMap::new();
    let (mut unknown, mut foreign, mut contrary) = (Vec::new(), Vec::new(), Vec::new());
    for file in files {
        let text = text::read_file(file).with_context(|| format!("cannot read {}", file.display()))?;
        for (number, line) in (1..).zip(text::lines(&text)).filter(|(_, line)| !line.trim().is_empty()) {
            let place = format!("{}, line {number}", file.display());
            let line: Line = serde_json::from_str(line).with_context(|| no_label(&place))?;
            let Some((path, yes)) = line.said() else { bail!(no_label(&place)) };
            let drawing = Key::of_path(path).and_then(|key| Some((key, known.get(&Key { step: None, ..key })?)));
            let Some((key, drawing)) = drawing.filter(|(key, drawing)| drawing.states.codes(key.step).is_some()) else {
                unknown.push(format!("{place}: {path}"));
                continue;
            };
            if let Some(prompt) = line.prompt.filter(|prompt| prompt.trim() != drawing.asked.trim()) {
                foreign.push(format!("{place}: {key} shows \"{}\", not \"{prompt}\"", drawing.asked));
            }
            match labels.get(&key) {
                Some((before, at)) if *before != yes => contrary.push(format!("{key}: {}, {place}", said(*before, at))),
                Some(_) => {}
                None => drop(labels.insert(key, (yes, place))),
            }
        }
    }
    ensure!(
        unknown.is_empty(),
        "{} labels name pictures that are not among these rollouts; name with --rollouts the folder that they are of, or take the \
         lines out:{}",
        unknown.len(),
        first_of(&unknown)
    );
    ensure!(
        foreign.is_empty(),
        "{} labels are of pictures of other prompts, so of other rollouts; name with --rollouts the folder that they are of:{}",
        foreign.len(),
        first_of(&foreign)
    );
    ensure!(
        contrary.is_empty(),
        "{} pictures are labelled both yes and no; decide for one, and take the other line out:{}",
        contrary.len(),
        first_of(&contrary)
    );
    Ok(labels.into_iter().map(|(key, (yes, _))| (key, yes)).collect())
}

fn said(yes: bool, place: &str) -> String {
    format!("{} in {place}, but {} in", if yes { "yes" } else { "no" }, if yes { "no" } else { "yes" })
}

fn no_label(place: &str) -> String {
    format!(
        "{place}: neither {{\"filename\": …, \"correct\": true}}, as GenEval's evaluator writes it, nor {{\"picture\": …, \"yes\": true}}"
    )
}

/// The drawings whose finished pictures are labelled; that is all of them, unless `missing` lets some be skipped.
///
/// # Errors
/// Pictures without a label, the first of them by name; none at all that has one.
pub fn labelled(labels: &Labels, rolled: Vec<Rolled>, missing: Missing) -> Result<Vec<Rolled>> {
    let (with, without): (Vec<Rolled>, Vec<Rolled>) =
        rolled.into_iter().partition(|rolled| labels.contains_key(&rolled.key));
    let names: Vec<String> = without.iter().map(|rolled| format!("{}, \"{}\"", rolled.key, rolled.asked)).collect();
    ensure!(!with.is_empty(), "no finished picture is labelled; the first without a label are{}", first_of(&names));
    if !without.is_empty() {
        ensure!(
            missing == Missing::Skip,
            "{} of {} finished pictures have no label; label them, too, or pass over them with --missing skip:{}",
            without.len(),
            without.len() + with.len(),
            first_of(&names)
        );
        eprintln!("{} of {} drawings have no label and are passed over", without.len(), without.len() + with.len());
    }
    let both: BTreeSet<bool> = with.iter().filter_map(|rolled| labels.get(&rolled.key)).copied().collect();
    ensure!(
        both.len() == 2,
        "all {} labels of finished pictures say {}: nothing can be told apart by them; draw other prompts, or more pictures",
        with.len(),
        if both.contains(&true) { "yes" } else { "no" }
    );
    Ok(with)
}

/// Writes labels as lines that [`read`] takes.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, labels: &Labels) -> Result<()> {
    let line =
        |(key, yes): (&Key, &bool)| format!("{}\n", serde_json::json!({ "picture": key.to_string(), "yes": yes }));
    let lines: String = labels.iter().map(line).collect();
    std::fs::write(path, lines).with_context(|| format!("cannot write {}", path.display()))
}

//! `train recipe`: a file of commands, each with what it took and why, run in their order.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Parser as _, ValueEnum as _};
use serde::Deserialize;
use showo::settings::Tuning;

use crate::cli::{Cli, Command, RecipeArgs};
use crate::commands::Context;
use crate::device::DeviceName;
use crate::fit;
use crate::source::Source;

/// `train/recipes/NAME.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What comes of it, in a sentence.
    pub title: String,
    /// Where it was run, but for the steps that say something else.
    pub machine: String,
    /// What several commands share: `{name}` in a command stands for the words here. `{runs}` is the folder of all runs.
    #[serde(default)]
    pub words: BTreeMap<String, String>,
    /// The commands, in their order.
    pub step: Vec<Step>,
}

/// One command.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `train …` or `quantize …`.
    pub run: Words,
    /// What it took.
    pub budget: Budget,
    /// Why it is there, in a sentence or two.
    pub why: String,
}

/// A command's words.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Words {
    /// Parted by white space.
    Line(String),
    /// Where one holds white space.
    List(Vec<String>),
}

/// What a command took when what ships was made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// By the clock.
    pub time: String,
    /// What it saw, or made.
    pub examples: Option<String>,
    /// Where, if not where the others were run.
    pub machine: Option<String>,
}

/// A program of this repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Train,
    Quantize,
}

impl Program {
    const fn word(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Quantize => "quantize",
        }
    }
}

/// A command that can be run.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    program: Program,
    arguments: Vec<String>,
}

impl Recipe {
    /// # Errors
    /// The text is no recipe: the key that is unknown or missing, and its line.
    fn read(text: &str) -> Result<Self> {
        let recipe: Self = toml::from_str(text)?;
        ensure!(!recipe.step.is_empty(), "a recipe has a step at least");
        Ok(recipe)
    }

    /// A step's command. `runs` and `device` are handed to every `train` that does not name its own.
    ///
    /// # Errors
    /// It is none: the word in it that is not known.
    fn call(&self, step: &Step, runs: &Path, device: DeviceName) -> Result<Call> {
        let parts: Vec<String> = match &step.run {
            Words::Line(line) => self.spelt_out(line).split_whitespace().map(str::to_owned).collect(),
            Words::List(parts) => parts.iter().map(|part| self.spelt_out(part)).collect(),
        };
        let runs = runs.to_str().context("the runs' folder has a name that is no text")?;
        let mut parts = parts.into_iter().map(|part| part.replace("{runs}", runs));
        let program = match parts.next().as_deref() {
            Some("train") => Program::Train,
            Some("quantize") => Program::Quantize,
            other => bail!("a command begins with `train` or `quantize`, not with {other:?}"),
        };
        let mut arguments: Vec<String> = parts.collect();
        if let Some(unknown) = arguments.iter().find(|argument| argument.contains(['{', '}'])) {
            bail!("`{unknown}` names no words of the recipe");
        }
        if program == Program::Train {
            let device = device.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
            for (flag, value) in [("--device", device), ("--runs", runs.to_owned())] {
                if !arguments.iter().any(|argument| argument == flag) {
                    arguments.splice(0..0, [flag.to_owned(), value]);
                }
            }
        }
        Ok(Call { program, arguments })
    }

    fn spelt_out(&self, text: &str) -> String {
        // Words may be said in terms of others, as deep as there are any.
        let once = |text: String| {
            self.words.iter().fold(text, |text, (name, words)| text.replace(&format!("{{{name}}}"), words))
        };
        self.words.iter().fold(text.to_owned(), |text, _| once(text))
    }
}

impl Call {
    /// The command that goes on with what this one saved, if that takes other words.
    fn resumed(&self) -> Option<Self> {
        let said = std::iter::once("train").chain(self.arguments.iter().map(String::as_str));
        let command = (self.program == Program::Train).then(|| Cli::try_parse_from(said).ok()).flatten()?.command;
        let fits = matches!(
            command,
            Command::Vq(_)
                | Command::Preview(_)
                | Command::Showo(_)
                | Command::Clip(_)
                | Command::Reward { .. }
                | Command::Dpo { .. }
        );
        let mut arguments = self.arguments.clone();
        // A checkpoint knows what it began from.
        if let Some(init) = arguments.iter().position(|argument| argument == "--init") {
            arguments.drain(init..(init + 2).min(arguments.len()));
        }
        arguments.push("--resume".to_owned());
        fits.then_some(Self { arguments, ..*self })
    }
}

impl fmt::Display for Call {
    /// As a shell reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program.word())?;
        for argument in &self.arguments {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,+".contains(&byte);
            if !argument.is_empty() && argument.bytes().all(plain) {
                write!(f, " {argument}")?;
            } else {
                write!(f, " '{}'", argument.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

/// The committed recipes' folder.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes")
}

/// Names of the committed recipes, in order.
fn names() -> Result<Vec<String>> {
    let folder = folder();
    let files = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for file in files {
        let path = file?.path();
        if path.extension() == Some(OsStr::new("toml")) {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// The committed recipe of this name.
fn open(name: &str) -> Result<Recipe> {
    let names = names()?;
    ensure!(names.iter().any(|one| one == name), "there is no recipe {name}; there are {}", names.join(", "));
    let path = folder().join(format!("{name}.toml"));
    let text = showo::text::read_file(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Recipe::read(&text).with_context(|| format!("{} is no recipe", path.display()))
}

/// Runs a recipe, shows it, or lists them all.
///
/// # Errors
/// No such recipe, or no such step; a step that fails or is interrupted: which one, and how to go on.
pub fn run(args: &RecipeArgs, device: DeviceName, context: &Context) -> Result<()> {
    let Some(name) = &args.name else {
        for name in names()? {
            let recipe = open(&name)?;
            println!("{name:<10} {} ({} steps)", recipe.title, recipe.step.len());
        }
        println!("\n`train recipe NAME --dry-run` shows the commands, and what each took.");
        return Ok(());
    };
    ensure!(
        matches!(context.source, Source::Runs(_)) && context.tuning == Tuning::Base,
        "the commands of a recipe say themselves what they take from a bundle; leave --bundle and --generator out"
    );
    let recipe = open(name)?;
    let all = recipe.step.len();
    ensure!((1..=all).contains(&args.from), "{name} has steps 1 to {all}, and none {}", args.from);
    println!("{name}: {}\n", recipe.title);
    for (number, step) in (1..).zip(&recipe.step).skip(args.from - 1) {
        let call = recipe.call(step, &context.runs, device).with_context(|| format!("step {number} of {name}"))?;
        announce(&recipe, step, number, &call);
        if args.dry_run {
            continue;
        }
        perform(&call).with_context(|| how_to_go_on(name, number, all, &call))?;
    }
    Ok(())
}

/// Prints a step before it is run.
fn announce(recipe: &Recipe, step: &Step, number: usize, call: &Call) {
    let Budget { time, examples, machine } = &step.budget;
    let saw = examples.as_ref().map_or_else(String::new, |examples| format!("; {examples}"));
    let machine = machine.as_ref().unwrap_or(&recipe.machine);
    println!("{number} of {}: {}\n  budget: {time}{saw}; {machine}\n  {call}\n", recipe.step.len(), step.why);
}

/// # Errors
/// The program is not there, fails, or is interrupted.
fn perform(call: &Call) -> Result<()> {
    let train = std::env::current_exe().context("cannot find this program's own file")?;
    let program = match call.program {
        Program::Train => train,
        Program::Quantize => train.with_file_name(format!("quantize{}", std::env::consts::EXE_SUFFIX)),
    };
    if !program.is_file() {
        let word = call.program.word();
        bail!("there is no {}; build it: cargo build --release -p {word}", program.display());
    }
    let status = std::process::Command::new(&program).args(&call.arguments).status();
    let status = status.with_context(|| format!("cannot run {}", program.display()))?;
    ensure!(status.success(), "it ended with {status}");
    // A command that Ctrl-C reaches saves what it has, and is content.
    ensure!(!fit::STOP.load(Ordering::Relaxed), "interrupted");
    Ok(())
}

/// What a person reads where a step did not come to its end.
fn how_to_go_on(name: &str, number: usize, all: usize, call: &Call) -> String {
    let again = format!("`train recipe {name} --from {number}`");
    match call.resumed() {
        Some(resumed) if number < all => format!(
            "step {number} of {name} did not come to its end. If it left a checkpoint, go on with\n  {resumed}\nand then with `train recipe {name} --from {}`; else with {again}",
            number + 1
        ),
        Some(resumed) => format!(
            "step {number} of {name} did not come to its end. If it left a checkpoint, go on with\n  {resumed}\nelse with {again}"
        ),
        None => format!("step {number} of {name} did not come to its end. Go on with {again}"),
    }
}

#[cfg(test)]
mod tests;

//! `train rollouts --prompts` and `train reward` on the folder that it leaves.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use showo::bundle::block_on;
use showo::config::{RewardLabel, ShowoConfig};
use showo::prompt::TextTokenizer;
use showo::settings::{Recommended, Settings};

use super::draw::{Done, Drawer, Prompted};
use super::examples::Examples;
use super::gallery::Gallery;
use super::key::MOST_IMAGES;
use super::labels::{self, Labels};
use super::record::{self, Record};
use super::task::{OwnRewardConfig, OwnRewardTask};
use super::{checker, first_of, prompts};
use crate::brush::Brush;
use crate::cli::{Command, DecodingArgs, LabelArgs, OwnPrompts, TrainArgs};
use crate::commands::Context;
use crate::rollouts::Decoding;
use crate::source::{self, Source};
use crate::{checkpoint, fit};

/// Runs a command that is about any generator, or gives it back.
///
/// # Errors
/// As the command.
pub fn run(command: Command, context: &Context) -> Result<Option<Command>> {
    match command {
        Command::Rollouts { own: OwnPrompts { prompts: Some(prompts), out, images }, previews, decoding, .. } => {
            let out = out.unwrap_or_else(|| context.runs.join("own-rollouts"));
            roll(&prompts, &out, images, previews.unwrap_or(false), &decoding, context)?;
        }
        Command::Reward { label, learnt_from, labels, args } if labels.are_needed(&learnt_from.rollouts) => {
            let [folder] = learnt_from.rollouts.as_slice() else {
                bail!(
                    "--labels are of one folder of pictures: name it with --rollouts DIR, as `train rollouts --prompts` made it"
                );
            };
            ensure!(
                RewardLabel::from(label) == RewardLabel::Potential,
                "a network of your own answers every question that its labels do, and stands for PARM: leave --label out"
            );
            train_reward(&args, folder, &labels, context)?;
        }
        other => return Ok(Some(other)),
    }
    Ok(None)
}

/// The bundle that `--bundle` names.
fn bundle_of(source: &Source) -> Result<&Path> {
    match source {
        Source::Bundle(folder) => Ok(folder),
        Source::Runs(_) => bail!("say with --bundle DIR which generator; any bundle of `quantize convert` will do"),
    }
}

/// `train rollouts --prompts`.
fn roll(
    prompts: &Path,
    out: &Path,
    images: u32,
    previews: bool,
    decoding: &DecodingArgs,
    context: &Context,
) -> Result<()> {
    ensure!(
        decoding.config.is_none(),
        "--config is for rollouts of this project's worlds; these are drawn as the bundle recommends: --steps and others change it"
    );
    let folder = bundle_of(&context.source)?;
    let lines = prompts::read(prompts)?;
    let bundle = source::open(folder)?;
    let manifest = bundle.manifest();
    let recommended = manifest.decoding.unwrap_or(Recommended::DEFAULT);
    let decoding = decoding.over(Decoding {
        steps: recommended.steps as usize,
        guidance_scale: recommended.guidance_scale,
        temperature: recommended.temperature,
        seed: 0,
    });
    let (config, network) = context.source.generator(context.tuning, &context.device)?;
    config.validate().map_err(anyhow::Error::msg)?;
    check(&decoding, images, &config)?;
    let record = Record {
        bundle: record::name_of(&bundle),
        generator: context.tuning.to_string(),
        steps: decoding.steps,
        guidance_scale: decoding.guidance_scale,
        temperature: decoding.temperature,
        seed: decoding.seed,
    };
    let words = TextTokenizer::from_json(block_on(bundle.tokenizer_json())?.as_bytes())?;
    let (mut read, mut unread) = (Vec::with_capacity(lines.len()), Vec::new());
    for line in &lines {
        match words.read(&line.prompt, manifest.world, config.max_text_len, false) {
            Ok(prompt) => read.push(Prompted { line, text: prompt.text, ids: prompt.ids }),
            Err(why) => unread.push(format!("line {}: \"{}\": {why}", line.number, line.prompt)),
        }
    }
    ensure!(
        unread.is_empty(),
        "{}: {} of {} prompts cannot be drawn with this bundle; change them:{}",
        prompts.display(),
        unread.len(),
        lines.len(),
        first_of(&unread)
    );
    let (tokenizer_config, tokenizer) = context.source.tokenizer(&context.device)?;
    let gallery = Gallery::new(out);
    gallery.begin(&record)?;
    let brush = Brush { network: &network, config: &config, device: &context.device, decoding };
    let side = tokenizer_config.resolution;
    let drawer = Drawer { brush, tokenizer: &tokenizer, side, gallery: &gallery, previews };
    let Done { asked, drawn } = drawer.run(&read, images)?;
    println!("{}: {asked} pictures of {} prompts, {drawn} of them drawn now", out.display(), read.len());
    Ok(())
}

/// Holds the numbers to what can be set for any drawing.
fn check(decoding: &Decoding, images: u32, config: &ShowoConfig) -> Result<()> {
    ensure!((1..=MOST_IMAGES).contains(&images), "--images is {images}, but must be from 1 to {MOST_IMAGES}");
    let last = decoding.seed.checked_add(u64::from(images) - 1);
    let last = last.with_context(|| format!("--seed {} leaves no seeds for {images} images", decoding.seed))?;
    let settings = Settings {
        steps: u32::try_from(decoding.steps).unwrap_or(u32::MAX),
        guidance_scale: decoding.guidance_scale,
        temperature: decoding.temperature,
        seed: last,
        ..Settings::default()
    };
    settings.validate(config.grid() as u32)?;
    Ok(())
}

/// `train reward --rollouts DIR`: from labels in files, or from those of the world's checker.
fn train_reward(args: &TrainArgs, folder: &Path, told: &LabelArgs, context: &Context) -> Result<()> {
    let config: OwnRewardConfig = args.read("own-reward")?;
    let run = args.folder(&context.runs, "own-reward");
    let bundle = bundle_of(&context.source)?;
    let gallery = Gallery::new(folder);
    let record = gallery.read_record()?;
    let opened = source::open(bundle)?;
    let of = record::name_of(&opened);
    ensure!(
        record.bundle == of,
        "the pictures in {} were drawn with the bundle {}, but {} is {of}; name theirs with --bundle",
        folder.display(),
        record.bundle,
        bundle.display()
    );
    let generator: ShowoConfig = opened.config(showo::bundle::ModelKind::Showo(context.tuning))?;
    let rolled = gallery.read(&generator)?;
    let labels: Labels = match (told.labels.as_slice(), opened.manifest().world) {
        ([], None) => bail!(
            "the bundle is of no world whose checker could look at the pictures; name somebody's word on them with --labels FILE: \
             the results of GenEval's evaluator, or lines {{\"picture\": \"{}\", \"yes\": true}}",
            rolled[0].key
        ),
        ([], Some(world)) => {
            let labels = checker::look(world, &gallery, &rolled)?;
            std::fs::create_dir_all(&run).with_context(|| format!("cannot make {}", run.display()))?;
            labels::write(&run.join("labels.jsonl"), &labels)?;
            eprintln!("the checker's word on {} pictures is in {}", labels.len(), run.join("labels.jsonl").display());
            labels
        }
        (files, _) => labels::read(files, &rolled)?,
    };
    let rolled = labels::labelled(&labels, rolled, told.missing)?;
    let [learnt, held_out] = Examples::hold_out(rolled, &labels, config.holdout);
    eprintln!("to learn from: {}", learnt.describe());
    let questions = learnt.answered();
    ensure!(
        questions.contains(&showo::config::RewardQuestion::Potential),
        "of what is learnt from, all pictures have the same label; hold fewer prompts out with --set holdout=N, or draw more"
    );
    eprintln!("questions that these labels answer: {questions:?}");
    let network = config.network(&generator, questions)?;
    let (bits, fit_config) = (network.codebook_size.ilog2() as usize, config.fit.clone());
    let task = OwnRewardTask { config, network: network.clone(), learnt, held_out };
    let named = fit::fit(&task, &fit_config, &run, &args.start, context.device.clone())?;
    println!("{}", task.report(&named)?);
    let weights = run.join("reward.safetensors");
    checkpoint::write_named(&weights, &crate::reward::export(&network, bits, named)?)?;
    std::fs::write(run.join("reward.json"), serde_json::to_vec_pretty(&network)?)?;
    println!(
        "into the bundle: quantize convert --bundle {} --input reward:parm={} --out DIR",
        bundle.display(),
        weights.display()
    );
    Ok(())
}

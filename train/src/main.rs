//! Trains and measures the models that the page ships with. README.md beside `src` has the table of files.

mod axes;
mod brush;
mod checkpoint;
mod cli;
mod clip;
mod commands;
mod data;
mod device;
mod eval;
mod fit;
mod generator;
mod grounding;
mod grow;
mod icons;
mod metrics;
mod own_parm;
mod parm;
mod preference;
mod recipe;
mod reprompt;
mod results;
mod reward;
mod rollouts;
mod shuffle;
mod source;
mod tie;
mod tokens;
mod vq;

use std::sync::atomic::Ordering;

use anyhow::Result;
use clap::Parser;

use cli::{Cli, Command, EvalConfig, RolloutsConfig, WorldName, configuration};
use commands::Context;
use source::Source;

fn main() -> Result<()> {
    ctrlc::set_handler(|| fit::STOP.store(true, Ordering::Relaxed))?;
    let Cli { runs, bundle, generator, device, world, command } = Cli::parse();
    let source = bundle.map_or_else(|| Source::Runs(runs.clone()), Source::Bundle);
    let context = Context { runs, source, tuning: generator, device: device.open()? };
    let Some(command) = own_parm::commands::run(command, &context)? else { return Ok(()) };
    if world == WorldName::Icons {
        return icons::commands::run(command, &context);
    }
    match command {
        Command::Vq(args) => commands::train_vq(&args, &context),
        Command::Preview(_) | Command::Decodes { .. } => {
            anyhow::bail!("shapes are shown by their tokenizer, whose pictures are small already; say --world icons")
        }
        Command::Showo(args) => commands::train_showo(&args, &context),
        Command::Clip(args) => commands::train_clip(&args, &context),
        Command::Rollouts { own: _, count, group, previews, candidates, branch, decoding } => {
            let config: RolloutsConfig = configuration(decoding.config.as_deref(), "rollouts")?;
            let config = RolloutsConfig {
                count: count.unwrap_or(config.count),
                group: group.unwrap_or(config.group),
                previews: previews.unwrap_or(config.previews),
                decoding: decoding.over(config.decoding),
            };
            let from = branch.as_deref().map(rollouts::read).transpose()?.unwrap_or_default();
            commands::roll(&context, &config, candidates, &from)
        }
        Command::Reward { label, learnt_from, labels: _, args } => {
            commands::train_reward(&args, &learnt_from, label.into(), &context)
        }
        Command::Grow { narrow, wide, seed } => {
            checkpoint::write_named(&wide, &grow::double(&checkpoint::read_named(&narrow)?, seed)?)
        }
        Command::Axes { from, to, strength, seed } => {
            let mut named = checkpoint::read_named(&from)?;
            axes::add(&mut named, strength, seed)?;
            checkpoint::write_named(&to, &named)
        }
        Command::Dpo { learnt_from, args } => commands::train_dpo(&args, &learnt_from, &context),
        Command::Eval { prompts, images: _, decoding } => {
            let config: EvalConfig = configuration(decoding.config.as_deref(), "eval")?;
            let prompts = prompts.unwrap_or(config.prompts);
            eval::run(&context.source, context.tuning, &context.runs, prompts, decoding.over(config.decoding))
        }
        Command::Results(args) => commands::measure(&args, &context),
        Command::Recipe(args) => recipe::run(&args, device, &context),
    }
}

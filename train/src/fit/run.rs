//! A training run: begun, stepped, saved, exported.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::tensor::Device;
use indicatif::{ProgressBar, ProgressStyle};
use showo::model::Weights;
use showo::model::weights::named_parameters;
use showo::ops::gradient::multiplies_in_bf16;

use super::batches::Batches;
use super::config::{FitConfig, Start};
use super::gradients::gradients;
use super::mean::{self, EMA_EVERY};
use super::optimizer::Optimizer;
use super::pools::cores;
use super::step::Step;
use super::task::Task;
use crate::checkpoint::{self, Checkpoint, MadeWith, Named, State};
use crate::data;
use crate::device::on_card;
use crate::metrics::Metrics;
use crate::source;

/// Set by Ctrl-C: the loop saves a checkpoint and ends.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// What training changes.
struct Run<'a, T: Task> {
    task: &'a T,
    config: &'a FitConfig,
    folder: &'a Path,
    /// The step after which it ends, if before its time.
    stop_at: Option<u64>,
    /// Records gradients.
    device: Device,
    on_card: bool,
    in_bf16: bool,
    model: T::Model,
    /// The running mean of the weights, where one is kept, beside the model on the same device.
    mean: Option<T::Model>,
    optimizer: Optimizer,
    state: State,
    /// Seconds that the run took before it was resumed, and when it went on.
    seconds_before: f64,
    began: Instant,
    pools: Vec<rayon::ThreadPool>,
}

/// Trains on `device` to the end (or to Ctrl-C) and returns the exported parameters by name.
///
/// # Errors
/// Unreadable or foreign checkpoints, a full disk, NaN loss (the last good checkpoint stays).
pub fn fit<T: Task>(task: &T, config: &FitConfig, folder: &Path, start: &Start, device: Device) -> Result<Named> {
    let last = checkpoint::read(folder)?;
    if start.export {
        let last = last.with_context(|| format!("{} holds no checkpoint to export", folder.display()))?;
        return checkpoint::named_from_bytes(&last.mean);
    }
    let mut run = Run::begin(task, config, folder, start, &device, last)?;
    run.go()?;
    run.export()
}

impl<'a, T: Task> Run<'a, T> {
    /// From the last checkpoint, from parameters that are there already, or from random ones, as `start` says.
    fn begin(
        task: &'a T,
        config: &'a FitConfig,
        folder: &'a Path,
        start: &Start,
        plain: &Device,
        last: Option<Checkpoint>,
    ) -> Result<Self> {
        let began = Instant::now();
        let on_card = on_card(plain);
        let in_bf16 = config.bf16 && multiplies_in_bf16(plain);
        let mut optimizer = Optimizer::new(config, in_bf16, plain);
        let device = plain.clone().autodiff();
        let made_with = MadeWith { config: task.config()?, data_version: data::VERSION };
        let (model, mut mean, state) = match last {
            Some(last) if start.resume => {
                if let Some(difference) = last.state.made_with.difference(&made_with) {
                    bail!(
                        "the checkpoint in {} was made with {difference}; train into another folder with --out, or delete it",
                        folder.display()
                    );
                }
                optimizer = optimizer.load(&last.folder)?;
                let mean = match config.ema_decay > 0.0 {
                    true => Some(task.build(Weights::from_safetensors(&last.mean, plain)?)?),
                    false => None,
                };
                eprintln!("resumed at step {} after {:.0} s of training", last.state.step, last.state.seconds);
                (task.build(Weights::from_safetensors(&last.model, &device)?)?, mean, last.state)
            }
            Some(_) => bail!(
                "{} holds a checkpoint already: go on with --resume, or train into another folder with --out",
                folder.display()
            ),
            None => {
                let state = State { step: 0, examples: 0, seconds: 0.0, made_with };
                (first_model(task, config, start, &device)?, None, state)
            }
        };
        if mean.is_none() && config.ema_decay > 0.0 {
            mean = Some(task.build(checkpoint::weights_of(&named_parameters(&model)?, plain)?)?);
        }
        std::fs::create_dir_all(folder)?;
        // A graphics card is never busy with half a batch.
        let workers = if on_card { 1 } else { cores() };
        let pool = |_| rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let pools = (0..workers).map(pool).collect::<Result<_, _>>()?;
        let seconds_before = state.seconds;
        Ok(Self {
            task,
            config,
            folder,
            stop_at: start.stop_at,
            device,
            on_card,
            in_bf16,
            model,
            mean,
            optimizer,
            state,
            seconds_before,
            began,
            pools,
        })
    }

    /// Steps to the end, or until Ctrl-C; saves, plots and samples on the way.
    fn go(&mut self) -> Result<()> {
        let Self { task, config, folder, .. } = *self;
        let mut metrics = Metrics::open(folder, self.state.step)?;
        eprintln!(
            "{} parameters, {} steps of {} examples, {} workers, products in {}",
            self.model.num_params(),
            config.steps,
            config.batch,
            self.pools.len(),
            if self.in_bf16 { "bfloat16" } else { "f32" }
        );
        let bar = progress_bar(config.steps, self.state.step);
        let mut last_save = Instant::now();
        let mut window: Vec<f32> = Vec::new();
        std::thread::scope(|scope| -> Result<()> {
            let mut batches = if self.on_card {
                let steps = config.steps.saturating_sub(self.state.step);
                Batches::ahead(scope, task, self.state.examples, config.batch, steps)
            } else {
                Batches::Workers
            };
            // A card is never waited for but for the step before the last that it was given.
            let mut pending: Option<Step> = None;
            while !self.is_over() {
                let step = self.step(&mut batches)?;
                let last = self.is_over()
                    || STOP.load(Ordering::Relaxed)
                    || self.stop_at.is_some_and(|at| self.state.step >= at);
                if last || self.state.step.is_multiple_of(EMA_EVERY) {
                    let (decay, step) = (config.ema_decay, self.state.step);
                    self.mean = self.mean.take().map(|mean| mean::moved(mean, &self.model, decay, step));
                }
                let due = last || last_save.elapsed() > Duration::from_secs(config.checkpoint_seconds);
                if let Some(before) = pending.take() {
                    settle(before, &mut metrics, folder, &mut window, &bar)?;
                }
                if self.on_card && !due {
                    pending = Some(step);
                } else {
                    settle(step, &mut metrics, folder, &mut window, &bar)?;
                }
                if due {
                    self.save()?;
                    metrics.plot(folder)?;
                    last_save = Instant::now();
                }
                if config.sample_steps > 0 && (last || self.state.step.is_multiple_of(config.sample_steps)) {
                    let shown = self.model.valid().to_device(&Device::flex());
                    task.sample(&shown, &folder.join(format!("samples-{:06}.png", self.state.step)))?;
                }
                if last {
                    break;
                }
            }
            Ok(())
        })?;
        bar.finish();
        Ok(())
    }

    /// One step: a batch, its gradients, the optimizer's change.
    fn step(&mut self, batches: &mut Batches<'a, T>) -> Result<Step> {
        let config = self.config;
        let started = Instant::now();
        let shards = batches.next(self.task, self.state.examples, config.batch, &self.pools);
        let made = started.elapsed();
        let (mut step, gradients) = gradients(self.task, &self.model, &self.pools, shards, config.bf16, &self.device);
        step.number = self.state.step;
        if !self.on_card {
            step.loss(self.folder)?;
        }
        let differentiated = started.elapsed();
        step.rate = config.rate(self.state.step, self.done());
        self.model = self.optimizer.step(step.rate, self.model.clone(), gradients, &self.pools);
        step.log("optimizer_seconds", (started.elapsed() - differentiated).as_secs_f32());
        step.log("data_seconds", made.as_secs_f32());
        self.state.step += 1;
        self.state.examples += config.batch as u64;
        self.state.seconds = self.seconds();
        step.state = Some(self.state.clone());
        step.took = started.elapsed();
        Ok(step)
    }

    fn save(&self) -> Result<()> {
        let parameters = named_parameters(&self.model)?;
        let mean = self.mean.as_ref().map(named_parameters).transpose()?;
        let optimizer = |folder: &Path| self.optimizer.save(folder);
        checkpoint::write(self.folder, &self.state, &parameters, mean.as_ref().unwrap_or(&parameters), optimizer)
    }

    fn export(&self) -> Result<Named> {
        Ok(match &self.mean {
            Some(mean) => named_parameters(mean)?,
            None => named_parameters(&self.model)?,
        })
    }

    /// Seconds of the whole run.
    fn seconds(&self) -> f64 {
        self.seconds_before + self.began.elapsed().as_secs_f64()
    }

    /// How much of the run is over, 0 to 1.
    fn done(&self) -> f64 {
        self.config.progress(self.state.step, self.seconds())
    }

    fn is_over(&self) -> bool {
        self.done() >= 1.0
    }
}

/// The network before its first step.
fn first_model<T: Task>(task: &T, config: &FitConfig, start: &Start, device: &Device) -> Result<T::Model> {
    match &start.init {
        Some(path) if path.is_dir() => {
            let named = task.import(source::parameters(path, task.kind())?)?;
            task.build(checkpoint::weights_of(&named, device)?)
        }
        Some(path) => {
            let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            task.build(Weights::from_safetensors(&bytes, device)?)
        }
        None => match task.begin()? {
            Some(named) => task.build(checkpoint::weights_of(&named, device)?),
            None => task.build(Weights::random(device, config.seed)),
        },
    }
}

fn progress_bar(steps: u64, done: u64) -> ProgressBar {
    let bar = ProgressBar::new(steps).with_position(done);
    bar.set_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} [{elapsed_precise} < {eta_precise}]")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar
}

/// Reads what a step measured and writes it down.
fn settle(step: Step, metrics: &mut Metrics, folder: &Path, window: &mut Vec<f32>, bar: &ProgressBar) -> Result<()> {
    let loss = step.loss(folder)?;
    let Step { state: Some(state), logged, rate, took, .. } = step else { return Ok(()) };
    metrics.write(&state, loss, &logged, rate, took)?;
    window.push(loss);
    let recent = &window[window.len().saturating_sub(50)..];
    let mean = recent.iter().sum::<f32>() / recent.len() as f32;
    bar.set_message(format!("loss {mean:.4} {:.3} s/step", took.as_secs_f64()));
    bar.set_position(state.step);
    if !bar.is_hidden() || state.step.is_multiple_of(50) {
        bar.tick();
    }
    if bar.is_hidden() && state.step.is_multiple_of(20) {
        eprintln!("step {} {} {logged:?}", state.step, bar.message());
    }
    Ok(())
}

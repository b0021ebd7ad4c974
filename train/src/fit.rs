//! The training loop that every network shares: batches on two workers, one optimizer, checkpoints, a plot.
//!
//! Elementwise work runs on one core in burn's CPU backend, so a batch is cut into shards and each worker thread
//! differentiates its shard on its own copy of the parameters with a thread pool of one; gradients are summed. That
//! keeps every core busy from the first layer to the last.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use showo::model::Weights;
use showo::model::weights::named_parameters;
use showo::ops::gradient::{bf16, in_bf16};

use crate::checkpoint::{self, MadeWith, Named, State};
use crate::data;
use crate::device::on_card;
use crate::metrics::Metrics;
use crate::source;

mod batches;
mod muon;
mod optimizer;
use batches::Batches;
pub use optimizer::Optimizer;

/// Set by Ctrl-C: the loop saves a checkpoint and ends.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// What every training configuration holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitConfig {
    /// Optimizer steps in all.
    pub steps: u64,
    /// Examples a step.
    pub batch: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Steps over which the rate rises from 0.
    pub warmup_steps: u64,
    /// The rate at the end, as a part of the peak (cosine decay).
    pub final_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Decay of the running mean of the weights that is exported; 0 exports the last weights.
    pub ema_decay: f64,
    /// Whether the blocks' matrices are optimized by Muon (the rest by AdamW).
    pub muon: bool,
    /// Whether layers multiply in bfloat16 where the processor can (`showo::ops::gradient::in_bf16`).
    #[serde(default = "yes")]
    pub bf16: bool,
    /// Seed of the parameters and of all data.
    pub seed: u64,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: u64,
    /// Steps between sample sheets.
    pub sample_steps: u64,
}

fn yes() -> bool {
    true
}

/// What a run begins from.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Start {
    /// Go on from the last checkpoint.
    #[arg(long)]
    pub resume: bool,
    /// Train no further: export what the last checkpoint holds.
    #[arg(long, conflicts_with_all = ["resume", "init"])]
    pub export: bool,
    /// Parameters to begin with instead of random ones: a `model.safetensors` or `mean.safetensors` of a checkpoint, or
    /// a bundle's folder.
    #[arg(long, value_name = "PATH", conflicts_with = "resume")]
    pub init: Option<std::path::PathBuf>,
}

/// What one shard of a batch yields.
pub struct Loss {
    /// The shard's mean loss, `[1]`.
    pub total: Tensor<1>,
    /// Further numbers to log, averaged over shards.
    pub logged: Vec<(&'static str, f32)>,
}

/// A network to train and its data.
pub trait Task: Sync {
    /// The network with whatever training adds to it.
    type Model: Module + Clone + Send + Sync;

    /// Examples, made without the network.
    type Batch<'a>: Send
    where
        Self: 'a;

    /// What a bundle calls the model.
    fn kind(&self) -> &'static str;

    /// The whole configuration: a run goes on only with the one that it began with.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    fn config(&self) -> Result<serde_json::Value>;

    /// Builds the network from named parameters (random ones or a checkpoint's).
    ///
    /// # Errors
    /// As the network's constructor.
    fn build(&self, weights: Weights) -> Result<Self::Model>;

    /// The parameters that a run begins with where none are named; without any, random ones.
    ///
    /// # Errors
    /// They cannot be made.
    fn begin(&self) -> Result<Option<Named>> {
        Ok(None)
    }

    /// The parameters to train, from the network as it ships; the reverse of its export.
    ///
    /// # Errors
    /// A parameter is absent.
    fn import(&self, shipped: Named) -> Result<Named> {
        Ok(shipped)
    }

    /// `examples` examples, numbered from `first`: data is a function of these numbers and the seed.
    fn batch(&self, first: u64, examples: usize) -> Self::Batch<'_>;

    /// The loss of a batch. `device` records gradients and holds the model.
    fn loss(&self, model: &Self::Model, batch: Self::Batch<'_>, device: &Device) -> Loss;

    /// Writes a sheet of samples; the model comes without gradients, on the processor.
    ///
    /// # Errors
    /// The file cannot be written.
    fn sample(&self, model: &Self::Model, path: &Path) -> Result<()>;
}

/// Threads worth starting.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(8))
}

/// Trains on `device` to the end (or to Ctrl-C) and returns the exported parameters by name.
///
/// # Errors
/// Unreadable or foreign checkpoints, a full disk, NaN loss (the last good checkpoint stays).
pub fn fit<T: Task>(task: &T, config: &FitConfig, folder: &Path, start: &Start, device: Device) -> Result<Named> {
    let on_card = on_card(&device);
    // A graphics card is never busy with half a batch.
    let workers = if on_card { 1 } else { cores() };
    let device = device.autodiff();
    let made_with = MadeWith { config: task.config()?, data_version: data::VERSION };
    let last = checkpoint::read(folder)?;
    if start.export {
        let last = last.with_context(|| format!("{} holds no checkpoint to export", folder.display()))?;
        return checkpoint::named_from_bytes(&last.mean);
    }
    let mut state = State { step: 0, examples: 0, seconds: 0.0, made_with: made_with.clone() };
    let multiplies_in_bf16 = config.bf16 && !on_card && bf16::available();
    let mut optimizer = Optimizer::new(config, multiplies_in_bf16);
    let model;
    let mut mean: Option<Named> = None;
    match last {
        Some(last) if start.resume => {
            if let Some(difference) = last.state.made_with.difference(&made_with) {
                bail!(
                    "the checkpoint in {} was made with {difference}; train into another folder with --out, or delete it",
                    folder.display()
                );
            }
            model = task.build(Weights::from_safetensors(&last.model, &device)?)?;
            optimizer = optimizer.load(&last.folder)?;
            mean = (config.ema_decay > 0.0).then(|| checkpoint::named_from_bytes(&last.mean)).transpose()?;
            state = last.state;
            eprintln!("resumed at step {} after {:.0} s of training", state.step, state.seconds);
        }
        Some(_) => bail!(
            "{} holds a checkpoint already: go on with --resume, or train into another folder with --out",
            folder.display()
        ),
        None => {
            model = match &start.init {
                Some(path) if path.is_dir() => {
                    let named = task.import(source::parameters(path, task.kind())?)?;
                    task.build(checkpoint::weights_of(&named, &device)?)?
                }
                Some(path) => {
                    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
                    task.build(Weights::from_safetensors(&bytes, &device)?)?
                }
                None => match task.begin()? {
                    Some(named) => task.build(checkpoint::weights_of(&named, &device)?)?,
                    None => task.build(Weights::random(&device, config.seed))?,
                },
            }
        }
    }
    if mean.is_none() && config.ema_decay > 0.0 {
        mean = Some(named_parameters(&model)?);
    }
    std::fs::create_dir_all(folder)?;
    let mut metrics = Metrics::open(folder, state.step)?;
    let parameters = model.num_params();
    let products = if multiplies_in_bf16 { "bfloat16" } else { "f32" };
    eprintln!(
        "{parameters} parameters, {} steps of {} examples, {workers} workers, products in {products}",
        config.steps, config.batch
    );
    let bar = ProgressBar::new(config.steps).with_position(state.step);
    bar.set_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} [{elapsed_precise} < {eta_precise}]")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let pools: Vec<rayon::ThreadPool> =
        (0..workers).map(|_| rayon::ThreadPoolBuilder::new().num_threads(1).build()).collect::<Result<_, _>>()?;
    let mut last_save = Instant::now();
    let mut window: Vec<f32> = Vec::new();
    let model = std::thread::scope(|scope| -> Result<T::Model> {
        let mut model = model;
        let mut batches = if on_card {
            Batches::ahead(scope, task, state.examples, config.batch, config.steps.saturating_sub(state.step))
        } else {
            Batches::Workers
        };
        while state.step < config.steps && !STOP.load(Ordering::Relaxed) {
            let started = Instant::now();
            let shards = batches.next(task, state.examples, config.batch, &pools);
            let made = started.elapsed();
            let (loss, mut logged, gradients) = gradients(task, &model, &pools, shards, config, &device);
            if !loss.is_finite() {
                bail!(
                    "the loss is {loss} at step {}; the last good checkpoint (in {}) is kept: lower the learning rate and --resume",
                    state.step,
                    folder.display()
                );
            }
            let differentiated = started.elapsed();
            model = optimizer.step(rate(config, state.step), model, gradients, &pools);
            logged.insert("optimizer_seconds", (started.elapsed() - differentiated).as_secs_f32());
            logged.insert("data_seconds", made.as_secs_f32());
            state.step += 1;
            state.examples += config.batch as u64;
            if let Some(mean) = &mut mean
                && (state.step.is_multiple_of(EMA_EVERY) || state.step == config.steps)
            {
                average(mean, named_parameters(&model)?, config.ema_decay, state.step);
            }
            state.seconds += started.elapsed().as_secs_f64();
            metrics.write(&state, loss, &logged, rate(config, state.step), started.elapsed())?;
            window.push(loss);
            let recent = &window[window.len().saturating_sub(50)..];
            bar.set_message(format!(
                "loss {:.4} {:.2} s/step",
                recent.iter().sum::<f32>() / recent.len() as f32,
                started.elapsed().as_secs_f64()
            ));
            bar.set_position(state.step);
            if !bar.is_hidden() || state.step.is_multiple_of(50) {
                bar.tick();
            }
            if bar.is_hidden() && state.step.is_multiple_of(20) {
                eprintln!("step {} {} {logged:?}", state.step, bar.message());
            }
            let due = last_save.elapsed() > Duration::from_secs(config.checkpoint_seconds);
            if due || state.step == config.steps || STOP.load(Ordering::Relaxed) {
                let parameters = named_parameters(&model)?;
                checkpoint::write(folder, &state, &parameters, mean.as_ref().unwrap_or(&parameters), &optimizer)?;
                metrics.plot(folder)?;
                last_save = Instant::now();
            }
            if state.step.is_multiple_of(config.sample_steps) || state.step == config.steps {
                let shown = model.valid().to_device(&Device::flex());
                task.sample(&shown, &folder.join(format!("samples-{:06}.png", state.step)))?;
            }
        }
        Ok(model)
    })?;
    bar.finish();
    match mean {
        Some(mean) => Ok(mean),
        None => Ok(named_parameters(&model)?),
    }
}

/// Steps between updates of the running mean: copying every parameter at every step would cost more than it gives.
const EMA_EVERY: u64 = 8;

fn average(mean: &mut Named, now: Named, decay: f64, step: u64) {
    // While there are few steps, a shorter memory: the first weights are noise.
    let decay = decay.min((1.0 + step as f64) / (10.0 + step as f64)).powi(EMA_EVERY as i32) as f32;
    for (name, (_, values)) in now {
        if let Some((_, running)) = mean.get_mut(&name) {
            for (running, value) in running.iter_mut().zip(values) {
                *running += (1.0 - decay) * (value - *running);
            }
        }
    }
}

/// Linear warm-up, then cosine decay to `final_rate` of the peak.
fn rate(config: &FitConfig, step: u64) -> f64 {
    let warm = ((step + 1) as f64 / config.warmup_steps.max(1) as f64).min(1.0);
    let done = (step as f64 / config.steps.max(1) as f64).min(1.0);
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
    config.learning_rate * warm * (config.final_rate + (1.0 - config.final_rate) * cosine)
}

/// One worker's share: loss, logged numbers, gradients.
type Part = (f32, Vec<(&'static str, f32)>, GradientsParams);

type Logged = BTreeMap<&'static str, f32>;

/// Loss and summed gradients of one batch, each worker on its own shard.
fn gradients<T: Task>(
    task: &T,
    model: &T::Model,
    pools: &[rayon::ThreadPool],
    shards: Vec<(f64, T::Batch<'_>)>,
    config: &FitConfig,
    device: &Device,
) -> (f32, Logged, GradientsParams) {
    let mut accumulator = GradientsAccumulator::<T::Model>::new();
    let mut total = 0.0;
    let mut logged = Logged::new();
    let results: Vec<Part> = on_pools(pools, shards, |(share, batch)| {
        // Its own leaves, so that the workers' graphs never meet.
        let copy = model.clone().fork(device);
        let loss = in_bf16(config.bf16, || task.loss(&copy, batch, device));
        let scaled = loss.total.clone() * share;
        let value = loss.total.into_scalar::<f32>() * share as f32;
        let gradients = GradientsParams::from_grads(scaled.backward(), &copy);
        let logged = loss.logged.iter().map(|(name, x)| (*name, x * share as f32)).collect();
        (value, logged, gradients)
    });
    for (loss, shard, gradients) in results {
        total += loss;
        for (name, value) in shard {
            *logged.entry(name).or_default() += value;
        }
        accumulator.accumulate(model, gradients);
    }
    (total, logged, accumulator.grads())
}

/// `work` of every item at once, each on its pool.
fn on_pools<I: Send, R: Send>(
    pools: &[rayon::ThreadPool],
    items: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> R + Sync,
) -> Vec<R> {
    std::thread::scope(|scope| {
        let work = &work;
        let handles: Vec<_> = items
            .into_iter()
            .zip(pools.iter().cycle())
            .map(|(item, pool)| scope.spawn(move || pool.install(|| work(item))))
            .collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

#[cfg(test)]
mod tests;

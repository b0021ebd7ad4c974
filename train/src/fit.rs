//! The training loop that every network shares: batches on two workers, one optimizer, checkpoints, a plot.
//!
//! Elementwise work runs on one core in burn's CPU backend, so a batch is cut into shards and each worker thread
//! differentiates its shard on its own copy of the parameters with a thread pool of one; gradients are summed. That
//! keeps every core busy from the first layer to the last.

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
use showo::ops::gradient::{in_bf16, multiplies_in_bf16};

use crate::checkpoint::{self, MadeWith, Named, State};
use crate::data;
use crate::device::on_card;
use crate::metrics::Metrics;
use crate::source;

mod batches;
mod mean;
mod muon;
mod optimizer;
mod step;
#[cfg(feature = "libtorch")]
#[allow(deprecated)] // burn's own word on its backend
mod torch;
use batches::Batches;
pub use optimizer::Optimizer;
use step::Step;

/// Set by Ctrl-C: the loop saves a checkpoint and ends.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// What every training configuration holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitConfig {
    /// Optimizer steps in all.
    pub steps: u64,
    /// Seconds in all, if the run is to end by the clock: whichever of the two is nearer its end decides how far the
    /// run is, and with it the rate.
    #[serde(default)]
    pub seconds: Option<f64>,
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
    /// Steps between sample sheets; with 0 there are none.
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
    /// End after this step as Ctrl-C would, the learning rate still being where the configuration's steps put it.
    #[arg(long, value_name = "STEP", value_parser = clap::value_parser!(u64).range(1..))]
    pub stop_at: Option<u64>,
}

/// What one shard of a batch yields.
pub struct Loss {
    /// The shard's mean loss, `[1]`.
    pub total: Tensor<1>,
    /// Further numbers to log, averaged over shards.
    pub logged: Vec<(&'static str, f32)>,
}

impl Loss {
    /// The sum of terms, each with its name and its factor; all are logged as they are.
    ///
    /// # Panics
    /// There is no term.
    #[must_use]
    pub fn new(terms: Vec<(&'static str, Tensor<1>, f32)>) -> Self {
        let total = terms.iter().map(|(_, value, factor)| value.clone() * *factor).reduce(|sum, term| sum + term);
        let logged = terms.into_iter().map(|(name, value, _)| (name, value.into_scalar::<f32>())).collect();
        Self { total: total.expect("a loss has terms"), logged }
    }
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

/// The time of a run.
struct Clock {
    /// Seconds that it took before it was resumed.
    before: f64,
    began: Instant,
}

impl Clock {
    /// Seconds of the whole run.
    fn seconds(&self) -> f64 {
        self.before + self.began.elapsed().as_secs_f64()
    }
}

/// Trains on `device` to the end (or to Ctrl-C) and returns the exported parameters by name.
///
/// # Errors
/// Unreadable or foreign checkpoints, a full disk, NaN loss (the last good checkpoint stays).
pub fn fit<T: Task>(task: &T, config: &FitConfig, folder: &Path, start: &Start, device: Device) -> Result<Named> {
    let began = Instant::now();
    let on_card = on_card(&device);
    // A graphics card is never busy with half a batch.
    let workers = if on_card { 1 } else { cores() };
    let in_bf16 = config.bf16 && multiplies_in_bf16(&device);
    let mut optimizer = Optimizer::new(config, in_bf16, &device);
    let plain = device.clone();
    let device = device.autodiff();
    let made_with = MadeWith { config: task.config()?, data_version: data::VERSION };
    let last = checkpoint::read(folder)?;
    if start.export {
        let last = last.with_context(|| format!("{} holds no checkpoint to export", folder.display()))?;
        return checkpoint::named_from_bytes(&last.mean);
    }
    let mut state = State { step: 0, examples: 0, seconds: 0.0, made_with: made_with.clone() };
    let model;
    // The running mean's parameters lie beside the model's, on the same device.
    let mut mean: Option<T::Model> = None;
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
            if config.ema_decay > 0.0 {
                mean = Some(task.build(Weights::from_safetensors(&last.mean, &plain)?)?);
            }
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
        mean = Some(task.build(checkpoint::weights_of(&named_parameters(&model)?, &plain)?)?);
    }
    let clock = Clock { before: state.seconds, began };
    std::fs::create_dir_all(folder)?;
    let mut metrics = Metrics::open(folder, state.step)?;
    let parameters = model.num_params();
    let products = if in_bf16 { "bfloat16" } else { "f32" };
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
        // A card is never waited for but for the step before the last that it was given.
        let mut pending: Option<Step> = None;
        let mut done = progress(config, state.step, clock.seconds());
        let mut last = done >= 1.0;
        while !last {
            let started = Instant::now();
            let shards = batches.next(task, state.examples, config.batch, &pools);
            let made = started.elapsed();
            let (mut step, gradients) = gradients(task, &model, &pools, shards, config, &device);
            step.number = state.step;
            if !on_card {
                step.loss(folder)?;
            }
            let differentiated = started.elapsed();
            step.rate = rate(config, state.step, done);
            model = optimizer.step(step.rate, model, gradients, &pools);
            step.log("optimizer_seconds", (started.elapsed() - differentiated).as_secs_f32());
            step.log("data_seconds", made.as_secs_f32());
            state.step += 1;
            state.examples += config.batch as u64;
            done = progress(config, state.step, clock.seconds());
            let told = STOP.load(Ordering::Relaxed) || start.stop_at.is_some_and(|at| state.step >= at);
            last = done >= 1.0 || told;
            if last || state.step.is_multiple_of(EMA_EVERY) {
                mean = mean.take().map(|mean| mean::moved(mean, &model, config.ema_decay, state.step));
            }
            let due = last || last_save.elapsed() > Duration::from_secs(config.checkpoint_seconds);
            if let Some(before) = pending.take() {
                settle(before, &mut metrics, folder, &mut window, &bar)?;
            }
            state.seconds = clock.seconds();
            step.state = Some(state.clone());
            step.took = started.elapsed();
            if on_card && !due {
                pending = Some(step);
            } else {
                settle(step, &mut metrics, folder, &mut window, &bar)?;
            }
            if due {
                let parameters = named_parameters(&model)?;
                let averaged = mean.as_ref().map(named_parameters).transpose()?;
                checkpoint::write(folder, &state, &parameters, averaged.as_ref().unwrap_or(&parameters), &optimizer)?;
                metrics.plot(folder)?;
                last_save = Instant::now();
            }
            if config.sample_steps > 0 && (last || state.step.is_multiple_of(config.sample_steps)) {
                let shown = model.valid().to_device(&Device::flex());
                task.sample(&shown, &folder.join(format!("samples-{:06}.png", state.step)))?;
            }
        }
        Ok(model)
    })?;
    bar.finish();
    Ok(match mean {
        Some(mean) => named_parameters(&mean)?,
        None => named_parameters(&model)?,
    })
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

/// Steps between updates of the running mean: it need not see every one.
const EMA_EVERY: u64 = 8;

/// How much of a run is over, from 0 to 1, after `step` steps and `seconds`.
fn progress(config: &FitConfig, step: u64, seconds: f64) -> f64 {
    let by_clock = config.seconds.map_or(0.0, |all| seconds / all.max(1e-9));
    (step as f64 / config.steps.max(1) as f64).max(by_clock).min(1.0)
}

/// Linear warm-up, then cosine decay to `final_rate` of the peak.
fn rate(config: &FitConfig, step: u64, done: f64) -> f64 {
    let warm = ((step + 1) as f64 / config.warmup_steps.max(1) as f64).min(1.0);
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
    config.learning_rate * warm * (config.final_rate + (1.0 - config.final_rate) * cosine)
}

/// One worker's share: its part of the batch, loss, logged numbers, gradients.
type Part = (f64, Tensor<1>, Vec<(&'static str, f32)>, GradientsParams);

/// Loss and summed gradients of one batch, each worker on its own shard.
fn gradients<T: Task>(
    task: &T,
    model: &T::Model,
    pools: &[rayon::ThreadPool],
    shards: Vec<(f64, T::Batch<'_>)>,
    config: &FitConfig,
    device: &Device,
) -> (Step, GradientsParams) {
    let mut accumulator = GradientsAccumulator::<T::Model>::new();
    let results: Vec<Part> = on_pools(pools, shards, |(share, batch)| {
        // Its own leaves, so that the workers' graphs never meet.
        let copy = model.clone().fork(device);
        let loss = in_bf16(config.bf16, || task.loss(&copy, batch, device));
        let value = loss.total.clone().inner();
        let scaled = if share == 1.0 { loss.total } else { loss.total * share };
        let gradients = GradientsParams::from_grads(scaled.backward(), &copy);
        (share, value, loss.logged, gradients)
    });
    let mut step = Step::default();
    for (share, loss, logged, gradients) in results {
        step.losses.push((share, loss));
        for (name, value) in logged {
            step.log(name, value * share as f32);
        }
        accumulator.accumulate(model, gradients);
    }
    (step, accumulator.grads())
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

#[cfg(all(test, feature = "libtorch"))]
mod on_torch;

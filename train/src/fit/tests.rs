use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use showo::bundle::ModelKind;
use showo::model::Weights;
use showo::model::weights::{Init, Named};

use super::batches::{self, Batches};
use super::*;
use crate::{checkpoint, data};

fn fit_config() -> FitConfig {
    FitConfig {
        steps: 6,
        seconds: None,
        batch: 4,
        learning_rate: 0.1,
        warmup_steps: 1,
        final_rate: 0.1,
        weight_decay: 0.0,
        ema_decay: 0.5,
        muon: false,
        bf16: false,
        seed: 3,
        // Every step.
        checkpoint_seconds: 0,
        sample_steps: 100,
    }
}

#[derive(Module, Debug)]
struct Line {
    weight: Param<Tensor<1>>,
}

/// Learns a constant; its data end in NaN from an example on.
struct Constant {
    config: FitConfig,
    broken_from: u64,
}

impl Task for Constant {
    type Model = Line;
    type Batch<'a> = Vec<f32>;

    fn kind(&self) -> ModelKind {
        ModelKind::Preview
    }

    fn config(&self) -> Result<serde_json::Value> {
        Ok(serde_json::to_value(&self.config)?)
    }

    fn build(&self, mut weights: Weights) -> Result<Line> {
        Ok(Line { weight: weights.take("weight", [3], Init::Normal(1.0))? })
    }

    fn batch(&self, first: u64, examples: usize) -> Vec<f32> {
        let of = |number: u64| if number >= self.broken_from { f32::NAN } else { (number % 5) as f32 };
        (first..first + examples as u64).map(of).collect()
    }

    fn loss(&self, model: &Line, wanted: Vec<f32>, device: &Device) -> Loss {
        let examples = wanted.len();
        let wanted = Tensor::<2>::from_data(TensorData::new(wanted, [examples, 1]), device);
        let error = model.weight.val().reshape([1, 3]) - wanted;
        Loss { total: (error.clone() * error).mean(), logged: Vec::new() }
    }

    fn sample(&self, _: &Line, _: &Path) -> Result<()> {
        Ok(())
    }
}

fn train(task: &Constant, folder: &Path, resume: bool) -> Result<Named> {
    fit(task, &task.config, folder, &Start { resume, ..Start::default() }, Device::flex())
}

#[test]
fn nan_stops_the_run_and_what_goes_on_after_it_ends_where_the_whole_run_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    let sound = Constant { config: fit_config(), broken_from: u64::MAX };
    let wanted = train(&sound, &whole, false).unwrap();

    let error =
        train(&Constant { broken_from: 17, ..Constant { config: fit_config(), broken_from: 0 } }, &broken, false);
    let error = format!("{:#}", error.unwrap_err());
    assert!(error.contains("NaN at step 4") && error.contains("broken"), "{error}");
    assert_eq!(checkpoint::read(&broken).unwrap().unwrap().state.step, 4);
    let found = train(&sound, &broken, true).unwrap();
    assert_eq!(found["weight"].1, wanted["weight"].1);
}

#[test]
fn batches_made_ahead_are_those_that_workers_make() {
    let task = Constant { config: fit_config(), broken_from: u64::MAX };
    let pools = [rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap()];
    let steps = 2 * batches::makers() as u64 + 3;
    std::thread::scope(|scope| {
        let (mut ahead, mut workers) = (Batches::ahead(scope, &task, 5, 3, steps), Batches::Workers);
        for step in 0..steps {
            let first = 5 + 3 * step;
            let wanted = vec![(1.0, task.batch(first, 3))];
            assert_eq!(ahead.next(&task, first, 3, &pools), wanted, "step {step}");
            assert_eq!(workers.next(&task, first, 3, &pools), wanted, "step {step}");
        }
    });
    // Dropped before the end: the threads end, too.
    std::thread::scope(|scope| drop(Batches::ahead(scope, &task, 0, 3, 1_000_000)));
}

#[test]
fn a_checkpoint_of_another_run_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    train(&Constant { config: fit_config(), broken_from: u64::MAX }, folder.path(), false).unwrap();
    let other = Constant { config: FitConfig { seed: 4, ..fit_config() }, broken_from: u64::MAX };
    let error = format!("{:#}", train(&other, folder.path(), true).unwrap_err());
    assert!(error.contains("seed = 3, which now is 4") && error.contains("--out"), "{error}");

    let state = folder.path().join("checkpoint/state.json");
    let text = std::fs::read_to_string(&state).unwrap();
    let version = format!("\"data_version\": {}", data::VERSION);
    assert!(text.contains(&version), "{text}");
    std::fs::write(&state, text.replace(&version, "\"data_version\": 0")).unwrap();
    let same = Constant { config: fit_config(), broken_from: u64::MAX };
    let error = format!("{:#}", train(&same, folder.path(), true).unwrap_err());
    assert!(error.contains("version 0"), "{error}");
}

#[test]
fn a_run_is_not_begun_over_another() {
    let folder = tempfile::tempdir().unwrap();
    let task = Constant { config: fit_config(), broken_from: u64::MAX };
    train(&task, folder.path(), false).unwrap();
    let error = format!("{:#}", train(&task, folder.path(), false).unwrap_err());
    assert!(error.contains("--resume") && error.contains("--out"), "{error}");
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    train(&Constant { config: fit_config(), broken_from: u64::MAX }, folder.path(), false).unwrap();
    let longer = Constant { config: FitConfig { steps: 9, ..fit_config() }, broken_from: u64::MAX };
    // So that the longer run may go on.
    let state = folder.path().join("checkpoint/state.json");
    let text = std::fs::read_to_string(&state).unwrap();
    std::fs::write(&state, text.replace("\"steps\": 6", "\"steps\": 9")).unwrap();
    // A file where the folder of the next checkpoint would be.
    let in_the_way = folder.path().join("checkpoint.partial");
    std::fs::write(&in_the_way, "").unwrap();
    let error = format!("{:#}", train(&longer, folder.path(), true).unwrap_err());
    assert!(error.contains("checkpoint.partial"), "{error}");
    assert_eq!(checkpoint::read(folder.path()).unwrap().unwrap().state.step, 6);
    std::fs::remove_file(in_the_way).unwrap();
    train(&longer, folder.path(), true).unwrap();
    assert_eq!(checkpoint::read(folder.path()).unwrap().unwrap().state.step, 9);
}

#[test]
fn the_rate_warms_up_and_decays() {
    let config = FitConfig { steps: 100, learning_rate: 1.0, warmup_steps: 10, ..fit_config() };
    let rate = |step| config.rate(step, config.progress(step, 0.0));
    assert!((rate(0) - 0.1).abs() < 0.01);
    assert!(rate(10) > 0.95);
    assert!((rate(100) - 0.1).abs() < 1e-9);
}

#[test]
fn a_run_ends_by_its_clock_or_its_steps_whichever_is_first() {
    let config = FitConfig { steps: 100, seconds: Some(8.0), ..fit_config() };
    let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-12, "{found}, not {wanted}");
    near(config.progress(0, 2.0), 0.25);
    near(config.progress(50, 2.0), 0.5);
    near(config.progress(50, 9.0), 1.0);
    near(FitConfig { seconds: None, ..config.clone() }.progress(50, 9.0), 0.5);

    let folder = tempfile::tempdir().unwrap();
    let fit = FitConfig { steps: u64::MAX, seconds: Some(0.2), checkpoint_seconds: 100, ..fit_config() };
    let task = Constant { config: fit, broken_from: u64::MAX };
    let began = Instant::now();
    train(&task, folder.path(), false).unwrap();
    assert!(began.elapsed().as_secs_f64() >= 0.2);
    let step = checkpoint::read(folder.path()).unwrap().unwrap().state.step;
    assert!(step > 1, "{step}");
}

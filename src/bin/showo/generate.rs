//! `generate`: a prompt becomes a PNG, and a trace of how.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use showo::bundle::{Bundle, FolderReader, block_on};
use showo::models::{LoadError, Models};
use showo::session::{NativeHost, Session};
use showo::settings::{AcceptRule, ReflectionSettings, Settings, VerifierMode};
use showo::trace::Event;

use crate::device::DeviceName;
use crate::failure::Failure;
use crate::progress::{LoadBar, steps};

/// What `generate` asks for.
#[derive(Args)]
pub struct Options {
    /// The bundle's folder
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// What to draw
    #[arg(long)]
    prompt: String,
    /// Seed of all randomness
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Decoding steps T, 1 to 64
    #[arg(long, default_value_t = 18)]
    steps: u32,
    /// Guidance scale g, 0 to 20
    #[arg(long, default_value_t = 2.0)]
    guidance: f32,
    /// Temperature of the re-masking noise, 0 to 10
    #[arg(long, default_value_t = 1.0)]
    temperature: f32,
    /// Candidates k, 1 to 16
    #[arg(long, default_value_t = 4)]
    candidates: u32,
    /// none, best-of-k, orm, prm or parm; by default parm where the bundle has it
    #[arg(long)]
    verifier: Option<VerifierMode>,
    /// Redraw weak patches afterwards (PARM++)
    #[arg(long)]
    reflect: bool,
    /// Patches below this CLIPScore are weak, −1 to 2.5
    #[arg(long, default_value_t = ReflectionSettings::default().threshold, requires = "reflect", allow_negative_numbers = true)]
    tau: f32,
    /// Stop when the picture changes by less than this, 0 to 2
    #[arg(long, default_value_t = 0.01, requires = "reflect")]
    epsilon: f32,
    /// Rounds of reflection at most, 1 to 10
    #[arg(long, default_value_t = 3, requires = "reflect")]
    rounds: u32,
    /// Patches a side, 2 to the token grid's side
    #[arg(long, default_value_t = 4, requires = "reflect")]
    patch_grid: u32,
    /// Keep a round: every, or if-not-worse
    #[arg(long, default_value = "if-not-worse", requires = "reflect")]
    accept: AcceptRule,
    /// Record every candidate as a picture too
    #[arg(long, requires = "trace")]
    previews: bool,
    /// Where the picture goes
    #[arg(long, value_name = "PNG")]
    out: PathBuf,
    /// Where the recording goes
    #[arg(long, value_name = "JSON")]
    trace: Option<PathBuf>,
    /// Who computes
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceName,
    /// Say at the end how long loading and each step took
    #[arg(long)]
    timings: bool,
}

impl Options {
    fn settings(&self, models: &Models) -> Settings {
        let best =
            if models.verifiers().contains(&VerifierMode::Parm) { VerifierMode::Parm } else { VerifierMode::None };
        Settings {
            prompt: self.prompt.clone(),
            seed: self.seed,
            steps: self.steps,
            guidance_scale: self.guidance,
            temperature: self.temperature,
            candidates: self.candidates,
            verifier: self.verifier.unwrap_or(best),
            reflection: self.reflect.then_some(ReflectionSettings {
                threshold: self.tau,
                epsilon: self.epsilon,
                rounds: self.rounds,
                patch_grid: self.patch_grid,
                accept: self.accept,
            }),
            previews: self.previews,
        }
    }
}

pub fn run(options: &Options) -> Result<(), Failure> {
    let place = options.device.open()?;
    let mut bar = LoadBar::new();
    let begin = Instant::now();
    let models = block_on(async {
        let bundle = Bundle::open(FolderReader::new(&options.bundle)).await.map_err(LoadError::from)?;
        let mut models = Models::load(&bundle, &place, &mut |progress| bar.report(progress)).await?;
        models.load_judges(&bundle, &mut |progress| bar.report(progress)).await?;
        Ok::<_, LoadError>(models)
    })?;
    bar.finish();
    let load = begin.elapsed().as_secs_f64();
    let weights = models.device_bytes();

    let settings = options.settings(&models);
    let paths = if settings.verifier.draws_paths() { settings.candidates } else { 1 };
    let bar = steps(u64::from(settings.steps) * u64::from(paths));
    let mut events = Vec::new();
    let mut session = Session::new(models);
    let mut host = NativeHost::new(|event: &Event| {
        match event {
            Event::Step { candidates, chosen, .. } => {
                bar.inc(1);
                if let Some(score) = candidates.get(*chosen as usize).and_then(|kept| kept.score) {
                    bar.set_message(format!("score {score:.2}"));
                }
            }
            Event::Reflection { round, .. } => bar.set_message(format!("round {round} of reflection")),
            _ => {}
        }
        events.push(event.clone());
    });
    let drawn = block_on(session.draw(settings, &mut host));
    bar.finish_and_clear();
    // What was drawn before a failure is worth keeping, too.
    if let Some(path) = &options.trace {
        let json = serde_json::to_vec(&events).map_err(|error| Failure::file(path, error))?;
        write(path, &json)?;
    }
    drawn?;
    if let Some(Event::Finished { picture, verdict, totals, .. }) = events.last() {
        write(&options.out, &picture.png().map_err(|error| Failure::file(&options.out, error))?)?;
        if let Some(verdict) = verdict {
            println!("{}", verdict.sentence);
        }
        println!(
            "{}: {:.1} s, {} generator forwards, {} scored, {} decoded",
            options.out.display(),
            totals.seconds,
            totals.generator_forwards,
            totals.reward_forwards,
            totals.decoded_pictures
        );
    }
    if options.timings {
        println!("load: {load:.1} s, {:.0} MB of weights", weights as f64 / 1e6);
        for event in &events {
            if let Event::Step { step, milliseconds, .. } = event {
                println!("step {}: {:.1} s", step + 1, milliseconds / 1e3);
            }
        }
    }
    Ok(())
}

/// Writes a file, making the folders above it.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file(folder, error))?;
    }
    std::fs::write(path, bytes).map_err(|error| Failure::file(path, error))
}

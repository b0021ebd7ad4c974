//! What every command that draws asks for, and the models it draws with.

use std::path::{Path, PathBuf};

use clap::Args;
use showo::bundle::{Bundle, FolderReader, ModelKind, block_on};
use showo::load::{Arriving, LoadError, Models, Uses};
use showo::settings::{AcceptRule, Field, Recommended, ReflectionSettings, Settings, Tuning, VerifierMode};

use crate::device::DeviceName;
use crate::failure::Failure;
use crate::progress::LoadBar;

/// Everything that decides a picture besides its prompt.
#[derive(Args)]
pub struct DrawingOptions {
    /// The bundle's folder
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// Whose weights draw: base, dpo, dpo-free, dpo-iterated or dpo-parm, where the bundle has them
    #[arg(long, default_value_t = Tuning::Base)]
    generator: Tuning,
    #[arg(long, default_value_t = 0, help = Field::of("seed").help())]
    pub seed: u64,
    #[arg(long, help = help("steps"))]
    steps: Option<u32>,
    #[arg(long, help = help("guidance"))]
    guidance: Option<f32>,
    #[arg(long, help = help("temperature"))]
    temperature: Option<f32>,
    #[arg(long, help = help("candidates"))]
    candidates: Option<u32>,
    /// none, best-of-k (or clip), orm, prm, parm, parm-paths, self-orm or self; the last two ask the generator itself [default: what the bundle recommends]
    #[arg(long)]
    verifier: Option<VerifierMode>,
    /// Read <|soi|>, [PAD] and the like in a prompt as the model's own tokens, instead of as text
    #[arg(long)]
    control_tokens: bool,
    /// Redraw weak patches afterwards (PARM++)
    #[arg(long)]
    reflect: bool,
    #[arg(long, default_value_t = ReflectionSettings::DEFAULT.threshold, requires = "reflect", allow_negative_numbers = true, help = Field::of("tau").help())]
    tau: f32,
    #[arg(long, default_value_t = ReflectionSettings::DEFAULT.epsilon, requires = "reflect", help = Field::of("epsilon").help())]
    epsilon: f32,
    #[arg(long, default_value_t = ReflectionSettings::DEFAULT.rounds, requires = "reflect", help = Field::of("rounds").help())]
    rounds: u32,
    #[arg(long, default_value_t = ReflectionSettings::DEFAULT.patch_grid, requires = "reflect", help = Field::of("patch-grid").help())]
    patch_grid: u32,
    /// Keep a round: every, if-not-worse, or if-doubted (none where a reward network gives the picture even odds)
    #[arg(long, default_value = "if-not-worse", requires = "reflect")]
    accept: AcceptRule,
    /// Who computes
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceName,
}

fn help(id: &str) -> String {
    format!("{} [default: what the bundle recommends]", Field::of(id).help())
}

impl DrawingOptions {
    /// The settings of one picture.
    pub fn settings(&self, models: &Models, prompt: &str) -> Settings {
        let Recommended { steps, guidance_scale, temperature, candidates, verifier } = models.recommended();
        Settings {
            prompt: prompt.to_owned(),
            control_tokens: self.control_tokens,
            generator: self.generator,
            seed: self.seed,
            steps: self.steps.unwrap_or(steps),
            guidance_scale: self.guidance.unwrap_or(guidance_scale),
            temperature: self.temperature.unwrap_or(temperature),
            candidates: self.candidates.unwrap_or(candidates),
            verifier: self.verifier.unwrap_or(verifier),
            reflection: self.reflect.then_some(ReflectionSettings {
                threshold: self.tau,
                epsilon: self.epsilon,
                rounds: self.rounds,
                patch_grid: self.patch_grid,
                accept: self.accept,
            }),
            previews: false,
        }
    }

    /// The bundle's models on the device, with a bar while they load; and the bundle's name and hash.
    pub fn load(&self, uses: Uses) -> Result<(Models, BundleName), Failure> {
        load(&self.bundle, self.device, self.generator, uses)
    }
}

/// A bundle's models on a device, as [`DrawingOptions::load`].
pub fn load(folder: &Path, device: DeviceName, generator: Tuning, uses: Uses) -> Result<(Models, BundleName), Failure> {
    let place = device.open()?;
    let mut bar = LoadBar::new();
    let loaded = block_on(async {
        let bundle = Bundle::open(FolderReader::new(folder)).await.map_err(LoadError::from)?;
        let mut arriving = Arriving::to_use(uses);
        let mut models = arriving.load(&bundle, &place, &mut |progress| bar.report(progress)).await?;
        models.fetch(&bundle, ModelKind::Showo(generator), &mut |progress| bar.report(progress)).await?;
        models.load_verifiers(&bundle, &mut |progress| bar.report(progress)).await?;
        let name = BundleName { name: bundle.manifest().name.clone(), sha256: bundle.sha256().to_owned() };
        Ok::<_, LoadError>((models, name))
    })?;
    bar.finish();
    Ok(loaded)
}

/// What tells bundles apart.
pub struct BundleName {
    pub name: String,
    /// Of its manifest, which holds every shard's.
    pub sha256: String,
}

//! What every command that draws asks for, and the models it draws with.

use std::path::PathBuf;

use clap::Args;
use showo::bundle::{Bundle, FolderReader, ModelKind, block_on};
use showo::load::{LoadError, Models};
use showo::settings::{AcceptRule, ReflectionSettings, Settings, Tuning, VerifierMode};

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
    /// Seed of all randomness
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Decoding steps T, 1 to 64
    #[arg(long, default_value_t = 18)]
    steps: u32,
    /// Guidance scale g, 0 to 20
    #[arg(long, default_value_t = 2.0)]
    guidance: f32,
    /// Temperature of the re-masking noise, 0 to 10
    #[arg(long, default_value_t = 1.0)]
    temperature: f32,
    /// Candidates k of a step, or whole pictures, 1 to 16
    #[arg(long, default_value_t = 4)]
    candidates: u32,
    /// none, best-of-k, orm, prm, parm or parm-paths; by default parm where the bundle has it
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
    /// Keep a round: every, if-not-worse, or if-doubted (none where a reward network gives the picture even odds)
    #[arg(long, default_value = "if-not-worse", requires = "reflect")]
    accept: AcceptRule,
    /// Who computes
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceName,
}

impl DrawingOptions {
    /// The settings of one picture.
    pub fn settings(&self, models: &Models, prompt: &str) -> Settings {
        let best =
            if models.verifiers().contains(&VerifierMode::Parm) { VerifierMode::Parm } else { VerifierMode::None };
        Settings {
            prompt: prompt.to_owned(),
            generator: self.generator,
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
            previews: false,
        }
    }

    /// The bundle's models on the device, with a bar while they load; and the bundle's name and hash.
    pub fn load(&self) -> Result<(Models, BundleName), Failure> {
        let place = self.device.open()?;
        let mut bar = LoadBar::new();
        let loaded = block_on(async {
            let bundle = Bundle::open(FolderReader::new(&self.bundle)).await.map_err(LoadError::from)?;
            let mut models = Models::load(&bundle, &place, &mut |progress| bar.report(progress)).await?;
            models.fetch(&bundle, ModelKind::Showo(self.generator), &mut |progress| bar.report(progress)).await?;
            models.load_verifiers(&bundle, &mut |progress| bar.report(progress)).await?;
            let name = BundleName { name: bundle.manifest().name.clone(), sha256: bundle.sha256().to_owned() };
            Ok::<_, LoadError>((models, name))
        })?;
        bar.finish();
        Ok(loaded)
    }
}

/// What tells bundles apart.
pub struct BundleName {
    pub name: String,
    /// Of its manifest, which holds every shard's.
    pub sha256: String,
}

//! Which device draws: the one that is asked for, or the faster of two that compute the same.

use serde::{Deserialize, Serialize};

use super::device::{self, PATIENCE_SECONDS, WebDevice, late};
use super::javascript::{seconds, within};
use crate::check::trial::Trial;
use crate::config::ShowoConfig;

/// Of two devices that are about as fast, the graphics device draws: the processor has the page to show.
const CPU_MUST_BE_FASTER_BY: f64 = 1.25;

/// How much longer than a forward of the whole generator a drawing may take to its next event before a device counts as hanging.
/// A step is also several pictures and judgements.
const FORWARDS_OF_PATIENCE: f64 = 50.0;

/// Which device the page asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Asked {
    /// The faster one.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The graphics device where it works, also if it is slower.
    Webgpu,
}

/// What the page asks for, and what it remembers of this browser.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// The device.
    pub device: Asked,
    /// Why the processor, where it was not the visitor who asked for it.
    pub why: Option<String>,
    /// What was measured on an earlier visit.
    pub remembered: Option<Measured>,
}

/// Both devices on the same moment's work: [`Trial`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// What the browser calls its adapter.
    pub adapter: String,
    /// Seconds of a forward on the graphics device.
    pub webgpu_seconds: f64,
    /// Seconds of the same forward on the processor.
    pub cpu_seconds: f64,
}

impl Measured {
    fn cpu_is_faster(&self) -> bool {
        self.cpu_seconds * CPU_MUST_BE_FASTER_BY < self.webgpu_seconds
    }

    fn cpu(&self) -> WebDevice {
        let Self { adapter, webgpu_seconds, cpu_seconds } = self;
        let (graphics, processor) = (1000.0 * webgpu_seconds, 1000.0 * cpu_seconds);
        WebDevice::cpu(format!(
            "it is faster here: {processor:.0} ms for a piece of work that takes {graphics:.0} ms on the graphics device ({adapter})"
        ))
    }
}

/// The device that draws with a generator like `config`, and what was measured to choose it.
pub async fn choose(wish: &Wish, config: &ShowoConfig) -> (WebDevice, Option<Measured>) {
    if wish.device == Asked::Cpu {
        return (WebDevice::cpu(wish.why.as_deref().unwrap_or("it was asked for")), None);
    }
    if let Some(why) = device::given_up() {
        return (WebDevice::cpu(why), None);
    }
    match graphics(wish, config).await {
        Ok(chosen) => chosen,
        Err(why) => {
            device::give_up(&why);
            (WebDevice::cpu(why), None)
        }
    }
}

/// The graphics device, or the processor where that is faster.
///
/// # Errors
/// Why the graphics device is of no use.
async fn graphics(wish: &Wish, config: &ShowoConfig) -> Result<(WebDevice, Option<Measured>), String> {
    let adapter = device::adapter().await?;
    let name = adapter.name.clone();
    let known = wish.remembered.clone().filter(|known| wish.device == Asked::Auto && known.adapter == name);
    if let Some(known) = known.filter(Measured::cpu_is_faster) {
        return Ok((known.cpu(), Some(known)));
    }
    let mut opened = adapter.open().await?;
    let trial = Trial::new(config).map_err(|error| error.to_string())?;
    let processor = trial.run(&WebDevice::cpu("").place.device, seconds).await?;
    let work = within(PATIENCE_SECONDS, trial.run(&opened.place.device, seconds));
    let tried = opened.health.lost.unless_raised(work).await;
    let tried = tried.ok_or_else(|| failed(&opened.health.why()))?.ok_or_else(|| late("when it was first used"))?;
    let tried = tried.map_err(|why| failed(&why))?;
    tried.agrees_with(&processor).map_err(|why| format!("the graphics device computes wrong: {why}"))?;
    opened.patience_seconds += FORWARDS_OF_PATIENCE * tried.seconds * trial.share(config);
    let measured = Measured { adapter: name, webgpu_seconds: tried.seconds, cpu_seconds: processor.seconds };
    match wish.device == Asked::Auto && measured.cpu_is_faster() {
        true => Ok((measured.cpu(), Some(measured))),
        false => Ok((opened, Some(measured))),
    }
}

fn failed(why: &str) -> String {
    format!("the graphics device failed when it was first used ({why})")
}

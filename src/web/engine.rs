//! The class that the worker holds.

use std::cell::{Cell, RefCell};

use js_sys::{Array, Float32Array, Function};
use scenes::{Example, World};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::device::{self, WebDevice};
use super::host::{WorkerHost, to_javascript};
use super::problem::Problem;
use super::reader::FetchReader;
use crate::bundle::{Bundle, LoadProgress, ModelKind};
use crate::check::probe::Probe;
use crate::decode::sampling::read_floats;
use crate::load::{LoadError, Models};
use crate::session::{CancelFlag, Drawing, Outcome, Session, SessionError, large};
use crate::settings::{FIELDS, Field, Recommended, Settings, Tuning, VerifierMode};

unsafe extern "C" {
    /// Runs the constructors that cubecl's intermediate language registers itself with (the `inventory` crate).
    fn __wasm_call_ctors();
}

/// Panics are bugs; they are at least written to the console with their place.
#[wasm_bindgen(start)]
fn start() {
    // A module that nowhere calls its constructors is linked as a "command": every call from JavaScript, also one for
    // a slot in a table, then begins with all of them, which was three quarters of the time on the host.
    //
    // SAFETY: the linker makes this function; it takes nothing, and this is the only call, before any other.
    unsafe {
        __wasm_call_ctors();
    }
    console_error_panic_hook::set_once();
}

/// One bundle on one device, drawing one picture at a time.
#[wasm_bindgen]
pub struct Engine {
    bundle: Bundle<FetchReader>,
    /// What the page asked for: `auto` or `cpu`.
    asked: String,
    device: RefCell<WebDevice>,
    models: RefCell<Models>,
    /// Counts devices: what was begun for an earlier one is not mixed with the present one's.
    generation: Cell<u32>,
    drawing: RefCell<Option<Drawing>>,
    /// There while a drawing runs.
    running: RefCell<Option<CancelFlag>>,
}

#[derive(Serialize)]
struct Ready {
    device: DeviceWords,
    model: Model,
}

#[derive(Serialize)]
struct DeviceWords {
    kind: &'static str,
    words: String,
}

#[derive(Serialize)]
struct Model {
    grid: usize,
    image_side_px: usize,
    /// Weights of the generator in the bundle, also those that are yet to be loaded.
    generators: Vec<Tuning>,
    verifiers: Vec<VerifierMode>,
    words: Vec<String>,
    /// Prompts to offer, where the bundle's world has some.
    examples: &'static [Example],
    max_text_len: usize,
    /// How the bundle recommends to draw.
    decoding: Recommended,
    /// What the numbers of the form may be.
    fields: &'static [Field],
    bundle: String,
    shards_bytes: u64,
    /// The weights' licence, and who must be named.
    licence: String,
    attribution: Vec<String>,
}

#[derive(Serialize)]
struct Memory {
    heap_bytes: u64,
    device_bytes: u64,
}

#[derive(Serialize)]
struct Progress<'a> {
    phase: &'static str,
    kind: &'a str,
    file: &'a str,
    bytes_done: u64,
    bytes_total: u64,
    source: &'static str,
}

#[wasm_bindgen]
impl Engine {
    /// Opens the bundle at an address and loads what drawing needs. `device` is `auto` or `cpu`.
    ///
    /// # Errors
    /// `{ code, message }`: the bundle is missing, damaged or of another version.
    pub async fn load(bundle_url: String, device: String, on_progress: Function) -> Result<Engine, JsValue> {
        let opening = Progress {
            phase: "manifest",
            kind: "",
            file: "manifest.json",
            bytes_done: 0,
            bytes_total: 0,
            source: "network",
        };
        report(&on_progress, &opening);
        let bundle = Bundle::open(FetchReader::new(&bundle_url)).await.map_err(Problem::from)?;
        let opened = device::open(&device).await;
        let models = load_models(&bundle, &opened, &on_progress).await.map_err(Problem::from)?;
        report(&on_progress, &Progress { phase: "ready", ..opening });
        Ok(Self {
            bundle,
            asked: device,
            device: RefCell::new(opened),
            models: RefCell::new(models),
            generation: Cell::new(0),
            drawing: RefCell::new(None),
            running: RefCell::new(None),
        })
    }

    /// The device and the model, as the page shows them.
    pub fn ready(&self) -> JsValue {
        let models = self.models.borrow();
        let device = self.device.borrow();
        let config = &models.generator.config;
        let manifest = self.bundle.manifest();
        let words: Vec<String> = match models.about.world {
            Some(world) => world.words().into_iter().map(str::to_owned).collect(),
            None => models.text_tokenizer.words().unwrap_or_default().to_vec(),
        };
        to_javascript(&Ready {
            device: DeviceWords { kind: device.kind, words: device.place.words.clone() },
            model: Model {
                grid: config.grid(),
                image_side_px: models.image_tokenizer.config.resolution,
                generators: Tuning::ALL
                    .into_iter()
                    .filter(|tuning| self.bundle.has(ModelKind::Showo(*tuning)))
                    .collect(),
                verifiers: models.verifiers(),
                words,
                examples: models.about.world.map(World::examples).unwrap_or_default(),
                max_text_len: config.max_text_len,
                decoding: models.about.decoding,
                fields: &FIELDS,
                bundle: models.about.bundle.clone(),
                shards_bytes: manifest.shards.iter().map(|shard| shard.bytes).sum(),
                licence: manifest.licence.clone(),
                attribution: manifest.attribution.clone(),
            },
        })
    }

    /// Loads what judges; a drawing may run meanwhile. Gives the modes that can be used.
    ///
    /// # Errors
    /// As [`Engine::load`]; what was loaded before the error can be used.
    pub async fn load_verifiers(&self, on_progress: Function) -> Result<Array, JsValue> {
        for kind in ModelKind::verifiers().filter(|&kind| self.bundle.has(kind)) {
            self.fetch(kind, &on_progress).await.map_err(Problem::from)?;
        }
        let modes = self.models.borrow().verifiers();
        Ok(modes.into_iter().map(|mode| JsValue::from_str(mode.word())).collect())
    }

    /// Loads further weights of the generator, by their word in the settings; nothing happens where they are there.
    ///
    /// # Errors
    /// As [`Engine::load`]; `{ code: "settings", … }` for an unknown word.
    pub async fn load_generator(&self, word: String, on_progress: Function) -> Result<(), JsValue> {
        let tuning = word.parse::<Tuning>().map_err(|why| Problem::new("settings", why))?;
        Ok(self.fetch(ModelKind::Showo(tuning), &on_progress).await.map_err(Problem::from)?)
    }

    /// Draws. The events are those of `src/trace.rs`; a stop ends it with `cancelled` and is no error.
    ///
    /// # Errors
    /// `{ code, message, … }`: settings, prompt, verifier; `device_lost` with `next_step`.
    pub async fn draw(&self, settings: JsValue, on_event: Function) -> Result<(), JsValue> {
        let settings: Settings = serde_wasm_bindgen::from_value(settings)
            .map_err(|error| Problem::new("settings", format!("the settings cannot be read: {error}")))?;
        self.run(Some(settings), on_event).await
    }

    /// Goes on with the drawing that was stopped, or whose device was lost.
    ///
    /// # Errors
    /// As [`Engine::draw`].
    pub async fn resume(&self, on_event: Function) -> Result<(), JsValue> {
        self.run(None, on_event).await
    }

    /// The guided logits of one forward, a row of the codebook's columns for each image position: the same numbers as
    /// the native `showo probe` gives, up to rounding.
    ///
    /// # Errors
    /// `{ code, message }`: the prompt cannot be read, the device failed.
    pub async fn probe(&self, prompt: String) -> Result<Float32Array, JsValue> {
        let models = self.models.borrow().clone();
        let probe = Probe::new(&models, &prompt).map_err(|error| Problem::from(SessionError::from(error)))?;
        let logits = read_floats(probe.logits()).await.map_err(|error| Problem::new("device", error))?;
        Ok(Float32Array::from(logits.as_slice()))
    }

    /// The picture of N codes as the tokenizer shows it: a candidate of which the page has a small preview. `{ width_px, height_px,
    /// png_base64 }`, as in a trace.
    ///
    /// # Errors
    /// `{ code, message }`: codes of another bundle, a device that fails.
    pub async fn picture(&self, codes: Vec<i32>) -> Result<JsValue, JsValue> {
        let models = self.models.borrow().clone();
        let picture = large(&models, &codes).await.map_err(|error| Problem::new("picture", error))?;
        Ok(to_javascript(&picture))
    }

    /// Bytes of the engine's own memory, which never shrinks, and of the weights on the device.
    pub fn memory(&self) -> JsValue {
        const PAGE_BYTES: usize = 1 << 16;
        let heap_bytes = (std::arch::wasm32::memory_size(0) * PAGE_BYTES) as u64;
        to_javascript(&Memory { heap_bytes, device_bytes: self.models.borrow().device_bytes() })
    }

    /// Asks the running drawing to stop before its next step.
    pub fn stop(&self) {
        if let Some(flag) = self.running.borrow().as_ref() {
            flag.request();
        }
    }
}

impl Engine {
    async fn run(&self, settings: Option<Settings>, on_event: Function) -> Result<(), JsValue> {
        if self.running.borrow().is_some() {
            return Err(Problem::new("busy", "a picture is being drawn; stop it first").into());
        }
        // From here on a stop is heard, also while models come back onto a new device.
        let flag = CancelFlag::default();
        *self.running.borrow_mut() = Some(flag.clone());
        let outcome = self.run_alone(settings, flag, on_event).await;
        *self.running.borrow_mut() = None;
        Ok(outcome.map(|_| ())?)
    }

    async fn run_alone(
        &self,
        settings: Option<Settings>,
        flag: CancelFlag,
        on_event: Function,
    ) -> Result<Outcome, Problem> {
        if self.device.borrow().health.is_lost() {
            self.begin_again().await?;
        }
        let models = self.models.borrow().clone();
        let health = self.device.borrow().health.clone();
        let drawing = if settings.is_some() { None } else { self.drawing.borrow().clone() };
        let mut session = Session::with_drawing(models, drawing).with_cancel_flag(flag);
        let mut host = WorkerHost { on_event };
        let outcome = health
            .while_it_lasts(async {
                match settings {
                    Some(settings) => session.draw(settings, &mut host).await,
                    None => session.resume(&mut host).await,
                }
            })
            .await;
        let next_step = session.drawing().map_or(0, Drawing::next_step);
        if let Some(drawing) = session.into_drawing() {
            *self.drawing.borrow_mut() = Some(drawing);
        }
        let outcome = outcome
            .unwrap_or_else(|| Err(SessionError::DeviceLost { next_step, why: "the browser took it away".to_owned() }));
        if matches!(outcome, Err(SessionError::DeviceLost { .. })) {
            // Whatever the reason, nothing on this device can be trusted any more.
            health.lose();
        }
        Ok(outcome?)
    }

    /// After the loss of a device: the same models on a new one, from the page's cache.
    async fn begin_again(&self) -> Result<(), Problem> {
        let device = device::open(&self.asked).await;
        let nobody = Function::new_no_args("");
        let before = self.models.borrow().clone();
        let models = load_models(&self.bundle, &device, &nobody).await?;
        self.generation.set(self.generation.get() + 1);
        *self.models.borrow_mut() = models;
        *self.device.borrow_mut() = device;
        for kind in ModelKind::ALL.into_iter().filter(|&kind| before.has(kind) && self.bundle.has(kind)) {
            self.fetch(kind, &nobody).await?;
        }
        Ok(())
    }

    /// Reads a model and takes it in, unless it is there; a drawing may run meanwhile.
    async fn fetch(&self, kind: ModelKind, on_progress: &Function) -> Result<(), LoadError> {
        loop {
            let generation = self.generation.get();
            let models = self.models.borrow().clone();
            if models.has(kind) {
                return Ok(());
            }
            let tell = &mut |progress: LoadProgress<'_>| tell(on_progress, &self.bundle, progress);
            let network = models.read_network(&self.bundle, kind, tell).await?;
            if generation == self.generation.get() {
                return self.models.borrow_mut().add(network);
            }
            // The device was lost meanwhile; what was read lies on the old one.
        }
    }
}

async fn load_models(
    bundle: &Bundle<FetchReader>,
    device: &WebDevice,
    on_progress: &Function,
) -> Result<Models, LoadError> {
    Models::load(bundle, &device.place, &mut |progress| tell(on_progress, bundle, progress)).await
}

fn tell(on_progress: &Function, bundle: &Bundle<FetchReader>, progress: LoadProgress<'_>) {
    let LoadProgress { kind, file, bytes_done, bytes_total } = progress;
    let phase = match kind {
        ModelKind::Showo(_) => "generator",
        ModelKind::Magvit | ModelKind::Preview => "tokenizer",
        ModelKind::Clip | ModelKind::Reward(_) => "verifier",
    };
    let source = bundle.reader().source();
    report(on_progress, &Progress { phase, kind: kind.word(), file, bytes_done, bytes_total, source });
}

fn report(on_progress: &Function, progress: &Progress<'_>) {
    // A page that fails to draw its bar does not stop the load.
    let _ = on_progress.call1(&JsValue::NULL, &to_javascript(progress));
}

/// Checks and times the int8 kernels on the page's device: one row a check.
///
/// # Errors
/// `{ code, message }`: the first check that is off.
#[wasm_bindgen]
pub async fn self_test() -> Result<JsValue, JsValue> {
    let opened = device::open("auto").await;
    let rows = crate::check::self_test(&opened.place.device).await.map_err(|why| Problem::new("self_test", why))?;
    Ok(to_javascript(&rows))
}

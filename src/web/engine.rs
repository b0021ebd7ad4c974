//! The class that the worker holds.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Float32Array, Function};
use scenes::{Example, World};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::choice::{Asked, Measured, Wish, choose};
use super::device::{self, WebDevice};
use super::facts::Facts;
use super::host::{WorkerHost, to_javascript};
use super::javascript::{seconds, sleep};
use super::problem::Problem;
use super::reader::FetchReader;
use crate::bundle::{Bundle, LoadProgress, ModelKind};
use crate::check::probe::Probe;
use crate::check::trial::Trial;
use crate::config::ShowoConfig;
use crate::decode::canvas::with_hole;
use crate::decode::sampling::read_floats;
use crate::load::{Arriving, Models};
use crate::session::{Drawing, Outcome, Session, SessionError, large};
use crate::settings::{FIELDS, Field, Recommended, Settings, Tuning, VerifierMode};
use crate::signal::Signal;
use crate::trace::Event;

unsafe extern "C" {
    /// Runs the constructors that cubecl's intermediate language registers itself with (the `inventory` crate).
    fn __wasm_call_ctors();
}

/// Panics are bugs; they are at least written to the console with their place, and left where the worker finds the words of a trap.
#[wasm_bindgen(start)]
fn start() {
    // A module that nowhere calls its constructors is linked as a "command": every call from JavaScript, also one for
    // a slot in a table, then begins with all of them, which was three quarters of the time on the host.
    //
    // SAFETY: the linker makes this function; it takes nothing, and this is the only call, before any other.
    unsafe {
        __wasm_call_ctors();
    }
    std::panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        // A global scope that takes no field leaves the page with the trap's own word.
        let words = panic.payload_as_str().unwrap_or("a panic without words");
        let _ = js_sys::Reflect::set(&js_sys::global(), &"showo_panic".into(), &words.into());
    }));
}

/// One bundle on one device, drawing one picture at a time.
#[wasm_bindgen]
pub struct Engine {
    bundle: Bundle<FetchReader>,
    /// What the page asked for.
    wish: Wish,
    device: RefCell<WebDevice>,
    /// What was measured to choose it.
    measured: RefCell<Option<Measured>>,
    /// How often a device was lost.
    losses: Cell<u32>,
    /// What drawing needs, until all of it is here.
    arriving: RefCell<Arriving>,
    models: RefCell<Option<Models>>,
    /// Counts devices: what was begun for an earlier one is not mixed with the present one's.
    generation: Cell<u32>,
    drawing: RefCell<Option<Drawing>>,
    /// There while a drawing runs; raised, it ends it.
    running: RefCell<Option<Signal>>,
}

#[derive(Serialize)]
struct DeviceWords<'a> {
    kind: &'static str,
    words: &'a str,
    /// Why the processor draws.
    why: Option<&'a str>,
    patience_seconds: Option<f64>,
    measured: Option<&'a Measured>,
}

/// The modes that can be used with what has been loaded.
#[derive(Serialize)]
struct Verifiers {
    verifiers: Vec<VerifierMode>,
}

#[derive(Serialize)]
struct Model {
    grid: usize,
    image_side_px: usize,
    /// Weights of the generator in the bundle, also those that are yet to be loaded.
    generators: Vec<Tuning>,
    verifiers: Vec<VerifierMode>,
    /// The modes that the bundle has the networks for, also those that are yet to be loaded.
    offered: Vec<VerifierMode>,
    words: Vec<String>,
    /// Prompts to offer, where the bundle's world has some.
    examples: &'static [Example],
    max_text_len: usize,
    /// The world whose checker judges its pictures; nothing for models of the open world.
    world: Option<World>,
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

impl Progress<'_> {
    /// A phase that is no download.
    fn phase(phase: &'static str) -> Self {
        Self { phase, kind: "", file: "", bytes_done: 0, bytes_total: 0, source: "network" }
    }
}

#[wasm_bindgen]
impl Engine {
    /// Opens the bundle at an address and chooses the device. `wish` is `{ device: "auto" | "cpu" | "webgpu", why?, remembered? }`.
    ///
    /// # Errors
    /// `{ code, message }`: the bundle is missing, damaged or of another version.
    pub async fn open(bundle_url: String, wish: JsValue, on_progress: Function) -> Result<Engine, JsValue> {
        let wish: Wish = serde_wasm_bindgen::from_value(wish)
            .map_err(|error| Problem::new("settings", format!("the wished device cannot be read: {error}")))?;
        report(&on_progress, &Progress::phase("manifest"));
        let bundle = Bundle::open(FetchReader::new(&bundle_url)).await.map_err(Problem::from)?;
        let config: ShowoConfig = bundle.config(ModelKind::SHOWO).map_err(Problem::from)?;
        report(&on_progress, &Progress::phase("compile"));
        let (device, measured) = choose(&wish, &config).await;
        Ok(Self {
            bundle,
            wish,
            device: RefCell::new(device),
            measured: RefCell::new(measured),
            losses: Cell::new(0),
            arriving: RefCell::default(),
            models: RefCell::new(None),
            generation: Cell::new(0),
            drawing: RefCell::new(None),
            running: RefCell::new(None),
        })
    }

    /// What can be said of the bundle before its shards are fetched. Somebody decides by it about a bundle of more than `decided_over`
    /// bytes: then a device that has not been timed is.
    ///
    /// # Errors
    /// `{ code, message }`: the bundle lacks what drawing needs, or its configurations cannot be read.
    pub async fn facts(&self, decided_over: f64) -> Result<JsValue, JsValue> {
        let device = self.device.borrow().clone();
        let measured = self.measured.borrow().as_ref().map(|measured| match device.is_graphics() {
            true => measured.webgpu_seconds,
            false => measured.cpu_seconds,
        });
        let facts = Facts::of(&self.bundle, &device, measured).map_err(Problem::from)?;
        if measured.is_some() || facts.bytes() as f64 <= decided_over || device.is_graphics() {
            return Ok(to_javascript(&facts));
        }
        let config: ShowoConfig = self.bundle.config(ModelKind::SHOWO).map_err(Problem::from)?;
        let timed = match Trial::new(&config) {
            Ok(trial) => trial.run(&device.place.device, seconds).await.ok(),
            // What cannot be built is refused when it is loaded, by its name.
            Err(_) => None,
        };
        let facts = Facts::of(&self.bundle, &device, timed.map(|tried| tried.seconds)).map_err(Problem::from)?;
        Ok(to_javascript(&facts))
    }

    /// Loads what drawing needs and is not here yet; [`Engine::model`] and [`Engine::device`] then tell of it.
    ///
    /// # Errors
    /// As [`Engine::open`]; what has arrived stays, and the next attempt goes on after it.
    pub async fn load(&self, on_progress: Function) -> Result<(), JsValue> {
        if self.models.borrow().is_none() {
            self.load_models(&on_progress).await?;
        }
        report(&on_progress, &Progress::phase("ready"));
        Ok(())
    }

    /// The device, as the page shows it.
    pub fn device(&self) -> JsValue {
        let device = self.device.borrow();
        to_javascript(&DeviceWords {
            kind: device.kind,
            words: &device.place.words,
            why: device.why.as_deref(),
            patience_seconds: device.is_graphics().then_some(device.patience_seconds),
            measured: self.measured.borrow().as_ref(),
        })
    }

    /// The model, as the page shows it.
    ///
    /// # Errors
    /// `{ code, message }`: nothing has been loaded.
    pub fn model(&self) -> Result<JsValue, JsValue> {
        let models = self.loaded()?;
        let config = &models.generator.config;
        let manifest = self.bundle.manifest();
        let words: Vec<String> = match models.about.world {
            Some(world) => world.words().into_iter().map(str::to_owned).collect(),
            None => models.text_tokenizer.words().unwrap_or_default().to_vec(),
        };
        Ok(to_javascript(&Model {
            grid: config.grid(),
            image_side_px: models.image_tokenizer.config.resolution,
            generators: Tuning::ALL.into_iter().filter(|tuning| self.bundle.has(ModelKind::Showo(*tuning))).collect(),
            verifiers: models.verifiers(),
            offered: models.offered(&self.bundle),
            words,
            examples: models.about.world.map(World::examples).unwrap_or_default(),
            max_text_len: config.max_text_len,
            world: models.about.world,
            decoding: models.about.decoding,
            fields: &FIELDS,
            bundle: models.about.bundle.clone(),
            shards_bytes: manifest.shards.iter().map(|shard| shard.bytes).sum(),
            licence: manifest.licence.clone(),
            attribution: manifest.attribution.clone(),
        }))
    }

    /// Loads what judges and is not here yet; a drawing may run meanwhile. One part that fails does not keep the others away.
    ///
    /// # Errors
    /// As [`Engine::open`], of the first part that failed; [`Engine::verifiers`] says what can be used.
    pub async fn load_verifiers(&self, on_progress: Function) -> Result<(), JsValue> {
        let mut failed = None;
        for kind in self.bundle.manifest().judging_kinds() {
            if let Err(problem) = self.fetch(kind, &on_progress).await {
                failed.get_or_insert(problem);
            }
        }
        failed.map_or(Ok(()), |problem| Err(problem.into()))
    }

    /// The modes that can be used now: `{ verifiers }`.
    ///
    /// # Errors
    /// `{ code, message }`: nothing has been loaded.
    pub fn verifiers(&self) -> Result<JsValue, JsValue> {
        Ok(to_javascript(&Verifiers { verifiers: self.loaded()?.verifiers() }))
    }

    /// Draws. The events are those of `src/trace.rs`; a stop ends it with `cancelled`, or with nothing where nothing had begun, and
    /// is no error. Weights of the generator that nobody asked for before are fetched first.
    ///
    /// # Errors
    /// `{ code, message, … }`: settings, prompt, verifier; `device_lost` with `next_step`.
    pub async fn draw(&self, settings: JsValue, on_event: Function, on_progress: Function) -> Result<(), JsValue> {
        let begin = Beginning::Draw { settings: read_settings(settings)?, begin: Vec::new() };
        self.run(begin, on_event, &on_progress).await
    }

    /// Draws a part of a picture again, as `showo inpaint` does: of its N `codes` those at which `hole`, N bytes, is not 0; the
    /// others stay. Everything else is as with [`Engine::draw`].
    ///
    /// # Errors
    /// As [`Engine::draw`]; `canvas` where the hole is empty or for another number of tokens, or the codes are not this bundle's.
    pub async fn paint(
        &self,
        settings: JsValue,
        codes: Vec<i32>,
        hole: Vec<u8>,
        on_event: Function,
        on_progress: Function,
    ) -> Result<(), JsValue> {
        let settings = read_settings(settings)?;
        let hole: Vec<bool> = hole.into_iter().map(|byte| byte != 0).collect();
        let begin = with_hole(&codes, &hole).map_err(|error| Problem::from(SessionError::from(error)))?;
        self.run(Beginning::Draw { settings, begin }, on_event, &on_progress).await
    }

    /// Goes on with the drawing that was stopped, or whose device was lost; or with that of a `recording`, the JSON of its events,
    /// where this engine knows none.
    ///
    /// # Errors
    /// As [`Engine::draw`]; `recording` where the events contradict each other or the model.
    pub async fn resume(
        &self,
        recording: Option<String>,
        on_event: Function,
        on_progress: Function,
    ) -> Result<(), JsValue> {
        let begin = match recording.filter(|_| self.drawing.borrow().is_none()) {
            Some(json) => Beginning::Recording(
                serde_json::from_str(&json)
                    .map_err(|error| Problem::new("recording", format!("the recording cannot be read: {error}")))?,
            ),
            None => Beginning::Resume,
        };
        self.run(begin, on_event, &on_progress).await
    }

    /// The guided logits of one forward, a row of the codebook's columns for each image position: the same numbers as
    /// the native `showo probe` gives, up to rounding.
    ///
    /// # Errors
    /// `{ code, message }`: the prompt cannot be read, the device failed.
    pub async fn probe(&self, prompt: String) -> Result<Float32Array, JsValue> {
        let models = self.loaded()?;
        let probe = Probe::new(&models, &prompt).map_err(|error| Problem::from(SessionError::from(error)))?;
        let logits = read_floats(probe.logits()).await.map_err(|error| Problem::new("device", error))?;
        Ok(Float32Array::from(logits.as_slice()))
    }

    /// A whole step of the same state, with its previews and judges: the native `showo probe --round`.
    ///
    /// # Errors
    /// As [`Engine::probe`].
    pub async fn round(&self, prompt: String) -> Result<JsValue, JsValue> {
        let models = self.loaded()?;
        let probe = Probe::new(&models, &prompt).map_err(|error| Problem::from(SessionError::from(error)))?;
        let round = probe.round(super::javascript::seconds).await.map_err(|error| Problem::new("device", error))?;
        Ok(to_javascript(&round))
    }

    /// The picture of N codes as the tokenizer shows it: a candidate of which the page has a small preview. `{ width_px, height_px,
    /// png_base64 }`, as in a trace.
    ///
    /// # Errors
    /// `{ code, message }`: codes of another bundle, a device that fails.
    pub async fn picture(&self, codes: Vec<i32>) -> Result<JsValue, JsValue> {
        let models = self.loaded()?;
        let picture = large(&models, &codes).await.map_err(|error| Problem::new("picture", error))?;
        Ok(to_javascript(&picture))
    }

    /// Bytes of the engine's own memory, which never shrinks, and of the weights on the device.
    pub fn memory(&self) -> JsValue {
        const PAGE_BYTES: usize = 1 << 16;
        let device_bytes = self.models.borrow().as_ref().map_or(0, Models::device_bytes);
        let heap_bytes = (std::arch::wasm32::memory_size(0) * PAGE_BYTES) as u64;
        to_javascript(&Memory { heap_bytes, device_bytes })
    }

    /// Ends the running drawing: at once where it waits for the network or a device, else before its next step.
    pub fn stop(&self) {
        if let Some(running) = self.running.borrow().as_ref() {
            running.raise();
        }
    }

    /// Checks and times the int8 kernels on this engine's device: one row a check.
    ///
    /// # Errors
    /// `{ code, message }`: the first check that is off, or a device that does not answer.
    pub async fn self_test(&self) -> Result<JsValue, JsValue> {
        let device = self.device.borrow().clone();
        test_kernels(&device).await
    }
}

/// Where a run of a drawing begins.
enum Beginning {
    /// `begin` holds what is there already, and nothing where all is drawn.
    Draw {
        settings: Settings,
        begin: Vec<i32>,
    },
    Resume,
    Recording(Vec<Event>),
}

impl Engine {
    /// The models.
    fn loaded(&self) -> Result<Models, Problem> {
        self.models.borrow().clone().ok_or_else(|| Problem::new("not_loaded", "the model has not been loaded yet"))
    }

    async fn run(&self, begin: Beginning, on_event: Function, on_progress: &Function) -> Result<(), JsValue> {
        if self.running.borrow().is_some() {
            return Err(Problem::new("busy", "a picture is being drawn; stop it first").into());
        }
        // From here on a stop is heard, also while weights are fetched.
        let stop = Signal::default();
        *self.running.borrow_mut() = Some(stop.clone());
        let mut host = WorkerHost { on_event, pulse: Rc::default() };
        let outcome = self.run_alone(begin, &stop, &mut host, on_progress).await;
        *self.running.borrow_mut() = None;
        Ok(outcome?)
    }

    async fn run_alone(
        &self,
        begin: Beginning,
        stop: &Signal,
        host: &mut WorkerHost,
        on_progress: &Function,
    ) -> Result<(), Problem> {
        let Some(prepared) = stop.unless_raised(self.prepare(&begin, on_progress)).await else {
            // What was drawn before is still there to go on with.
            if let Some(drawing) = self.drawing.borrow().as_ref().filter(|_| matches!(begin, Beginning::Resume)) {
                host.cancelled(drawing);
            }
            return Ok(());
        };
        let models = prepared?;
        let device = self.device.borrow().clone();
        let drawing = self.drawing.borrow().clone().filter(|_| matches!(begin, Beginning::Resume));
        let mut session = Session::with_drawing(models, drawing).with_stopper(stop.clone());
        if let Beginning::Recording(events) = &begin {
            session.resume_from(events)?;
        }
        let watched = Watched::begin(&device, host.pulse.clone());
        let outcome = device
            .health
            .lost
            .unless_raised(async {
                match begin {
                    Beginning::Draw { settings, begin } => session.draw_from(settings, begin, host).await,
                    Beginning::Resume | Beginning::Recording(_) => session.resume(host).await,
                }
            })
            .await;
        drop(watched);
        let next_step = session.drawing().map_or(0, Drawing::next_step);
        if let Some(drawing) = session.into_drawing() {
            *self.drawing.borrow_mut() = Some(drawing);
        }
        let outcome: Result<Outcome, SessionError> =
            outcome.unwrap_or_else(|| Err(SessionError::DeviceLost { next_step, why: device.health.why() }));
        if let Err(SessionError::DeviceLost { why, .. }) = &outcome {
            // Whatever the reason, nothing on this device can be trusted any more.
            device.health.lose(why.as_str());
        }
        outcome?;
        Ok(())
    }

    /// Models on a device that is there, with the weights that the settings ask for.
    async fn prepare(&self, begin: &Beginning, on_progress: &Function) -> Result<Models, Problem> {
        if self.device.borrow().health.lost.is_raised() {
            self.begin_again().await?;
        }
        if let Beginning::Draw { settings, .. } = begin {
            self.fetch(ModelKind::Showo(settings.generator), on_progress).await?;
            report(on_progress, &Progress::phase("ready"));
        }
        self.loaded()
    }

    /// What drawing needs, onto the present device; onto another where that is lost meanwhile.
    async fn load_models(&self, on_progress: &Function) -> Result<(), Problem> {
        loop {
            let device = self.device.borrow().clone();
            // Taken out, because nothing is borrowed across an await; put back with whatever has arrived.
            let mut arriving = self.arriving.take();
            let tell = &mut |progress: LoadProgress<'_>| tell(on_progress, &self.bundle, progress);
            let load = arriving.load(&self.bundle, &device.place, tell);
            let loaded = device.health.lost.unless_raised(load).await;
            if device.health.lost.is_raised() {
                self.change_device().await?;
                continue;
            }
            *self.arriving.borrow_mut() = arriving;
            if let Some(models) = loaded {
                *self.models.borrow_mut() = Some(models?);
                return Ok(());
            }
        }
    }

    /// After the loss of a device: the same models on a new one, from the page's cache.
    async fn begin_again(&self) -> Result<(), Problem> {
        let nobody = Function::new_no_args("");
        let before = self.models.take();
        self.change_device().await?;
        self.load_models(&nobody).await?;
        let Some(before) = before else { return Ok(()) };
        for kind in ModelKind::ALL.into_iter().filter(|&kind| before.has(kind) && self.bundle.has(kind)) {
            self.fetch(kind, &nobody).await?;
        }
        Ok(())
    }

    /// Another device for the one that was lost. A graphics device that hung, failed, or was lost twice is not tried again.
    async fn change_device(&self) -> Result<(), Problem> {
        self.losses.set(self.losses.get() + 1);
        if self.losses.get() > 1 {
            device::give_up("the graphics device was lost more than once");
        }
        let config: ShowoConfig = self.bundle.config(ModelKind::SHOWO)?;
        let wish = match self.wish.device {
            Asked::Cpu => self.wish.clone(),
            // It was chosen before; the trial only says whether it still computes.
            Asked::Auto | Asked::Webgpu => Wish { device: Asked::Webgpu, ..Wish::default() },
        };
        let (device, measured) = choose(&wish, &config).await;
        self.generation.set(self.generation.get() + 1);
        *self.arriving.borrow_mut() = Arriving::default();
        *self.device.borrow_mut() = device;
        *self.measured.borrow_mut() = measured;
        Ok(())
    }

    /// Reads a model and takes it in, unless it is there; a drawing may run meanwhile.
    async fn fetch(&self, kind: ModelKind, on_progress: &Function) -> Result<(), Problem> {
        loop {
            let generation = self.generation.get();
            let models = self.loaded()?;
            if models.has(kind) {
                return Ok(());
            }
            let tell = &mut |progress: LoadProgress<'_>| tell(on_progress, &self.bundle, progress);
            let network = models.read_network(&self.bundle, kind, tell).await?;
            if generation == self.generation.get() {
                return Ok(match self.models.borrow_mut().as_mut() {
                    Some(models) => models.add(network)?,
                    None => {}
                });
            }
            // The device was lost meanwhile; what was read lies on the old one.
        }
    }
}

/// Gives a graphics device up that hangs: for as long as this is there, a pulse has to go on.
struct Watched(Rc<Cell<bool>>);

impl Watched {
    /// Seconds between two looks.
    const LOOK_SECONDS: f64 = 0.5;

    fn begin(device: &WebDevice, pulse: Rc<Cell<u32>>) -> Self {
        let over = Rc::new(Cell::new(!device.is_graphics()));
        let (ended, patience, health) = (over.clone(), device.patience_seconds, device.health.clone());
        spawn_local(async move {
            // Looks are counted, not the clock: a machine that slept has not hung.
            let (mut seen, mut still_seconds) = (pulse.get(), 0.0);
            while !ended.get() {
                sleep((1000.0 * Self::LOOK_SECONDS) as i32).await;
                still_seconds = if pulse.get() == seen { still_seconds + Self::LOOK_SECONDS } else { 0.0 };
                seen = pulse.get();
                if still_seconds > patience && !ended.get() {
                    let why = format!("it did not answer for {patience:.0} s");
                    device::give_up(&format!("the graphics device failed: {why}"));
                    return health.lose(why);
                }
            }
        });
        Self(over)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

fn read_settings(settings: JsValue) -> Result<Settings, Problem> {
    serde_wasm_bindgen::from_value(settings)
        .map_err(|error| Problem::new("settings", format!("the settings cannot be read: {error}")))
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

/// As [`Engine::self_test`] where no bundle is open: on the device that the browser offers.
///
/// # Errors
/// As there.
#[wasm_bindgen]
pub async fn self_test() -> Result<JsValue, JsValue> {
    test_kernels(&device::open("auto").await).await
}

async fn test_kernels(device: &WebDevice) -> Result<JsValue, JsValue> {
    let rows = device.health.lost.unless_raised(crate::check::self_test(&device.place.device)).await;
    let rows = rows.unwrap_or_else(|| Err(device.health.why()));
    Ok(to_javascript(&rows.map_err(|why| Problem::new("self_test", why))?))
}

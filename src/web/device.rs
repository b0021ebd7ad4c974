//! The devices of a browser: its processor, and its graphics device opened through wgpu.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use burn::tensor::Device;
use burn::tensor::wgpu::{WgpuSetup, wgpu};

use super::javascript::{field, within};
use crate::load::Place;
use crate::signal::Signal;

/// Seconds that a graphics device has to answer while it is opened, compiled for and first used.
pub const PATIENCE_SECONDS: f64 = 10.0;

/// A device with its name and limits, and what becomes of it.
#[derive(Clone)]
pub struct WebDevice {
    /// The device, its words and its limits.
    pub place: Place,
    /// `webgpu` or `cpu`.
    pub kind: &'static str,
    /// Why the processor draws; nothing where the graphics device does.
    pub why: Option<String>,
    /// Seconds that a drawing may pass on it without an event, before it is given up.
    pub patience_seconds: f64,
    /// Whether it is still there.
    pub health: Health,
}

impl WebDevice {
    /// This machine's processor, and why it is taken.
    pub fn cpu(why: impl Into<String>) -> Self {
        Self {
            place: Place::cpu("CPU"),
            kind: "cpu",
            why: Some(why.into()),
            patience_seconds: f64::INFINITY,
            health: Health::default(),
        }
    }

    /// Whether it can be lost, and may hang.
    pub fn is_graphics(&self) -> bool {
        self.kind == "webgpu"
    }
}

/// Whether a device has been lost, and why.
#[derive(Clone, Default)]
pub struct Health {
    /// Raised once it is lost.
    pub lost: Signal,
    why: Arc<Mutex<Option<String>>>,
}

impl Health {
    /// Marks the device as lost; whoever waits on it hears. The first reason counts.
    pub fn lose(&self, why: impl Into<String>) {
        if let Ok(mut known) = self.why.lock() {
            known.get_or_insert(why.into());
        }
        self.lost.raise();
    }

    /// Why it was lost.
    pub fn why(&self) -> String {
        self.why.lock().ok().and_then(|why| why.clone()).unwrap_or_else(|| "the browser took it away".to_owned())
    }
}

/// An adapter that a browser offers.
pub struct Adapter {
    instance: wgpu::Instance,
    adapter: wgpu::Adapter,
    /// What the browser calls it.
    pub name: String,
}

thread_local! {
    /// What [`open`] opened last.
    static OPENED: RefCell<Option<WebDevice>> = const { RefCell::new(None) };
    /// Why no graphics device is tried any more in this worker.
    static GIVEN_UP: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From here on no graphics device is tried: what failed once is not repeated.
pub fn give_up(why: &str) {
    GIVEN_UP.with_borrow_mut(|known| {
        known.get_or_insert_with(|| why.to_owned());
    });
}

/// Why no graphics device is tried any more, if so.
pub fn given_up() -> Option<String> {
    GIVEN_UP.with_borrow(Clone::clone)
}

/// The browser's fastest adapter.
///
/// # Errors
/// Why there is none, in words that end a sentence.
pub async fn adapter() -> Result<Adapter, String> {
    if !field(&field(&js_sys::global(), "navigator"), "gpu").is_object() {
        return Err("this browser offers no WebGPU".to_owned());
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::BROWSER_WEBGPU,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let options =
        wgpu::RequestAdapterOptions { power_preference: wgpu::PowerPreference::HighPerformance, ..Default::default() };
    let adapter = within(PATIENCE_SECONDS, instance.request_adapter(&options))
        .await
        .ok_or_else(|| late("when WebGPU was asked for an adapter"))?
        .map_err(|_| "this browser has WebGPU, and no graphics device for it".to_owned())?;
    let name = Some(adapter.get_info().name).filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| "a graphics device that the browser does not name".to_owned());
    Ok(Adapter { instance, adapter, name })
}

/// The graphics device where there is one and `asked` is not `cpu`, untried; else the processor: for checks of the device itself.
pub async fn open(asked: &str) -> WebDevice {
    if asked == "cpu" {
        return WebDevice::cpu("it was asked for");
    }
    if let Some(held) = OPENED.with_borrow(Clone::clone).filter(|held| !held.health.lost.is_raised()) {
        return held;
    }
    let opened = match adapter().await {
        Ok(adapter) => adapter.open().await,
        Err(why) => Err(why),
    };
    let opened = opened.unwrap_or_else(WebDevice::cpu);
    OPENED.set(Some(opened.clone()));
    opened
}

impl Adapter {
    /// Opens the device, with the adapter's own limits and without anything that is optional.
    ///
    /// # Errors
    /// Why it cannot be opened, in words that end a sentence.
    pub async fn open(self) -> Result<WebDevice, String> {
        let Self { instance, adapter, name } = self;
        let wanted = wgpu::DeviceDescriptor {
            // Every kernel is plain WGSL: no feature is asked for, so that none can be lacking.
            required_features: wgpu::Features::empty(),
            required_limits: adapter.limits(),
            // Buffers are kept by burn, in pages of its own.
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let (device, queue) = within(PATIENCE_SECONDS, adapter.request_device(&wanted))
            .await
            .ok_or_else(|| late("when it was opened"))?
            .map_err(|error| format!("the graphics device could not be opened ({error})"))?;
        let health = Health::default();
        let lost = health.clone();
        device.set_device_lost_callback(move |_, why| {
            let why = why.trim();
            lost.lose(if why.is_empty() { "the browser took it away" } else { why });
        });
        let limits = device.limits();
        let largest_buffer = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let opened = device.clone();
        let setup = WgpuSetup { instance, adapter, device, queue, backend: wgpu::Backend::BrowserWebGpu };
        let device = Device::wgpu_options()
            .setup(setup)
            .init()
            .map_err(|error| format!("the graphics device cannot be used ({error})"))?;
        let failed = health.clone();
        // A kernel that is refused would leave zeros where a picture should be. In place of burn's own listener, which panics.
        opened.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let error = error.to_string();
            let error = error.lines().next().unwrap_or_default();
            give_up(&format!("the graphics device refused what it was to compute ({error})"));
            failed.lose(error);
        }));
        Ok(WebDevice {
            place: Place { device, words: format!("WebGPU: {name}"), largest_buffer },
            kind: "webgpu",
            why: None,
            patience_seconds: PATIENCE_SECONDS,
            health,
        })
    }
}

/// A device that does not answer.
pub fn late(when: &str) -> String {
    format!("the graphics device did not answer within {PATIENCE_SECONDS} s {when}")
}

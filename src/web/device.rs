//! Which device computes in the browser, and whether it is still there.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use burn::tensor::{Device, DeviceKind};
use js_sys::{Function, Promise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::javascript::{field, object, text};
use crate::load::Place;

/// A device with its name and limits, and what becomes of it.
#[derive(Clone)]
pub struct WebDevice {
    /// The device, its words and its limits.
    pub place: Place,
    /// `webgpu` or `cpu`.
    pub kind: &'static str,
    /// Whether it is still there.
    pub health: Health,
}

/// Whether a device has been lost.
#[derive(Clone, Default)]
pub struct Health(Arc<Loss>);

#[derive(Default)]
struct Loss {
    happened: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Health {
    /// Marks the device as lost; whoever waits on it hears.
    pub fn lose(&self) {
        self.0.happened.store(true, Ordering::Relaxed);
        let waker = self.0.waker.lock().ok().and_then(|mut waker| waker.take());
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub fn is_lost(&self) -> bool {
        self.0.happened.load(Ordering::Relaxed)
    }

    /// Waits for `work`, or gives nothing as soon as the device is lost: a read-back may then never come.
    pub async fn while_it_lasts<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Ok(mut waker) = self.0.waker.lock() {
                *waker = Some(context.waker().clone());
            }
            match work.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if self.is_lost() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

thread_local! {
    /// WebGPU begins once a page: a second beginning under the same name is an error.
    static WEBGPU: RefCell<Option<WebDevice>> = const { RefCell::new(None) };
    /// How often it has begun; each device after a loss needs a name of its own.
    static BEGINNINGS: Cell<usize> = const { Cell::new(0) };
}

/// Opens the best device: WebGPU where there is an adapter and `asked` is not `cpu`, else this machine's processor.
pub async fn open(asked: &str) -> WebDevice {
    if asked == "cpu" {
        return cpu("WebGPU was not asked for");
    }
    let held = WEBGPU.with_borrow(Clone::clone).filter(|held| !held.health.is_lost());
    if let Some(held) = held {
        return held;
    }
    let Some(name) = adapter_name().await else {
        return cpu("this browser offers no WebGPU");
    };
    let times = BEGINNINGS.replace(BEGINNINGS.get() + 1);
    // In a browser every kind but the integrated asks for the fastest adapter; the number only tells them apart.
    let kind = if times == 0 { DeviceKind::DefaultDevice } else { DeviceKind::DiscreteGpu(times) };
    match Device::wgpu_options().device_kind(kind).init_with_setup_async().await {
        Ok((device, setup)) => {
            let health = Health::default();
            let lost = health.clone();
            setup.device.set_device_lost_callback(move |_, _| lost.lose());
            // The device was asked for with the adapter's own limits: there are no higher ones to be had.
            let limits = setup.device.limits();
            let largest_buffer = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
            let place = Place { device, words: format!("WebGPU: {name}"), largest_buffer };
            let opened = WebDevice { place, kind: "webgpu", health };
            WEBGPU.set(Some(opened.clone()));
            opened
        }
        Err(error) => cpu(&format!("WebGPU did not start ({error})")),
    }
}

fn cpu(why: &str) -> WebDevice {
    WebDevice { place: Place::cpu(format!("CPU, slower: {why}")), kind: "cpu", health: Health::default() }
}

/// What the browser calls its best adapter; `None` where it has none.
async fn adapter_name() -> Option<String> {
    let gpu = field(&field(&js_sys::global(), "navigator"), "gpu");
    let request: Function = field(&gpu, "requestAdapter").dyn_into().ok()?;
    let options = object(&[("powerPreference", "high-performance".into())]);
    let promise: Promise = request.call1(&gpu, &options).ok()?.dyn_into().ok()?;
    let adapter = JsFuture::from(promise).await.ok()?;
    if adapter.is_null() || adapter.is_undefined() {
        return None;
    }
    Some(name(&field(&adapter, "info")))
}

/// The most telling of the words that a browser gives; it may give none.
fn name(info: &JsValue) -> String {
    let parts: Vec<String> = ["vendor", "architecture"].iter().filter_map(|part| text(info, part)).collect();
    text(info, "description")
        .or_else(|| text(info, "device"))
        .or_else(|| (!parts.is_empty()).then(|| parts.join(" ")))
        .unwrap_or_else(|| "a graphics device that the browser does not name".to_owned())
}

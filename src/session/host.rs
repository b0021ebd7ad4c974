//! What a session needs of whoever runs it.

use scenes::World;

use crate::trace::Event;

/// Takes the events, and lends an event loop and a clock: none of them is the same in a browser and on a desktop.
#[allow(async_fn_in_trait, reason = "in a browser nothing is Send")]
pub trait Host {
    /// Something has happened.
    fn event(&mut self, event: &Event);

    /// Lets the caller's event loop run; called between steps, so that a stop can be heard.
    async fn breathe(&mut self) {}

    /// Brings what a world's checker needs and this program does not hold; called before a picture is judged.
    ///
    /// # Errors
    /// Why it could not be brought, in a sentence; the picture is then not judged.
    async fn prepare_checker(&self, _world: World) -> Result<(), String> {
        Ok(())
    }

    /// Seconds since any fixed moment.
    fn seconds(&self) -> f64;
}

/// A host for native programs and tests: a callback, the system's clock, and nothing else to run.
#[cfg(not(target_arch = "wasm32"))]
pub struct NativeHost<F> {
    on_event: F,
    begin: std::time::Instant,
}

#[cfg(not(target_arch = "wasm32"))]
impl<F: FnMut(&Event)> NativeHost<F> {
    /// Hands every event to `on_event`.
    pub fn new(on_event: F) -> Self {
        Self { on_event, begin: std::time::Instant::now() }
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl<F: FnMut(&Event)> Host for NativeHost<F> {
    fn event(&mut self, event: &Event) {
        (self.on_event)(event);
    }

    fn seconds(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }
}

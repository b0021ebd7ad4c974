//! The worker as a session's host.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::Function;
use scenes::World;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsValue;

use super::javascript::{after_waiting_events, fetched, message, seconds};
use crate::session::{Drawing, Host};
use crate::trace::Event;

/// The drawings that the checker of things compares with, beside the worker. They are no part of this program, which a
/// visitor waits for before anything else.
const ATLAS_PNG: &str = "atlas/atlas.png";
const ATLAS_JSON: &str = "atlas/atlas.json";

/// Hands events to a JavaScript function.
pub struct WorkerHost {
    pub on_event: Function,
    /// Counts what has happened: a number that stands still is a device that hangs.
    pub pulse: Rc<Cell<u32>>,
}

impl WorkerHost {
    /// A drawing that is stopped before it could go on.
    pub fn cancelled(&mut self, drawing: &Drawing) {
        self.event(&Event::Cancelled { next_step: drawing.next_step() });
    }
}

/// A value as the page's types have it: plain objects, numbers, `null` for what is absent.
pub fn to_javascript<T: Serialize>(value: &T) -> JsValue {
    // Our own types are structs, lists, texts and numbers; none of them fails.
    value.serialize(&Serializer::json_compatible()).unwrap_or(JsValue::NULL)
}

impl Host for WorkerHost {
    fn event(&mut self, event: &Event) {
        self.pulse.set(self.pulse.get().wrapping_add(1));
        // What the page does with it is its own affair.
        let _ = self.on_event.call1(&JsValue::NULL, &to_javascript(event));
    }

    async fn breathe(&mut self) {
        self.pulse.set(self.pulse.get().wrapping_add(1));
        after_waiting_events().await;
    }

    async fn prepare_checker(&self, world: World) -> Result<(), String> {
        if world != World::Icons || scenes::has_atlas() {
            return Ok(());
        }
        let failed = |why: String| {
            format!(
                "the checker's drawings could not be brought: {why}; serve the built page's folder “atlas” with it, and draw again"
            )
        };
        let png = fetched(ATLAS_PNG).await.map_err(|error| failed(message(&error)))?;
        let json = fetched(ATLAS_JSON).await.map_err(|error| failed(message(&error)))?;
        scenes::give_atlas(&png, &json).map_err(|error| failed(error.to_string()))
    }

    fn seconds(&self) -> f64 {
        seconds()
    }
}

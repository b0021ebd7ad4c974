//! The worker as a session's host.

use js_sys::Function;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsValue;

use super::javascript::{after_waiting_events, seconds};
use crate::session::Host;
use crate::trace::Event;

/// Hands events to a JavaScript function.
pub struct WorkerHost {
    pub on_event: Function,
}

/// A value as the page's types have it: plain objects, numbers, `null` for what is absent.
pub fn to_javascript<T: Serialize>(value: &T) -> JsValue {
    // Our own types are structs, lists, texts and numbers; none of them fails.
    value.serialize(&Serializer::json_compatible()).unwrap_or(JsValue::NULL)
}

impl Host for WorkerHost {
    fn event(&mut self, event: &Event) {
        // What the page does with it is its own affair.
        let _ = self.on_event.call1(&JsValue::NULL, &to_javascript(event));
    }

    async fn breathe(&mut self) {
        after_waiting_events().await;
    }

    fn seconds(&self) -> f64 {
        seconds()
    }
}

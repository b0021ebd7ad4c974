//! What is called in JavaScript.

use js_sys::{Function, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

// As it stands beside the engine's own file: one copy is served, for the worker and for this.
#[wasm_bindgen(raw_module = "./fetch_cached.js")]
extern "C" {
    /// Begins to fetch a shard; the pieces come in order.
    pub fn shard_pieces(url: &str, expected_bytes: f64) -> Pieces;

    /// Drops what is kept of a shard.
    #[wasm_bindgen(catch)]
    pub fn forget_shard(url: &str) -> Result<Promise, JsValue>;
}

#[wasm_bindgen]
extern "C" {
    /// A shard on its way: an asynchronous generator.
    pub type Pieces;

    /// Promises `{ done, value: { bytes, source } }`.
    #[wasm_bindgen(method, catch)]
    pub fn next(this: &Pieces) -> Result<Promise, JsValue>;

    #[wasm_bindgen(js_name = fetch, catch)]
    pub fn fetch(url: &str, options: &JsValue) -> Result<Promise, JsValue>;

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(then: &Function, milliseconds: i32);

    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

/// Seconds since the worker began.
pub fn seconds() -> f64 {
    performance_now() / 1000.0
}

/// The bytes at an address, from the network or the browser's own cache.
///
/// # Errors
/// What the network said, or the server's status.
pub async fn fetched(url: &str) -> Result<Vec<u8>, JsValue> {
    let response: Response = JsFuture::from(fetch(url, &object(&[]))?).await?.dyn_into()?;
    if !response.ok() {
        return Err(JsValue::from_str(&format!("{url}: the server answered {}", response.status())));
    }
    let bytes = JsFuture::from(response.array_buffer()?).await?;
    Ok(Uint8Array::new(&bytes).to_vec())
}

/// Comes back after the events that are waiting now, messages among them.
pub async fn after_waiting_events() {
    let promise = Promise::new(&mut |resolve, _| set_timeout(&resolve, 0));
    // A timer's promise is never rejected.
    let _ = JsFuture::from(promise).await;
}

/// A field of an object; `undefined` where there is none, or no object.
pub fn field(object: &JsValue, name: &str) -> JsValue {
    js_sys::Reflect::get(object, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
}

/// A field that is a text with something in it.
pub fn text(object: &JsValue, name: &str) -> Option<String> {
    field(object, name).as_string().filter(|text| !text.is_empty())
}

/// A plain object from fields.
pub fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = js_sys::Object::new();
    for (name, value) in fields {
        // A fresh object refuses no field.
        let _ = js_sys::Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
}

/// What a JavaScript error says.
pub fn message(error: &JsValue) -> String {
    text(error, "message").or_else(|| error.as_string()).unwrap_or_else(|| format!("{error:?}"))
}

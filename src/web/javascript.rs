//! What is called in JavaScript.

use std::future::Future;

use js_sys::{Function, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

use crate::signal::Signal;

// As it stands beside the engine's own file: one copy is served, for the worker and for this.
#[wasm_bindgen(raw_module = "./fetch_cached.js")]
extern "C" {
    /// Begins to fetch a shard; the pieces come in order.
    pub fn shard_pieces(url: &str, expected_bytes: f64) -> Pieces;

    /// Fetches something small, again where that fails for a moment: promises a response.
    pub fn fetch_patiently(url: &str, options: &JsValue) -> Promise;

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

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(then: &Function, milliseconds: i32) -> JsValue;

    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);

    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

/// Seconds since the worker began.
pub fn seconds() -> f64 {
    performance_now() / 1000.0
}

/// Seconds in which a small file has to arrive once its server has answered.
const BODY_SECONDS: f64 = 60.0;

/// What a server answered, and the bytes.
///
/// # Errors
/// What the network said.
pub async fn answered(url: &str, options: &JsValue) -> Result<(Response, Vec<u8>), JsValue> {
    let response: Response = JsFuture::from(fetch_patiently(url, options)).await?.dyn_into()?;
    let bytes = within(BODY_SECONDS, JsFuture::from(response.array_buffer()?)).await;
    let bytes = bytes.ok_or_else(|| JsValue::from_str("the server began to answer and then said nothing more"))??;
    Ok((response, Uint8Array::new(&bytes).to_vec()))
}

/// The bytes at an address, from the network or the browser's own cache.
///
/// # Errors
/// What the network said, or the server's status.
pub async fn fetched(url: &str) -> Result<Vec<u8>, JsValue> {
    match answered(url, &object(&[])).await? {
        (response, bytes) if response.ok() => Ok(bytes),
        (response, _) => Err(JsValue::from_str(&format!("{url}: the server answered {}", response.status()))),
    }
}

/// Comes back after the events that are waiting now, messages among them.
pub async fn after_waiting_events() {
    sleep(0).await;
}

/// Comes back after so many milliseconds.
pub async fn sleep(milliseconds: i32) {
    let promise = Promise::new(&mut |resolve, _| {
        set_timeout(&resolve, milliseconds);
    });
    // A timer's promise is never rejected.
    let _ = JsFuture::from(promise).await;
}

/// Waits for `work`, or gives nothing where it takes longer than so many seconds: it is then dropped.
pub async fn within<T>(seconds: f64, work: impl Future<Output = T>) -> Option<T> {
    let late = Signal::default();
    let raised = late.clone();
    let raise = Closure::once(move || raised.raise());
    let timer = set_timeout(raise.as_ref().unchecked_ref(), (1000.0 * seconds) as i32);
    let done = late.unless_raised(work).await;
    clear_timeout(&timer);
    done
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

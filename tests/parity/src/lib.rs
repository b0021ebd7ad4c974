//! The reference's golden tensors on a browser's devices, for the end-to-end tests. Natively there is nothing here.
#![cfg(target_arch = "wasm32")]

use serde::Serialize;
use showo::check::parity::{self, Case, Finding, ParityError, Tolerance};
use showo::web::{Problem, open, to_javascript};
use wasm_bindgen::prelude::*;

#[derive(Serialize)]
struct Checked<'a> {
    device: &'static str,
    rows: &'a [Finding],
    troubles: Vec<String>,
}

/// Checks one case (the bytes of its files; `tokenizer` empty where it has none) on `auto` or `cpu`: `{ device, rows, troubles }`, the last being empty where
/// everything agrees.
///
/// # Errors
/// `{ code, message }`: the case cannot be checked.
#[wasm_bindgen]
pub async fn parity(
    name: String,
    device: String,
    config: Vec<u8>,
    golden: Vec<u8>,
    weights: Vec<u8>,
    tokenizer: Vec<u8>,
) -> Result<JsValue, JsValue> {
    let opened = open(&device).await;
    let tolerance = if opened.kind == "webgpu" { Tolerance::WEBGPU } else { Tolerance::CPU };
    let refused = |error: ParityError| Problem::new("parity", error);
    let case = Case::new(&name, &config, &golden, weights).map_err(refused)?.with_tokenizer(tokenizer);
    let findings = parity::check(&case, &opened.place.device, tolerance).await.map_err(refused)?;
    Ok(to_javascript(&Checked { device: opened.kind, rows: findings.rows(), troubles: findings.troubles() }))
}

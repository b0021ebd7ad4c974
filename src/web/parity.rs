//! The reference's golden tensors on the page's device, for the end-to-end tests.

use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::device;
use super::host::to_javascript;
use super::problem::Problem;
use crate::check::parity::{self, Case, Finding, Tolerance};

#[derive(Serialize)]
struct Checked<'a> {
    device: &'static str,
    rows: &'a [Finding],
    troubles: Vec<String>,
}

/// Checks one case (the bytes of its files) on `auto` or `cpu`: `{ device, rows, troubles }`, the last being empty where
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
) -> Result<JsValue, JsValue> {
    let opened = device::open(&device).await;
    let tolerance = if opened.kind == "webgpu" { Tolerance::WEBGPU } else { Tolerance::CPU };
    let refused = |error: parity::ParityError| Problem::new("parity", error);
    let case = Case::new(&name, &config, &golden, weights).map_err(refused)?;
    let findings = parity::check(&case, &opened.place.device, tolerance).await.map_err(refused)?;
    Ok(to_javascript(&Checked { device: opened.kind, rows: findings.rows(), troubles: findings.troubles() }))
}

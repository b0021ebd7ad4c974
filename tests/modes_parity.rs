//! Show-o's other modes, and public CLIP, against the reference: every case of `tests/fixtures/understanding` on the CPU, with the operations
//! of our own and with burn's, where gradients are recorded. `SHOWO_PARITY_DIR` is for `train/tests/reference_parity.rs`,
//! which takes cases of every kind.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::{Path, PathBuf};

use ::showo::check::parity::{self, Case, Kind, Tolerance};
use burn::tensor::Device;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/understanding")
}

fn names(prefix: &str) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let names = fs::read_dir(folder())?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort();
    if names.is_empty() { Err(format!("no case {prefix}*.json").into()) } else { Ok(names) }
}

fn file(name: &str, suffix: &str) -> std::io::Result<Vec<u8>> {
    fs::read(folder().join(format!("{name}{suffix}")))
}

/// What disagrees, where the golden file is as given.
fn troubles(name: &str, golden: &[u8], device: &Device) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let case = Case::new(name, &file(name, ".json")?, golden, file(name, ".weights.safetensors")?)?;
    let tokenizer = if case.kind == Kind::Clipscore { file(name, ".hub/tokenizer.json")? } else { Vec::new() };
    let case = case.with_tokenizer(tokenizer);
    let findings = pollster::block_on(parity::check(&case, device, Tolerance::CPU))?;
    for row in findings.rows() {
        println!("  {row}");
    }
    Ok(findings.troubles())
}

fn check(prefix: &str) -> Outcome {
    let mut all = Vec::new();
    for name in names(prefix)? {
        for device in [Device::flex(), Device::flex().autodiff()] {
            println!("{name}{}", if device.is_autodiff() { ", gradients recorded" } else { "" });
            all.extend(troubles(&name, &file(&name, ".golden.safetensors")?, &device)?);
        }
    }
    if all.is_empty() { Ok(()) } else { Err(all.join("\n").into()) }
}

#[test]
fn questions_are_answered_as_the_reference_answers_them() -> Outcome {
    check("mmu_")
}

#[test]
fn a_hole_is_drawn_as_the_reference_draws_it() -> Outcome {
    check("inpaint_")
}

#[test]
fn a_picture_is_continued_as_the_reference_continues_it() -> Outcome {
    check("extrapolate_")
}

#[test]
fn texts_and_pictures_are_scored_as_public_clip_scores_them() -> Outcome {
    check("clipscore_")
}

/// A check that passes whatever the reference says would be worth nothing: every golden tensor is changed in turn, but the
/// inputs, whose last value may decide nothing.
#[test]
fn a_changed_golden_tensor_is_noticed() -> Outcome {
    for name in ["mmu_tiny", "inpaint_tiny", "extrapolate_tiny", "clipscore_tiny"] {
        let golden = file(name, ".golden.safetensors")?;
        let tensors = safetensors::SafeTensors::deserialize(&golden)?;
        for tensor in tensors.names().into_iter().filter(|tensor| {
            !tensor.contains(".u_") && !tensor.starts_with("mask_image") && !tensor.starts_with("image.")
        }) {
            let told = troubles(name, &with_change(&golden, tensor)?, &Device::flex());
            assert!(told.is_ok_and(|told| !told.is_empty()), "{name}: nobody notices a changed `{tensor}`");
        }
    }
    Ok(())
}

/// The file with the last value of one tensor changed: floats by a hundredth and more, ids by one.
fn with_change(golden: &[u8], tensor: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    use safetensors::{Dtype, SafeTensors};
    let view = SafeTensors::deserialize(golden)?.tensor(tensor)?;
    let (dtype, data) = (view.dtype(), view.data());
    let end = data.as_ptr() as usize - golden.as_ptr() as usize + data.len();
    let mut changed = golden.to_vec();
    match dtype {
        Dtype::F32 => {
            let last = &mut changed[end - 4..end];
            let value = f32::from_le_bytes([last[0], last[1], last[2], last[3]]);
            last.copy_from_slice(&(value + 0.01 + value.abs()).to_le_bytes());
        }
        Dtype::I64 => changed[end - 8] ^= 1,
        _ => changed[end - 1] ^= 1,
    }
    Ok(changed)
}

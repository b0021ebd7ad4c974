//! Every case of golden tensors on the CPU backend: with the operations of our own, and on the autodiff device with
//! burn's, which is what training computes.
//!
//! `SHOWO_PARITY_DIR` names the folder of cases; without it, the reference's own (`tests/fixtures/reference`) and those
//! of an implementation in numpy that reproduces the reference's (`tests/fixtures/more`).

use std::fs;
use std::path::{Path, PathBuf};

use ::showo::check::parity::{self, Case, Findings, Kind, ParityError, Tolerance};
use burn::tensor::Device;
use train::dpo;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(folder)
}

#[test]
fn every_case_agrees_with_the_reference() -> Outcome {
    match std::env::var_os("SHOWO_PARITY_DIR") {
        Some(folder) => check_folder(Path::new(&folder)),
        None => ["reference", "more"].into_iter().try_for_each(|folder| check_folder(&fixtures(folder))),
    }
}

fn check_folder(folder: &Path) -> Outcome {
    let mut troubles = Vec::new();
    for name in cases(folder)? {
        let case = read(folder, &name)?;
        for device in [Device::flex(), Device::flex().autodiff()] {
            let words = if device.is_autodiff() { "gradients recorded" } else { "no gradients" };
            println!("{name}, {words}");
            let findings = check(&case, &device).map_err(|error| format!("{name}: {error}"))?;
            for row in findings.rows() {
                println!("  {row}");
            }
            troubles.extend(findings.troubles().into_iter().map(|trouble| format!("{name}, {words}: {trouble}")));
        }
    }
    if troubles.is_empty() { Ok(()) } else { Err(troubles.join("\n").into()) }
}

/// The names of the cases of a folder, of which there must be one at least.
fn cases(folder: &Path) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .map_err(|error| format!("cannot list {}: {error}", folder.display()))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect();
    names.sort();
    if names.is_empty() { Err(format!("no case (NAME.json) in {}", folder.display())) } else { Ok(names) }
}

fn read(folder: &Path, name: &str) -> Result<Case, String> {
    let file = |suffix: &str| {
        let path = folder.join(format!("{name}{suffix}"));
        fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    // Before the files: a case of an unknown kind need not have all of them.
    let kind = Kind::of(name).map_err(|error| error.to_string())?;
    let weights = if kind == Kind::Dpo { Vec::new() } else { file(".weights.safetensors")? };
    let tokenizer = if kind == Kind::Clipscore { file(".hub/tokenizer.json")? } else { Vec::new() };
    let case = Case::new(name, &file(".json")?, &file(".golden.safetensors")?, weights);
    Ok(case.map_err(|error| error.to_string())?.with_tokenizer(tokenizer))
}

fn check(case: &Case, device: &Device) -> Result<Findings, ParityError> {
    match case.kind {
        Kind::Dpo => check_dpo(case, device),
        _ => pollster::block_on(parity::check(case, device, Tolerance::CPU)),
    }
}

/// The training code's own loss.
fn check_dpo(case: &Case, device: &Device) -> Result<Findings, ParityError> {
    #[derive(serde::Deserialize)]
    struct Options {
        beta: f64,
    }
    let Options { beta } = case.config()?;
    let mut findings = Findings::default();
    // The reference's sums are in f32, of which a sum of −200 has no finer than 1.5e-5: two such steps are allowed, and
    // to the losses, which are their differences, too.
    let mut allowed = 1e-5f32;
    let mut sums = |model: &str| -> Result<dpo::Sums, ParityError> {
        let mut side = |side: &str| {
            let logits = case.tensor(&format!("{model}.{side}.logits"), device)?;
            let [pairs, tokens, vocabulary] = logits.dims();
            let labels = format!("{side}.labels");
            let misfits = |label: &&i64| **label != dpo::IGNORED && !(0..vocabulary as i64).contains(*label);
            if let Some(label) = case.ints(&labels, [pairs, tokens])?.iter().find(misfits) {
                let (name, why) = (case.name.clone(), format!("`{labels}` holds the label {label}"));
                return Err(ParityError::Golden { name, why });
            }
            let sums = dpo::summed_log_probability(logits, case.int_tensor(&labels, device)?);
            let name = format!("{model}.{side}.logps");
            let wanted = case.floats(&name, sums.dims())?;
            let largest = wanted.iter().fold(0f32, |largest, sum| largest.max(sum.abs()));
            allowed = allowed.max(2.0 * f32::EPSILON * largest);
            findings.close("log-probabilities", &name, &values(&sums), wanted, allowed);
            Ok::<_, ParityError>(sums)
        };
        Ok(dpo::Sums { chosen: side("chosen")?, rejected: side("rejected")? })
    };
    let (policy, reference) = (sums("policy")?, sums("reference")?);
    let free = dpo::reference_free_loss(policy.clone());
    for (name, loss) in [("loss.with_reference", dpo::loss(policy, reference, beta)), ("loss.reference_free", free)] {
        findings.close(name, "", &values(&loss), case.floats(name, loss.dims())?, allowed);
    }
    Ok(findings)
}

fn values(tensor: &burn::tensor::Tensor<1>) -> Vec<f32> {
    tensor.clone().into_data().iter::<f32>().collect()
}

#[test]
fn a_folder_without_cases_fails() -> Outcome {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("README.md"), "no case")?;
    let refusal = check_folder(folder.path()).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refusal.starts_with("no case"), "{refusal}");
    assert!(check_folder(&folder.path().join("nowhere")).is_err());
    Ok(())
}

#[test]
fn a_case_of_an_unknown_kind_fails() -> Outcome {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("vae_tiny.json"), "{}")?;
    let refusal = check_folder(folder.path()).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refusal.contains("vae_tiny: unknown kind of case"), "{refusal}");
    Ok(())
}

/// A check that passes whatever the reference says would be worth nothing: every golden tensor is changed in turn.
#[test]
fn a_changed_golden_tensor_is_noticed() -> Outcome {
    for (name, inputs) in
        [("showo_tiny", &["u_sample", "u_mask"][..]), ("magvit_tiny", &[]), ("clip_tiny", &[]), ("dpo_tiny", &[])]
    {
        let folder = fixtures("reference");
        let golden = fs::read(folder.join(format!("{name}.golden.safetensors")))?;
        let names =
            safetensors::SafeTensors::deserialize(&golden)?.names().into_iter().map(str::to_owned).collect::<Vec<_>>();
        for tensor in names.into_iter().filter(|tensor| !inputs.iter().any(|input| tensor.ends_with(input))) {
            let changed = tempfile::tempdir()?;
            for suffix in [".json", ".weights.safetensors"] {
                let from = folder.join(format!("{name}{suffix}"));
                if from.exists() {
                    fs::copy(from, changed.path().join(format!("{name}{suffix}")))?;
                }
            }
            fs::write(changed.path().join(format!("{name}.golden.safetensors")), with_change(&golden, &tensor)?)?;
            assert!(check_folder(changed.path()).is_err(), "{name}: nobody notices a changed `{tensor}`");
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

//! Every case of the reference's golden tensors on the CPU backend: with the operations of our own, and on the autodiff
//! device with burn's, which is what training computes.
//!
//! `SHOWO_PARITY_DIR` names the folder of cases; without it, the project's own copy.

mod parity;

use std::path::PathBuf;

use burn::tensor::Device;

#[test]
fn every_case_agrees_with_the_reference() {
    let folder = std::env::var_os("SHOWO_PARITY_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference"), PathBuf::from);
    let mut cases: Vec<String> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()))
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect();
    cases.sort();
    assert!(!cases.is_empty(), "no case (NAME.json) in {}", folder.display());
    for name in cases {
        for device in [Device::flex(), Device::flex().autodiff()] {
            let case = parity::Case::read(&folder, &name, &device);
            println!("{name}, gradients {}", if device.is_autodiff() { "recorded" } else { "not recorded" });
            match name.split('_').next() {
                Some("showo") => parity::showo::check(&case),
                Some("magvit") => parity::magvit::check(&case),
                Some("clip") => parity::clip::check(&case),
                // Its loss belongs to a training command that does not exist yet.
                Some("dpo") => {}
                _ => panic!("{name}: unknown kind of case"),
            }
        }
    }
}

//! Every case of the reference's golden tensors, on the CPU backend.
//!
//! `SHOWO_PARITY_DIR` names the folder of cases; without it, the project's own copy.

mod parity;

use std::path::PathBuf;

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
        let case = parity::Case::read(&folder, &name);
        println!("{name}");
        match name.split('_').next() {
            Some("showo") => parity::showo::check(&case),
            Some("magvit") => parity::magvit::check(&case),
            Some("clip") => parity::clip::check(&case),
            // The training code's own loss is what this kind tests: see train/tests/dpo_parity.rs.
            Some("dpo") => {}
            _ => panic!("{name}: unknown kind of case"),
        }
    }
}

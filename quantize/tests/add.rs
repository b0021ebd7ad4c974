//! Models added to a bundle that is there.

mod support;

use std::fs;

use serde_json::json;
use support::{Room, read_all, says};

/// A room whose `bundle` has a generator and an image tokenizer.
fn room() -> Room {
    let room = Room::new();
    room.converted(&["--input", "showo=showo", "--input", "magvit=magvit", "--keep", "f16", "showo/*dense*"]);
    room
}

const ADD: [&str; 7] = ["convert", "--bundle", "bundle", "--input", "reward:parm=parm", "--out", "more"];

#[test]
fn all_else_stays_byte_for_byte() {
    let room = room();
    fs::write(room.path("who.txt"), "Somebody, CC-BY-4.0\n").unwrap();
    let told = room.ok(&[&ADD[..], &["--attribution", "who.txt", "--decoding", "steps=6,verifier=parm"]].concat());
    says(&told, &["reward:parm", "more: "]);
    assert!(!told.contains("magvit"), "nothing else was converted: {told}");

    let (before, after) = (read_all(&room.path("bundle")), read_all(&room.path("more")));
    for (file, bytes) in before.iter().filter(|(file, _)| *file != "manifest.json") {
        assert!(after[file] == *bytes, "{file}");
    }
    let new: Vec<&String> = after.keys().filter(|file| !before.contains_key(*file)).collect();
    assert_eq!(new, ["reward-parm-000.safetensors"]);
    let (was, is) = (room.manifest(), room.json("more/manifest.json"));
    for field in ["name", "licence", "tokenizer", "format"] {
        assert_eq!(was[field], is[field], "{field}");
    }
    for model in ["showo", "magvit"] {
        assert_eq!(was["models"][model], is["models"][model], "{model}");
    }
    for (name, entry) in was["tensors"].as_object().unwrap() {
        assert_eq!(*entry, is["tensors"][name], "{name}");
    }
    assert_eq!(is["attribution"], json!(["Somebody, CC-BY-4.0"]));
    assert_eq!((&is["decoding"]["steps"], &is["decoding"]["verifier"]), (&json!(6), &json!("parm")));

    // What was added is what `convert` makes of it together with the others.
    let against = ["--against", "showo=showo", "--against", "reward:parm=parm", "--probe-layers", "0"];
    says(&room.ok(&[&["verify", "more"][..], &against].concat()), &["more: sound"]);
    let together = ["--input", "showo=showo", "--input", "magvit=magvit", "--input", "reward:parm=parm"];
    let common = ["convert", "--tokenizer", "tokenizer.json", "--name", "tiny", "--licence", "MIT", "--out", "one"];
    room.ok(&[&common[..], &together].concat());
    assert!(read_all(&room.path("one"))["reward-parm-000.safetensors"] == after["reward-parm-000.safetensors"]);

    says(
        &room.fails(&["convert", "--bundle", "more", "--input", "reward:parm=parm", "--out", "again"]),
        &["more holds such a model already", "unpack"],
    );
    says(&room.fails(&ADD), &["more exists already"]);
}

#[test]
fn what_does_not_fit_the_bundle_or_is_damaged_is_refused_and_leaves_nothing() {
    let room = room();
    let refused = |more: &[&str], words: &[&str]| {
        says(&room.fails(&[&ADD[..], more].concat()), words);
        assert!(!room.path("more").exists() && room.hidden() == 0, "something is left of {more:?}");
    };
    refused(&["--tokenizer", "tokenizer.json"], &["--tokenizer", "--bundle"]);
    refused(&["--world", "scenes"], &["--world", "--bundle"]);
    refused(&["--keep", "f16", "nothing*"], &["nothing*", "no tensor"]);

    let config = room.json("parm/config.json");
    let with = |field: &str, value: serde_json::Value| {
        let mut config = config.clone();
        config[field] = value;
        room.write_json("parm/config.json", &config);
    };
    with("pad", json!(5_000));
    refused(&[], &["reward:parm knows 310 words", "5001"]);
    room.write_json("parm/config.json", &config);

    let shard = room.path("bundle/magvit-000.safetensors");
    let mut bytes = fs::read(&shard).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&shard, &bytes).unwrap();
    refused(&[], &["magvit-000.safetensors", "SHA-256", "fetch that bundle again"]);
    fs::write(&shard, &bytes[..last]).unwrap();
    refused(&[], &["magvit-000.safetensors", "bytes, not"]);
    fs::remove_file(&shard).unwrap();
    refused(&[], &["magvit-000.safetensors"]);
    fs::remove_file(room.path("bundle/manifest.json")).unwrap();
    refused(&[], &["bundle", "manifest.json"]);
}

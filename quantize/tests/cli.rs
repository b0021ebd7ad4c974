//! The command as it is run: a checkpoint in, a bundle out, and every refusal with the names in it.

mod support;

use std::{collections::BTreeMap, fs};

use safetensors::Dtype;
use support::{Room, f32s, read_all, says, write_safetensors};

/// The generator's tensors that the tests below look at.
const PROJECTION: &str = "showo.model.layers.0.self_attn.q_proj.weight";
const NORM: &str = "showo.model.final_layernorm.weight";

fn dtype<'a>(manifest: &'a serde_json::Value, name: &str) -> &'a str {
    manifest["tensors"][name]["dtype"].as_str().unwrap()
}

#[test]
fn converts_inspects_and_verifies() {
    let room = Room::new();
    // The order of the options is not the order of loading.
    let inputs = ["--input", "magvit=magvit", "--input", "reward:parm=parm", "--input", "showo=showo"];
    fs::write(room.path("names.txt"), "Drawings by somebody, CC-BY-4.0\n\n  Others by nobody \n").unwrap();
    let about = ["--world", "scenes", "--attribution", "names.txt"];
    let text = room.converted(&[&inputs[..], &about].concat());
    says(&text, &["showo", "magvit", "reward:parm", "relative RMS"]);
    let manifest = room.manifest();
    assert_eq!(manifest["world"], "scenes");
    assert_eq!(manifest["attribution"], serde_json::json!(["Drawings by somebody, CC-BY-4.0", "Others by nobody"]));
    assert_eq!(manifest["shards"][0]["file"], "showo-000.safetensors");
    assert_eq!(manifest["models"]["showo"]["config"]["hidden_size"], 64);
    assert_eq!(manifest["models"]["magvit"]["source"]["checkpoint"], "magvit");
    for (name, expected) in [
        ("magvit/decoder.up.0.block.0.conv1.weight", "q8"),
        ("showo/showo.model.embed_tokens.weight", "q8"),
        ("reward:parm/position", "f32"),
        ("showo/showo.model.final_layernorm.weight", "f32"),
        ("magvit/decoder.conv_out.weight", "f32"),
    ] {
        assert_eq!(dtype(&manifest, name), expected, "{name}");
    }
    let error = manifest["tensors"][format!("showo/{PROJECTION}")]["error"]["relative_rms"].as_f64().unwrap();
    assert!((0.0005..0.01).contains(&error), "{error}");

    let text = room.ok(&["inspect", "bundle"]);
    says(&text, &["lm_head.weight", "[375, 64]", "q8", "tensors", "parameters", "Others by nobody"]);
    let json: serde_json::Value = serde_json::from_str(&room.ok(&["inspect", "--json", "bundle"])).unwrap();
    assert_eq!(json["totals"]["models"][0]["kind"], "showo");
    let parameters: usize = room.tensors("showo").values().map(|(_, shape, _)| shape.iter().product::<usize>()).sum();
    assert_eq!(json["totals"]["models"][0]["parameters"], parameters);
    assert_eq!(json["manifest"], manifest);

    let text = room.ok(&["verify", "bundle", "--against", "showo=showo", "--against", "magvit=magvit"]);
    says(&text, &["bundle: sound", "worst block", "row ", "2 layers", "16 positions", "KL divergence"]);
}

/// What a bundle of 256 tokens pays for previews: the sizes of the tiny one are those of the shipped one but for the bits.
#[test]
fn a_preview_decoder_is_small_and_sound() {
    let room = Room::new();
    let text = room.converted(&["--input", "preview=preview", "--input", "showo=showo"]);
    says(&text, &["preview", "relative RMS"]);
    let manifest = room.manifest();
    for (name, expected) in [
        ("preview/block.1.conv2.weight", "q8"),
        ("preview/block.1.norm2.weight", "f32"),
        ("preview/conv_in.weight", "f32"),
        ("preview/conv_out.weight", "f32"),
    ] {
        assert_eq!(dtype(&manifest, name), expected, "{name}");
    }
    let json: serde_json::Value = serde_json::from_str(&room.ok(&["inspect", "--json", "bundle"])).unwrap();
    assert_eq!(json["totals"]["models"][1]["kind"], "preview");
    let shard = manifest["models"]["preview"]["shards"][0].as_u64().unwrap() as usize;
    let bytes = manifest["shards"][shard]["bytes"].as_u64().unwrap();
    assert!((150_000..300_000).contains(&bytes), "{bytes} bytes");
    says(&room.ok(&["verify", "bundle", "--against", "preview=preview"]), &["preview", "bundle: sound", "worst block"]);
}

#[test]
fn what_is_unpacked_makes_the_same_bundle_again() {
    let room = Room::new();
    let models = ["showo", "magvit", "preview", "clip", "reward:parm"];
    let folders = ["showo", "magvit", "preview", "clip", "parm"];
    let inputs: Vec<String> = models.iter().zip(folders).map(|(kind, folder)| format!("{kind}={folder}")).collect();
    room.converted(&inputs.iter().flat_map(|input| ["--input", input.as_str()]).collect::<Vec<_>>());
    let text = room.ok(&["unpack", "bundle", "--out", "unpacked"]);
    says(&text, &["unpacked/reward-parm", "tensors in f32"]);
    let mut again = vec!["convert".to_owned(), "--tokenizer".into(), "unpacked".into()];
    for kind in models {
        again.extend(["--input".into(), format!("{kind}=unpacked/{}", kind.replace(':', "-"))]);
    }
    again.extend(["--name", "tiny", "--licence", "MIT", "--out", "again"].map(String::from));
    room.ok(&again.iter().map(String::as_str).collect::<Vec<_>>());
    for shard in room.manifest()["shards"].as_array().unwrap() {
        let file = shard["file"].as_str().unwrap();
        let [first, second] =
            ["bundle", "again"].map(|folder| fs::read(room.path(&format!("{folder}/{file}"))).unwrap());
        assert_eq!(first, second, "{file}");
    }
    let text = room.fails(&["unpack", "bundle", "--out", "unpacked"]);
    says(&text, &["unpacked"]);
}

#[test]
fn full_precision_loses_nothing() {
    let room = Room::new();
    room.converted(&["--scheme", "f32"]);
    let text = room.ok(&["verify", "bundle", "--against", "showo=showo"]);
    let line = text.lines().find(|line| line.contains("all of them")).unwrap();
    says(line, &["0.00e0"]);
    says(&text, &["KL divergence 0.00e0", "16 of 16 positions"]);
}

#[test]
fn patterns_keep_tensors() {
    let room = Room::new();
    room.converted(&["--keep", "f16", "*lm_head.*", "--keep", "f32", "showo/*fc1*"]);
    let manifest = room.manifest();
    assert_eq!(dtype(&manifest, "showo/showo.lm_head.weight"), "f16");
    assert_eq!(dtype(&manifest, "showo/showo.model.layers.0.mlp.fc1.weight"), "f32");
    assert_eq!(dtype(&manifest, &format!("showo/{PROJECTION}")), "q8");
    assert!(manifest["tensors"]["showo/showo.model.layers.0.mlp.fc1.weight"].get("error").is_none());
    fs::remove_dir_all(room.path("bundle")).unwrap();
    says(&room.refused(&["--keep", "f16", "lm_haed.*"]), &["lm_haed", "no tensor"]);
    says(&room.refused(&["--keep", "f8", "lm_head.*"]), &["f16 or f32"]);
}

#[test]
fn what_is_too_small_for_int8_is_kept_and_what_loses_much_is_named() {
    let room = Room::new();
    let whole = room.tensors("showo");
    let scaled = |name: &str, rows: std::ops::Range<usize>, factor: f32| {
        let (dtype, shape, bytes) = whole[name].clone();
        let mut values: Vec<f32> = bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
        let inputs = shape[1];
        values[rows.start * inputs..rows.end * inputs].iter_mut().for_each(|value| *value *= factor);
        room.set_tensor("showo", name, Some((dtype, shape, f32s(&values))));
    };
    assert!(!room.converted(&[]).contains("warning"));
    fs::remove_dir_all(room.path("bundle")).unwrap();

    // All of it: int8 and half precision would lose it; single precision does not.
    scaled(PROJECTION, 0..64, 1e-6);
    for scheme in ["q8", "f16"] {
        let text = room.converted(&["--scheme", scheme]);
        says(&text, &["warning", &format!("showo/{PROJECTION} is kept in f32"), "too small"]);
        assert_eq!(dtype(&room.manifest(), &format!("showo/{PROJECTION}")), "f32");
        let text = room.ok(&["verify", "bundle", "--against", "showo=showo"]);
        let line = text.lines().find(|line| line.contains(PROJECTION)).unwrap();
        says(line, &["f32", "0.00e0"]);
        fs::remove_dir_all(room.path("bundle")).unwrap();
    }
    // Who asks for less gets it, and is told.
    let text = room.converted(&["--keep", "f16", PROJECTION]);
    says(&text, &["warning", PROJECTION, "% wrong", &format!("--keep f32 'showo/{PROJECTION}'")]);
    assert_eq!(dtype(&room.manifest(), &format!("showo/{PROJECTION}")), "f16");
    fs::remove_dir_all(room.path("bundle")).unwrap();
    // What is advised is taken.
    let text = room.converted(&["--keep", "f32", &format!("showo/{PROJECTION}")]);
    assert!(!text.contains("warning"), "{text}");
    fs::remove_dir_all(room.path("bundle")).unwrap();

    // A part of it.
    room.set_tensors("showo", &whole);
    scaled(PROJECTION, 0..16, 1e-6);
    let text = room.converted(&[]);
    says(&text, &["warning", PROJECTION, "25.0 %", "--keep f32"]);
    assert_eq!(dtype(&room.manifest(), &format!("showo/{PROJECTION}")), "q8");
    fs::remove_dir_all(room.path("bundle")).unwrap();

    // One value in each block is much larger than the others.
    let outliers: Vec<f32> = (0..4096).map(|at| if at % 32 == 0 { 20.0 } else { 0.07 }).collect();
    room.set_tensor("showo", PROJECTION, Some((Dtype::F32, vec![64, 64], f32s(&outliers))));
    let text = room.converted(&[]);
    says(&text, &["warning", PROJECTION, "most tensors 0.", "--keep f16"]);
}

#[test]
fn refuses_values_that_no_weight_has() {
    let room = Room::new();
    let whole = room.tensors("showo");
    for value in [f32::NAN, f32::INFINITY] {
        for name in [PROJECTION, NORM] {
            let mut tensors = whole.clone();
            let place = tensors.get_mut(name).unwrap();
            place.2[63 * 4..64 * 4].copy_from_slice(&value.to_le_bytes());
            room.set_tensors("showo", &tensors);
            for scheme in ["q8", "f16", "f32"] {
                let text = room.refused(&["--scheme", scheme]);
                says(&text, &["showo/model.safetensors", name, "element 63", &value.to_string()]);
            }
        }
    }
    room.set_tensors("showo", &whole);
    room.set_tensor("showo", PROJECTION, Some((Dtype::F32, vec![64, 64], f32s(&vec![1e9; 4096]))));
    says(&room.refused(&[]), &["showo/model.safetensors", PROJECTION, "--keep f32"]);
    says(&room.refused(&["--scheme", "f16"]), &["showo/model.safetensors", PROJECTION, "--keep f32"]);
    room.converted(&["--keep", "f32", PROJECTION]);
}

#[test]
fn refuses_tensors_that_the_model_does_not_have() {
    let room = Room::new();
    let whole = room.tensors("showo");
    room.set_tensor("showo", NORM, None);
    says(&room.refused(&[]), &["showo/model.safetensors", NORM, "is missing", "[64]"]);
    room.set_tensors("showo", &whole);
    room.set_tensor("showo", "showo.model.layers.2.mlp.fc1.bias", Some((Dtype::F32, vec![2], f32s(&[1.0; 2]))));
    says(
        &room.refused(&[]),
        &["showo/model.safetensors", "showo.model.layers.2.mlp.fc1.bias", "not a part of the model"],
    );
    room.set_tensors("showo", &whole);
    room.set_tensor("showo", PROJECTION, Some((Dtype::F32, vec![32, 128], f32s(&[0.5; 4096]))));
    says(&room.refused(&[]), &["showo/model.safetensors", PROJECTION, "[32, 128]", "[64, 64]"]);
    room.set_tensors("showo", &whole);
    room.set_tensor("showo", "position_ids", Some((Dtype::I64, vec![2], vec![0; 16])));
    says(&room.refused(&[]), &["showo/model.safetensors", "position_ids", "I64 is not a dtype of weights"]);
    room.set_tensors("showo", &whole);
    room.set_tensor("showo", NORM, Some((Dtype::F64, vec![64], vec![0; 512])));
    says(&room.refused(&[]), &["showo/model.safetensors", NORM, "F64 is not a dtype of weights"]);
    room.set_tensors("showo", &whole);
    room.set_tensor("showo", NORM, Some((Dtype::F32, vec![0], vec![])));
    says(&room.refused(&[]), &["showo/model.safetensors", NORM, "no elements"]);
}

#[test]
fn what_the_network_computes_is_left_out() {
    let room = Room::new();
    let text = room.converted(&["--input", "magvit=magvit"]);
    says(&text, &["quantize.embedding is left out", "quantize.power_vals is left out"]);
    assert!(room.manifest()["tensors"].get("magvit/quantize.embedding").is_none());
    room.ok(&["verify", "bundle", "--against", "magvit=magvit"]);
    fs::remove_dir_all(room.path("bundle")).unwrap();
    room.set_tensor("clip", "text_model.embeddings.position_ids", Some((Dtype::I64, vec![1, 2], vec![0; 16])));
    says(&room.converted(&["--input", "clip=clip"]), &["text_model.embeddings.position_ids is left out"]);
    // In another model it is a stranger.
    fs::remove_dir_all(room.path("bundle")).unwrap();
    room.set_tensor("parm", "quantize.power_vals", Some((Dtype::I64, vec![2], vec![0; 16])));
    says(&room.refused(&["--input", "reward:parm=parm"]), &["quantize.power_vals", "I64"]);
}

#[test]
fn refuses_files_that_are_not_sound() {
    let room = Room::new();
    let file = room.path("showo/model.safetensors");
    let whole = fs::read(&file).unwrap();
    for length in [whole.len() - 1, whole.len() / 2, 100, 8, 3, 0] {
        fs::write(&file, &whole[..length]).unwrap();
        says(&room.refused(&[]), &["showo/model.safetensors", "truncated"]);
    }
    let mut longer = whole.clone();
    longer.push(0);
    fs::write(&file, &longer).unwrap();
    says(&room.refused(&[]), &["showo/model.safetensors", "belong to no tensor"]);

    // A header that lies about one tensor's shape or place, of the same length.
    let swap = |from: &str, to: &str| {
        let at = whole.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        let mut lying = whole.clone();
        lying[at..at + to.len()].copy_from_slice(to.as_bytes());
        fs::write(&file, lying).unwrap();
        room.refused(&[])
    };
    says(&swap("[375,64]", "[376,64]"), &["showo/model.safetensors", "takes"]);
    says(&swap("[0,96000]", "[4,96004]"), &["showo/model.safetensors", "its bytes"]);
    says(&swap("\"F32\"", "\"F99\""), &["showo/model.safetensors", "F99 is not supported"]);

    write_safetensors(&file, &BTreeMap::new());
    says(&room.refused(&[]), &["showo", "no tensor"]);
    fs::remove_file(&file).unwrap();
    says(&room.refused(&[]), &["showo", "holds no .safetensors, .bin"]);
    says(&room.refused(&["--input", "showo=showo/model.safetensors"]), &["showo/model.safetensors"]);
}

#[test]
fn refuses_options_that_make_no_sense() {
    let room = Room::new();
    says(&room.refused(&["--input", "parm=parm"]), &["parm", "reward:parm"]);
    says(&room.refused(&["--input", "showo"]), &["KIND=PATH"]);
    says(&room.refused(&["--input", "showo=showo", "--input", "showo=showo"]), &["showo", "twice"]);
    says(&room.refused(&["--input", "showo=showo:absent.json"]), &["absent.json"]);
    fs::write(room.path("list.json"), "[]").unwrap();
    says(&room.refused(&["--input", "showo=showo:list.json"]), &["list.json", "object"]);
    fs::rename(room.path("showo/config.json"), room.path("showo.json")).unwrap();
    says(&room.refused(&[]), &["showo/config.json", "name one"]);
    fs::rename(room.path("showo.json"), room.path("showo/model.json")).unwrap();
    room.converted(&["--input", "showo=showo/model.safetensors"]);
    let before = read_all(&room.path("bundle"));
    let (success, text) = room.convert(&["--input", "showo=showo/model.safetensors"]);
    assert!(!success);
    says(&text, &["bundle exists already"]);
    assert_eq!(read_all(&room.path("bundle")), before);
}

#[test]
fn verify_names_what_is_wrong() {
    let room = Room::new();
    room.converted(&[]);
    let shard = room.path("bundle/showo-000.safetensors");
    let whole = fs::read(&shard).unwrap();
    let mut damaged = whole.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 4;
    fs::write(&shard, &damaged).unwrap();
    says(&room.fails(&["verify", "bundle"]), &["showo-000.safetensors is damaged"]);
    fs::write(&shard, &whole[..last]).unwrap();
    says(&room.fails(&["verify", "bundle"]), &["showo-000.safetensors", "truncated"]);
    fs::remove_file(&shard).unwrap();
    says(&room.fails(&["verify", "bundle"]), &["showo-000.safetensors is not in the bundle"]);
    fs::write(&shard, &whole).unwrap();
    fs::write(room.path("bundle/notes.txt"), "").unwrap();
    says(&room.ok(&["verify", "bundle"]), &["notes.txt", "not in the manifest"]);

    says(&room.fails(&["verify", "bundle", "--against", "clip=clip"]), &["clip", "no such model"]);
    says(&room.fails(&["verify", "elsewhere"]), &["elsewhere", "manifest.json is not in the bundle"]);
    says(&room.fails(&["inspect", "elsewhere"]), &["elsewhere", "manifest.json is not in the bundle"]);
    let against = ["verify", "bundle", "--against", "showo=showo"];
    let other = room.tensors("showo");
    room.set_tensor("showo", NORM, None);
    says(&room.fails(&against), &[NORM, "not in the checkpoint"]);
    room.set_tensor("showo", NORM, Some((Dtype::F32, vec![8, 8], f32s(&[1.0; 64]))));
    says(&room.fails(&against), &[NORM, "[8, 8]", "[64]"]);
    room.set_tensors("showo", &other);
    room.set_tensor("showo", "more.weight", Some((Dtype::F32, vec![1], f32s(&[1.0]))));
    says(&room.fails(&against), &["more.weight", "missing from the bundle"]);
    room.set_tensors("showo", &other);
    room.set_tensor("showo", NORM, Some((Dtype::F32, vec![64], f32s(&[1.0; 64]))));
    says(&room.ok(&against), &["was made from other files"]);
}

#[test]
fn a_reader_that_leaves_is_no_panic() {
    let room = Room::new();
    room.converted(&[]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = room.command(&["inspect", "bundle"]).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_same_clock_gives_the_same_bytes() {
    let room = Room::new();
    let mut bundles = Vec::new();
    for _ in 0..2 {
        let arguments =
            ["convert", "--tokenizer", "tokenizer.json", "--name", "tiny", "--licence", "MIT", "--out", "bundle"];
        let output = room
            .command(&arguments)
            .args(["--input", "showo=showo"])
            .env("SOURCE_DATE_EPOCH", "951782400")
            .output()
            .unwrap();
        assert!(output.status.success());
        bundles.push(read_all(&room.path("bundle")));
        fs::remove_dir_all(room.path("bundle")).unwrap();
    }
    assert_eq!(bundles[0], bundles[1]);
    says(&String::from_utf8_lossy(&bundles[0]["manifest.json"]), &["2000-02-29T00:00:00Z"]);
}

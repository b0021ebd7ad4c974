//! The command as it is run: a checkpoint in, a bundle out, and every refusal with the names in it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use safetensors::{Dtype, tensor::TensorView};
use tempfile::TempDir;

/// A folder with a checkpoint, its configuration and a tokenizer.
struct Room {
    folder: TempDir,
}

type Tensors = BTreeMap<&'static str, (Dtype, Vec<usize>, Vec<u8>)>;

/// Smooth numbers without a pattern that quantization could meet exactly.
fn values(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i as f32 * 0.7).sin() + (i as f32 * 0.013).cos()) * 0.05).collect()
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn tensors() -> Tensors {
    let bf16: Vec<u8> =
        values(64 * 100).into_iter().flat_map(|value| half::bf16::from_f32(value).to_le_bytes()).collect();
    let f16: Vec<u8> = values(4096).into_iter().flat_map(|value| half::f16::from_f32(value).to_le_bytes()).collect();
    BTreeMap::from([
        ("conv.weight", (Dtype::F32, vec![48, 11, 3, 3], f32s(&values(48 * 99)))),
        ("lm_head.weight", (Dtype::BF16, vec![64, 100], bf16)),
        ("norm.weight", (Dtype::F32, vec![64], f32s(&values(64)))),
        ("proj.weight", (Dtype::F16, vec![64, 64], f16)),
        ("tiny.weight", (Dtype::F32, vec![4, 4], f32s(&values(16)))),
    ])
}

impl Room {
    fn new() -> Self {
        let room = Self { folder: tempfile::tempdir().unwrap() };
        room.checkpoint(&tensors());
        fs::write(room.path("model.json"), r#"{"hidden_size": 64}"#).unwrap();
        fs::write(room.path("tokenizer.json"), r#"{"model": {"type": "WordLevel"}}"#).unwrap();
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn checkpoint(&self, tensors: &Tensors) {
        let views = tensors
            .iter()
            .map(|(name, (dtype, shape, bytes))| (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
        fs::write(self.path("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_quantize"))
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap(),
        )
    }

    fn convert(&self, more: &[&str]) -> (bool, String) {
        let mut arguments =
            vec!["convert", "--tokenizer", "tokenizer.json", "--name", "tiny", "--licence", "MIT", "--out", "bundle"];
        if !more.contains(&"--input") {
            arguments.extend(["--input", "showo=model.safetensors"]);
        }
        arguments.extend(more);
        self.run(&arguments)
    }

    /// A refused conversion: its message; and nothing is left behind.
    fn refused(&self, more: &[&str]) -> String {
        let (success, text) = self.convert(more);
        assert!(!success, "accepted: {text}");
        assert!(!self.path("bundle").exists());
        let hidden = fs::read_dir(self.folder.path())
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
        assert_eq!(hidden.count(), 0, "an unfinished folder is left");
        text
    }

    fn manifest(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.path("bundle/manifest.json")).unwrap()).unwrap()
    }
}

fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

fn dtype<'a>(manifest: &'a serde_json::Value, name: &str) -> &'a str {
    manifest["tensors"][name]["dtype"].as_str().unwrap()
}

#[test]
fn converts_inspects_and_verifies() {
    let room = Room::new();
    fs::copy(room.path("model.safetensors"), room.path("vq.safetensors")).unwrap();
    fs::write(room.path("vq-config.json"), "{}").unwrap();
    // The order of the options is not the order of loading.
    let inputs =
        ["--input", "magvit=vq.safetensors:vq-config.json", "--input", "showo=model.safetensors", "--world", "scenes"];
    let (success, text) = room.convert(&inputs);
    assert!(success, "{text}");
    let manifest = room.manifest();
    assert_eq!(manifest["world"], "scenes");
    assert_eq!(manifest["shards"][0]["file"], "showo-000.safetensors");
    assert_eq!(manifest["models"]["showo"]["config"]["hidden_size"], 64);
    assert_eq!(manifest["models"]["magvit"]["source"]["checkpoint"], "vq.safetensors");
    for (name, expected) in [
        ("conv.weight", "q8"),
        ("lm_head.weight", "q8"),
        ("proj.weight", "q8"),
        ("norm.weight", "f32"),
        ("tiny.weight", "f32"),
    ] {
        assert_eq!(dtype(&manifest, &format!("showo/{name}")), expected, "{name}");
    }
    let error = manifest["tensors"]["showo/conv.weight"]["error"]["relative_rms"].as_f64().unwrap();
    assert!((0.0005..0.01).contains(&error), "{error}");

    let (success, text) = room.run(&["inspect", "bundle"]);
    assert!(success, "{text}");
    says(&text, &["lm_head.weight", "[48, 11, 3, 3]", "q8", "tensors", "parameters"]);
    let (success, text) = room.run(&["inspect", "--json", "bundle"]);
    assert!(success, "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["totals"]["models"][0]["kind"], "showo");
    assert_eq!(json["totals"]["models"][0]["parameters"], 48 * 99 + 6400 + 64 + 4096 + 16);
    assert_eq!(json["manifest"], manifest);

    let (success, text) = room.run(&["verify", "bundle", "--against", "showo=model.safetensors"]);
    assert!(success, "{text}");
    says(&text, &["bundle: sound", "worst block", "row "]);
}

#[test]
fn full_precision_loses_nothing() {
    let room = Room::new();
    let (success, text) = room.convert(&["--scheme", "f32"]);
    assert!(success, "{text}");
    let (success, text) = room.run(&["verify", "bundle", "--against", "showo=model.safetensors"]);
    assert!(success, "{text}");
    let line = text.lines().find(|line| line.contains("all of them")).unwrap();
    says(line, &["0.00e0"]);
}

#[test]
fn patterns_keep_tensors() {
    let room = Room::new();
    let (success, text) = room.convert(&["--keep", "f16", "lm_head.*", "--keep", "f32", "showo/conv*"]);
    assert!(success, "{text}");
    let manifest = room.manifest();
    assert_eq!(dtype(&manifest, "showo/lm_head.weight"), "f16");
    assert_eq!(dtype(&manifest, "showo/conv.weight"), "f32");
    assert_eq!(dtype(&manifest, "showo/proj.weight"), "q8");
    assert!(manifest["tensors"]["showo/conv.weight"].get("error").is_none());
    fs::remove_dir_all(room.path("bundle")).unwrap();
    says(&room.refused(&["--keep", "f16", "lm_haed.*"]), &["lm_haed", "no tensor"]);
    says(&room.refused(&["--keep", "f8", "lm_head.*"]), &["f16 or f32"]);
}

#[test]
fn refuses_values_that_no_weight_has() {
    for value in [f32::NAN, f32::INFINITY] {
        for (name, shape) in [("conv.weight", vec![48, 11, 3, 3]), ("norm.weight", vec![64])] {
            let room = Room::new();
            let mut tensors = tensors();
            let mut broken = values(shape.iter().product());
            broken[63] = value;
            tensors.insert(name, (Dtype::F32, shape, f32s(&broken)));
            room.checkpoint(&tensors);
            for scheme in ["q8", "f16", "f32"] {
                says(
                    &room.refused(&["--scheme", scheme]),
                    &["model.safetensors", name, "element 63", &value.to_string()],
                );
            }
        }
    }
    let room = Room::new();
    let mut tensors = tensors();
    tensors.insert("proj.weight", (Dtype::F32, vec![64, 64], f32s(&vec![1e9; 4096])));
    room.checkpoint(&tensors);
    says(&room.refused(&[]), &["model.safetensors", "proj.weight", "--keep f32"]);
    says(&room.refused(&["--scheme", "f16"]), &["model.safetensors", "proj.weight", "--keep f32"]);
    let (success, text) = room.convert(&["--keep", "f32", "proj.weight"]);
    assert!(success, "{text}");
}

#[test]
fn refuses_checkpoints_that_are_not_sound() {
    let room = Room::new();
    let mut tensors = tensors();
    tensors.insert("position_ids", (Dtype::I64, vec![2], vec![0; 16]));
    room.checkpoint(&tensors);
    says(&room.refused(&[]), &["model.safetensors", "position_ids", "I64"]);

    // What the network computes for itself is no weight; in another model it is a stranger.
    let room = Room::new();
    let mut tensors = self::tensors();
    tensors.insert("quantize.power_vals", (Dtype::I64, vec![2], vec![0; 16]));
    room.checkpoint(&tensors);
    says(&room.refused(&[]), &["quantize.power_vals", "I64"]);
    let (success, text) = room.convert(&["--input", "magvit=model.safetensors"]);
    assert!(success, "{text}");
    says(&text, &["left out magvit/quantize.power_vals"]);
    let (success, text) = room.run(&["verify", "bundle", "--against", "magvit=model.safetensors"]);
    assert!(success, "{text}");

    let room = Room::new();
    let whole = fs::read(room.path("model.safetensors")).unwrap();
    for length in [whole.len() - 1, whole.len() / 2, 100, 8, 3, 0] {
        fs::write(room.path("model.safetensors"), &whole[..length]).unwrap();
        says(&room.refused(&[]), &["model.safetensors", "truncated"]);
    }
    let mut longer = whole.clone();
    longer.push(0);
    fs::write(room.path("model.safetensors"), &longer).unwrap();
    says(&room.refused(&[]), &["model.safetensors", "belong to no tensor"]);

    // A header that lies about one tensor's place, of the same length.
    let text = String::from_utf8_lossy(&whole).into_owned();
    assert!(text.contains("\"shape\":[48,11,3,3]"));
    let at = whole.windows(9).position(|window| window == b"48,11,3,3").unwrap();
    let mut lying = whole;
    lying[at] = b'5';
    fs::write(room.path("model.safetensors"), lying).unwrap();
    says(&room.refused(&[]), &["model.safetensors", "conv.weight", "takes"]);

    room.checkpoint(&BTreeMap::new());
    says(&room.refused(&[]), &["model.safetensors", "no tensor"]);
    fs::remove_file(room.path("model.safetensors")).unwrap();
    says(&room.refused(&[]), &["model.safetensors"]);
}

#[test]
fn refuses_options_that_make_no_sense() {
    let room = Room::new();
    says(&room.refused(&["--input", "parm=model.safetensors"]), &["parm", "reward:parm"]);
    says(&room.refused(&["--input", "showo"]), &["KIND=PATH"]);
    says(
        &room.refused(&["--input", "showo=model.safetensors", "--input", "showo=model.safetensors"]),
        &["showo", "twice"],
    );
    says(&room.refused(&["--input", "showo=model.safetensors:absent.json"]), &["absent.json"]);
    fs::write(room.path("list.json"), "[]").unwrap();
    says(&room.refused(&["--input", "showo=model.safetensors:list.json"]), &["list.json", "object"]);
    fs::remove_file(room.path("model.json")).unwrap();
    says(&room.refused(&[]), &["model.json", "config.json", "name one"]);
    fs::write(room.path("config.json"), "{}").unwrap();
    fs::write(room.path("tokenizer.json"), "{}").unwrap();
    says(&room.refused(&[]), &["tokenizer.json", "model"]);
    fs::write(room.path("tokenizer.json"), r#"{"model": {}}"#).unwrap();
    assert!(room.convert(&[]).0, "config.json beside the weights is found");
    let before = fs::read(room.path("bundle/manifest.json")).unwrap();
    let (success, text) = room.convert(&[]);
    assert!(!success);
    says(&text, &["bundle exists already"]);
    assert_eq!(fs::read(room.path("bundle/manifest.json")).unwrap(), before);
}

#[test]
fn verify_names_what_is_wrong() {
    let room = Room::new();
    assert!(room.convert(&[]).0);
    let shard = room.path("bundle/showo-000.safetensors");
    let whole = fs::read(&shard).unwrap();
    let refused = |arguments: &[&str]| {
        let (success, text) = room.run(arguments);
        assert!(!success, "accepted: {text}");
        text
    };
    let mut damaged = whole.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 4;
    fs::write(&shard, &damaged).unwrap();
    says(&refused(&["verify", "bundle"]), &["showo-000.safetensors is damaged"]);
    fs::write(&shard, &whole[..last]).unwrap();
    says(&refused(&["verify", "bundle"]), &["showo-000.safetensors", "truncated"]);
    fs::remove_file(&shard).unwrap();
    says(&refused(&["verify", "bundle"]), &["showo-000.safetensors is not in the bundle"]);
    fs::write(&shard, &whole).unwrap();
    fs::write(room.path("bundle/notes.txt"), "").unwrap();
    let (success, text) = room.run(&["verify", "bundle"]);
    assert!(success);
    says(&text, &["notes.txt", "not in the manifest"]);

    says(&refused(&["verify", "bundle", "--against", "clip=model.safetensors"]), &["clip", "no such model"]);
    says(&refused(&["verify", "elsewhere"]), &["elsewhere", "manifest.json is not in the bundle"]);
    says(&refused(&["inspect", "elsewhere"]), &["elsewhere", "manifest.json is not in the bundle"]);
    let mut other = tensors();
    other.remove("tiny.weight");
    room.checkpoint(&other);
    says(
        &refused(&["verify", "bundle", "--against", "showo=model.safetensors"]),
        &["tiny.weight", "not in the checkpoint"],
    );
    other.insert("tiny.weight", (Dtype::F32, vec![16], f32s(&values(16))));
    room.checkpoint(&other);
    says(&refused(&["verify", "bundle", "--against", "showo=model.safetensors"]), &["tiny.weight", "[16]", "[4, 4]"]);
    other.insert("tiny.weight", (Dtype::F32, vec![4, 4], f32s(&[1.0; 16])));
    other.insert("more.weight", (Dtype::F32, vec![1], f32s(&[1.0])));
    room.checkpoint(&other);
    says(
        &refused(&["verify", "bundle", "--against", "showo=model.safetensors"]),
        &["more.weight", "missing from the bundle"],
    );
    other.remove("more.weight");
    room.checkpoint(&other);
    let (success, text) = room.run(&["verify", "bundle", "--against", "showo=model.safetensors"]);
    assert!(success, "{text}");
    says(&text, &["was made from another file"]);
}

#[test]
fn a_reader_that_leaves_is_no_panic() {
    let room = Room::new();
    assert!(room.convert(&[]).0);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_quantize"))
        .args(["inspect", "bundle"])
        .current_dir(room.folder.path())
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_same_clock_gives_the_same_bytes() {
    let room = Room::new();
    let mut bundles = Vec::new();
    for _ in 0..2 {
        let output = Command::new(env!("CARGO_BIN_EXE_quantize"))
            .args(["convert", "--tokenizer", "tokenizer.json", "--name", "tiny", "--licence", "MIT", "--out", "bundle"])
            .args(["--input", "showo=model.safetensors"])
            .env("SOURCE_DATE_EPOCH", "951782400")
            .current_dir(room.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success());
        bundles.push(read_all(&room.path("bundle")));
        fs::remove_dir_all(room.path("bundle")).unwrap();
    }
    assert_eq!(bundles[0], bundles[1]);
    says(&String::from_utf8_lossy(&bundles[0]["manifest.json"]), &["2000-02-29T00:00:00Z"]);
}

fn read_all(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
        })
        .collect()
}

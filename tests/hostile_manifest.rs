//! Bundles whose manifest is broken, or made to break the reader: each is refused, by the name of what is wrong.

mod bundle_support;

use bundle_support::*;
use serde_json::{Value, json};
use showo::bundle::{BundleError, Manifest, MemoryReader};

const SHOWO: &str = "showo-000.safetensors";
const MAGVIT: &str = "magvit-000.safetensors";

/// Opens a bundle whose manifest was edited; the error's field and problem.
fn refused_manifest(edit: impl FnOnce(&mut Value)) -> (String, String) {
    let mut reader = sample();
    edit_manifest(&mut reader, edit);
    match open(&reader) {
        Err(BundleError::Manifest { field, problem }) => (field, problem),
        other => panic!("not refused as a manifest: {other:?}"),
    }
}

#[test]
fn the_sample_itself_is_sound() {
    load_all(&sample()).unwrap();
}

#[test]
fn missing_files() {
    for file in ["manifest.json", SHOWO, MAGVIT, "tokenizer.json"] {
        let mut reader = sample();
        reader.files.remove(file);
        assert_eq!(load_all(&reader), Err(BundleError::Missing { file: file.into() }));
    }
}

#[test]
fn a_manifest_that_is_no_json() {
    for text in ["", "<!doctype html>", "[]", "{}{}", "{\"format\": 1", "\u{0}"] {
        let reader = MemoryReader { files: [("manifest.json".to_string(), text.as_bytes().to_vec())].into() };
        assert!(matches!(open(&reader), Err(BundleError::Manifest { .. })), "{text}");
    }
    let mut reader = sample();
    reader.files.get_mut("manifest.json").unwrap().extend(b"{}");
    assert!(matches!(open(&reader), Err(BundleError::Manifest { .. })));
}

#[test]
fn another_version() {
    for version in [0u64, 3, u64::MAX] {
        let mut reader = sample();
        edit_manifest(&mut reader, |manifest| {
            manifest["format"] = version.into();
            // What is unknown besides must not hide the version.
            manifest["invented_later"] = json!(true);
        });
        let Err(error) = open(&reader) else { panic!("version {version}") };
        assert_eq!(error, BundleError::Version { found: version, known: 2 });
        let told = error.to_string();
        assert!(told.contains("versions 1 to 2") && told.contains(&version.to_string()), "{told}");
        assert_eq!(told.contains("later program"), version > 2, "{told}");
    }
    let mut manifest = Manifest::parse(&sample().files["manifest.json"]).unwrap();
    manifest.format = 7;
    assert_eq!(manifest.validate(), Err(BundleError::Version { found: 7, known: 2 }));
    let (field, _) = refused_manifest(|manifest| manifest["format"] = "1".into());
    assert_eq!(field, "format");
}

#[test]
fn fields_of_the_wrong_kind_are_named() {
    let cases: [(&str, Value, &str); 8] = [
        ("/surprise", json!(1), "surprise"),
        ("/models/showo/surprise", json!(1), "models.showo.surprise"),
        ("/shards/0/surprise", json!(1), "shards[0].surprise"),
        ("/shards/1/bytes", json!(-1), "shards[1].bytes"),
        ("/shards/1/bytes", json!(1e30), "shards[1].bytes"),
        ("/tensors/showo~1embed/dtype", json!("int4"), "tensors.showo/embed.dtype"),
        ("/tensors/showo~1embed/shape", json!([3, -4]), "tensors.showo/embed.shape[1]"),
        ("/world", json!("dreams"), "world"),
    ];
    for (place, value, expected) in cases {
        let (field, problem) = refused_manifest(|manifest| {
            let (parent, name) = place.rsplit_once('/').unwrap();
            manifest.pointer_mut(parent).unwrap()[name] = value;
        });
        assert_eq!(field, expected, "{problem}");
    }
}

#[test]
fn a_world_that_nobody_knows_is_refused_with_those_there_are() {
    let (field, problem) = refused_manifest(|manifest| manifest["world"] = "dreams".into());
    assert_eq!(field, "world");
    for words in ["dreams", "scenes and icons", "convert it again"] {
        assert!(problem.contains(words), "{problem}");
    }
}

#[test]
fn an_attribution_is_lines_of_text() {
    for (lines, expected) in [
        (json!(["Drawings by somebody", " "]), "attribution[1]"),
        (json!(["two\nlines"]), "attribution[0]"),
        (json!(["x".repeat(2_000)]), "attribution[0]"),
        (json!(vec!["one too many"; 100]), "attribution"),
        (json!("Drawings by somebody"), "attribution"),
        (json!([7]), "attribution[0]"),
    ] {
        let (field, problem) = refused_manifest(|manifest| manifest["attribution"] = lines);
        assert_eq!(field, expected, "{problem}");
    }
}

#[test]
fn missing_fields_are_named() {
    for name in ["name", "created", "licence", "models", "shards", "tensors", "tokenizer"] {
        let (_, problem) = refused_manifest(|manifest| {
            manifest.as_object_mut().unwrap().remove(name);
        });
        assert!(problem.contains(&format!("missing field `{name}`")), "{problem}");
    }
}

#[test]
fn names_that_appear_twice() {
    for (map, name) in [("models", "showo"), ("tensors", "showo/embed")] {
        let mut reader = sample();
        let mut manifest: Value = serde_json::from_slice(&reader.files["manifest.json"]).unwrap();
        let entry = manifest[map][name].clone();
        manifest[map]["PLACEHOLDER"] = entry;
        // Only as text can a name be there twice.
        let text = manifest.to_string().replace("PLACEHOLDER", name);
        reader.files.insert("manifest.json".into(), text.into_bytes());
        match open(&reader) {
            Err(BundleError::Manifest { field, problem }) => {
                assert!(field.starts_with(map), "{field}");
                assert!(problem.contains(&format!("{name:?} appears twice")), "{problem}");
            }
            other => panic!("{other:?}"),
        }
    }
    let (field, problem) = refused_manifest(|manifest| manifest["tokenizer"]["file"] = SHOWO.to_uppercase().into());
    assert_eq!(field, "tokenizer.file");
    assert!(problem.contains("used twice"), "{problem}");
    let (field, _) = refused_manifest(|manifest| manifest["shards"][0]["file"] = "manifest.json".into());
    assert_eq!(field, "shards[0].file");
}

#[test]
fn paths_that_leave_the_folder() {
    let long = "a".repeat(129);
    let names = [
        "../secret",
        "..",
        ".",
        "",
        "/etc/passwd",
        "a/b.safetensors",
        "a\\b",
        "..\\secret",
        "C:secret",
        "%2e%2e%2fsecret",
        "a?b",
        "a#b",
        "https://example.org/x",
        ".hidden",
        "a\u{0}b",
        "späne",
        "a b",
        long.as_str(),
    ];
    for name in names {
        let (field, problem) = refused_manifest(|manifest| manifest["shards"][1]["file"] = name.into());
        assert_eq!(field, "shards[1].file");
        assert!(problem.contains("not a plain file name"), "{problem}");
        let (field, _) = refused_manifest(|manifest| manifest["tokenizer"]["file"] = name.into());
        assert_eq!(field, "tokenizer.file");
    }
}

#[test]
fn sizes_that_overflow() {
    let (field, problem) = refused_manifest(|manifest| {
        manifest["shards"][0]["bytes"] = u64::MAX.into();
        manifest["shards"][1]["bytes"] = u64::MAX.into();
    });
    assert_eq!(field, "shards[1].bytes");
    assert!(problem.contains("overflow"), "{problem}");
    for (tensor, shape) in [
        ("showo/head.weight", json!([1u64 << 40, 1u64 << 40])),
        ("showo/head.weight", json!([1, u64::MAX])),
        ("showo/head.bias", json!([u64::MAX / 2])),
        ("showo/embed", json!([u64::MAX / 2, 2])),
    ] {
        let (field, problem) = refused_manifest(|manifest| manifest["tensors"][tensor]["shape"] = shape);
        assert_eq!(field, format!("tensors[{tensor:?}].shape"));
        assert!(problem.contains("overflow"), "{problem}");
    }
    // In bounds one by one, too much together.
    let (field, problem) =
        refused_manifest(|manifest| manifest["tensors"]["showo/head.bias"]["shape"] = json!([1 << 20]));
    assert!(field.starts_with("tensors["), "{field}");
    assert!(problem.contains(&format!("do not fit in {SHOWO}")), "{problem}");
}

#[test]
fn file_entries_that_cannot_be() {
    let (field, _) = refused_manifest(|manifest| manifest["shards"][0]["bytes"] = 0.into());
    assert_eq!(field, "shards[0].bytes");
    for hash in ["", "abc", &"G".repeat(64), &"A".repeat(64), &"0".repeat(65)] {
        let (field, _) = refused_manifest(|manifest| manifest["shards"][0]["sha256"] = hash.into());
        assert_eq!(field, "shards[0].sha256");
        let (field, _) = refused_manifest(|manifest| manifest["tokenizer"]["sha256"] = hash.into());
        assert_eq!(field, "tokenizer.sha256");
        let (field, _) = refused_manifest(|manifest| manifest["models"]["showo"]["source"]["sha256"] = hash.into());
        assert_eq!(field, "models[\"showo\"].source.sha256");
    }
}

#[test]
fn models_that_cannot_be() {
    let (field, _) = refused_manifest(|manifest| {
        manifest["models"] = json!({});
        manifest["tensors"] = json!({});
        manifest["shards"] = json!([]);
    });
    assert_eq!(field, "models");
    let (field, problem) =
        refused_manifest(|manifest| manifest["models"]["parm"] = manifest["models"]["showo"].clone());
    assert_eq!(field, "models");
    assert!(problem.contains("\"parm\"") && problem.contains("reward:parm"), "{problem}");
    let (field, _) = refused_manifest(|manifest| manifest["models"]["showo"]["config"] = json!([]));
    assert_eq!(field, "models[\"showo\"].config");
    for (shards, says) in [
        (json!([]), "has no shard"),
        (json!([0, 0]), "must rise"),
        (json!([1, 0]), "must rise"),
        (json!([0, 2]), "no shard 2"),
        (json!([0, 1]), "belongs to"),
    ] {
        let (field, problem) = refused_manifest(|manifest| manifest["models"]["showo"]["shards"] = shards);
        assert_eq!(field, "models[\"showo\"].shards");
        assert!(problem.contains(says), "{problem}");
    }
    let (field, problem) = refused_manifest(|manifest| {
        let mut unused = manifest["shards"][0].clone();
        unused["file"] = "unused.safetensors".into();
        manifest["shards"].as_array_mut().unwrap().push(unused);
    });
    assert_eq!(field, "shards[2]");
    assert!(problem.contains("no model"), "{problem}");
}

#[test]
fn tensor_entries_that_cannot_be() {
    let rename = |to: &'static str| {
        move |manifest: &mut Value| {
            let entry = manifest["tensors"]["showo/embed"].take();
            manifest["tensors"].as_object_mut().unwrap().remove("showo/embed");
            manifest["tensors"][to] = entry;
        }
    };
    for (name, says) in [
        ("embed", "kind/name"),
        ("showo/", "kind/name"),
        ("clip/embed", "no model"),
        ("magvit/embed", "not one of the model's shards"),
        ("showo/head.weight.scale", "the same name"),
    ] {
        let (_, problem) = refused_manifest(rename(name));
        assert!(problem.contains(says), "{name}: {problem}");
    }
    for (entry, value, says) in [
        ("shape", json!([0, 4]), "none of them 0"),
        ("shape", json!([1, 1, 1, 1, 1, 1, 1, 1, 1]), "at most eight"),
        ("shard", json!(9), "not one of the model's shards"),
        ("error", json!({"relative_rms": -1.0, "worst_block": 0.0}), "finite"),
        ("error", json!({"relative_rms": 0.0, "worst_block": 1e300}), "finite"),
    ] {
        let (field, problem) = refused_manifest(|manifest| manifest["tensors"]["showo/embed"][entry] = value);
        assert!(field.starts_with(&format!("tensors[\"showo/embed\"].{entry}")), "{field}");
        assert!(problem.contains(says), "{problem}");
    }
    let (field, problem) =
        refused_manifest(|manifest| manifest["tensors"]["showo/head.weight"]["shape"] = json!([560]));
    assert_eq!(field, "tensors[\"showo/head.weight\"].shape");
    assert!(problem.contains("two sizes"), "{problem}");
    let (field, problem) = refused_manifest(|manifest| {
        manifest["tensors"].as_object_mut().unwrap().remove("magvit/conv");
    });
    assert_eq!(field, "shards[1]");
    assert!(problem.contains("no tensor"), "{problem}");
}

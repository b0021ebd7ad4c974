//! Bundles that are broken, or made to break the reader: each is refused, by the name of what is wrong.

mod bundle_support;

use bundle_support::*;
use half::f16;
use proptest::prelude::*;
use serde_json::{Value, json};
use showo::bundle::{Bundle, BundleError, Manifest, MemoryReader, ModelKind, TensorSink, block_on, header};

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

/// Loads a bundle whose `showo` shard was replaced by one with a matching hash; the error.
fn refused_shard(edit: impl FnOnce(&mut Value, &mut Vec<u8>)) -> BundleError {
    let mut reader = sample();
    let (mut header, mut data) = split(&reader.files[SHOWO]);
    edit(&mut header, &mut data);
    replace_sealed(&mut reader, SHOWO, safetensors(&header.to_string(), &data));
    let bundle = open(&reader).unwrap();
    let mut sink = Collect::default();
    block_on(bundle.load(ModelKind::SHOWO, &mut sink, &mut |_| {})).expect_err("accepted")
}

/// The same for errors that name a tensor: its name and the problem.
fn refused_tensor(edit: impl FnOnce(&mut Value, &mut Vec<u8>)) -> (String, String) {
    match refused_shard(edit) {
        BundleError::Tensor { file, tensor, problem } if file == SHOWO => (tensor, problem),
        other => panic!("not refused as a tensor: {other}"),
    }
}

/// The same for errors of the file's form: the problem.
fn refused_form(edit: impl FnOnce(&mut Value, &mut Vec<u8>)) -> String {
    match refused_shard(edit) {
        BundleError::File { file, problem } if file == SHOWO => problem,
        other => panic!("not refused as a file: {other}"),
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
    for version in [0u64, 2, u64::MAX] {
        let mut reader = sample();
        edit_manifest(&mut reader, |manifest| {
            manifest["format"] = version.into();
            // What is unknown besides must not hide the version.
            manifest["invented_later"] = json!(true);
        });
        assert!(matches!(open(&reader), Err(BundleError::Version { found, known: 1 }) if found == version));
    }
    let mut manifest = Manifest::parse(&sample().files["manifest.json"]).unwrap();
    manifest.format = 7;
    assert_eq!(manifest.validate(), Err(BundleError::Version { found: 7, known: 1 }));
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

#[test]
fn files_of_another_length() {
    for file in [SHOWO, MAGVIT, "tokenizer.json"] {
        let whole = sample().files[file].len();
        for length in [0, 1, 8, whole - 1, whole + 1] {
            let mut reader = sample();
            reader.files.get_mut(file).unwrap().resize(length, 0);
            let expected = BundleError::Length { file: file.into(), expected: whole as u64, found: length as u64 };
            assert_eq!(load_all(&reader), Err(expected));
        }
    }
}

#[test]
fn a_wrong_hash_in_the_manifest() {
    let mut reader = sample();
    edit_manifest(&mut reader, |manifest| manifest["shards"][1]["sha256"] = "0".repeat(64).into());
    assert!(matches!(load_all(&reader), Err(BundleError::Hash { file, .. }) if file == MAGVIT));
}

#[test]
fn tensors_that_are_missing_surplus_or_different() {
    let (tensor, problem) = refused_tensor(|header, data| {
        header["stranger"] = json!({"dtype": "U8", "shape": [1], "data_offsets": [data.len(), data.len() + 1]});
        data.push(0);
    });
    assert_eq!(tensor, "stranger");
    assert!(problem.contains("not in the manifest"), "{problem}");
    for name in ["embed", "head.bias", "head.weight", "head.weight.scale"] {
        let (tensor, problem) = refused_tensor(|header, _| {
            header["renamed"] = header[name].take();
            header.as_object_mut().unwrap().remove(name);
        });
        assert_eq!(tensor, name);
        assert!(problem.contains("missing from the shard"), "{problem}");
    }
    for (name, dtype, shape, says) in [
        ("head.bias", "U32", json!([5]), "is U32, but must be F32"),
        ("embed", "BF16", json!([3, 4]), "is BF16, but must be F16"),
        ("head.weight", "U8", json!([8, 70]), "is U8, but must be I8"),
        ("head.weight.scale", "I16", json!([8, 3]), "is I16, but must be F16"),
        ("embed", "F16", json!([4, 3]), "has the shape [4, 3], but must have [3, 4]"),
        ("head.weight", "I8", json!([560]), "has the shape [560]"),
        ("head.weight.scale", "F16", json!([3, 8]), "has the shape [3, 8]"),
    ] {
        let (tensor, problem) = refused_tensor(|header, _| {
            header[name]["dtype"] = dtype.into();
            header[name]["shape"] = shape;
        });
        assert_eq!(tensor, name);
        assert!(problem.contains(says), "{problem}");
    }
}

#[test]
fn values_that_no_weight_has() {
    /// Overwrites the first element of a tensor.
    fn put<const N: usize>(name: &str, bytes: [u8; N]) -> impl FnOnce(&mut Value, &mut Vec<u8>) {
        move |header, data| {
            let start = header[name]["data_offsets"][0].as_u64().unwrap() as usize;
            data[start..start + N].copy_from_slice(&bytes);
        }
    }
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let (tensor, problem) = refused_tensor(put("head.bias", value.to_le_bytes()));
        assert_eq!((tensor.as_str(), problem.as_str()), ("head.bias", "holds NaN or infinity"));
        let (tensor, _) = refused_tensor(put("embed", f16::from_f32(value).to_le_bytes()));
        assert_eq!(tensor, "embed");
        let (tensor, problem) = refused_tensor(put("head.weight.scale", f16::from_f32(value).to_le_bytes()));
        assert_eq!(tensor, "head.weight");
        assert!(problem.contains("scale"), "{problem}");
    }
    let (_, problem) = refused_tensor(put("head.weight.scale", f16::from_f32(-1.0).to_le_bytes()));
    assert!(problem.contains("negative"), "{problem}");
    let (_, problem) = refused_tensor(put("head.weight", [0x80]));
    assert!(problem.contains("−128"), "{problem}");
}

#[test]
fn headers_that_lie() {
    type Edit = Box<dyn FnOnce(&mut Value, &mut Vec<u8>)>;
    let cases: Vec<(&str, Edit)> = vec![
        (
            "the file holds",
            Box::new(|header, _| header["embed"]["data_offsets"] = json!([1u64 << 40, (1u64 << 40) + 24])),
        ),
        ("the file holds", Box::new(|_, data| data.truncate(data.len() - 1))),
        ("before they begin", Box::new(|header, _| header["embed"]["data_offsets"] = json!([24, 0]))),
        ("overlap", Box::new(|header, _| header["embed"]["data_offsets"] = json!([0, 24]))),
        ("takes 24 bytes", Box::new(|header, _| header["embed"]["data_offsets"] = json!([20, 45]))),
        ("overflows", Box::new(|header, _| header["embed"]["shape"] = json!([1u64 << 40, 1u64 << 40]))),
        ("belong to no tensor", Box::new(|_, data| data.push(0))),
        (
            "leave a gap",
            Box::new(|header, _| {
                header.as_object_mut().unwrap().remove("embed");
            }),
        ),
        ("F4 is not supported", Box::new(|header, _| header["embed"]["dtype"] = "F4".into())),
        ("unknown field", Box::new(|header, _| header["embed"]["surprise"] = json!(1))),
        ("data_offsets", Box::new(|header, _| header["embed"]["data_offsets"] = json!([-1, 23]))),
        ("embed.shape", Box::new(|header, _| header["embed"]["shape"] = json!([1.5]))),
    ];
    for (says, edit) in cases {
        let problem = refused_form(edit);
        assert!(problem.contains(says), "wanted {says:?}: {problem}");
    }
}

#[test]
fn files_that_are_no_safetensors() {
    let with = |file: Vec<u8>| {
        let mut reader = sample();
        edit_manifest(&mut reader, |manifest| {
            // One byte of data, so that short files get past the manifest.
            manifest["tensors"]["showo/head.bias"]["shape"] = json!([1]);
            manifest["tensors"]["showo/head.weight"] = manifest["tensors"]["showo/head.bias"].clone();
            manifest["tensors"]["showo/embed"] = manifest["tensors"]["showo/head.bias"].clone();
        });
        replace_sealed(&mut reader, SHOWO, file);
        block_on(open(&reader).unwrap().load(ModelKind::SHOWO, &mut Collect::default(), &mut |_| {}))
            .expect_err("accepted")
            .to_string()
    };
    let mut endless = vec![0xff; 64];
    assert!(with(endless.clone()).contains("not a safetensors file"));
    endless[..8].copy_from_slice(&1_000u64.to_le_bytes());
    assert!(with(endless).contains("truncated: 1008 bytes are needed, it has 64"));
    assert!(with(safetensors("{\"a\": 1}", &[0; 64])).contains("not a safetensors file"));
    assert!(with(safetensors("{}{}", &[0; 64])).contains("not a safetensors file"));
    assert!(with(safetensors("", &[0; 64])).contains("not a safetensors file"));
    let entry = r#"{"dtype":"U8","shape":[64],"data_offsets":[0,64]}"#;
    let twice = safetensors(&format!("{{\"a\":{entry},\"a\":{entry}}}"), &[0; 64]);
    assert!(with(twice).contains("\"a\" appears twice"));
    assert!(header::parse_file(&[1, 2, 3]).is_err());
    // Said before anything is allocated for it.
    assert!(header::header_bytes(1_000u64.to_le_bytes(), 64).is_err());
}

#[test]
fn a_tokenizer_that_is_no_text() {
    let mut reader = sample();
    replace_sealed(&mut reader, "tokenizer.json", vec![0xff, 0xfe]);
    assert!(matches!(load_all(&reader), Err(BundleError::File { file, .. }) if file == "tokenizer.json"));
}

#[test]
fn what_the_model_refuses_is_named() {
    struct Picky(usize);
    impl TensorSink for Picky {
        fn float(&mut self, name: &str, _: &[usize], _: Vec<f32>) -> Result<(), String> {
            self.0 += 1;
            if name == "head.bias" { Err("has no place in this network".into()) } else { Ok(()) }
        }
        fn q8(&mut self, _: &str, _: &[usize], _: &[i8], _: &[f16]) -> Result<(), String> {
            panic!("a tensor came after the refusal")
        }
    }
    let reader = sample();
    let mut picky = Picky(0);
    let error = block_on(open(&reader).unwrap().load(ModelKind::SHOWO, &mut picky, &mut |_| {})).unwrap_err();
    let problem = "has no place in this network".to_string();
    assert_eq!(error, BundleError::Tensor { file: SHOWO.into(), tensor: "head.bias".into(), problem });
    assert_eq!(picky.0, 2);
}

#[test]
fn a_bad_copy_is_fetched_once_more() {
    for curable in [true, false] {
        let mut bad = sample();
        bad.files.get_mut(SHOWO).unwrap()[100] ^= 1;
        let stale = Stale::new(bad, curable.then(sample));
        let bundle = block_on(Bundle::open(&stale)).unwrap();
        let mut sink = Collect::default();
        let loaded = block_on(bundle.load(ModelKind::SHOWO, &mut sink, &mut |_| {}));
        assert_eq!(*stale.reads.borrow(), ["manifest.json", SHOWO, SHOWO]);
        assert_eq!(*stale.refreshed.borrow(), [SHOWO]);
        if curable {
            loaded.unwrap();
            assert_eq!(sink.0, showo());
        } else {
            assert!(matches!(loaded, Err(BundleError::Hash { file, .. }) if file == SHOWO));
            assert!(sink.0.is_empty(), "nothing of a damaged shard reaches the model");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn one_flipped_bit_anywhere(which in 0usize..3, place in any::<proptest::sample::Index>(), bit in 0u8..8) {
        let file = [SHOWO, MAGVIT, "tokenizer.json"][which];
        let mut reader = sample();
        let bytes = reader.files.get_mut(file).unwrap();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let refused = matches!(load_all(&reader), Err(BundleError::Hash { file: found, .. }) if found == file);
        prop_assert!(refused);
    }

    /// A damaged manifest has no hash to fail; it must be refused or read, never panic.
    #[test]
    fn a_damaged_manifest_never_panics(place in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let mut reader = sample();
        let bytes = reader.files.get_mut("manifest.json").unwrap();
        let at = place.index(bytes.len());
        bytes[at] = byte;
        let _ = load_all(&reader);
    }

    /// Nor does a shard whose hash was made to match.
    #[test]
    fn a_forged_shard_never_panics(place in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let mut reader = sample();
        let mut bytes = reader.files[SHOWO].clone();
        let at = place.index(bytes.len());
        bytes[at] = byte;
        replace_sealed(&mut reader, SHOWO, bytes);
        let _ = load_all(&reader);
    }

    #[test]
    fn any_bytes_are_no_bundle(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Manifest::parse(&bytes).is_err());
        let _ = header::parse_file(&bytes);
    }

    /// Sizes of every magnitude, in every place that takes one.
    #[test]
    fn any_sizes_never_panic(shape in proptest::collection::vec(any::<u64>(), 0..5), shift in 0u32..64, bytes in any::<u64>(), shard in any::<u64>()) {
        for tensor in ["showo/head.weight", "showo/embed", "showo/head.bias"] {
            let mut reader = sample();
            let shape: Vec<u64> = shape.iter().map(|size| size >> shift).collect();
            edit_manifest(&mut reader, |manifest| {
                manifest["tensors"][tensor]["shape"] = json!(shape);
                manifest["tensors"][tensor]["shard"] = json!(shard >> shift);
                manifest["shards"][0]["bytes"] = json!(bytes);
            });
            prop_assert!(load_all(&reader).is_err());
        }
    }
}

//! Bundles whose shards are broken, or made to break the reader: each is refused, by the name of what is wrong.

mod bundle_support;

use bundle_support::*;
use half::f16;
use proptest::prelude::*;
use serde_json::{Value, json};
use showo::bundle::{Bundle, BundleError, Manifest, ModelKind, PartSink, TensorSink, block_on, header};

const SHOWO: &str = "showo-000.safetensors";
const MAGVIT: &str = "magvit-000.safetensors";

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

/// Takes everything in parts.
struct InParts;

impl TensorSink for InParts {
    fn float(&mut self, _: &str, _: &[usize], _: Vec<f32>) -> Result<(), String> {
        Ok(())
    }
    fn q8(&mut self, _: &str, _: &[usize], _: &[i8], _: &[f16]) -> Result<(), String> {
        Ok(())
    }
    fn in_parts(&mut self) -> Option<&mut dyn PartSink> {
        Some(self)
    }
}

impl PartSink for InParts {
    fn float_part(&mut self, _: &str, _: &[usize], _: Vec<f32>) -> Result<(), String> {
        Ok(())
    }
    fn q8_rows(&mut self, _: &str, _: &[usize], _: &[i8]) -> Result<(), String> {
        Ok(())
    }
    fn scale_rows(&mut self, _: &str, _: &[usize], _: &[f16]) -> Result<(), String> {
        Ok(())
    }
    fn whole(&mut self, _: &str) -> Result<(), String> {
        Ok(())
    }
    fn forget(&mut self, _: &str) {}
}

#[test]
fn what_lies_in_a_file_s_place_is_called_that() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 99\n";
    for (found, words) in [(&pointer[..], "Git LFS pointer to a file of 99 bytes"), (b"<!DOCTYPE html>\n", "web page")]
    {
        for file in [SHOWO, MAGVIT, "tokenizer.json"] {
            let mut reader = sample();
            reader.files.insert(file.into(), found.to_vec());
            // Held whole, and in parts.
            for held in [u64::MAX, 0] {
                let bundle = open(&reader).unwrap().holding_at_most(held);
                let told = block_on(async {
                    bundle.tokenizer_json().await?;
                    for kind in [ModelKind::SHOWO, ModelKind::Magvit] {
                        bundle.load(kind, &mut InParts, &mut |_| {}).await?;
                    }
                    Ok::<_, BundleError>(())
                });
                let told = told.expect_err("accepted").to_string();
                assert!(told.contains(file) && told.contains(words), "{told}");
            }
        }
        let mut reader = sample();
        reader.files.insert("manifest.json".into(), found.to_vec());
        let told = open(&reader).expect_err("accepted").to_string();
        assert!(told.contains("manifest.json") && told.contains(words), "{told}");
    }
}

#[test]
fn a_manifest_may_have_a_byte_order_mark_but_no_other_encoding() {
    let mut reader = sample();
    let text = String::from_utf8(reader.files["manifest.json"].clone()).unwrap();
    reader.files.insert("manifest.json".into(), format!("\u{feff}{text}").into_bytes());
    assert_eq!(load_all(&reader), Ok(()));
    let wide = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    reader.files.insert("manifest.json".into(), wide);
    assert!(open(&reader).expect_err("accepted").to_string().contains("UTF-16"));
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

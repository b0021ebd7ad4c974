//! The formats of a bundle: what each can say, which one is written, and which are refused.

mod bundle_support;

use std::path::Path;

use bundle_support::*;
use serde_json::{Value, json};
use showo::bundle::{About, Bundle, BundleError, BundleWriter, Manifest, MemoryReader, ModelKind, block_on};
use showo::settings::Judge;

const WORDS: &str = r#"{"model": {"type": "BPE"}}"#;
const OWN: &str = "clip-tokenizer.json";

/// A bundle of a generator and a CLIP, which reads `words` of its own where there are any.
fn written(words: Option<&str>, judges: Option<&[Judge]>) -> MemoryReader {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("tiny");
    let judges = judges.map(<[Judge]>::to_vec);
    let mut writer = BundleWriter::create(&target, About { judges, ..about() }).unwrap();
    for kind in [ModelKind::SHOWO, ModelKind::Clip] {
        writer.model(kind, json!({}), source()).unwrap();
        if let Some(words) = words.filter(|_| kind == ModelKind::Clip) {
            writer.tokenizer(words.as_bytes()).unwrap();
        }
        writer.f32("weight", &[2], &[1.0, 2.0][..]).unwrap();
    }
    writer.finish(TOKENIZER.as_bytes()).unwrap();
    in_memory(&target)
}

fn refused(reader: &MemoryReader, edit: impl FnOnce(&mut Value)) -> (String, String) {
    let mut reader = reader.clone();
    edit_manifest(&mut reader, edit);
    match open(&reader) {
        Err(BundleError::Manifest { field, problem }) => (field, problem),
        other => panic!("not refused as a manifest: {other:?}"),
    }
}

#[test]
fn a_bundle_has_the_lowest_format_that_can_say_what_it_says() {
    let format = |reader: &MemoryReader| open(reader).unwrap().manifest().format;
    assert_eq!(format(&sample()), 1);
    let (words, judges) = (Some(WORDS), Some(&[Judge::Clip, Judge::Own][..]));
    for (words, judges, wanted) in [(None, None, 1), (words, None, 2), (None, judges, 2), (words, judges, 2)] {
        let reader = written(words, judges);
        assert_eq!(format(&reader), wanted);
        let manifest = String::from_utf8(reader.files["manifest.json"].clone()).unwrap();
        assert_eq!((manifest.contains(OWN), manifest.contains("judges")), (words.is_some(), judges.is_some()));
    }
}

/// What was shipped before stays as it is on the disk, and opens.
#[test]
fn shipped_bundles_are_of_format_1() {
    for name in ["scenes", "icons"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("www/models/{name}/manifest.json"));
        let manifest = Manifest::parse(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!((manifest.format, manifest.judges.as_ref()), (1, None), "{name}");
        assert!(Judge::ALL.into_iter().all(|judge| manifest.may_judge(judge)), "{name}");
    }
}

#[test]
fn both_tokenizers_come_back() {
    let reader = written(Some(WORDS), None);
    let bundle = open(&reader).unwrap();
    assert_eq!(block_on(bundle.tokenizer_json()).unwrap(), TOKENIZER);
    assert_eq!(block_on(bundle.own_tokenizer_json(ModelKind::Clip)).unwrap().as_deref(), Some(WORDS));
    assert_eq!(block_on(bundle.own_tokenizer_json(ModelKind::SHOWO)).unwrap(), None);
    assert!(matches!(block_on(bundle.own_tokenizer_json(ModelKind::Magvit)), Err(BundleError::NoModel { .. })));
    let bytes =
        bundle.manifest().shards.iter().map(|shard| shard.bytes).sum::<u64>() + (TOKENIZER.len() + WORDS.len()) as u64;
    assert_eq!(bundle.manifest().bytes(), bytes);
}

#[test]
fn the_second_tokenizer_is_checked_like_every_file() {
    let whole = written(Some(WORDS), None);
    let read = |reader: &MemoryReader| {
        let bundle = block_on(Bundle::open(reader))?;
        block_on(bundle.own_tokenizer_json(ModelKind::Clip))
    };
    let mut reader = whole.clone();
    reader.files.remove(OWN);
    assert_eq!(read(&reader), Err(BundleError::Missing { file: OWN.into() }));
    reader.files.insert(OWN.into(), WORDS.replace("BPE", "bpe").into_bytes());
    assert!(matches!(read(&reader), Err(BundleError::Hash { file, .. }) if file == OWN));
    reader.files.insert(OWN.into(), b"{}".to_vec());
    assert!(matches!(read(&reader), Err(BundleError::Length { file, found: 2, .. }) if file == OWN));
    reader.files.insert(OWN.into(), b"<!DOCTYPE html>\n".to_vec());
    assert!(read(&reader).unwrap_err().to_string().contains("web page"));

    let tokenizer = "models[\"clip\"].tokenizer";
    for (name, problem) in [
        ("../x.json", "not a plain file name"),
        ("tokenizer.json", "used twice"),
        ("CLIP-000.safetensors", "used twice"),
    ] {
        let (field, told) = refused(&whole, |manifest| manifest["models"]["clip"]["tokenizer"]["file"] = name.into());
        assert_eq!(field, format!("{tokenizer}.file"));
        assert!(told.contains(problem), "{told}");
    }
    let (field, _) = refused(&whole, |manifest| manifest["models"]["clip"]["tokenizer"]["bytes"] = u64::MAX.into());
    assert!(field.ends_with(".bytes"), "{field}");
    let (field, _) = refused(&whole, |manifest| manifest["models"]["clip"]["tokenizer"]["sha256"] = "0".into());
    assert_eq!(field, format!("{tokenizer}.sha256"));
    let (field, told) = refused(&whole, |manifest| manifest["format"] = 1.into());
    assert_eq!((field.as_str(), told.as_str()), (tokenizer, "is of format 2, but the manifest says 1"));
    let (field, told) = refused(&whole, |manifest| {
        manifest["models"]["showo"]["tokenizer"] = manifest["models"]["clip"]["tokenizer"].take();
        manifest["models"]["clip"].as_object_mut().unwrap().remove("tokenizer");
    });
    assert_eq!(field, "models[\"showo\"].tokenizer");
    assert!(told.contains("only clip may have one of its own"), "{told}");
}

#[test]
fn judges_that_cannot_be() {
    let whole = written(None, Some(&[Judge::Clip]));
    for (judges, at, problem) in [
        (json!([]), "judges", "names nobody"),
        (json!(["clip", "clip"]), "judges[1]", "named twice"),
        (json!(["clip", "parm"]), "judges[1]", "needs the model \"reward:parm\""),
        (json!(["oracle"]), "judges[0]", "unknown variant `oracle`"),
        (json!("clip"), "judges", "invalid type"),
    ] {
        let (field, told) = refused(&whole, |manifest| manifest["judges"] = judges);
        assert_eq!(field, at, "{told}");
        assert!(told.contains(problem), "{told}");
    }
    let (field, told) = refused(&whole, |manifest| {
        manifest["decoding"] =
            json!({ "steps": 4, "guidance_scale": 2.0, "temperature": 1.0, "candidates": 2, "verifier": "self" });
    });
    assert_eq!(field, "decoding.verifier");
    assert!(told.contains("not among the judges, which are clip"), "{told}");
    let (field, _) = refused(&whole, |manifest| manifest["format"] = 1.into());
    assert_eq!(field, "judges");
    // One that judges alone is loaded alone; the generator is there anyway.
    assert_eq!(open(&whole).unwrap().manifest().judging_kinds().collect::<Vec<_>>(), [ModelKind::Clip]);
    let own = written(None, Some(&[Judge::Own]));
    assert_eq!(open(&own).unwrap().manifest().judging_kinds().count(), 0);
    assert_eq!(open(&written(None, None)).unwrap().manifest().judging_kinds().count(), 1);
}

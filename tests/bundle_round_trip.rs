//! What goes into a bundle comes out of it.

mod bundle_support;

use std::fs;

use bundle_support::*;
use half::f16;
use proptest::prelude::*;
use showo::bundle::{
    Bundle, BundleError, BundleWriter, FolderReader, ModelKind, Reader, SHARD_BYTES, WriteError, block_on,
};
use showo::config::RewardLabel;

#[test]
fn every_tensor_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("tiny");
    write(&target);
    let bundle = block_on(Bundle::open(FolderReader::new(&target))).unwrap();
    for (kind, expected) in [(ModelKind::SHOWO, showo()), (ModelKind::Magvit, magvit())] {
        let mut sink = Collect::default();
        block_on(bundle.load(kind, &mut sink, &mut |_| {})).unwrap();
        assert_eq!(sink.0, expected);
    }
    assert_eq!(block_on(bundle.tokenizer_json()).unwrap(), TOKENIZER);
    // Nothing but the bundle is left beside or inside it.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(&target).unwrap().count(), 4);
}

#[test]
fn shards_are_plain_safetensors() {
    let reader = sample();
    let shard = safetensors::SafeTensors::deserialize(&reader.files["showo-000.safetensors"]).unwrap();
    let mut names = shard.names();
    names.sort_unstable();
    assert_eq!(names, ["embed", "head.bias", "head.weight", "head.weight.scale"]);
    assert_eq!(shard.tensor("head.weight.scale").unwrap().shape(), [8, 3]);
}

#[test]
fn progress_rises_to_the_total() {
    let reader = sample();
    let bundle = open(&reader).unwrap();
    let mut seen = Vec::new();
    block_on(bundle.load(ModelKind::SHOWO, &mut Collect::default(), &mut |progress| {
        assert_eq!((progress.kind, progress.file), (ModelKind::SHOWO, "showo-000.safetensors"));
        assert_eq!(progress.bytes_total, bundle.manifest().bytes_of(ModelKind::SHOWO));
        seen.push(progress.bytes_done);
    }))
    .unwrap();
    assert!(seen.is_sorted());
    assert_eq!(seen.first(), Some(&0));
    assert_eq!(seen.last(), Some(&bundle.manifest().bytes_of(ModelKind::SHOWO)));
}

#[test]
fn configurations_have_types_and_their_errors_have_fields() {
    #[derive(Debug, serde::Deserialize)]
    struct Right {
        hidden_size: usize,
    }
    #[derive(Debug, serde::Deserialize)]
    struct Wrong {
        #[serde(rename = "hidden_size")]
        _hidden_size: String,
    }
    let reader = sample();
    let bundle = open(&reader).unwrap();
    assert_eq!(bundle.config::<Right>(ModelKind::SHOWO).unwrap().hidden_size, 64);
    let Err(BundleError::Manifest { field, .. }) = bundle.config::<Wrong>(ModelKind::SHOWO) else { panic!("accepted") };
    assert_eq!(field, "models[\"showo\"].config.hidden_size");
    let Err(BundleError::NoModel { kind, available }) = bundle.config::<Right>(ModelKind::Clip) else {
        panic!("found")
    };
    assert_eq!((kind, available.as_str()), (ModelKind::Clip, "magvit, showo"));
}

#[test]
fn long_models_are_cut_into_shards() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("long");
    let mut writer = BundleWriter::create(&target, about()).unwrap();
    writer.model(ModelKind::Reward(RewardLabel::Potential), serde_json::json!({}), source()).unwrap();
    let five_mib = vec![1.5f32; 5 << 18];
    for index in 0..7 {
        writer.f32(&format!("w{index}"), &[five_mib.len()], &five_mib).unwrap();
    }
    // One that is longer than a shard may be gets a shard of its own.
    let huge = vec![0.25f32; (17 << 20) / 4];
    writer.f32("huge", &[huge.len()], &huge).unwrap();
    writer.f32("small", &[1], &[1.0]).unwrap();
    let manifest = writer.finish(TOKENIZER.as_bytes()).unwrap();
    let files: Vec<_> = manifest.shards.iter().map(|shard| shard.file.as_str()).collect();
    let expected: Vec<_> = (0..5).map(|index| format!("reward-parm-{index:03}.safetensors")).collect();
    assert_eq!(files, expected);
    for (index, shard) in manifest.shards.iter().enumerate() {
        let alone = manifest.tensors.values().filter(|entry| entry.shard == index).count() == 1;
        assert!(shard.bytes <= SHARD_BYTES || alone, "{shard:?}");
    }
    let bundle = block_on(Bundle::open(FolderReader::new(&target))).unwrap();
    let mut sink = Collect::default();
    block_on(bundle.load(ModelKind::Reward(RewardLabel::Potential), &mut sink, &mut |_| {})).unwrap();
    assert_eq!(sink.0.len(), 9);
    assert_eq!(sink.0["huge"], Received::Float(vec![huge.len()], huge));
}

#[test]
fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("taken");
    fs::create_dir(&target).unwrap();
    assert!(matches!(BundleWriter::create(&target, about()), Err(WriteError::Exists(path)) if path == target));
    fs::remove_dir(&target).unwrap();
    fs::write(&target, "").unwrap();
    assert!(matches!(BundleWriter::create(&target, about()), Err(WriteError::Exists(_))));
    fs::remove_file(&target).unwrap();
    // Nor is a folder that appears while the bundle is written.
    let mut writer = BundleWriter::create(&target, about()).unwrap();
    writer.model(ModelKind::SHOWO, serde_json::json!({}), source()).unwrap();
    writer.f32("w", &[1], &[1.0]).unwrap();
    fs::create_dir(&target).unwrap();
    assert!(matches!(writer.finish(b"{}"), Err(WriteError::Exists(_))));
    assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the unfinished folder is gone");
}

#[test]
fn an_unfinished_bundle_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("unfinished");
    let mut writer = BundleWriter::create(&target, about()).unwrap();
    writer.model(ModelKind::SHOWO, serde_json::json!({}), source()).unwrap();
    writer.f32("w", &[1], &[1.0]).unwrap();
    assert!(!target.exists());
    drop(writer);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_writer_refuses_what_the_reader_would() {
    let folder = tempfile::tempdir().unwrap();
    let begin = |name: &str| {
        let mut writer = BundleWriter::create(&folder.path().join(name), about()).unwrap();
        writer.model(ModelKind::SHOWO, serde_json::json!({}), source()).unwrap();
        writer
    };
    let mut writer = begin("lengths");
    assert!(matches!(writer.f32("w", &[3], &[1.0]), Err(WriteError::Tensor { tensor, .. }) if tensor == "w"));
    assert!(writer.f32("w", &[usize::MAX, 2], &[1.0]).is_err());
    assert!(writer.q8("w", &[1, 33], &[0; 33], &[f16::ONE], COST).is_err());
    assert!(writer.q8("w", &[33], &[0; 33], &[f16::ONE; 2], COST).is_err());
    writer.f32("w", &[1], &[1.0]).unwrap();
    assert!(writer.f32("w", &[1], &[1.0]).is_err());
    assert!(
        matches!(writer.model(ModelKind::SHOWO, serde_json::json!({}), source()), Err(WriteError::Model(kind)) if kind == "showo")
    );

    drop(writer);
    let mut writer = begin("scales");
    writer.q8("w", &[1, 2], &[0; 2], &[f16::ONE], COST).unwrap();
    writer.f32("w.scale", &[1], &[1.0]).unwrap();
    assert!(matches!(writer.finish(b"{}"), Err(WriteError::Unreadable(BundleError::Manifest { .. }))));

    assert!(matches!(begin("empty").finish(b"{}"), Err(WriteError::Unreadable(_))), "a model without tensors");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_reader_stays_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    fs::create_dir(folder.path().join("bundle")).unwrap();
    let reader = FolderReader::new(folder.path().join("bundle"));
    for name in ["../secret", "/etc/hostname", "..", "a/../../secret"] {
        let found = block_on(reader.read(name, None, &mut |_| {}));
        assert!(matches!(found, Err(BundleError::Read { ref file, .. }) if file == name), "{name}: {found:?}");
    }
    assert_eq!(block_on(reader.read("absent", None, &mut |_| {})), Err(BundleError::Missing { file: "absent".into() }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Any q8 tensor, of any shape, next to any floats.
    #[test]
    fn any_tensors_come_back(
        shape in proptest::collection::vec(1usize..7, 2..5),
        wide in 1usize..100,
        floats in proptest::collection::vec(-1e30f32..1e30, 1..50),
    ) {
        let mut shape = shape;
        shape.push(wide);
        let elements: usize = shape.iter().product();
        let rows = shape[0];
        let blocks = (elements / rows).div_ceil(32);
        let q: Vec<i8> = (0..elements).map(|i| ((i * 7) % 255) as i16 - 127).map(|q| q as i8).collect();
        let scale: Vec<f16> = (0..rows * blocks).map(|i| f16::from_f32(i as f32)).collect();
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("any");
        let mut writer = BundleWriter::create(&target, about()).unwrap();
        writer.model(ModelKind::Clip, serde_json::json!({}), source()).unwrap();
        writer.q8("a", &shape, &q, &scale, COST).unwrap();
        writer.f32("b", &[floats.len()], &floats).unwrap();
        writer.finish(b"{}").unwrap();
        let reader = in_memory(&target);
        let mut sink = Collect::default();
        block_on(open(&reader).unwrap().load(ModelKind::Clip, &mut sink, &mut |_| {})).unwrap();
        prop_assert_eq!(&sink.0["a"], &Received::Q8(shape, q, scale));
        prop_assert_eq!(&sink.0["b"], &Received::Float(vec![floats.len()], floats));
    }
}

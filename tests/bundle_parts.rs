//! Shards that are too long to be held: their tensors arrive in parts, with the same guarantees as whole ones.

mod bundle_support;

use std::collections::BTreeMap;

use bundle_support::*;
use half::f16;
use proptest::prelude::*;
use showo::bundle::{Bundle, BundleError, MemoryReader, ModelKind, PartSink, Reader, TensorSink, block_on};

const SHOWO: &str = "showo-000.safetensors";

/// Reads in pieces of a given length.
struct InPieces<'a> {
    reader: &'a MemoryReader,
    length: usize,
}

impl Reader for InPieces<'_> {
    async fn read(&self, file: &str, _: Option<u64>, on_piece: &mut dyn FnMut(&[u8])) -> Result<(), BundleError> {
        let mut whole = Vec::new();
        self.reader.read(file, None, &mut |bytes| whole.extend_from_slice(bytes)).await?;
        whole.chunks(self.length).for_each(on_piece);
        Ok(())
    }
}

/// Puts parts together, and takes nothing whole.
#[derive(Default)]
struct Assemble {
    parts: BTreeMap<String, Received>,
    whole: BTreeMap<String, Received>,
    forgotten: Vec<String>,
    /// The most values that came at once.
    longest: usize,
}

impl Assemble {
    fn q8(&mut self, name: &str, shape: &[usize]) -> (&mut Vec<i8>, &mut Vec<f16>) {
        let empty = || Received::Q8(shape.to_vec(), Vec::new(), Vec::new());
        match self.parts.entry(name.to_owned()).or_insert_with(empty) {
            Received::Q8(_, q, scale) => (q, scale),
            Received::Float(..) => panic!("{name} is both"),
        }
    }
}

impl TensorSink for Assemble {
    fn float(&mut self, name: &str, _: &[usize], _: Vec<f32>) -> Result<(), String> {
        Err(format!("{name} came whole"))
    }

    fn q8(&mut self, name: &str, _: &[usize], _: &[i8], _: &[f16]) -> Result<(), String> {
        Err(format!("{name} came whole"))
    }

    fn in_parts(&mut self) -> Option<&mut dyn PartSink> {
        Some(self)
    }
}

impl PartSink for Assemble {
    fn float_part(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), String> {
        self.longest = self.longest.max(values.len());
        let empty = || Received::Float(shape.to_vec(), Vec::new());
        match self.parts.entry(name.to_owned()).or_insert_with(empty) {
            Received::Float(_, all) => all.extend(values),
            Received::Q8(..) => return Err(format!("{name} is both")),
        }
        Ok(())
    }

    fn q8_rows(&mut self, name: &str, shape: &[usize], q: &[i8]) -> Result<(), String> {
        assert!(q.len().is_multiple_of(shape[1..].iter().product()), "{name}: no whole rows");
        self.longest = self.longest.max(q.len());
        Assemble::q8(self, name, shape).0.extend(q);
        Ok(())
    }

    fn scale_rows(&mut self, name: &str, shape: &[usize], scale: &[f16]) -> Result<(), String> {
        Assemble::q8(self, name, shape).1.extend(scale);
        Ok(())
    }

    fn whole(&mut self, name: &str) -> Result<(), String> {
        let tensor = self.parts.remove(name).ok_or("is whole, but never came")?;
        self.whole.insert(name.to_owned(), tensor);
        Ok(())
    }

    fn forget(&mut self, name: &str) {
        self.parts.remove(name);
        self.whole.remove(name);
        self.forgotten.push(name.to_owned());
    }
}

/// Loads `kind` with every shard in parts.
fn load(reader: impl Reader, kind: ModelKind) -> (Result<(), BundleError>, Assemble) {
    let mut sink = Assemble::default();
    let loaded = block_on(async {
        let bundle = Bundle::open(reader).await?.holding_at_most(0);
        bundle.load(kind, &mut sink, &mut |_| {}).await
    });
    (loaded, sink)
}

#[test]
fn parts_make_the_same_tensors_however_the_file_is_cut() {
    for length in [1, 7, 64, 71, 1 << 20] {
        for (kind, tensors) in [(ModelKind::SHOWO, showo()), (ModelKind::Magvit, magvit())] {
            let (loaded, sink) = load(InPieces { reader: &sample(), length }, kind);
            loaded.unwrap();
            assert_eq!(sink.whole, tensors);
            assert!(sink.parts.is_empty() && sink.forgotten.is_empty());
            // A row can be longer than a piece; nothing else is held back.
            assert!(sink.longest <= length.max(70), "{} values at once from pieces of {length}", sink.longest);
        }
    }
}

#[test]
fn only_shards_that_are_too_long_come_in_parts() {
    let reader = sample();
    let bytes = reader.files[SHOWO].len() as u64;
    for (held, whole) in [(bytes - 1, false), (bytes, true)] {
        let mut sink = Assemble::default();
        let bundle = open(&reader).unwrap().holding_at_most(held);
        let loaded = block_on(bundle.load(ModelKind::SHOWO, &mut sink, &mut |_| {}));
        assert_eq!(loaded.is_err(), whole, "{loaded:?}");
    }
    // A sink that cannot take parts is given whole tensors all the same.
    let mut sink = Collect::default();
    block_on(open(&reader).unwrap().holding_at_most(0).load(ModelKind::SHOWO, &mut sink, &mut |_| {})).unwrap();
    assert_eq!(sink.0, showo());
}

#[test]
fn progress_counts_every_byte() {
    let reader = sample();
    let mut seen = Vec::new();
    block_on(async {
        let bundle = Bundle::open(InPieces { reader: &reader, length: 100 }).await.unwrap().holding_at_most(0);
        bundle
            .load(ModelKind::SHOWO, &mut Assemble::default(), &mut |progress| seen.push(progress.bytes_done))
            .await
            .unwrap();
    });
    assert!(seen.is_sorted() && seen.len() > 3, "{seen:?}");
    assert_eq!(seen.last(), Some(&(reader.files[SHOWO].len() as u64)));
}

#[test]
fn a_bad_copy_is_forgotten_and_fetched_once_more() {
    for (curable, at) in [(true, 100), (false, 100), (true, 700), (false, 700), (true, 3), (false, 3)] {
        let mut bad = sample();
        bad.files.get_mut(SHOWO).unwrap()[at] ^= 0x40;
        let stale = Stale::new(bad, curable.then(sample));
        let (loaded, sink) = load(&stale, ModelKind::SHOWO);
        assert_eq!(*stale.reads.borrow(), ["manifest.json", SHOWO, SHOWO]);
        assert_eq!(*stale.refreshed.borrow(), [SHOWO]);
        let names: Vec<String> = showo().into_keys().collect();
        assert_eq!(sink.forgotten, if curable { names } else { [names.clone(), names].concat() });
        assert!(sink.parts.is_empty());
        if curable {
            loaded.unwrap();
            assert_eq!(sink.whole, showo());
        } else {
            assert!(matches!(loaded, Err(BundleError::Hash { file, .. }) if file == SHOWO));
            assert!(sink.whole.is_empty(), "nothing of a damaged shard stays");
        }
    }
}

#[test]
fn files_of_another_length() {
    let whole = sample().files[SHOWO].len();
    for length in [0, 1, 8, whole - 1, whole + 1, 2 * whole] {
        let mut reader = sample();
        reader.files.get_mut(SHOWO).unwrap().resize(length, 0);
        let (loaded, sink) = load(InPieces { reader: &reader, length: 50 }, ModelKind::SHOWO);
        let expected = BundleError::Length { file: SHOWO.into(), expected: whole as u64, found: length as u64 };
        assert_eq!(loaded, Err(expected));
        assert!(sink.parts.is_empty() && sink.whole.is_empty());
    }
}

/// The error of a `showo` shard that was replaced by one with a matching hash.
fn refused(edit: impl FnOnce(&mut serde_json::Value, &mut Vec<u8>)) -> String {
    let mut reader = sample();
    let (mut header, mut data) = split(&reader.files[SHOWO]);
    edit(&mut header, &mut data);
    replace_sealed(&mut reader, SHOWO, safetensors(&header.to_string(), &data));
    let (loaded, sink) = load(InPieces { reader: &reader, length: 40 }, ModelKind::SHOWO);
    assert!(sink.parts.is_empty() && sink.whole.is_empty(), "something stays");
    loaded.expect_err("accepted").to_string()
}

#[test]
fn content_that_no_shard_may_have_is_named() {
    let start = |header: &serde_json::Value, name: &str| header[name]["data_offsets"][0].as_u64().unwrap() as usize;
    let says = refused(|header, data| data[start(header, "head.weight") + 70] = 0x80);
    assert!(says.contains("head.weight") && says.contains("−128"), "{says}");
    let says = refused(|header, data| {
        let at = start(header, "head.weight.scale");
        data[at..at + 2].copy_from_slice(&f16::NAN.to_le_bytes());
    });
    assert!(says.contains("head.weight") && says.contains("scale"), "{says}");
    let says = refused(|header, data| {
        let at = start(header, "head.bias");
        data[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    });
    assert!(says.contains("head.bias") && says.contains("infinity"), "{says}");
    let says = refused(|header, _| header["embed"]["dtype"] = "BF16".into());
    assert!(says.contains("is BF16, but must be F16"), "{says}");
    let says = refused(|header, _| header["embed"]["data_offsets"] = serde_json::json!([20, 45]));
    assert!(says.contains("takes 24 bytes"), "{says}");
    let says = refused(|header, _| {
        header.as_object_mut().unwrap().remove("embed");
    });
    assert!(says.contains("gap"), "{says}");
}

#[test]
fn headers_that_are_none() {
    for (file, says) in [
        ([2_000_000u64.to_le_bytes().as_slice(), &[b' '; 2_000_100]].concat(), "2000000 bytes long"),
        ([1_000_000u64.to_le_bytes().as_slice(), &[b' '; 700]].concat(), "truncated"),
        (safetensors("{}{}", &[0; 700]), "not a safetensors file"),
        (safetensors("", &[0; 700]), "not a safetensors file"),
    ] {
        let mut reader = sample();
        replace_sealed(&mut reader, SHOWO, file);
        let (loaded, _) = load(InPieces { reader: &reader, length: 333 }, ModelKind::SHOWO);
        let error = loaded.expect_err("accepted").to_string();
        assert!(error.contains(SHOWO) && error.contains(says), "{error}");
    }
}

#[test]
fn what_the_model_refuses_is_named() {
    struct Picky;
    impl TensorSink for Picky {
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
    impl PartSink for Picky {
        fn float_part(&mut self, _: &str, _: &[usize], _: Vec<f32>) -> Result<(), String> {
            Ok(())
        }
        fn q8_rows(&mut self, _: &str, _: &[usize], _: &[i8]) -> Result<(), String> {
            Err("does not fit on this device".into())
        }
        fn scale_rows(&mut self, _: &str, _: &[usize], _: &[f16]) -> Result<(), String> {
            Ok(())
        }
        fn whole(&mut self, _: &str) -> Result<(), String> {
            Ok(())
        }
        fn forget(&mut self, _: &str) {}
    }
    let reader = sample();
    let bundle = open(&reader).unwrap().holding_at_most(0);
    let error = block_on(bundle.load(ModelKind::SHOWO, &mut Picky, &mut |_| {})).unwrap_err();
    let problem = "does not fit on this device".to_string();
    assert_eq!(error, BundleError::Tensor { file: SHOWO.into(), tensor: "head.weight".into(), problem });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn one_flipped_bit_anywhere(place in any::<proptest::sample::Index>(), bit in 0u8..8, length in 1usize..300) {
        let mut reader = sample();
        let bytes = reader.files.get_mut(SHOWO).unwrap();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let (loaded, sink) = load(InPieces { reader: &reader, length }, ModelKind::SHOWO);
        let refused = matches!(loaded, Err(BundleError::Hash { file, .. }) if file == SHOWO);
        prop_assert!(refused);
        prop_assert!(sink.parts.is_empty() && sink.whole.is_empty());
    }

    /// Nor does a shard whose hash was made to match make it panic.
    #[test]
    fn a_forged_shard_never_panics(place in any::<proptest::sample::Index>(), byte in any::<u8>(), length in 1usize..300) {
        let mut reader = sample();
        let mut bytes = reader.files[SHOWO].clone();
        let at = place.index(bytes.len());
        bytes[at] = byte;
        replace_sealed(&mut reader, SHOWO, bytes);
        let _ = load(InPieces { reader: &reader, length }, ModelKind::SHOWO);
    }
}

//! The layouts of the hub: folders, indexes, PyTorch files; f16 and bf16; and what is refused of them.

mod support;

use std::fs;

use safetensors::Dtype;
use serde_json::json;
use support::{Room, Tensors, f32s, says, state_dict, write_safetensors, write_torch};

/// The shards of a bundle, which hold nothing of where it came from.
fn shards(room: &Room) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = support::read_all(&room.path("bundle")).into_iter().collect();
    files.retain(|(name, _)| name.ends_with(".safetensors"));
    fs::remove_dir_all(room.path("bundle")).unwrap();
    files
}

/// A folder with the generator as `pytorch_model.bin`.
fn torch_folder(room: &Room, tensors: &Tensors) {
    fs::create_dir_all(room.path("torch")).unwrap();
    fs::copy(room.path("showo/config.json"), room.path("torch/config.json")).unwrap();
    let (pickle, storages) = state_dict(tensors);
    write_torch(&room.path("torch/pytorch_model.bin"), &pickle, &storages);
}

#[test]
fn every_layout_makes_the_same_bundle() {
    let room = Room::new();
    room.converted(&[]);
    let expected = shards(&room);
    assert!(!expected.is_empty());
    let tensors = room.tensors("showo");

    torch_folder(&room, &tensors);
    fs::write(room.path("torch/training_args.bin"), "").unwrap();
    for input in ["showo=torch", "showo=torch/pytorch_model.bin"] {
        room.converted(&["--input", input]);
        assert_eq!(
            room.manifest()["models"]["showo"]["source"]["checkpoint"],
            input.rsplit(['=', '/']).next().unwrap()
        );
        room.ok(&["verify", "bundle", "--against", input]);
        assert!(shards(&room) == expected, "{input}");
    }

    // A training run's file: the state dict below a key, beside what is none of its tensors.
    let (pickle, storages) = state_dict(&tensors);
    let mut nested = support::Pickle::new();
    nested.raw(b"}");
    nested.put();
    nested.raw(b"(");
    nested.text("epoch");
    nested.int(3);
    nested.text("state_dict");
    // The inner program has slots of its own; the outer one refers to none of them afterwards.
    nested.raw(&pickle[2..pickle.len() - 1]);
    nested.raw(b"u.");
    write_torch(&room.path("torch/run.pt"), &nested.bytes, &storages);
    room.converted(&["--input", "showo=torch/run.pt:torch/config.json"]);
    assert!(shards(&room) == expected);

    fs::remove_file(room.path("torch/run.pt")).unwrap();

    // Sharded, both ways.
    for bytes in [1, 100_000] {
        room.ok(&["synth", "--config", "tiny", "--seed", "5", "--shard-bytes", &bytes.to_string(), "--out", "cut"]);
        let count = fs::read_dir(room.path("cut/showo")).unwrap().count();
        assert!(count > 4, "{count} files");
        room.converted(&["--input", "showo=cut/showo"]);
        room.ok(&["verify", "bundle", "--against", "showo=cut/showo"]);
        assert!(shards(&room) == expected, "{bytes}");
        fs::remove_dir_all(room.path("cut")).unwrap();
    }
    let names: Vec<_> = tensors.keys().cloned().collect();
    let (one, two) = names.split_at(7);
    let mut map = serde_json::Map::new();
    for (file, names) in [("pytorch_model-00001-of-00002.bin", one), ("pytorch_model-00002-of-00002.bin", two)] {
        let part: Tensors = names.iter().map(|name| (name.clone(), tensors[name].clone())).collect();
        let (pickle, storages) = state_dict(&part);
        write_torch(&room.path(&format!("torch/{file}")), &pickle, &storages);
        map.extend(names.iter().map(|name| (name.clone(), file.into())));
    }
    fs::remove_file(room.path("torch/pytorch_model.bin")).unwrap();
    room.write_json("torch/pytorch_model.bin.index.json", &json!({ "metadata": {}, "weight_map": map }));
    for input in ["showo=torch", "showo=torch/pytorch_model.bin.index.json"] {
        room.converted(&["--input", input]);
        assert!(shards(&room) == expected, "{input}");
    }
}

#[test]
fn half_precision_is_read() {
    let room = Room::new();
    for (dtype, limit) in [("f16", 1e-3), ("bf16", 8e-3)] {
        room.ok(&["synth", "--config", "tiny", "--seed", "5", "--dtype", dtype, "--out", dtype]);
        room.converted(&["--input", &format!("showo={dtype}/showo"), "--scheme", "f32"]);
        // Against the same weights in f32: what the half precision lost, and nothing more.
        let text = room.ok(&["verify", "bundle", "--against", "showo=showo", "--probe-layers", "0"]);
        let line = text.lines().find(|line| line.contains("all of them")).unwrap();
        let error: f64 = line.split_whitespace().last().unwrap().parse().unwrap();
        assert!(error > 0.0 && error < limit, "{dtype}: {line}");
        assert!(!text.contains("KL divergence"));
        fs::remove_dir_all(room.path("bundle")).unwrap();
        // The same in a PyTorch file.
        let bytes = fs::read(room.path(&format!("{dtype}/showo/model.safetensors"))).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.tensors().into_iter();
        let tensors =
            tensors.map(|(name, view)| (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec()))).collect();
        torch_folder(&room, &tensors);
        room.converted(&["--input", "showo=torch", "--scheme", "f32"]);
        room.ok(&["verify", "bundle", "--against", &format!("showo={dtype}/showo")]);
        fs::remove_dir_all(room.path("bundle")).unwrap();
    }
}

#[test]
fn refuses_an_index_that_contradicts_its_files() {
    let room = Room::new();
    room.ok(&["synth", "--config", "tiny", "--seed", "5", "--shard-bytes", "100000", "--out", "cut"]);
    let index = "cut/showo/model.safetensors.index.json";
    let whole = room.json(index);
    let input = ["--input", "showo=cut/showo"];
    let name = "showo.model.final_layernorm.weight";
    let file = whole["weight_map"][name].as_str().unwrap().to_string();
    let other = whole["weight_map"]["showo.model.embed_tokens.weight"].as_str().unwrap();
    let with = |edit: &dyn Fn(&mut serde_json::Value)| {
        let mut changed = whole.clone();
        edit(&mut changed);
        room.write_json(index, &changed);
        room.refused(&input)
    };
    says(&with(&|index| index["weight_map"][name] = other.into()), &[index, name, "should be in", &file]);
    says(&with(&|index| index["weight_map"]["more"] = other.into()), &[index, "more", "but is not"]);
    says(
        &with(&|index| drop(index["weight_map"].as_object_mut().unwrap().remove(name))),
        &[index, name, "not in the index"],
    );
    says(&with(&|index| index["weight_map"][name] = "absent.bin".into()), &[index, "absent.bin", "no such file"]);
    for outside in ["../secret", "/etc/passwd", "a/b", ".."] {
        says(&with(&|index| index["weight_map"][name] = outside.into()), &[index, outside, "not the name of a file"]);
    }
    says(&with(&|index| index["weight_map"] = json!({})), &[index, "names no file"]);
    says(&with(&|index| *index = json!([])), &[index, "not an index"]);
    room.write_json(index, &whole);
    fs::copy(room.path(&format!("cut/showo/{other}")), room.path(&format!("cut/showo/{file}"))).unwrap();
    says(&room.refused(&input), &["showo.", "is in", "too"]);
    fs::remove_file(room.path(&format!("cut/showo/{file}"))).unwrap();
    says(&room.refused(&input), &[index, &file, "no such file"]);
    fs::remove_file(room.path(index)).unwrap();
    says(&room.refused(&input), &["cut/showo", "no index that joins them"]);
}

#[test]
fn refuses_a_torch_file_that_is_not_sound() {
    let room = Room::new();
    let tensors = room.tensors("showo");
    torch_folder(&room, &tensors);
    let input = ["--input", "showo=torch"];
    let file = room.path("torch/pytorch_model.bin");
    let whole = fs::read(&file).unwrap();
    for length in [whole.len() - 1, whole.len() / 2, 100, 3, 0] {
        fs::write(&file, &whole[..length]).unwrap();
        says(&room.refused(&input), &["torch/pytorch_model.bin", "truncated"]);
    }
    // As PyTorch wrote before 1.6: a pickle, and another one.
    fs::write(&file, b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.").unwrap();
    says(&room.refused(&input), &["torch/pytorch_model.bin", "not a zip archive", "PyTorch 1.6"]);

    let (pickle, mut storages) = state_dict(&tensors);
    storages[3].pop();
    write_torch(&file, &pickle, &storages);
    let name = tensors.keys().nth(3).unwrap();
    says(&room.refused(&input), &["torch/pytorch_model.bin", name, "archive/data/3", "bytes long"]);
    storages.truncate(3);
    write_torch(&file, &pickle, &storages);
    says(&room.refused(&input), &["torch/pytorch_model.bin", name, "archive/data/3 is missing"]);
    write_torch(&file, b"\x80\x02K\x01.", &[]);
    says(&room.refused(&input), &["torch/pytorch_model.bin", "not a dictionary"]);
    write_torch(&file, &pickle[..pickle.len() / 2], &storages);
    says(&room.refused(&input), &["torch/pytorch_model.bin", "pickle is truncated"]);

    // Tensors that do not lie in their storage, or not in one piece.
    let one = |shape: &[usize], strides: &[usize], offset: usize| {
        let mut pickle = support::Pickle::new();
        pickle.raw(b"}");
        pickle.put();
        pickle.text("w");
        pickle.strided("FloatStorage", 0, 12, offset, shape, strides);
        pickle.raw(b"s.");
        write_torch(&file, &pickle.bytes, &[f32s(&[0.5; 12])]);
        room.refused(&input)
    };
    says(&one(&[3, 4], &[1, 3], 0), &["torch/pytorch_model.bin", "tensor w", ".contiguous()"]);
    says(&one(&[3, 4], &[4, 1], 1), &["torch/pytorch_model.bin", "tensor w", "does not lie in its storage"]);
    says(&one(&[usize::MAX >> 34; 5], &[1; 5], 0), &["torch/pytorch_model.bin", "tensor w", "overflows"]);
    // This one is sound; it is only not the generator's.
    says(&one(&[2, 4], &[4, 1], 4), &["torch/pytorch_model.bin", "is missing"]);

    // A dtype that no weight has.
    let mut integers = tensors.clone();
    integers.insert("steps".into(), (Dtype::I64, vec![1], vec![0; 8]));
    torch_folder(&room, &integers);
    says(&room.refused(&input), &["torch/pytorch_model.bin", "steps", "I64"]);
}

#[test]
fn a_compressed_archive_is_refused() {
    let room = Room::new();
    // The local header and the directory of one file that says it is deflated.
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(
        "archive/data.pkl",
        zip::write::FileOptions::default().compression_method(zip::CompressionMethod::Stored),
    )
    .unwrap();
    std::io::Write::write_all(&mut zip, b"\x80\x02}.").unwrap();
    let mut bytes = zip.finish().unwrap().into_inner();
    let directory = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    bytes[8] = 8;
    bytes[directory + 10] = 8;
    fs::write(room.path("model.bin"), bytes).unwrap();
    says(
        &room.refused(&["--input", "showo=model.bin:showo/config.json"]),
        &["model.bin", "archive/data.pkl cannot be read", "compressed"],
    );
}

#[test]
fn pickles_with_anything_but_tensors_are_refused_and_not_run() {
    // Long, because it is a list of cases.
    let room = Room::new();
    fs::create_dir(room.path("torch")).unwrap();
    fs::copy(room.path("showo/config.json"), room.path("torch/config.json")).unwrap();
    let refused = |pickle: &[u8]| {
        write_torch(&room.path("torch/model.pt"), pickle, &[f32s(&[0.5; 4])]);
        let text = room.refused(&["--input", "showo=torch"]);
        says(&text, &["torch/model.pt"]);
        text
    };
    let witness = room.path("run");
    let command = format!("touch {}", witness.display());
    let call = |module: &str, name: &str| {
        let mut pickle = support::Pickle::new();
        pickle.global(module, name);
        pickle.text(&command);
        pickle.raw(&[0x85]);
        pickle.put();
        pickle.raw(b"R.");
        pickle.bytes
    };
    for (module, name) in [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("subprocess", "Popen"),
        ("torch", "load"),
        ("torch.storage", "_load_from_bytes"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("torch._utils", "_rebuild_device_tensor_from_numpy"),
    ] {
        says(&refused(&call(module, name)), &[&format!("asks for {module}.{name}"), "nothing in it was run"]);
    }
    // The same through STACK_GLOBAL, as protocol 4 writes it, and hidden as a value of the dictionary.
    let mut pickle = support::Pickle::new();
    pickle.raw(b"}");
    pickle.put();
    pickle.text("w");
    pickle.text("os");
    pickle.text("system");
    pickle.raw(&[0x93]);
    pickle.text(&command);
    pickle.raw(&[0x85, b'R', b's', b'.']);
    says(&refused(&pickle.bytes), &["asks for os.system"]);
    // Instructions that build or look up objects by other ways: OBJ, INST, NEWOBJ, EXT1, a persistent id as text.
    for (instruction, bytes) in [
        ("0x6f", &b"\x80\x02(o."[..]),
        ("0x69", b"(ios\nsystem\n."),
        ("0x81", b"\x80\x02))\x81."),
        ("0x82", b"\x80\x02\x82\x01."),
        ("0x50", b"P1\n."),
    ] {
        says(&refused(bytes), &[&format!("the instruction {instruction}")]);
    }
    // Tensors mixed with something else, and names that are not texts.
    says(&refused(b"\x80\x02}X\x01\x00\x00\x00wK\x01s."), &["w is not a tensor"]);
    says(&refused(b"\x80\x02}K\x01K\x01s."), &["a key is not a text"]);
    // What is called must be called as PyTorch calls it.
    let mut pickle = support::Pickle::new();
    pickle.global("torch._utils", "_rebuild_tensor_v2");
    pickle.text("storage");
    pickle.raw(&[0x85, b'R', b'.']);
    says(&refused(&pickle.bytes), &["RebuildTensor"]);
    for broken in [
        &b"\x80\x02."[..],
        b"\x80\x02s.",
        b"\x80\x02h\x05.",
        b"\x80\x02(}Ks.",
        b"\x80\x02\x8a\xff",
        b"q\x00.",
        b"t.",
        b"(.",
        b"(]e.",
    ] {
        says(&refused(broken), &["pickle"]);
    }
    let mut pickle = support::Pickle::new();
    pickle.raw(b"}(");
    for _ in 0..2 {
        pickle.text("w");
        pickle.tensor("FloatStorage", 0, 4, 0, &[4]);
    }
    pickle.raw(b"u.");
    says(&refused(&pickle.bytes), &["w is there twice"]);
    // Short programs that name long things again and again: what is copied is short.
    let mut pickle = support::Pickle::new();
    pickle.strided("FloatStorage", 0, 4, 0, &[1; 9], &[1; 9]);
    pickle.raw(b".");
    says(&refused(&pickle.bytes), &["more than 8 dimensions"]);
    let mut pickle = support::Pickle::new();
    pickle.raw(b"(");
    pickle.text("storage");
    pickle.global("torch", "FloatStorage");
    pickle.text(&"k".repeat(1 << 20));
    pickle.text("cpu");
    pickle.int(4);
    pickle.raw(b"tQ.");
    says(&refused(&pickle.bytes), &["a storage is not named as PyTorch names it"]);
    // Nested a million times: no recursion to overflow.
    let mut deep = vec![0x80, 2, b')'];
    deep.resize(1_000_000, 0x85);
    deep.push(b'.');
    says(&refused(&deep), &["not a dictionary"]);
    assert!(!witness.exists(), "a pickle was run");
}

#[test]
fn a_single_file_is_recognised_by_what_it_begins_with() {
    let room = Room::new();
    let tensors = room.tensors("showo");
    let (pickle, storages) = state_dict(&tensors);
    write_torch(&room.path("weights"), &pickle, &storages);
    fs::copy(room.path("showo/config.json"), room.path("config.json")).unwrap();
    room.converted(&["--input", "showo=weights"]);
    let expected = shards(&room);
    write_safetensors(&room.path("weights"), &tensors);
    room.converted(&["--input", "showo=weights"]);
    assert!(shards(&room) == expected);
}

#[test]
fn what_cpython_pickles_is_read() {
    let room = Room::new();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/torch_save.py");
    let python = std::process::Command::new("python3")
        .arg(script)
        .args([room.path("showo/model.safetensors"), room.path("showo/pytorch_model.bin")])
        .output();
    match python {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: there is no python3 here");
            return;
        }
        other => {
            let output = other.unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    room.converted(&[]);
    let expected = shards(&room);
    room.converted(&["--input", "showo=showo/pytorch_model.bin"]);
    assert!(shards(&room) == expected);
}

//! Files as people hand them over: with byte order marks, replaced by pointers and web pages, wrapped by training programs,
//! beside what else lies in a folder.

mod support;

use std::{collections::BTreeMap, fs};

use serde_json::json;
use support::{Pickle, Room, Tensors, says, state_dict, write_safetensors, write_torch};

const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 2836\n";
const PAGE: &[u8] = b"<!DOCTYPE html>\n<html class=\"\">\n<head>\n<meta charset=\"utf-8\" /></head></html>\n";

/// The shards of a bundle, which hold nothing of where it came from; the bundle is removed.
fn shards(room: &Room) -> BTreeMap<String, Vec<u8>> {
    let mut files = support::read_all(&room.path("bundle"));
    files.retain(|name, _| name.ends_with(".safetensors"));
    fs::remove_dir_all(room.path("bundle")).unwrap();
    files
}

/// Cut into several files with an index, in `cut/`.
fn cut(room: &Room) {
    room.ok(&["synth", "--config", "tiny", "--seed", "5", "--shard-bytes", "100000", "--out", "cut"]);
}

#[test]
fn every_text_may_have_a_byte_order_mark_and_no_other_encoding() {
    let room = Room::new();
    cut(&room);
    fs::write(room.path("names.txt"), "Drawings by somebody\n").unwrap();
    let input = ["--input", "showo=cut/showo", "--attribution", "names.txt"];
    room.converted(&input);
    let attribution = room.manifest()["attribution"].clone();
    let tokenizer = fs::read(room.path("bundle/tokenizer.json")).unwrap();
    let expected = shards(&room);
    let files = ["cut/showo/config.json", "cut/showo/model.safetensors.index.json", "tokenizer.json", "names.txt"];
    for file in files {
        let text = fs::read_to_string(room.path(file)).unwrap();
        let marked = format!("\u{feff}{text}");
        for wide in [marked.as_str(), &text] {
            fs::write(room.path(file), wide.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()).unwrap();
            says(&room.refused(&input), &[file, "UTF-16", "UTF-8"]);
        }
        for (stand_in, words) in [(POINTER, "git lfs pull"), (PAGE, "web page")] {
            fs::write(room.path(file), stand_in).unwrap();
            says(&room.refused(&input), &[file, words]);
        }
        fs::write(room.path(file), marked).unwrap();
    }
    room.converted(&input);
    assert_eq!(room.manifest()["attribution"], attribution);
    assert_eq!(fs::read(room.path("bundle/tokenizer.json")).unwrap(), tokenizer, "a mark in the bundle");
    let manifest = fs::read_to_string(room.path("bundle/manifest.json")).unwrap();
    fs::write(room.path("bundle/manifest.json"), format!("\u{feff}{manifest}")).unwrap();
    room.ok(&["recommend", "bundle", "--decoding", "steps=9"]);
    room.ok(&["verify", "bundle"]);
    assert_eq!(shards(&room), expected);
    // A tokenizer that has Show-o's tokens is kept as it is, but for the mark.
    fs::write(room.path("tokenizer.json"), [b"\xef\xbb\xbf", &tokenizer[..]].concat()).unwrap();
    room.converted(&input);
    assert_eq!(fs::read(room.path("bundle/tokenizer.json")).unwrap(), tokenizer);
}

#[test]
fn what_lies_in_place_of_weights_is_called_that() {
    let room = Room::new();
    for name in ["showo/model.safetensors", "w.safetensors", "w.bin", "w.pt", "w.pth", "w.ckpt", "w"] {
        for (content, words) in [
            (POINTER, &["Git LFS pointer to a file of 2836 bytes", "git lfs pull"][..]),
            (PAGE, &["web page", "/resolve/"]),
            (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", &["XML message"]),
            (b"{\"error\":\"Invalid username or password.\"}", &["a text", "Invalid username", "download"]),
            (b"\x1f\x8b\x08\0\0\0\0\0\0\x03", &["gzip archive", "unpack"]),
            (b"GGUF\x03\0\0\0\0\0\0\0", &["GGUF"]),
            (&[0; 4096], &["zeros", "download never ended"]),
        ] {
            fs::write(room.path(name), content).unwrap();
            let told = room.refused(&["--input", &format!("showo={name}:showo/config.json")]);
            says(&told, &[&[name], words].concat());
            assert!(!told.contains("torch.load") && !told.contains("header would be"), "{told}");
        }
    }
    // In one of several.
    cut(&room);
    let files = support::read_all(&room.path("cut/showo"));
    let file = files.keys().find(|name| name.starts_with("model-00002-of-")).unwrap();
    fs::write(room.path(&format!("cut/showo/{file}")), POINTER).unwrap();
    says(&room.refused(&["--input", "showo=cut/showo"]), &[file, "Git LFS pointer"]);
    // In a bundle.
    room.converted(&["--input", "magvit=magvit"]);
    fs::write(room.path("bundle/magvit-000.safetensors"), POINTER).unwrap();
    says(&room.fails(&["verify", "bundle"]), &["magvit-000.safetensors", "Git LFS pointer", "git lfs pull"]);
}

#[test]
fn files_are_read_by_what_they_are_whatever_they_are_called() {
    let room = Room::new();
    room.converted(&[]);
    let expected = shards(&room);
    let tensors = room.tensors("showo");
    let (pickle, storages) = state_dict(&tensors);
    for name in ["w.safetensors", "w.bin", "w.pt", "w.pth", "w.ckpt", "W.BIN", "w.dat"] {
        let input = format!("showo={name}:showo/config.json");
        write_safetensors(&room.path(name), &tensors);
        room.converted(&["--input", &input]);
        assert_eq!(shards(&room), expected, "safetensors as {name}");
        write_torch(&room.path(name), &pickle, &storages);
        room.converted(&["--input", &input]);
        assert_eq!(shards(&room), expected, "torch as {name}");
    }
    fs::write(room.path("w.safetensors"), b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.").unwrap();
    says(&room.refused(&["--input", "showo=w.safetensors:showo/config.json"]), &["older", "PyTorch 1.6"]);
}

fn prefixed(tensors: &Tensors, prefix: &str) -> Tensors {
    tensors.iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor.clone())).collect()
}

#[test]
fn what_wrappers_put_before_names_is_taken_away_and_said() {
    let room = Room::new();
    let inputs = ["--input", "showo=showo", "--input", "magvit=magvit"];
    room.converted(&inputs);
    let expected = shards(&room);
    let (showo, magvit) = (room.tensors("showo"), room.tensors("magvit"));
    for prefix in ["module.", "_orig_mod.", "model.", "module._orig_mod.", "net.generator."] {
        room.set_tensors("showo", &prefixed(&showo, prefix));
        // What the network computes itself has the prefix, too.
        room.set_tensors("magvit", &prefixed(&magvit, prefix));
        let text = room.converted(&inputs);
        says(&text, &["showo: read without", "magvit: read without", prefix.split('.').next().unwrap()]);
        room.ok(&["verify", "bundle", "--against", "showo=showo", "--against", "magvit=magvit"]);
        assert_eq!(shards(&room), expected, "{prefix}");
    }
    // With an index, whose names have it.
    cut(&room);
    let index = "cut/showo/model.safetensors.index.json";
    let mut json = room.json(index);
    let map = json["weight_map"].as_object().unwrap().clone();
    json["weight_map"] = map
        .iter()
        .map(|(name, file)| (format!("module.{name}"), file.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    room.write_json(index, &json);
    for file in map.values().map(|file| file.as_str().unwrap()).collect::<std::collections::BTreeSet<_>>() {
        let own: Tensors =
            showo.iter().filter(|(name, _)| map[*name] == file).map(|(n, t)| (n.clone(), t.clone())).collect();
        write_safetensors(&room.path(&format!("cut/showo/{file}")), &prefixed(&own, "module."));
    }
    room.set_tensors("magvit", &magvit);
    room.converted(&["--input", "showo=cut/showo", "--input", "magvit=magvit"]);
    assert_eq!(shards(&room), expected);
    // The model twice; and without what it needs.
    let mut twice = prefixed(&showo, "model.");
    twice.extend(prefixed(&showo, "ema."));
    room.set_tensors("showo", &twice);
    says(&room.refused(&[]), &["showo", "`ema.`", "`model.`"]);
    let bare =
        showo.iter().map(|(name, tensor)| (name.trim_start_matches("showo.").to_owned(), tensor.clone())).collect();
    room.set_tensors("showo", &bare);
    says(&room.refused(&[]), &["showo.model.embed_tokens.weight", "is missing", "`showo.`"]);
}

/// A dictionary: `entries` are a key and a program that leaves a value.
fn dictionary(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut pickle = Pickle::new();
    pickle.raw(b"}(");
    for (key, value) in entries {
        // Not remembered: the programs of values have slots of their own.
        pickle.raw(b"X");
        pickle.raw(&u32::try_from(key.len()).unwrap().to_le_bytes());
        pickle.raw(key.as_bytes());
        pickle.raw(value);
    }
    pickle.raw(b"u.");
    pickle.bytes
}

#[test]
fn weights_are_found_in_what_training_programs_save() {
    let room = Room::new();
    room.converted(&[]);
    let expected = shards(&room);
    let (whole, storages) = state_dict(&room.tensors("showo"));
    let weights = &whole[2..whole.len() - 1];
    let input = ["--input", "showo=run.pt:showo/config.json"];
    let with = |entries: &[(&str, &[u8])]| write_torch(&room.path("run.pt"), &dictionary(entries), &storages);
    // LONG1 and LONG4 of nine bytes: 2⁶⁴ − 1, as seeds are.
    let long1 = [&b"\x8a\x09"[..], &[0xff; 8], &[0]].concat();
    let long4 = [&b"\x8b\x09\0\0\0"[..], &[0xff; 8], &[0]].concat();
    let size = b"ctorch\nSize\nK\x02K\x03\x86\x85R";
    let namespace = b"cargparse\nNamespace\n)\x81}X\x02\0\0\0lrG\x3f\x50\x62\x4d\xd2\xf1\xa9\xfcsb";
    let set = b"c__builtin__\nset\n]K\x01a\x85R";
    let optimizer = [&b"}X\x05\0\0\0state}K\x00}X\x07\0\0\0exp_avg"[..], b"Nsss"].concat();
    for (wrapper, beside) in [
        ("model_state_dict", &[("epoch", &b"K\x03"[..]), ("seed", &long1), ("optimizer", &optimizer)][..]),
        ("state_dict", &[("seed", &long4), ("args", namespace), ("pytorch-lightning_version", b"X\x03\0\0\x002.4")]),
        ("model", &[("best", b"G\x3f\xf0\0\0\0\0\0\0"), ("rng", b"C\x03abc"), ("done", b"\x89")]),
        ("module", &[("param_shapes", size), ("sparse_tensor_module_names", set), ("dtype", b"ctorch\nbfloat16\n")]),
        // Only one of them can be meant.
        ("generator", &[("step", b"K\x03")]),
    ] {
        let entries: Vec<(&str, &[u8])> = beside.iter().copied().chain([(wrapper, weights)]).collect();
        with(&entries);
        let text = room.converted(&input);
        says(&text, &["run.pt", &format!("those under `{wrapper}`")]);
        assert_eq!(shards(&room), expected, "{wrapper}");
    }
    // One in another.
    let inner = dictionary(&[("state_dict", weights), ("step", b"K\x03")]);
    with(&[("model", &inner[2..inner.len() - 1])]);
    says(&room.converted(&input), &["those under `model`, `state_dict`"]);
    assert_eq!(shards(&room), expected);
    // Two: the one that is called the model, or none.
    with(&[("ema", weights), ("model", weights)]);
    says(&room.converted(&input), &["those under `model`, not under `ema`"]);
    assert_eq!(shards(&room), expected);
    with(&[("teacher", weights), ("student", weights)]);
    says(&room.refused(&input), &["run.pt", "several", "`teacher`", "`student`", "save the one"]);
    // A number between the tensors is none of them.
    let mut among = whole[..whole.len() - 1].to_vec();
    among.extend(b"X\x04\0\0\0seed");
    among.extend(&long1);
    among.extend(b"s.");
    write_torch(&room.path("run.pt"), &among, &storages);
    room.converted(&input);
    assert_eq!(shards(&room), expected);
    // A dictionary that is named again and again, in one that is, is looked through once.
    let mut again = Pickle::new();
    again.raw(b"}q\0}q\x01");
    for _ in 0..100_000 {
        again.raw(b"X\x05\0\0\0modelh\0s");
    }
    again.raw(b"q\x02}");
    for _ in 0..100_000 {
        again.raw(b"X\x05\0\0\0modelh\x02s");
    }
    again.raw(b".");
    write_torch(&room.path("run.pt"), &again.bytes, &storages);
    says(&room.refused(&input), &["model is not a tensor"]);
    // With DataParallel's prefix in it.
    let (prefixed, storages) = state_dict(&prefixed(&room.tensors("showo"), "module."));
    write_torch(
        &room.path("run.pt"),
        &dictionary(&[("epoch", b"K\x01"), ("state_dict", &prefixed[2..prefixed.len() - 1])]),
        &storages,
    );
    says(&room.converted(&input), &["`module.`", "`state_dict`"]);
    assert_eq!(shards(&room), expected);
}

#[test]
fn what_else_lies_in_a_folder_is_passed_over() {
    let room = Room::new();
    room.converted(&[]);
    let expected = shards(&room);
    cut(&room);
    // macOS on a foreign disk.
    for folder in ["showo", "cut/showo"] {
        for name in
            ["._model.safetensors", "._config.json", "._model.safetensors.index.json", "._a.safetensors", ".DS_Store"]
        {
            fs::write(room.path(&format!("{folder}/{name}")), b"\0\x05\x16\x07\0\x02\0\0Mac OS X        ").unwrap();
        }
        fs::create_dir(room.path(&format!("{folder}/old.safetensors"))).unwrap();
        room.converted(&["--input", &format!("showo={folder}")]);
        assert_eq!(shards(&room), expected, "{folder}");
    }
    let told = room.refused(&["--input", "showo=showo/._model.safetensors:showo/config.json"]);
    says(&told, &["macOS", "name that file instead"]);

    // An index that was left behind when its files were joined.
    let index = "showo/model.safetensors.index.json";
    fs::copy(room.path("cut/showo/model.safetensors.index.json"), room.path(index)).unwrap();
    let text = room.converted(&[]);
    says(&text, &["showo/model.safetensors is read", index, "passed over"]);
    assert_eq!(shards(&room), expected);
    // Also where they are still there; and where it is broken.
    fs::remove_dir(room.path("cut/showo/old.safetensors")).unwrap();
    for (name, bytes) in support::read_all(&room.path("cut/showo")) {
        if name.starts_with("model-") {
            fs::write(room.path(&format!("showo/{name}")), bytes).unwrap();
        }
    }
    says(&room.converted(&[]), &["showo/model.safetensors is read"]);
    assert_eq!(shards(&room), expected);
    fs::write(room.path(index), "{").unwrap();
    says(&room.converted(&[]), &["showo/model.safetensors is read"]);
    assert_eq!(shards(&room), expected);
    // An index of that one file is no stale one.
    let names = room.tensors("showo").into_keys().map(|name| (name, json!("model.safetensors")));
    room.write_json(index, &json!({ "weight_map": names.collect::<serde_json::Map<_, _>>() }));
    assert!(!room.converted(&[]).contains("passed over"));
    assert_eq!(shards(&room), expected);
}

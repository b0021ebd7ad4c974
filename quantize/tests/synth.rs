//! Synthetic checkpoints: the same seed is the same model, in whatever form it is written.

mod support;

use std::fs;

use safetensors::{Dtype, SafeTensors};
use support::{Room, Tensors, read_all, says};

#[test]
fn the_seed_decides_and_the_form_does_not() {
    let room = Room::new();
    room.ok(&["synth", "--config", "tiny", "--seed", "5", "--out", "again"]);
    assert_eq!(read_all(&room.path("again/showo")), read_all(&room.path("showo")));
    room.ok(&["synth", "--config", "tiny", "--seed", "6", "--out", "other"]);
    assert_ne!(read_all(&room.path("other/showo")), read_all(&room.path("showo")));

    room.ok(&["synth", "--config", "tiny", "--seed", "5", "--dtype", "bf16", "--shard-bytes", "50000", "--out", "cut"]);
    let whole = room.tensors("showo");
    let mut parts = Tensors::new();
    for entry in fs::read_dir(room.path("cut/showo")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            let bytes = fs::read(path).unwrap();
            let file = SafeTensors::deserialize(&bytes).unwrap();
            for (name, view) in file.tensors() {
                assert!(parts.insert(name, (view.dtype(), view.shape().to_vec(), view.data().to_vec())).is_none());
            }
        }
    }
    assert_eq!(parts.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
    for (name, (dtype, shape, bytes)) in &parts {
        let (_, full_shape, full) = &whole[name];
        assert_eq!((*dtype, shape), (Dtype::BF16, full_shape), "{name}");
        for (half, full) in bytes.as_chunks::<2>().0.iter().zip(full.as_chunks::<4>().0) {
            let full = f32::from_le_bytes(*full);
            assert_eq!(half::bf16::from_le_bytes(*half), half::bf16::from_f32(full), "{name}");
        }
    }
}

#[test]
fn it_has_the_public_names_and_layers() {
    let room = Room::new();
    room.ok(&["synth", "--config", "tiny", "--layers", "4", "--out", "four"]);
    assert_eq!(room.json("four/showo/config.json")["num_hidden_layers"], 4);
    let tensors = room.tensors("four/showo");
    for name in [
        "showo.model.embed_tokens.weight",
        "showo.model.layers.3.self_attn.q_proj.weight",
        "showo.model.layers.3.self_attn.q_layernorm.weight",
        "showo.model.layers.3.mlp.fc2.bias",
        "showo.lm_head.bias",
    ] {
        assert!(tensors.contains_key(name), "{name}");
    }
    let magvit = room.tensors("four/magvit");
    let (dtype, shape, bytes) = &magvit["quantize.power_vals"];
    assert_eq!((*dtype, &shape[..]), (Dtype::I64, &[6][..]));
    assert_eq!(bytes[..8], 32i64.to_le_bytes());
    // Code 5 of six bits, most significant first.
    let row: Vec<f32> =
        magvit["quantize.embedding"].2.as_chunks::<4>().0[30..36].iter().map(|v| f32::from_le_bytes(*v)).collect();
    assert_eq!(row, [-1.0, -1.0, -1.0, 1.0, -1.0, 1.0]);
    says(&fs::read_to_string(room.path("four/README.txt")).unwrap(), &["Synthetic", "seed 0"]);
    says(&room.fails(&["synth", "--config", "tiny", "--out", "four"]), &["four exists already"]);
    says(&room.fails(&["synth", "--config", "tiny", "--layers", "0", "--out", "none"]), &["--layers"]);
}

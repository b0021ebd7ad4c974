//! The public checkpoints' `config.json`, which say little, and the tokenizer, which lacks Show-o's tokens.

mod support;

use std::fs;

use serde_json::{Value, json};
use support::{Room, says};

fn edit(room: &Room, name: &str, edit: impl Fn(&mut Value)) {
    let mut json = room.json(name);
    edit(&mut json);
    room.write_json(name, &json);
}

#[test]
fn the_generators_configuration_is_completed() {
    let room = Room::new();
    // The tiny one's says everything in which it departs from Phi-1.5, as the public one does.
    assert!(room.json("showo/config.json").get("rope_theta").is_none());
    let text = room.converted(&[]);
    says(&text, &["note: showo: not in the configuration", "rope_theta 10000", "layer_norm_eps", "Phi-1.5"]);
    let config = room.manifest()["models"]["showo"]["config"].clone();
    assert_eq!(config["special_tokens"], json!({ "pad": 300, "soi": 301, "eoi": 302, "t2i": 305 }));
    assert_eq!(config["mask_token_id"], 374);
    assert_eq!(config["qk_layernorm"], true);
    assert_eq!(config["partial_rotary_factor"], 0.5);
    // What the bundle says is complete, and reads as it is.
    fs::remove_dir_all(room.path("bundle")).unwrap();
    room.write_json("showo/config.json", &config);
    let text = room.converted(&[]);
    assert!(!text.contains("not in the configuration"), "{text}");
    assert_eq!(room.manifest()["models"]["showo"]["config"], config);
}

#[test]
fn contradictions_are_refused_by_the_field() {
    let room = Room::new();
    let whole = room.json("showo/config.json");
    let with = |field: &str, value: Value| {
        let mut changed = whole.clone();
        match value {
            Value::Null => drop(changed.as_object_mut().unwrap().remove(field)),
            value => changed[field] = value,
        }
        room.write_json("showo/config.json", &changed);
        let text = room.refused(&[]);
        says(&text, &["showo/config.json"]);
        text
    };
    says(&with("llm_vocab_size", Value::Null), &["llm_vocab_size is missing"]);
    says(&with("codebook_size", json!(-1)), &["codebook_size"]);
    says(&with("vocab_size", json!(376)), &["vocab_size is 376", "375"]);
    says(&with("num_vq_tokens", json!(15)), &["num_vq_tokens 15 is no square"]);
    says(&with("hidden_size", json!("wide")), &["hidden_size", "wide"]);
    says(&with("num_hidden_layers", json!(1_000_000_000)), &["num_hidden_layers", "at most"]);
    says(&with("llm_model_path", json!("meta-llama/Llama-2-7b")), &["Llama-2-7b", "llm_model_path"]);
    fs::write(room.path("showo/config.json"), "{").unwrap();
    says(&room.refused(&[]), &["showo/config.json", "not JSON"]);
    // A layer that the checkpoint does not have.
    let mut deeper = whole.clone();
    deeper["num_hidden_layers"] = json!(3);
    room.write_json("showo/config.json", &deeper);
    says(&room.refused(&[]), &["showo/model.safetensors", "showo.model.layers.2.", "is missing"]);

    edit(&room, "parm/config.json", |json| json["label"] = json!("outcome"));
    says(&room.refused(&["--input", "reward:parm=parm"]), &["parm/config.json", "reward:orm"]);
    let preview = room.json("preview/config.json");
    for (field, value, words) in [
        ("group_norm_groups", json!(7), "which does not divide width 64"),
        ("num_res_blocks", json!(1_000_000_000), "must be at most 64"),
        ("bits", json!(60), "must be from 1 to 18"),
        ("wide", json!(1), "unknown field `wide`"),
    ] {
        edit(&room, "preview/config.json", |json| json[field] = value.clone());
        says(&room.refused(&["--input", "preview=preview"]), &["preview/config.json", field, words]);
        room.write_json("preview/config.json", &preview);
    }
    edit(&room, "clip/config.json", |json| json["text_config"]["hidden_act"] = json!("gelu"));
    says(&room.refused(&["--input", "clip=clip"]), &["clip/config.json", "text_config.hidden_act", "quick_gelu"]);
}

#[test]
fn norms_of_queries_and_keys_are_found_in_the_weights() {
    let room = Room::new();
    edit(&room, "showo/config.json", |json| json["qk_layernorm"] = json!(false));
    says(&room.converted(&[]), &["normalizes queries and keys"]);
    assert_eq!(room.manifest()["models"]["showo"]["config"]["qk_layernorm"], true);
}

#[test]
fn the_image_tokenizers_side_follows_from_the_generator() {
    let room = Room::new();
    let complete = room.json("magvit/config.json");
    edit(&room, "magvit/config.json", |json| drop(json.as_object_mut().unwrap().remove("resolution")));
    let text = room.converted(&["--input", "showo=showo", "--input", "magvit=magvit"]);
    says(&text, &["as in the public MAGVIT-v2: resolution 32"]);
    fs::remove_dir_all(room.path("bundle")).unwrap();
    room.write_json("magvit/config.json", &json!({ "_class_name": "MAGVITv2" }));
    let text = room.refused(&["--input", "magvit=magvit"]);
    says(&text, &["magvit/model.safetensors", "encoder.conv_in.weight", "[32, 3, 3, 3]", "[128, 3, 3, 3]"]);
    // Whose encoder it is, the public configuration does not say.
    room.write_json("magvit/config.json", &complete);
    edit(&room, "magvit/config.json", |json| json["patch_encoder"] = json!(8));
    says(&room.refused(&["--input", "magvit=magvit"]), &["encoder.patch_in.weight", "[8, 3, 8, 8]"]);
    room.write_json("magvit/config.json", &complete);
    room.converted(&["--input", "magvit=magvit"]);
}

#[test]
fn models_that_do_not_fit_each_other_are_refused() {
    let room = Room::new();
    // Convolutions fit pictures of any side, so that only the generator can tell.
    edit(&room, "magvit/config.json", |json| json["resolution"] = json!(64));
    let text = room.refused(&["--input", "showo=showo", "--input", "magvit=magvit"]);
    says(&text, &["do not fit each other", "showo has 16 tokens a picture, magvit 64"]);
    let with_preview = ["--input", "showo=showo", "--input", "preview=preview"];
    let fitting = room.json("preview/config.json");
    edit(&room, "preview/config.json", |json| json["grid"] = json!(3));
    says(&room.refused(&with_preview), &["showo has 16 tokens a picture, preview 9"]);
    room.write_json("preview/config.json", &fitting);
    // Public CLIP reads words of its own.
    room.converted(&["--input", "showo=showo", "--input", "clip=clip"]);
    fs::remove_dir_all(room.path("bundle")).unwrap();
    let (dtype, shape, bytes) = room.tensors("clip")["text_model.embeddings.token_embedding.weight"].clone();
    let fewer = (dtype, vec![200, shape[1]], bytes[..200 * shape[1] * 4].to_vec());
    room.set_tensor("clip", "text_model.embeddings.token_embedding.weight", Some(fewer));
    edit(&room, "clip/config.json", |json| json["text_config"]["vocab_size"] = json!(200));
    let with_clip = ["--input", "showo=showo", "--input", "clip=clip"];
    says(&room.refused(&with_clip), &["clip/tokenizer.json", "clip knows 200 words, but its tokenizer 574"]);
    // One of this project's own reads the generator's.
    edit(&room, "clip/config.json", |json| {
        let fields = json.as_object_mut().unwrap();
        fields.retain(|field, _| !["model_type", "architectures"].contains(&field.as_str()));
        json["text_config"]["eos_token_id"] = json!(199);
    });
    for file in ["tokenizer.json", "vocab.json", "merges.txt"] {
        fs::remove_file(room.path(&format!("clip/{file}"))).unwrap();
    }
    says(&room.refused(&with_clip), &["do not fit each other", "clip knows 200 words, but showo 300"]);
}

#[test]
fn clips_configuration_is_transformers() {
    let room = Room::new();
    edit(&room, "clip/config.json", |json| {
        json["text_config"]["eos_token_id"] = json!(2);
        drop(json["text_config"].as_object_mut().unwrap().remove("layer_norm_eps"));
    });
    let text = room.converted(&["--input", "clip=clip"]);
    says(&text, &["eos_token_id 2", "the last token, 573", "text_config.layer_norm_eps"]);
    let config = room.manifest()["models"]["clip"]["config"].clone();
    assert_eq!(config["text_config"]["eos_token_id"], 573);
}

#[test]
fn the_tokenizer_gets_show_os_tokens() {
    let room = Room::new();
    let text = room.converted(&[]);
    says(&text, &["added to the tokenizer: [PAD] <|soi|>", "300 to 309"]);
    let json = room.json("bundle/tokenizer.json");
    let ids: Vec<_> = json["added_tokens"]
        .as_array()
        .unwrap()
        .iter()
        .skip(1)
        .map(|token| (token["id"].as_u64().unwrap(), token["content"].as_str().unwrap()))
        .collect();
    // `training/prompting_utils.py` of showlab/Show-o.
    let expected = [
        (300, "[PAD]"),
        (301, "<|soi|>"),
        (302, "<|eoi|>"),
        (303, "<|sov|>"),
        (304, "<|eov|>"),
        (305, "<|t2i|>"),
        (306, "<|mmu|>"),
        (307, "<|t2v|>"),
        (308, "<|v2v|>"),
        (309, "<|lvg|>"),
    ];
    assert_eq!(ids, expected);
    // A tokenizer that has them stays as it is.
    fs::copy(room.path("bundle/tokenizer.json"), room.path("tokenizer.json")).unwrap();
    let before = fs::read(room.path("tokenizer.json")).unwrap();
    fs::remove_dir_all(room.path("bundle")).unwrap();
    let text = room.converted(&[]);
    assert!(!text.contains("added to the tokenizer"), "{text}");
    assert_eq!(fs::read(room.path("bundle/tokenizer.json")).unwrap(), before);
}

#[test]
fn tokenizers_of_other_models_are_refused() {
    let room = Room::new();
    let whole = room.json("tokenizer.json");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = whole.clone();
        change(&mut changed);
        room.write_json("tokenizer.json", &changed);
        let text = room.refused(&[]);
        says(&text, &["tokenizer.json"]);
        text
    };
    let added = |json: &mut Value, id: u64, content: &str| {
        json["added_tokens"].as_array_mut().unwrap().push(json!({ "id": id, "content": content, "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false, "special": true }));
    };
    says(&with(&|json| added(json, 300, "more")), &["has 301 tokens", "llm_vocab_size 300"]);
    says(&with(&|json| added(json, 300, "<|soi|>")), &["some of Show-o's tokens", "[PAD]"]);
    says(&with(&|json| drop(json.as_object_mut().unwrap().remove("model"))), &["not a tokenizer.json"]);
    says(&with(&|json| json["model"]["vocab"] = json!(7)), &["cannot be used"]);
    says(&with(&|json| *json = json!([])), &["not a tokenizer.json"]);
    // What would change a prompt behind its writer's back.
    says(&with(&|json| json["model"]["dropout"] = json!(0.1)), &["model.dropout is 0.1", "null"]);
    let template = json!({ "type": "TemplateProcessing",
        "single": [{ "SpecialToken": { "id": "a", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
        "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
        "special_tokens": { "a": { "id": "a", "ids": [0], "tokens": ["a"] } } });
    says(&with(&|json| json["post_processor"] = template.clone()), &["post_processor adds tokens"]);
    says(&with(&|json| json["added_tokens"][0]["id"] = json!(7)), &["added_tokens gives", "the id 7"]);
    room.write_json("tokenizer.json", &whole);
    edit(&room, "showo/config.json", |json| json["bos"] = json!(350));
    says(&room.refused(&[]), &["no token 350", "bos"]);
    fs::remove_file(room.path("tokenizer.json")).unwrap();
    says(&room.refused(&[]), &["tokenizer.json"]);
}

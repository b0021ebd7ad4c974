//! A public CLIP, from its folder on the hub to a score: the reference's case of CLIPScore (`tests/fixtures/understanding`), converted
//! with a small generator of other words, judges what that draws.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Int, Tensor, TensorData};
use safetensors::SafeTensors;
use showo::bundle::{Bundle, FolderReader, block_on};
use showo::load::{ClipModel, Models, Place};
use showo::model::clip::clip_score;
use showo::picture::Rgb;
use showo::session::{NativeHost, Session};
use showo::settings::{AcceptRule, ReflectionSettings, Settings, VerifierMode};
use showo::trace::Event;
use showo::verify::{Wording, clip};
use support::{Room, says};

const INPUTS: [&str; 6] = ["--input", "showo=showo", "--input", "magvit=magvit", "--input", "clip=public"];
const PROMPT: &str = "a fox";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/understanding").join(name)
}

/// A room with the reference's CLIP in `public/`, in the public layout, without `tokenizer.json`: its words are in the older files.
fn room() -> Room {
    let room = Room::new();
    let public = room.path("public");
    fs::create_dir(&public).unwrap();
    for file in ["config.json", "preprocessor_config.json", "vocab.json", "merges.txt", "special_tokens_map.json"] {
        fs::copy(fixture("clipscore_tiny.hub").join(file), public.join(file)).unwrap();
    }
    fs::copy(fixture("clipscore_tiny.weights.safetensors"), public.join("model.safetensors")).unwrap();
    room
}

fn models(folder: &Path) -> Models {
    block_on(async {
        let bundle = Bundle::open(FolderReader::new(folder)).await.unwrap();
        let mut models = Models::load(&bundle, &Place::cpu("CPU"), &mut |_| {}).await.unwrap();
        models.load_verifiers(&bundle, &mut |_| {}).await.unwrap();
        models
    })
}

fn events(models: &Models, settings: Settings) -> Vec<Event> {
    let mut events = Vec::new();
    let mut host = NativeHost::new(|event: &Event| events.push(event.clone()));
    block_on(Session::new(models.clone()).draw(settings, &mut host)).unwrap();
    events
}

fn read(values: Tensor<1>) -> Vec<f32> {
    values.into_data().iter::<f32>().collect()
}

/// CLIPScore of pictures in bytes by the reference's own steps, none of which a verifier takes: on the host, picture by picture.
fn by_hand(clip: &ClipModel, text: &str, pictures: &[Rgb]) -> Vec<f32> {
    let device = Device::flex();
    let read_text = clip.tokenizer.as_ref().unwrap().encode(text, 77).unwrap();
    let ids: Vec<i32> = read_text.ids.iter().map(|&id| id as i32).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids.clone(), [1, ids.len()]), &device);
    let embedded = clip.clip.embed_text(ids, &[read_text.end]);
    let side = clip.config.vision_config.image_size;
    let score = |picture: &Rgb| {
        let pixels = picture.for_clip(&clip.config).unwrap();
        let pixels = Tensor::<4>::from_data(TensorData::new(pixels, [1, 3, side, side]), &device);
        read(clip_score(clip.clip.embed_image(pixels), embedded.clone()))[0]
    };
    pictures.iter().map(score).collect()
}

fn close(found: &[f32], wanted: &[f32], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() < 5e-5, "{what}: {found} instead of {wanted}");
    }
}

#[test]
fn a_public_clip_scores_from_a_bundle_as_the_reference_scores() {
    let room = room();
    let text = room.converted(&[&INPUTS[..], &["--scheme", "f32"]].concat());
    says(&text, &["clip: its tokenizer.json is made of vocab.json and merges.txt", "eos_token_id 2"]);
    let manifest = room.manifest();
    assert_eq!(manifest["format"], 2);
    assert_eq!(manifest["models"]["clip"]["tokenizer"]["file"], "clip-tokenizer.json");
    assert_eq!(manifest["models"]["clip"]["config"]["resize"], "bicubic");
    says(&room.ok(&["verify", "bundle", "--against", "clip=public"]), &["bundle: sound"]);
    says(&room.ok(&["inspect", "bundle"]), &["format 2", "reads words by clip-tokenizer.json"]);

    let models = models(&room.path("bundle"));
    let golden = fs::read(fixture("clipscore_tiny.golden.safetensors")).unwrap();
    let golden = SafeTensors::deserialize(&golden).unwrap();
    let case: serde_json::Value = serde_json::from_slice(&fs::read(fixture("clipscore_tiny.json")).unwrap()).unwrap();
    let scores = golden.tensor("clip_score").unwrap();
    let wanted: Vec<f32> = scores.data().as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
    let [images, texts] = *scores.shape() else { panic!() };
    let (mut differ, mut compared) = (0, 0);
    for (column, text) in case["texts"].as_array().unwrap().iter().enumerate() {
        // The generator's ids are of no matter to it.
        let verifier = clip(&models, Wording { text: text.as_str().unwrap(), ids: &[] }).unwrap().unwrap();
        for row in 0..images {
            let image = golden.tensor(&format!("image.{row}")).unwrap();
            let [height, width, 3] = *image.shape() else { panic!() };
            let picture = Rgb { width: width as u32, height: height as u32, bytes: image.data().to_vec() };
            let pixels = TensorData::new(picture.to_signed(), [1, 3, height, width]);
            let score = read(verifier.score_pixels(Tensor::from_data(pixels, &Device::flex())));
            let wanted = wanted[row * texts + column];
            close(&score, &[wanted], &format!("picture {row}, text {column}"));
            (differ, compared) = (differ + usize::from(wanted > 0.0), compared + 1);
        }
    }
    assert!(differ > compared / 4, "{differ} of {compared} scores say anything");
}

#[test]
fn it_judges_drawings_and_their_patches() {
    let room = room();
    room.converted(&INPUTS);
    let models = models(&room.path("bundle"));
    assert_eq!(models.verifiers(), [VerifierMode::None, VerifierMode::BestOfK]);
    let network = models.clip.clone().unwrap();
    let settings = Settings {
        prompt: PROMPT.into(),
        seed: 3,
        steps: 2,
        candidates: 3,
        verifier: "clip".parse().unwrap(),
        reflection: Some(ReflectionSettings {
            threshold: 2.5,
            rounds: 1,
            patch_grid: 3,
            accept: AcceptRule::Every,
            epsilon: 0.0,
        }),
        previews: false,
        ..Settings::default()
    };
    let events = events(&models, settings);
    let (mut pictures, mut scores) = (Vec::new(), Vec::new());
    for event in &events {
        match event {
            Event::Image { picture, score, .. } => {
                pictures.push(picture.rgb().unwrap());
                scores.push(score.unwrap());
            }
            Event::PathChosen { path } => {
                let best = scores.iter().copied().fold(f32::MIN, f32::max);
                assert_eq!(scores[*path as usize], best);
            }
            Event::Reflection { before, patch_scores, .. } => {
                // Three patches a side of 32 pixels: 11, 10 and 11.
                let whole = before.rgb().unwrap();
                let edges = [0, 11, 21, 32];
                let patch = |at: usize| {
                    let ([top, left], [bottom, right]) =
                        ([edges[at / 3], edges[at % 3]], [edges[at / 3 + 1], edges[at % 3 + 1]]);
                    let row = |row: usize| whole.bytes[(row * 32 + left) * 3..(row * 32 + right) * 3].to_vec();
                    Rgb {
                        width: (right - left) as u32,
                        height: (bottom - top) as u32,
                        bytes: (top..bottom).flat_map(row).collect(),
                    }
                };
                close(patch_scores, &by_hand(&network, PROMPT, &(0..9).map(patch).collect::<Vec<_>>()), "patches");
            }
            _ => {}
        }
    }
    assert_eq!(scores.len(), 3);
    close(&scores, &by_hand(&network, PROMPT, &pictures), "pictures");
    assert!(events.iter().any(|event| matches!(event, Event::Reflection { .. })));
    assert_ne!(by_hand(&network, "a bear", &pictures), scores);
}

#[test]
fn what_is_unpacked_is_the_same_public_clip_again() {
    let room = room();
    room.converted(&INPUTS);
    room.ok(&["unpack", "bundle", "--out", "unpacked"]);
    let again = [
        "convert",
        "--input",
        "showo=unpacked/showo",
        "--input",
        "magvit=unpacked/magvit",
        "--input",
        "clip=unpacked/clip",
    ];
    let rest = ["--tokenizer", "unpacked", "--name", "tiny", "--licence", "MIT", "--out", "again"];
    room.ok(&[&again[..], &rest].concat());
    let (first, second) = (room.manifest(), room.json("again/manifest.json"));
    for field in ["config", "tokenizer"] {
        assert_eq!(first["models"]["clip"][field], second["models"]["clip"][field], "{field}");
    }
}

#[test]
fn a_public_clip_that_lacks_something_is_refused_with_the_remedy() {
    let room = room();
    let put = |file: &str, text: &str| fs::write(room.path(&format!("public/{file}")), text).unwrap();
    let processor = room.json("public/preprocessor_config.json");
    for (field, value, words) in [
        ("do_center_crop", serde_json::json!(false), "do_center_crop is false"),
        ("resample", serde_json::json!(2), "resample is 2; pictures are resized by the filter 3"),
        ("size", serde_json::json!({ "shortest_edge": 224 }), "but vision_config.image_size 32"),
        ("crop_size", serde_json::json!({ "height": 32, "width": 31 }), "crop_size"),
        ("rescale_factor", serde_json::json!(1.0), "divided by 255"),
        ("image_std", serde_json::json!([0.5, 0.0, 0.5]), "larger than 0"),
        ("image_mean", serde_json::json!([0.5]), "image_mean"),
    ] {
        let mut changed = processor.clone();
        changed[field] = value;
        room.write_json("public/preprocessor_config.json", &changed);
        says(&room.refused(&INPUTS), &["public/preprocessor_config.json", words]);
    }
    // As newer files are written.
    let mut newer = processor.clone();
    newer["size"] = serde_json::json!({ "shortest_edge": 32 });
    newer["crop_size"] = serde_json::json!({ "height": 32, "width": 32 });
    newer["rescale_factor"] = serde_json::json!(0.003_921_568_627_450_98);
    newer["image_mean"] = serde_json::json!([0.5, 0.25, 0.125]);
    room.write_json("public/preprocessor_config.json", &newer);
    room.converted(&INPUTS);
    assert_eq!(room.manifest()["models"]["clip"]["config"]["image_mean"], newer["image_mean"]);
    fs::remove_dir_all(room.path("bundle")).unwrap();
    fs::remove_file(room.path("public/preprocessor_config.json")).unwrap();
    says(&room.converted(&INPUTS), &["no preprocessor_config.json", "openai/clip-vit-base-patch32"]);
    fs::remove_dir_all(room.path("bundle")).unwrap();

    fs::copy(room.path("tokenizer.json"), room.path("public/tokenizer.json")).unwrap();
    says(&room.refused(&INPUTS), &["public/tokenizer.json", "<|startoftext|>"]);
    fs::remove_file(room.path("public/tokenizer.json")).unwrap();
    put("vocab.json", "[]");
    says(&room.refused(&INPUTS), &["public/vocab.json", "not a map of tokens to ids"]);
    fs::remove_file(room.path("public/vocab.json")).unwrap();
    says(
        &room.refused(&INPUTS),
        &["public/config.json", "public CLIP", "vocab.json with merges.txt", "openai/clip-vit-base-patch32"],
    );
}

#[test]
fn the_judges_are_recorded_and_must_be_there() {
    let room = room();
    says(&room.converted(&[&INPUTS[..], &["--judge", "clip"]].concat()), &["bundle"]);
    assert_eq!(room.manifest()["judges"], serde_json::json!(["clip"]));
    assert_eq!((room.manifest()["format"].as_u64(), models(&room.path("bundle")).verifiers().len()), (Some(2), 2));
    says(&room.ok(&["inspect", "bundle"]), &["judges with clip"]);
    fs::remove_dir_all(room.path("bundle")).unwrap();
    for (judges, words) in [
        (
            "parm",
            "--judge parm: the bundle would hold no such model; add it with --input reward:parm=PATH, or leave parm out",
        ),
        ("clip,clip", "--judge clip: is given twice"),
        ("clip,oracle", "no judge is called \"oracle\"; there are self, clip, orm, prm, parm"),
        // Its words have no token for "yes".
        ("self", "--judge self: the generator cannot be asked about pictures"),
    ] {
        says(&room.refused(&[&INPUTS[..], &["--judge", judges]].concat()), &[words]);
    }
    let told = room.refused(&[&INPUTS[..], &["--judge", "clip", "--decoding", "verifier=parm"]].concat());
    says(&told, &["--decoding verifier=parm: parm is not among --judge clip"]);
    let parm =
        [&INPUTS[..], &["--input", "reward:parm=parm", "--judge", "clip,parm", "--decoding", "verifier=parm"]].concat();
    room.converted(&parm);
    assert_eq!(room.manifest()["judges"], serde_json::json!(["clip", "parm"]));
}

#[test]
fn a_show_o_with_clip_vit_is_refused_by_name() {
    let room = Room::new();
    let plain = room.json("showo/config.json");
    let mut with = plain.clone();
    with["w_clip_vit"] = serde_json::json!(true);
    room.write_json("showo/config.json", &with);
    let words = ["CLIP-ViT", "w_clip_vit", "take showlab/show-o or showlab/show-o-512x512"];
    says(&room.refused(&[]), &words);
    says(&room.refused(&[]), &["showo/config.json"]);
    // And where its configuration does not say so.
    room.write_json("showo/config.json", &plain);
    let projector = (safetensors::Dtype::F32, vec![2], vec![0; 8]);
    room.set_tensor("showo", "mm_projector.0.weight", Some(projector));
    says(&room.refused(&[]), &words);
    says(&room.refused(&[]), &["mm_projector.0.weight", "showo/model.safetensors"]);
}

//! A PARM of one's own from end to end, as the commands in docs/bring-your-own.md: a synthetic two-layer Show-o draws, made-up
//! labels come back in each form, a network learns them, and the bundle that it is added to is drawn with.
//!
//! `quantize` and `showo` lie beside `train`, where `cargo test` and `cargo nextest` of the workspace put them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ::showo::picture::Rgb;
use serde_json::{Value, json};
use tempfile::TempDir;

const IMAGES: usize = 8;
const STEPS: &str = "4";
/// Every so many prompts one is held out.
const HOLDOUT: usize = 5;
/// Bits of a code.
const BITS: u32 = 6;
const PROMPTS: [&str; 10] =
    ["a fox", "a cat", "two cats", "a dog", "a red dog", "the sea", "a boat", "a tree", "an egg", "a cup"];

struct Room {
    folder: TempDir,
}

impl Room {
    /// With `bundle`, of random weights, and `prompts.jsonl`.
    fn new() -> Self {
        let room = Self { folder: tempfile::tempdir().unwrap() };
        room.ok("quantize", &["synth", "--config", "tiny", "--seed", "3", "--out", "hub"]);
        let convert = ["convert", "--input", "showo=hub/showo", "--input", "magvit=hub/magvit", "--tokenizer", "hub"];
        room.ok("quantize", &[&convert[..], &["--name", "tiny", "--licence", "none", "--out", "bundle"]].concat());
        let line = |prompt: &&str| format!("{}\n", json!({ "tag": "single_object", "include": [], "prompt": prompt }));
        fs::write(room.path("prompts.jsonl"), PROMPTS.iter().map(line).collect::<String>()).unwrap();
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> (bool, String) {
        let train = Path::new(env!("CARGO_BIN_EXE_train"));
        let path = train.with_file_name(format!("{program}{}", std::env::consts::EXE_SUFFIX));
        assert!(path.exists(), "{} is not built: cargo build --release -p quantize -p cli", path.display());
        let output = Command::new(path).args(arguments).current_dir(self.folder.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), text)
    }

    fn ok(&self, program: &str, arguments: &[&str]) -> String {
        let (success, text) = self.run(program, arguments);
        assert!(success, "{program} {arguments:?}: {text}");
        text
    }

    fn fails(&self, program: &str, arguments: &[&str], words: &[&str]) {
        let (success, text) = self.run(program, arguments);
        assert!(!success, "{program} {arguments:?} was accepted: {text}");
        for word in words {
            assert!(text.contains(word), "{word:?} is not in: {text}");
        }
    }

    fn roll(&self, more: &[&str]) -> String {
        let all = ["--bundle", "bundle", "rollouts", "--prompts", "prompts.jsonl", "--out", "rolled", "--steps", STEPS];
        // Without guidance random weights draw less of the same.
        self.ok("train", &[&all[..], &["--guidance-scale", "0"], more].concat())
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }
}

/// What the evaluator finds in a folder, as its `main` walks through it: pictures with the prompts to compare them with.
fn evaluated(folder: &Path) -> BTreeMap<PathBuf, String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().flatten().filter(|entry| digits(&entry.file_name().to_string_lossy())) {
        let metadata: Value = serde_json::from_slice(&fs::read(entry.path().join("metadata.jsonl")).unwrap()).unwrap();
        for sample in fs::read_dir(entry.path().join("samples")).unwrap().flatten() {
            let name = sample.file_name().into_string().unwrap();
            assert!(name.strip_suffix(".png").is_some_and(digits), "{name} lies among the samples");
            assert!(metadata["tag"].is_string());
            found.insert(sample.path(), metadata["prompt"].as_str().unwrap().to_owned());
        }
    }
    found
}

/// The made-up rule: of a whole picture's codes more than half have a bit.
fn right(codes: &[i64], bit: u32) -> bool {
    2 * codes.iter().filter(|&&code| code >> bit & 1 == 1).count() > codes.len()
}

/// The bit by which most prompts have right pictures and wrong ones, and those that are held out have both.
fn telling(drawn: &BTreeMap<PathBuf, Vec<Vec<i64>>>) -> u32 {
    let mixed = |bit: u32| {
        let all: Vec<bool> = drawn.values().map(|sampled| right(&sampled[sampled.len() - 1], bit)).collect();
        let both = |some: &[bool]| some.contains(&true) && some.contains(&false);
        let held: Vec<bool> = all.chunks(IMAGES).skip(HOLDOUT - 1).step_by(HOLDOUT).flatten().copied().collect();
        both(&held).then(|| all.chunks(IMAGES).filter(|prompt| both(prompt)).count())
    };
    let best = (0..BITS).filter_map(|bit| Some((mixed(bit)?, bit))).max();
    best.expect("no bit tells the pictures of random weights apart; take another seed").1
}

fn codes(json: &Value) -> Vec<i64> {
    json.as_array().unwrap().iter().map(|code| code.as_i64().unwrap()).collect()
}

/// A network that learns in seconds.
fn small() -> Vec<String> {
    let sizes = "hidden_size=64 num_hidden_layers=2 num_attention_heads=2 intermediate_size=128 head_size=32 fit.batch=32 \
                 fit.warmup_steps=5";
    let holdout = format!("holdout={HOLDOUT}");
    sizes.split_whitespace().chain([holdout.as_str()]).flat_map(|one| ["--set".to_owned(), one.to_owned()]).collect()
}

#[test]
fn a_parm_is_trained_on_any_generator_s_pictures_and_judges_them() {
    let room = Room::new();
    let images = IMAGES.to_string();
    let told = room.roll(&["--images", &images, "--seed", "5", "--previews", "true"]);
    assert!(told.contains("80 pictures of 10 prompts, 80 of them drawn now"), "{told}");

    // GenEval's own layout, of finished pictures and of previews.
    let pictures = evaluated(&room.path("rolled"));
    assert_eq!(pictures.len(), 80);
    assert_eq!(pictures[&room.path("rolled/00002/samples/00007.png")], "two cats");
    let previews = evaluated(&room.path("rolled/previews"));
    assert_eq!(previews.len(), 80 * 3);

    // Picture i has the seed 5 + i: `showo generate` draws it again.
    let draw = ["generate", "--bundle", "bundle", "--prompt", "two cats", "--seed", "12", "--steps", STEPS];
    room.ok("showo", &[&draw[..], &["--guidance", "0", "--verifier", "none", "--out", "again.png"]].concat());
    let pixels = |name: &str| Rgb::from_png(&fs::read(room.path(name)).unwrap()).unwrap();
    assert!(pixels("again.png") == pixels("rolled/00002/samples/00007.png"), "the engine draws another picture");

    goes_on(&room, &images);
    let labels = made_up(&room, &pictures);
    refuses(&room, &labels);

    // Only finished pictures are labelled.
    let small = small();
    let small: Vec<&str> = small.iter().map(String::as_str).collect();
    let train =
        ["--bundle", "bundle", "reward", "--rollouts", "rolled", "--labels", "results.jsonl", "--labels", "own.jsonl"];
    let told = room.ok("train", &[&train[..], &small, &["--set", "fit.steps=150"]].concat());
    let auc = told.lines().rev().find_map(|line| line.strip_prefix("AUC, Outcome: ")).expect("a figure");
    let auc: f64 = auc.split(' ').next().unwrap().parse().unwrap();
    assert!(auc > 0.9, "held-out pictures are told apart with an AUC of {auc}: {told}");
    assert_eq!(room.json("runs/own-reward/reward.json")["learnt"], json!(["potential", "outcome"]));

    room.ok(
        "quantize",
        &[
            "convert",
            "--bundle",
            "bundle",
            "--input",
            "reward:parm=runs/own-reward/reward.safetensors",
            "--out",
            "judged",
        ],
    );
    let against = "reward:parm=runs/own-reward/reward.safetensors";
    let told = room.ok("quantize", &["verify", "judged", "--against", against, "--against", "showo=hub/showo"]);
    assert!(told.contains("judged: sound"), "{told}");
    let judged = ["generate", "--bundle", "judged", "--prompt", "a fox", "--steps", STEPS, "--candidates", "4"];
    let with = |mode: &'static str| [&judged[..], &["--verifier", mode, "--out", "judged.png"]].concat();
    for mode in ["parm", "orm", "parm-paths"] {
        room.ok("showo", &with(mode));
        fs::remove_file(room.path("judged.png")).unwrap();
    }
    // Of previews it was told nothing.
    room.fails("showo", &with("prm"), &["prm", "usable now: none, orm, parm, parm-paths"]);

    // Previews are labelled, too.
    let told = room.ok(
        "train",
        &[&train[..], &["--labels", "previews.jsonl", "--out", "four"], &small, &["--set", "fit.steps=3"]].concat(),
    );
    assert!(told.contains("[Clarity, Potential, Outcome, Preview]"), "{told}");
    assert!(room.json("runs/four/reward.json").get("learnt").is_none(), "a network that learnt all says nothing of it");
}

/// What is missing is drawn again as it was, and nothing else.
fn goes_on(room: &Room, images: &str) {
    let read = |name: &str| fs::read(room.path(name)).unwrap();
    let (states, picture) = ("rolled/00003/states/00002.json", "rolled/00003/samples/00002.png");
    let (other, preview) = ("rolled/00004/samples/00000.png", "rolled/previews/00001/samples/00006001.png");
    let before = [states, picture, other, preview].map(read);
    for name in [states, picture, other, preview] {
        fs::remove_file(room.path(name)).unwrap();
    }
    let told = room.roll(&["--images", images, "--seed", "5", "--previews", "true"]);
    assert!(told.contains("80 pictures of 10 prompts, 1 of them drawn now"), "{told}");
    assert!([states, picture, other, preview].map(read) == before, "it is another picture now");
    let other_seed = "--bundle bundle rollouts --prompts prompts.jsonl --out rolled --guidance-scale 0";
    let other_seed: Vec<&str> = other_seed.split(' ').chain(["--steps", STEPS]).collect();
    room.fails("train", &other_seed, &["were begun with seed 5, but now it is 0", "--out"]);
}

/// Labels by the rule: half of the pictures' in the form of the evaluator, half by hand, the previews' by hand.
fn made_up(room: &Room, pictures: &BTreeMap<PathBuf, String>) -> BTreeMap<PathBuf, bool> {
    let sampled = |picture: &PathBuf| {
        let (image, folder) = (picture.file_stem().unwrap().to_str().unwrap(), picture.ancestors().nth(2).unwrap());
        let json = fs::read(folder.join(format!("states/{image}.json"))).unwrap();
        let drawn: Value = serde_json::from_slice(&json).unwrap();
        (picture.clone(), drawn["sampled"].as_array().unwrap().iter().map(codes).collect())
    };
    let drawn: BTreeMap<PathBuf, Vec<Vec<i64>>> = pictures.keys().map(sampled).collect();
    let bit = telling(&drawn);
    let (mut results, mut own, mut previews) = (String::new(), String::new(), String::new());
    let mut labels = BTreeMap::new();
    for (at, (picture, sampled)) in drawn.iter().enumerate() {
        let yes = right(&sampled[3], bit);
        labels.insert(picture.clone(), yes);
        let name = picture.strip_prefix(room.path("rolled")).unwrap().to_str().unwrap();
        own += &match at.is_multiple_of(2) {
            true => {
                let prompt = &pictures[picture];
                let line = json!({ "filename": picture, "tag": "single_object", "prompt": prompt, "correct": yes, "reason": "" });
                results += &format!("{line}\n");
                String::new()
            }
            false => format!("{}\n", json!({ "picture": name, "yes": yes })),
        };
        for (step, shown) in sampled[..3].iter().enumerate() {
            let name = format!("previews/{}{step:03}.png", name.strip_suffix(".png").unwrap());
            previews += &format!("{}\n", json!({ "picture": name, "yes": right(shown, bit) }));
        }
    }
    for (name, text) in [("results.jsonl", results), ("own.jsonl", own), ("previews.jsonl", previews)] {
        fs::write(room.path(name), text).unwrap();
    }
    labels
}

fn refuses(room: &Room, labels: &BTreeMap<PathBuf, bool>) {
    let train = ["--bundle", "bundle", "reward", "--rollouts", "rolled"];
    let fails = |more: &[&str], words: &[&str]| room.fails("train", &[&train[..], more].concat(), words);
    fails(&[], &["of no world", "--labels FILE", "00000/samples/00000.png"]);
    fails(&["--labels", "results.jsonl"], &["40 of 80", "--missing skip", "and 35 more"]);
    let first = labels.values().next().unwrap();
    fs::write(room.path("wrong.jsonl"), json!({ "picture": "00000/samples/00000.png", "yes": !first }).to_string())
        .unwrap();
    fails(&["--labels", "results.jsonl", "--labels", "wrong.jsonl"], &["both yes and no", "wrong.jsonl, line 1"]);
    fails(&["--labels", "results.jsonl", "--label", "preview"], &["--label"]);
    room.fails("train", &["reward", "--rollouts", "rolled", "--labels", "results.jsonl"], &["--bundle DIR"]);
    room.fails("train", &["--bundle", "bundle", "reward", "--labels", "results.jsonl"], &["--rollouts DIR"]);
    let convert = ["convert", "--input", "showo=hub/showo", "--input", "magvit=hub/magvit", "--tokenizer", "hub"];
    room.ok("quantize", &[&convert[..], &["--name", "other", "--licence", "none", "--out", "other"]].concat());
    room.fails("train", &["--bundle", "other", "reward", "--rollouts", "rolled"], &["drawn with the bundle tiny"]);
}

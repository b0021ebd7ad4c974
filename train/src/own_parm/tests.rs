use std::collections::BTreeMap;
use std::path::PathBuf;

use showo::config::RewardQuestion;

use super::examples::Examples;
use super::gallery::{Gallery, Rolled, States};
use super::key::Key;
use super::labels::{self, Labels, Missing};
use super::prompts::Line;
use super::record::Record;
use crate::cli::configuration;

/// A drawing of three steps whose states tell the step and the picture.
fn rolled(prompt: u32, image: u32) -> Rolled {
    let mark = (10 * prompt + image) as i32;
    let states = States {
        prompt: format!("prompt {prompt}"),
        ids: vec![prompt],
        seed: u64::from(image),
        states: vec![vec![-1, mark], vec![1, mark], vec![2, mark]],
        sampled: vec![vec![100, mark], vec![101, mark], vec![2, mark]],
    };
    Rolled { key: Key::finished(prompt, image), asked: format!("Prompt {prompt}"), states }
}

fn four() -> Vec<Rolled> {
    vec![rolled(0, 0), rolled(0, 1), rolled(1, 0), rolled(1, 1)]
}

/// What files with these texts say of [`four`].
fn read(texts: &[&str]) -> Result<Labels, String> {
    let folder = tempfile::tempdir().unwrap();
    let write = |(at, text): (usize, &&str)| -> PathBuf {
        let path = folder.path().join(format!("labels-{at}.jsonl"));
        std::fs::write(&path, text).unwrap();
        path
    };
    let files: Vec<PathBuf> = texts.iter().enumerate().map(write).collect();
    labels::read(&files, &four()).map_err(|error| format!("{error:#}"))
}

/// As pandas writes it, slashes escaped.
const EVALUATED: &str = r#"{"filename":"\/data\/out\/00000\/samples\/00000.png","tag":"counting","prompt":"Prompt 0","correct":true,"reason":"","metadata":"{}","details":"{}"}
{"filename":"\/data\/out\/00000\/samples\/00001.png","tag":"counting","prompt":"Prompt 0","correct":false,"reason":"expected cat>=2, found 1","metadata":"{}","details":"{}"}
"#;

#[test]
fn the_evaluator_s_results_and_lines_by_hand_are_read_together() {
    let own = r#"{"picture": "00001/samples/00000.png", "yes": false}
{"picture": "previews/00001/samples/00000001.png", "yes": true, "note": "blurred"}

{"picture": "00000/samples/00000.png", "yes": true}
"#;
    let labels = read(&[EVALUATED, own]).unwrap();
    let wanted: Labels = BTreeMap::from([
        (Key::finished(0, 0), true),
        (Key::finished(0, 1), false),
        (Key::finished(1, 0), false),
        (Key::finished(1, 0).preview(1), true),
    ]);
    assert_eq!(labels, wanted);
    // What is written is read again.
    let file = tempfile::NamedTempFile::new().unwrap();
    labels::write(file.path(), &labels).unwrap();
    assert_eq!(labels::read(&[file.path().to_owned()], &four()).unwrap(), wanted);
}

#[test]
fn labels_that_fit_no_picture_or_contradict_each_other_are_named() {
    let says = |texts: &[&str], words: &[&str]| {
        let error = read(texts).unwrap_err();
        for word in words {
            assert!(error.contains(word), "{word:?} is not in: {error}");
        }
    };
    let picture = |path: &str, yes: bool| format!("{{\"picture\": \"{path}\", \"yes\": {yes}}}\n");
    let many: String = (2..9).map(|image| picture(&format!("00000/samples/{image:05}.png"), true)).collect();
    says(&[&many], &["7 labels", "line 1: 00000/samples/00002.png", "and 2 more", "--rollouts"]);
    says(&[&picture("previews/00000/samples/00000003.png", true)], &["1 labels", "00000003.png"]);
    says(&[&picture("kitten.png", true)], &["kitten.png"]);
    let contrary = [EVALUATED, &picture("00000/samples/00001.png", true)];
    says(
        &contrary,
        &["1 pictures", "both yes and no", "00000/samples/00001.png", "labels-0", "labels-1.jsonl, line 1"],
    );
    says(&[&EVALUATED.replace("Prompt 0", "a photo of two cats")], &["other prompts", "Prompt 0", "two cats"]);
    for line in ["yes\n", "{}\n", "{\"filename\": \"00000/samples/00000.png\", \"yes\": true}\n", "[1]\n"] {
        says(&[EVALUATED, line], &["labels-1.jsonl, line 1", "\"correct\"", "\"picture\""]);
    }
}

#[test]
fn pictures_without_a_label_are_refused_or_passed_over() {
    let labels = read(&[EVALUATED]).unwrap();
    let error = labels::labelled(&labels, four(), Missing::Refuse).unwrap_err().to_string();
    for words in ["2 of 4", "00001/samples/00000.png, \"Prompt 1\"", "--missing skip"] {
        assert!(error.contains(words), "{error}");
    }
    let kept = labels::labelled(&labels, four(), Missing::Skip).unwrap();
    assert_eq!(kept.iter().map(|rolled| rolled.key).collect::<Vec<_>>(), [Key::finished(0, 0), Key::finished(0, 1)]);
    let error = labels::labelled(&Labels::new(), four(), Missing::Skip).unwrap_err().to_string();
    assert!(error.contains("no finished picture is labelled"), "{error}");
    let all = four().iter().map(|rolled| (rolled.key, true)).collect();
    let error = labels::labelled(&all, four(), Missing::Refuse).unwrap_err().to_string();
    assert!(error.contains("say yes"), "{error}");
}

#[test]
fn each_question_is_asked_of_what_its_answer_is_about() {
    let mut labels = read(&[EVALUATED]).unwrap();
    let only_finished = Examples::new(four(), &labels);
    assert_eq!(only_finished.answered(), [RewardQuestion::Potential, RewardQuestion::Outcome]);
    assert_eq!(only_finished.len(), 2);

    // The first picture is right, and its previews were wrong, then right.
    labels.extend([(Key::finished(0, 0).preview(0), false), (Key::finished(0, 0).preview(1), true)]);
    let examples = Examples::new(four(), &labels);
    assert_eq!(examples.answered(), RewardQuestion::ALL);
    let first = |step, question| {
        let example = examples.at(step, question).remove(0);
        (example.state[0], example.yes)
    };
    assert_eq!(first(0, RewardQuestion::Potential), (-1, true));
    assert_eq!(first(0, RewardQuestion::Outcome), (2, true));
    assert_eq!(first(0, RewardQuestion::Preview), (100, false));
    assert_eq!(first(1, RewardQuestion::Preview), (101, true));
    assert_eq!(first(0, RewardQuestion::Clarity), (-1, false), "what is shown is not what becomes of it");
    assert_eq!(first(1, RewardQuestion::Clarity), (1, true));
    assert_eq!(examples.at(1, RewardQuestion::Preview).len(), 1, "the other picture's preview has no label");

    let mut rng = rng::Rng::new(1);
    let batch = examples.batch(40, 0.5, &examples.answered(), &mut rng);
    assert_eq!((batch.examples.len(), batch.pairs), (40, 10));
    for pair in batch.examples[..20].as_chunks::<2>().0 {
        assert!(pair[0].yes && !pair[1].yes && pair[0].prompt == pair[1].prompt, "{pair:?}");
    }
    let asked = |examples: &Examples, learnt: &[RewardQuestion], rng: &mut rng::Rng| {
        let all = (0..200).map(|_| examples.single(learnt, rng).question);
        all.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(asked(&examples, &RewardQuestion::ALL, &mut rng), RewardQuestion::ALL);
    let learnt = only_finished.answered();
    assert_eq!(asked(&only_finished, &learnt, &mut rng), learnt);
}

#[test]
fn whole_prompts_are_held_out() {
    let rolled: Vec<Rolled> = (0..6).flat_map(|prompt| [rolled(prompt, 0), rolled(prompt, 1)]).collect();
    let labels: Labels = rolled.iter().map(|rolled| (rolled.key, rolled.key.image == 0)).collect();
    let [learnt, held] = Examples::hold_out(rolled.clone(), &labels, 3);
    assert_eq!((learnt.len(), held.len()), (8, 4));
    let prompts = |examples: &Examples| {
        let all = examples.at(0, RewardQuestion::Potential).into_iter().map(|example| example.prompt[0]);
        all.collect::<std::collections::BTreeSet<_>>()
    };
    assert!(prompts(&learnt).is_disjoint(&prompts(&held)));
    let [all, none] = Examples::hold_out(rolled.clone(), &labels, 0);
    assert_eq!((all.len(), none.len()), (12, 0));
    let mut other = labels.clone();
    other.insert(Key::finished(0, 0), false);
    assert_ne!(Examples::new(rolled.clone(), &other).fingerprint(), Examples::new(rolled, &labels).fingerprint());
}

fn record() -> Record {
    Record {
        bundle: "tiny 0123".into(),
        generator: "base".into(),
        steps: 3,
        guidance_scale: 2.0,
        temperature: 1.0,
        seed: 0,
    }
}

#[test]
fn a_folder_goes_on_with_what_it_was_begun_with() {
    let room = tempfile::tempdir().unwrap();
    let gallery = Gallery::new(&room.path().join("out"));
    let line = |prompt: &str| Line {
        index: 0,
        number: 1,
        prompt: prompt.to_owned(),
        json: serde_json::json!({ "prompt": prompt }).to_string(),
    };
    gallery.begin(&record()).unwrap();
    gallery.begin_prompt(&line("a cat"), true).unwrap();
    gallery.begin(&record()).unwrap();
    gallery.begin_prompt(&line("a cat"), true).unwrap();
    let error = gallery.begin(&Record { steps: 4, ..record() }).unwrap_err().to_string();
    assert!(error.contains("steps 3, but now it is 4") && error.contains("--out"), "{error}");
    let error = gallery.begin_prompt(&line("a dog"), false).unwrap_err().to_string();
    assert!(error.contains("another prompt") && error.contains("a dog"), "{error}");

    let foreign = Gallery::new(&room.path().join("foreign"));
    std::fs::create_dir_all(foreign.folder().join("00000/samples")).unwrap();
    let error = foreign.begin(&record()).unwrap_err().to_string();
    assert!(error.contains("numbered folders"), "{error}");
}

#[test]
fn damaged_states_are_named_with_what_to_do() {
    let config = crate::data::showo_config(&crate::data::Words::new(), 8, 1, 1, 8, 13);
    let config = showo::config::ShowoConfig { num_vq_tokens: 2, ..config };
    let room = tempfile::tempdir().unwrap();
    let gallery = Gallery::new(room.path());
    gallery.begin(&record()).unwrap();
    let json = "{\"prompt\": \"Prompt 0\"}".to_owned();
    gallery.begin_prompt(&Line { index: 0, number: 1, prompt: "Prompt 0".into(), json }, false).unwrap();
    let sound = rolled(0, 0);
    gallery.write_states(sound.key, &sound.states).unwrap();
    assert_eq!(gallery.read(&config).unwrap(), std::slice::from_ref(&sound));

    let mut broken: Vec<States> = vec![sound.states.clone(); 5];
    broken[0].states.pop();
    broken[1].sampled[0][0] = 8_192;
    broken[2].states[2][0] = -1;
    broken[3].ids[0] = 1_000_000;
    broken[4].states[0].push(1);
    for states in broken {
        gallery.write_states(sound.key, &states).unwrap();
        let error = gallery.read(&config).unwrap_err().to_string();
        assert!(error.contains("00000/states/00000.json") && error.contains("delete it"), "{error}");
    }
    std::fs::write(room.path().join("00000/states/00000.json"), "{").unwrap();
    assert!(gallery.read(&config).is_err());
}

#[test]
fn a_grid_that_squares_do_not_fill_names_the_remedy() {
    let config: super::OwnRewardConfig = configuration(None, "own-reward").unwrap();
    let generator = crate::data::showo_config(&crate::data::Words::new(), 8, 1, 1, 8, 13);
    let learnt = vec![RewardQuestion::Potential];
    let network = config.network(&generator, learnt.clone()).unwrap();
    assert_eq!((network.hidden_size, network.num_hidden_layers, network.num_attention_heads), (512, 6, 8));
    assert_eq!(
        (network.head_size, network.text_vocab_size, network.codebook_size),
        (256, generator.first_code(), 8_192)
    );
    let odd = showo::config::ShowoConfig { num_vq_tokens: 25, ..generator };
    let error = config.network(&odd, learnt).unwrap_err().to_string();
    assert!(error.contains("merge=1"), "{error}");
}

//! A preview decoder fitted to a bundle: the rest of the bundle stays byte for byte, and programs show candidates by it.

mod support;

use std::{collections::BTreeMap, fs};

use showo::{
    bundle::{Bundle, FolderReader, block_on},
    load::{Models, Place},
    picture::Rgb,
    session::{NativeHost, Session},
    settings::{Settings, VerifierMode},
    trace::Event,
};
use support::{Room, says};

/// A tiny Show-o with its MAGVIT-v2, and whatever is said besides.
fn converted(room: &Room, more: &[&str]) {
    room.converted(&[&["--input", "showo=showo", "--input", "magvit=magvit"], more].concat());
}

const SMALL: [&str; 6] = ["--examples", "32", "--width", "128", "--out", "new"];

fn files(room: &Room, folder: &str) -> BTreeMap<String, Vec<u8>> {
    support::read_all(&room.path(folder))
}

/// The sides of what a drawing shows: of candidates, and of the finished picture.
fn sides(room: &Room, folder: &str) -> (Vec<u32>, u32) {
    let settings = Settings {
        prompt: "a b".into(),
        steps: 2,
        verifier: VerifierMode::None,
        previews: true,
        ..Settings::default()
    };
    let mut events = Vec::new();
    block_on(async {
        let bundle = Bundle::open(FolderReader::new(room.path(folder))).await.unwrap();
        let models = Models::load(&bundle, &Place::cpu("CPU"), &mut |_| {}).await.unwrap();
        let mut host = NativeHost::new(|event: &Event| events.push(event.clone()));
        Session::new(models).draw(settings, &mut host).await.unwrap();
    });
    let (mut small, mut finished) = (Vec::new(), 0);
    for event in &events {
        match event {
            Event::Step { candidates, .. } => {
                small.extend(candidates.iter().filter_map(|one| Some(one.preview.as_ref()?.width_px)));
            }
            Event::Finished { picture, .. } => finished = picture.width_px,
            _ => {}
        }
    }
    (small, finished)
}

#[test]
fn a_bundle_gets_previews_and_keeps_all_else() {
    let room = Room::new();
    converted(&room, &[]);
    let text = room.ok(&[&["preview", "bundle"][..], &SMALL].concat());
    says(
        &text,
        &["24 pictures", "16 × 16 pixels", "dB  the whole draw", "one colour everywhere", "% of a guided step"],
    );
    let db = |what: &str| -> f64 {
        let line = text.lines().find(|line| line.contains(what)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    assert!(db("the whole draw") > db("one colour everywhere") + 1.0, "{text}");

    let (old, new) = (files(&room, "bundle"), files(&room, "new"));
    assert_eq!(new.len(), old.len() + 1);
    for (name, bytes) in old.iter().filter(|(name, _)| *name != "manifest.json") {
        assert!(new[name] == *bytes, "{name}");
    }
    assert_eq!(room.json("new/manifest.json")["models"]["preview"]["config"]["window"], 3);
    says(&room.ok(&["verify", "new"]), &["preview: 4 tensors", "new: sound"]);
    // Previews of a quarter of the area; the finished picture is the image tokenizer's as before.
    assert_eq!(sides(&room, "new"), (vec![16; 2], 32));
    assert_eq!(sides(&room, "bundle"), (vec![32; 2], 32));

    // The same again is the same; of another size it has another.
    room.ok(&["preview", "bundle", "--examples", "32", "--width", "128", "--out", "again"]);
    assert_eq!(files(&room, "again")["preview-000.safetensors"], new["preview-000.safetensors"]);
    room.ok(&[
        "preview",
        "bundle",
        "--examples",
        "16",
        "--width",
        "108",
        "--side",
        "8",
        "--seed",
        "3",
        "--out",
        "less",
    ]);
    assert_eq!(sides(&room, "less"), (vec![8; 2], 32));
}

#[test]
fn a_preview_decoder_that_is_there_is_measured_and_replaced() {
    let room = Room::new();
    converted(&room, &["--input", "preview=preview"]);
    let text = room.ok(&[&["preview", "bundle"][..], &SMALL].concat());
    says(&text, &["dB  the preview decoder that the bundle had"]);
    let (old, new) = (files(&room, "bundle"), files(&room, "new"));
    assert_eq!(new.keys().collect::<Vec<_>>(), old.keys().collect::<Vec<_>>());
    assert_ne!(new["preview-000.safetensors"], old["preview-000.safetensors"]);
    says(&room.ok(&["verify", "new"]), &["preview: 4 tensors", "new: sound"]);
}

#[test]
fn it_learns_from_a_folder_of_pictures() {
    let room = Room::new();
    converted(&room, &[]);
    let folder = room.path("photos");
    fs::create_dir_all(folder.join("more")).unwrap();
    let picture = |number: u32| Rgb {
        width: 40,
        height: 36,
        bytes: (0..40 * 36 * 3).map(|at: u32| (at * (number + 1) / 7 % 256) as u8).collect(),
    };
    for number in 0..20 {
        let name = if number % 2 == 0 { format!("{number}.png") } else { format!("more/{number}.PNG") };
        fs::write(folder.join(name), picture(number).to_png().unwrap()).unwrap();
    }
    let arguments = [&["preview", "bundle", "--pictures", "photos"][..], &SMALL].concat();
    // Of every eight one chooses and one is only looked at.
    says(&room.ok(&arguments), &["15 pictures", "chosen on 2 others", "3 more"]);
    fs::remove_dir_all(room.path("new")).unwrap();

    fs::write(folder.join("3.png"), "<html>not found</html>").unwrap();
    says(&room.fails(&arguments), &["photos/3.png"]);
    fs::remove_dir_all(folder.join("more")).unwrap();
    says(&room.fails(&arguments), &["--pictures photos", "11 PNG files", "at least 16"]);
    assert!(!room.path("new").exists());
    assert_eq!(room.hidden(), 0);
}

#[test]
fn what_fits_no_picture_is_refused_before_anything_is_computed() {
    let room = Room::new();
    converted(&room, &[]);
    let refused = |more: &[&str]| room.fails(&[&["preview", "bundle", "--out", "new"], more].concat());
    says(&refused(&["--side", "12"]), &["--side 12", "4, 8, 16, 32"]);
    says(&refused(&["--side", "64"]), &["--side 64", "4, 8, 16, 32"]);
    says(&refused(&["--examples", "3"]), &["--examples"]);
    says(&refused(&["--pictures", "nowhere"]), &["nowhere"]);
    says(&room.fails(&["preview", "bundle", "--out", "showo"]), &["showo exists already"]);
    says(&room.fails(&["preview", "showo", "--out", "new"]), &["manifest.json"]);
    let without = ["convert", "--tokenizer", "tokenizer.json", "--name", "t", "--licence", "MIT", "--out", "alone"];
    room.ok(&[&without[..], &["--input", "showo=showo"]].concat());
    says(&room.fails(&["preview", "alone", "--out", "new"]), &["magvit"]);
    assert_eq!(room.hidden(), 0);
}

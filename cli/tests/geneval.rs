//! `showo geneval` as a command, on the shipped bundle.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ::showo::picture::Rgb;
use tempfile::TempDir;

type Outcome = Result<(), Box<dyn Error>>;
/// Name and bytes.
type File = (String, Vec<u8>);

const PROMPTS: [&str; 3] = ["a red circle", "a blue square", "two green stars"];

fn scenes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../www/models/scenes")
}

/// A metadata file and the folder for the pictures.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(prompts: &[&str]) -> Result<Self, Box<dyn Error>> {
        let place = Self { folder: tempfile::tempdir()? };
        let lines: String = prompts.iter().map(|prompt| format!("{}\n", line(prompt))).collect();
        fs::write(place.metadata(), lines)?;
        Ok(place)
    }

    fn metadata(&self) -> PathBuf {
        self.folder.path().join("metadata.jsonl")
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn command(&self, bundle: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_showo"));
        command.arg("geneval").arg("--bundle").arg(bundle).arg("--metadata").arg(self.metadata());
        command.arg("--out").arg(self.out()).args(["--verifier", "none", "--images", "2"]).args(more);
        command
    }

    fn run(&self, more: &[&str]) -> Result<Output, Box<dyn Error>> {
        Ok(self.command(&scenes(), more).output()?)
    }

    fn succeed(&self, more: &[&str]) -> Outcome {
        let output = self.run(more)?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// The words of a refusal, with the exit code 2.
    fn refused(&self, more: &[&str]) -> Result<String, Box<dyn Error>> {
        let output = self.run(more)?;
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stderr)?)
    }

    /// Every file under the folder for the pictures, with its bytes.
    fn files(&self) -> Result<Vec<File>, Box<dyn Error>> {
        let (mut files, mut folders) = (Vec::new(), vec![self.out()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.out())?.to_string_lossy().replace('\\', "/");
                    files.push((name, fs::read(&path)?));
                }
            }
        }
        files.sort();
        Ok(files)
    }
}

fn line(prompt: &str) -> String {
    format!(r#"{{"tag": "single_object", "include": [{{"class": "circle", "count": 1}}], "prompt": "{prompt}"}}"#)
}

const QUICK: [&str; 4] = ["--steps", "2", "--seed", "5"];

#[test]
fn the_layout_is_the_evaluators_and_a_picture_can_be_drawn_again() -> Outcome {
    let place = Place::new(&PROMPTS)?;
    place.succeed(&QUICK)?;
    let files = place.files()?;
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let mut expected = vec!["showo-geneval.json".to_owned()];
    for folder in 0..3 {
        for file in ["grid.png", "metadata.jsonl", "samples/0000.png", "samples/0001.png"] {
            expected.push(format!("{folder:05}/{file}"));
        }
    }
    expected.sort();
    assert_eq!(names, expected);

    let file = |name: &str| files.iter().find(|(found, _)| found == name).map(|(_, bytes)| bytes.as_slice());
    assert_eq!(file("00001/metadata.jsonl"), Some(format!("{}\n", line(PROMPTS[1])).as_bytes()));
    let sample = Rgb::from_png(file("00001/samples/0001.png").unwrap_or_default())?;
    let grid = Rgb::from_png(file("00001/grid.png").unwrap_or_default())?;
    assert_eq!((sample.width, sample.height, grid.width, grid.height), (64, 64, 134, 68));

    let again = place.folder.path().join("again.png");
    let mut generate = Command::new(env!("CARGO_BIN_EXE_showo"));
    generate.arg("generate").arg("--bundle").arg(scenes()).arg("--out").arg(&again);
    generate.args(["--prompt", PROMPTS[1], "--verifier", "none", "--steps", "2", "--seed", "6"]);
    assert!(generate.output()?.status.success());
    assert_eq!(Rgb::from_png(&fs::read(again)?)?, sample);
    Ok(())
}

#[test]
fn a_run_goes_on_where_it_stopped_and_only_with_what_it_was_begun_with() -> Outcome {
    let place = Place::new(&PROMPTS)?;
    place.succeed(&QUICK)?;
    let whole = place.files()?;
    // A picture that is there is left alone, also where it is another one; what is missing is drawn.
    let (kept, lost) = (place.out().join("00000/samples/0000.png"), place.out().join("00002/samples/0001.png"));
    fs::write(&kept, "drawn before")?;
    fs::remove_file(&lost)?;
    fs::remove_file(place.out().join("00002/grid.png"))?;
    place.succeed(&QUICK)?;
    assert_eq!(fs::read(&kept)?, b"drawn before");
    fs::write(&kept, &whole.iter().find(|(name, _)| name == "00000/samples/0000.png").ok_or("no sample")?.1)?;
    assert_eq!(place.files()?, whole);

    for (change, name) in [
        (&["--steps", "3", "--seed", "5"][..], "steps 2, but now it is 3"),
        (&["--steps", "2", "--seed", "6"], "seed 5, but now it is 6"),
        (&["--steps", "2", "--seed", "5", "--guidance", "1.5"], "guidance_scale"),
        (&["--steps", "2", "--seed", "5", "--reflect"], "reflection"),
    ] {
        let words = place.refused(change)?;
        assert!(words.contains(name), "{words}");
    }
    fs::write(place.metadata(), format!("{}\n", line("a red star")))?;
    let words = place.refused(&QUICK)?;
    assert!(words.contains("begun with metadata"), "{words}");
    assert_eq!(place.files()?, whole);
    Ok(())
}

#[test]
fn another_bundle_does_not_go_on() -> Outcome {
    let place = Place::new(&PROMPTS[..1])?;
    place.succeed(&QUICK)?;
    let other = place.folder.path().join("other");
    fs::create_dir(&other)?;
    for entry in fs::read_dir(scenes())? {
        let entry = entry?;
        fs::copy(entry.path(), other.join(entry.file_name()))?;
    }
    let manifest = fs::read_to_string(other.join("manifest.json"))?;
    fs::write(other.join("manifest.json"), format!("{manifest}\n"))?;
    let output = place.command(&other, &QUICK).output()?;
    let words = String::from_utf8(output.stderr)?;
    assert!(output.status.code() == Some(2) && words.contains("begun with bundle"), "{words}");
    Ok(())
}

#[test]
fn shards_together_are_the_whole_run() -> Outcome {
    let (place, alone) = (Place::new(&PROMPTS)?, Place::new(&PROMPTS)?);
    place.succeed(&[&QUICK[..], &["--shard", "2/2"]].concat())?;
    assert!(!place.out().join("00000").exists() && place.out().join("00001").exists());
    place.succeed(&[&QUICK[..], &["--shard", "1/2"]].concat())?;
    alone.succeed(&QUICK)?;
    assert_eq!(place.files()?, alone.files()?);
    Ok(())
}

#[test]
fn unreadable_prompts_are_named_before_anything_is_drawn() -> Outcome {
    let place = Place::new(&["a photo of a bench", "a red circle", "red a circle"])?;
    let words = place.refused(&QUICK)?;
    assert!(words.contains("line 1: \"a photo of a bench\"") && words.contains("line 3"), "{words}");
    assert!(!words.contains("line 2") && words.contains("--skip-unknown"), "{words}");
    assert!(!place.out().exists());

    place.succeed(&[&QUICK[..], &["--skip-unknown"]].concat())?;
    assert!(place.out().join("00001/samples/0001.png").exists() && !place.out().join("00000").exists());
    Ok(())
}

#[test]
fn what_is_no_metadata_is_refused_with_its_line() -> Outcome {
    for (text, words) in [
        ("", "holds no prompt"),
        ("{\"prompt\": \"a red circle\"}\n\n{\"tag\": \"counting\"}\n", "line 3 "),
        ("{\"prompt\": 7}\n", "line 1 "),
        ("prompt\n", "line 1 "),
    ] {
        let place = Place::new(&[])?;
        fs::write(place.metadata(), text)?;
        let output = place.run(&QUICK)?;
        let said = String::from_utf8(output.stderr)?;
        assert!(output.status.code() == Some(1) && said.contains(words), "{said}");
        assert!(!place.out().exists());
    }
    Ok(())
}

#[test]
fn pictures_of_nobody_knows_what_are_not_added_to() -> Outcome {
    let place = Place::new(&PROMPTS)?;
    fs::create_dir_all(place.out().join("00000"))?;
    let output = place.run(&QUICK)?;
    let words = String::from_utf8(output.stderr)?;
    assert!(output.status.code() == Some(1) && words.contains("showo-geneval.json"), "{words}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_whole_pictures_and_the_run_goes_on() -> Outcome {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    let place = Place::new(&PROMPTS)?;
    let more = ["--steps", "12", "--seed", "5"];
    let mut child = place.command(&scenes(), &more).stderr(Stdio::piped()).spawn()?;
    let first = place.out().join("00000/samples/0000.png");
    let begin = Instant::now();
    while !first.exists() && begin.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status()?.success());
    let ended = child.wait()?;
    assert_eq!(ended.code(), Some(130));
    let files = place.files()?;
    let samples = files.iter().filter(|(name, _)| name.contains("/samples/")).count();
    assert!((1..6).contains(&samples), "{samples} samples");
    for (name, bytes) in &files {
        assert!(!name.contains("unfinished"), "{name}");
        if name.ends_with(".png") {
            Rgb::from_png(bytes)?;
        }
    }
    place.succeed(&more)?;
    assert_eq!(place.files()?.iter().filter(|(name, _)| name.contains("/samples/")).count(), 6);
    Ok(())
}

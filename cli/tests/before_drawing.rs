//! What is refused, and read, before anything is loaded or drawn.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

type Outcome = Result<(), Box<dyn Error>>;

/// A bundle that is not there: a command that comes so far says so, and none of these may.
const ABSENT: &str = "no-such-bundle";

fn showo(folder: &Path, arguments: &[&str]) -> Result<Output, Box<dyn Error>> {
    Ok(Command::new(env!("CARGO_BIN_EXE_showo")).args(arguments).current_dir(folder).output()?)
}

fn words(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_place_that_cannot_be_written_to_is_refused_before_a_bundle_is_opened() -> Outcome {
    let room = tempfile::tempdir()?;
    fs::create_dir(room.path().join("folder"))?;
    for (file, content) in [("file", ""), ("codes.json", "[0]"), ("list.jsonl", "{\"prompt\": \"a red circle\"}")] {
        fs::write(room.path().join(file), content)?;
    }
    let generate = ["generate", "--bundle", ABSENT, "--prompt", "a red circle"];
    let decode = ["decode", "--bundle", ABSENT, "--tokens", "codes.json"];
    let probe = ["probe", "--bundle", ABSENT, "--prompt", "a red circle"];
    let geneval = ["geneval", "--bundle", ABSENT, "--metadata", "list.jsonl"];
    for command in [&generate[..], &decode, &probe] {
        for (out, why) in [("folder", "is a folder"), ("new/", "is a folder"), ("file/a.png", "is no folder")] {
            let told = words(&showo(room.path(), &[command, &["--out", out]].concat())?);
            assert!(told.contains(why) && !told.contains("manifest"), "{command:?} --out {out}: {told}");
        }
        // The check is not all that there is.
        let told = words(&showo(room.path(), &[command, &["--out", "new/a.png"]].concat())?);
        assert!(told.contains("manifest.json"), "{told}");
    }
    let told = words(&showo(room.path(), &[&generate[..], &["--out", "a.png", "--trace", "folder"]].concat())?);
    assert!(told.contains("is a folder"), "{told}");
    let told = words(&showo(room.path(), &[&generate[..], &["--out", "a.png", "--trace", "a.png"]].concat())?);
    assert!(told.contains("--out") && told.contains("--trace"), "{told}");
    for out in ["file", "file/deeper"] {
        let told = words(&showo(room.path(), &[&geneval[..], &["--out", out]].concat())?);
        assert!(told.contains("is no folder"), "{told}");
    }
    Ok(())
}

/// A picture of one shade.
fn png(width: u32, height: u32, shade: u8) -> Result<Vec<u8>, Box<dyn Error>> {
    let picture = showo::picture::Rgb { width, height, bytes: vec![shade; (width * height * 3) as usize] };
    Ok(picture.to_png()?)
}

#[test]
fn a_question_or_a_mask_that_cannot_be_used_is_refused_before_a_bundle_is_opened() -> Outcome {
    let room = tempfile::tempdir()?;
    let at = |name: &str| room.path().join(name);
    fs::write(at("picture.png"), png(32, 24, 90)?)?;
    fs::write(at("mask.png"), png(24, 24, 255)?)?;
    fs::write(at("no.png"), b"GIF89a and more")?;
    fs::write(at("part.json"), "[]")?;
    let understand = ["understand", "--bundle", ABSENT];
    let inpaint = ["inpaint", "--bundle", ABSENT, "--prompt", "a dog", "--out", "a.png"];
    let extend = ["extend", "--bundle", ABSENT, "--out", "a.png", "--picture", "picture.png"];
    let cases: [(&[&str], &[&str], &str); 15] = [
        (&understand, &["--picture", "picture.png", "--question", " "], "write what to ask"),
        (&understand, &["--picture", "no.png", "--question", "a dog"], "save the picture as PNG"),
        (&understand, &["--trace", "part.json", "--question", "a dog"], "no finished picture"),
        (&understand, &["--question", "a dog"], "--picture"),
        (&understand, &["--picture", "picture.png", "--question", "a dog"], "manifest.json"),
        (&inpaint, &["--picture", "picture.png", "--mask", "mask.png"], "make the mask of the picture's size"),
        (&inpaint, &["--picture", "picture.png", "--mask", "nowhere.png"], "nowhere.png"),
        (&inpaint, &["--picture", "picture.png", "--mask", "picture.png"], "manifest.json"),
        (&inpaint, &["--recording", "part.json", "--mask", "mask.png"], "no finished picture"),
        (&inpaint, &["--mask", "mask.png"], "--recording"),
        (
            &inpaint,
            &["--recording", "part.json", "--picture", "picture.png", "--mask", "mask.png"],
            "cannot be used with",
        ),
        (&extend, &["--direction", "north", "--prompt", "a dog"], "left, right, up, down"),
        (&extend, &["--direction", "left", "--prompt", "a dog", "--prompt", "a cat"], "each direction its prompt"),
        (&extend, &["--prompt", "a dog"], "--direction"),
        (&extend, &["--direction", "left", "--prompt", "a dog"], "manifest.json"),
    ];
    for (command, arguments, why) in cases {
        let told = words(&showo(room.path(), &[command, arguments].concat())?);
        assert!(told.contains(why), "{command:?} {arguments:?}: {told}");
    }
    Ok(())
}

/// A file with a byte order mark is read as without; in UTF-16, or a pointer to it, it is called that.
#[test]
fn what_people_hand_over_may_have_a_byte_order_mark() -> Outcome {
    let room = tempfile::tempdir()?;
    let at = |name: &str| -> PathBuf { room.path().join(name) };
    let commands: [(&str, &str, Vec<&str>); 3] = [
        ("[0, 1]", "manifest.json", vec!["decode", "--bundle", ABSENT, "--out", "a.png", "--tokens", "file"]),
        (
            "{\"prompt\": \"a\"}",
            "manifest.json",
            vec!["geneval", "--bundle", ABSENT, "--out", "out", "--metadata", "file"],
        ),
        ("[]", "does not begin with", vec!["replay", "--out", "out", "file"]),
    ];
    for (content, further, arguments) in commands {
        // Two files that were joined have a second mark.
        let joined = if arguments[0] == "geneval" {
            format!("\u{feff}{content}\n\u{feff}{content}\n")
        } else {
            format!("\u{feff}{content}")
        };
        fs::write(at("file"), joined)?;
        let told = words(&showo(room.path(), &arguments)?);
        assert!(told.contains(further), "{told}");
        fs::write(
            at("file"),
            format!("\u{feff}{content}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
        )?;
        let told = words(&showo(room.path(), &arguments)?);
        assert!(told.contains("UTF-16") && told.contains("UTF-8"), "{told}");
        fs::write(at("file"), "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")?;
        let told = words(&showo(room.path(), &arguments)?);
        assert!(told.contains("git lfs pull"), "{told}");
    }
    Ok(())
}

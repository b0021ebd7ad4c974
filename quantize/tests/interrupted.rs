//! What is left when a conversion does not come to its end: nothing that looks finished.

#![cfg(unix)]

mod support;

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use support::{Room, says};

/// Layers enough for a conversion of about a second.
const LAYERS: &str = "600";

/// Starts a conversion and waits until it writes.
fn started(room: &Room) -> Child {
    let arguments = ["convert", "--tokenizer", "tokenizer.json", "--name", "t", "--licence", "MIT", "--out", "bundle"];
    let mut child = room
        .command(&arguments)
        .args(["--input", "showo=deep/showo"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while room.hidden() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never began to write");
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was interrupted");
        sleep(Duration::from_millis(1));
    }
    child
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn signals_leave_nothing_that_looks_finished() {
    let room = Room::new();
    room.ok(&["synth", "--config", "tiny", "--layers", LAYERS, "--out", "deep"]);
    for name in ["-TERM", "-INT"] {
        let child = started(&room);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{name}");
        says(&String::from_utf8(output.stderr).unwrap(), &["interrupted"]);
        assert!(!room.path("bundle").exists());
        assert_eq!(room.hidden(), 0, "{name} left an unfinished folder");
    }

    // Nobody can clean up after a SIGKILL: what is left is hidden, and no bundle.
    let child = started(&room);
    signal(&child, "-KILL");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(9));
    assert!(!room.path("bundle").exists());
    assert_eq!(room.hidden(), 1);
    let hidden = fs::read_dir(room.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.starts_with('.'))
        .unwrap();
    says(&hidden, &[".bundle.partial-"]);
    says(&room.fails(&["verify", &hidden]), &["manifest.json is not in the bundle"]);
    // And it is in nobody's way.
    room.converted(&["--input", "showo=deep/showo"]);
    room.ok(&["verify", "bundle"]);
}

#[test]
fn a_full_disk_is_named() {
    let room = Room::new();
    let disk = room.path("disk");
    fs::create_dir(&disk).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(&disk).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        println!("skipped: a small file system cannot be mounted here (that takes root)");
        return;
    }
    let magvit = ["--input", "magvit=magvit", "--out", "disk/bundle"];
    let arguments = ["convert", "--tokenizer", "tokenizer.json", "--name", "t", "--licence", "MIT"];
    let (success, text) = room.run(&[&arguments[..], &magvit].concat());
    let left = fs::read_dir(&disk).unwrap().count();
    let (synthesized, of_synth) = room.run(&["synth", "--config", "tiny", "--out", "disk/more"]);
    let left_of_synth = fs::read_dir(&disk).unwrap().count();
    assert!(Command::new("umount").arg(&disk).status().unwrap().success());
    assert!(!success && !synthesized);
    says(&text, &["magvit-000.safetensors", "No space left", "in the shard of magvit/"]);
    assert_eq!(left, 0);
    says(&of_synth, &["model.safetensors", "No space left"]);
    assert_eq!(left_of_synth, 0);
}

//! Running other programs: printed before they run, named when they fail.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::places::Places;

/// Cargo in the repository's root, with our target folder and our private tools in reach.
pub fn cargo(places: &Places) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(&places.root)
        .env("CARGO_TARGET_DIR", &places.target)
        .env("PATH", path_with(&places.tools().join("bin")));
    // These would replace the flags of .cargo/config.toml, without which the wasm does not build.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}

/// A program without any of our settings, in the repository's root.
pub fn program(places: &Places, name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(&places.root);
    command
}

/// Prints and runs `command` to its end.
///
/// # Errors
/// When it cannot start or does not succeed; the message holds the whole command line.
pub fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    eprintln!("$ {line}");
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs `command` and returns what it printed; nothing is shown.
///
/// # Errors
/// As [`run`], with the end of what it printed as an error.
pub fn capture(command: &mut Command) -> Result<String> {
    let line = line(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Prints and runs `command`, showing its standard error line by line as it comes and handing each line to `see`.
/// The answer is whether it succeeded.
///
/// # Errors
/// When it cannot start.
pub fn run_watching_stderr(command: &mut Command, mut see: impl FnMut(&str)) -> Result<bool> {
    let line = line(command);
    eprintln!("$ {line}");
    let mut child = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{line}`"))?;
    if let Some(stderr) = child.stderr.take() {
        for text in BufReader::new(stderr).split(b'\n') {
            let text = text.with_context(|| format!("cannot read what `{line}` prints"))?;
            let text = String::from_utf8_lossy(&text);
            eprintln!("{text}");
            see(&text);
        }
    }
    Ok(child.wait().with_context(|| format!("lost `{line}`"))?.success())
}

/// The command line as one could type it (quoting only what needs it).
pub fn line(command: &Command) -> String {
    let quote = |text: &OsStr| {
        let text = text.to_string_lossy();
        let plain = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "\"'$&|;<>()*?".contains(c));
        if plain { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
    };
    // The full path of cargo says nothing to the reader.
    let name = match Path::new(command.get_program()).file_name() {
        Some(name) if name == "cargo" => "cargo".to_owned(),
        _ => quote(command.get_program()),
    };
    std::iter::once(name).chain(command.get_args().map(quote)).collect::<Vec<_>>().join(" ")
}

/// The first executable of one of these names in `PATH`.
pub fn find_in_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|file| file.is_file())
}

/// `PATH` with `folder` before everything else.
fn path_with(folder: &Path) -> std::ffi::OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_path_buf()).chain(env::split_paths(&path));
    env::join_paths(folders).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["run", "--", "a b", "it's"]);
        assert_eq!(line(&command), r"cargo run -- 'a b' 'it'\''s'");
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert!(error.to_string().contains("sh -c 'exit 3'"), "{error}");
    }
}

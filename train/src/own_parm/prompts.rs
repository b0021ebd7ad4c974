//! What is drawn: a text file with a prompt a line, or JSON lines with a "prompt", as GenEval's `evaluation_metadata.jsonl`.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use showo::text;

/// One prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Names its folder: counted from 0 over the lines that say something, as GenEval's scripts do.
    pub index: u32,
    /// In the file, from 1.
    pub number: usize,
    /// What to draw.
    pub prompt: String,
    /// What the evaluator reads beside the pictures: the file's own line, or an object with the prompt alone.
    pub json: String,
}

/// What counts in a line of GenEval's metadata, or of a `metadata.jsonl`.
#[derive(Deserialize)]
struct Entry {
    prompt: String,
}

/// The prompt that a line of metadata gives.
///
/// # Errors
/// It is no JSON object with a text "prompt".
pub fn prompt_of(json: &str) -> serde_json::Result<String> {
    Ok(serde_json::from_str::<Entry>(json)?.prompt)
}

/// Every line that says something. Where the first is a JSON object, all are.
///
/// # Errors
/// The file cannot be read; a line of the other kind, by its number; no prompt at all.
pub fn read(path: &Path) -> Result<Vec<Line>> {
    let text = text::read_file(path).with_context(|| format!("cannot read {}", path.display()))?;
    let said: Vec<(usize, &str)> = (1..).zip(text::lines(&text)).filter(|(_, line)| !line.trim().is_empty()).collect();
    ensure!(!said.is_empty(), "{} holds no prompt; write one a line", path.display());
    let is_json = |line: &str| line.trim_start().starts_with('{');
    let metadata = is_json(said[0].1);
    let line = |(index, (number, line)): (u32, (usize, &str))| {
        if metadata != is_json(line) {
            bail!(
                "{}, line {number}: JSON objects and plain text are mixed; make every line one of both",
                path.display()
            );
        }
        let line = line.trim();
        if metadata {
            let prompt = prompt_of(line)
                .with_context(|| format!("{}, line {number}: no JSON object with a text \"prompt\"", path.display()))?;
            return Ok(Line { index, number, prompt, json: line.to_owned() });
        }
        let json = serde_json::json!({ "prompt": line }).to_string();
        Ok(Line { index, number, prompt: line.to_owned(), json })
    };
    (0..).zip(said).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Line>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn text_and_metadata_are_read_and_empty_lines_do_not_count() {
        let lines = read_text("a red fox\n\n  two \"cats\" \r\n").unwrap();
        assert_eq!(lines.iter().map(|line| (line.index, line.number)).collect::<Vec<_>>(), [(0, 1), (1, 3)]);
        assert_eq!(lines[1].prompt, "two \"cats\"");
        assert_eq!(prompt_of(&lines[1].json).unwrap(), "two \"cats\"");
        let json = r#"{"tag": "counting", "include": [{"class": "cat", "count": 2}], "prompt": "a photo of two cats"}"#;
        let lines = read_text(&format!("\u{feff}{json}\n")).unwrap();
        assert_eq!((lines[0].prompt.as_str(), lines[0].json.as_str()), ("a photo of two cats", json));
    }

    #[test]
    fn what_is_no_list_of_prompts_is_refused_by_its_line() {
        for (text, words) in [
            ("", "no prompt"),
            ("a cat\n{\"prompt\": \"a dog\"}\n", "line 2"),
            ("{\"prompt\": \"a dog\"}\n\na cat\n", "line 3"),
            ("{\"tag\": \"counting\"}\n", "line 1"),
            ("{\"prompt\": 3}\n", "\"prompt\""),
        ] {
            let error = read_text(text).unwrap_err();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }
}

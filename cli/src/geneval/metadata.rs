//! The prompts, and how machines share them.

use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use showo::text;

use crate::failure::Failure;

/// One prompt of the metadata file.
pub struct Line {
    /// Names the folder: counted from 0, as the official script does.
    pub index: usize,
    /// In the file, from 1.
    pub number: usize,
    /// What to draw.
    pub prompt: String,
    /// The line itself, which the evaluator reads again.
    pub json: String,
}

#[derive(Deserialize)]
struct Entry {
    prompt: String,
}

/// Every line, and the file's SHA-256. Empty lines do not count.
pub fn read(path: &Path) -> Result<(Vec<Line>, String), Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::file(path, error))?;
    let text = text::read(&bytes).map_err(|error| Failure::file(path, error))?;
    let lines = text::lines(text).enumerate().filter(|(_, line)| !line.trim().is_empty());
    let lines = lines.enumerate().map(|(index, (at, json))| {
        let entry: Entry = serde_json::from_str(json).map_err(|error| {
            let why = format!("line {} is no JSON object with a text \"prompt\": {error}", at + 1);
            Failure::file(path, why)
        })?;
        Ok(Line { index, number: at + 1, prompt: entry.prompt, json: json.to_owned() })
    });
    let lines = lines.collect::<Result<Vec<_>, Failure>>()?;
    if lines.is_empty() {
        return Err(Failure::file(path, "holds no prompt"));
    }
    let hash = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((lines, hash))
}

/// Part i of n: every n-th prompt, so that each part has some of every category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 1 to `of`.
    part: usize,
    of: usize,
}

impl Shard {
    /// Whether the prompt of that index belongs to this part.
    pub fn holds(self, index: usize) -> bool {
        index % self.of == self.part - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((part, of)) if (1..=of).contains(&part) => Ok(Self { part, of }),
            _ => Err("a shard is written i/n with i from 1 to n, for example 2/8".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_is_in_one_shard() -> Result<(), String> {
        let shards = ["1/3", "2/3", "3/3"].map(str::parse::<Shard>);
        for index in 0..10 {
            let mut holders = 0;
            for shard in &shards {
                holders += usize::from(shard.clone()?.holds(index));
            }
            assert_eq!(holders, 1, "{index}");
        }
        Ok(())
    }

    #[test]
    fn what_is_no_shard_is_refused() {
        for text in ["0/3", "4/3", "1", "1/0", "a/b", "-1/2", "1/2/3", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}

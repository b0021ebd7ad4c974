//! A variant's text, made from a `.wgsl` file: the one place where loops are written out.
//!
//! They have to be. The sums of a tile live in registers only as variables of their own: of an array that a loop runs
//! over, a shader compiler that does not unroll the loop makes memory, and the product takes several times as long. WGSL
//! has no way to ask for it, so the files mark such loops, and what only some variants have, in comments:
//!
//! ```text
//! //# for o in OUTS            the lines until `end`, OUTS times, with 0, 1, … for `$o` (from 1 with `in 1..OUTS`)
//!     var a$o = 0.0;
//! //# end
//! //# if PAST                  the lines until `else` or `end` where the flag is set, those after `else` elsewhere
//! //# end
//! ```
//!
//! A variant's numbers, which the WGSL may use too, stand before the file as constants, its types as aliases; bindings
//! (`@binding(auto)`) are numbered in the order of what stayed. Comments and empty lines stay here.

use std::fmt::Write;

/// What a text is written for.
#[derive(Debug, Clone, Copy)]
pub enum Setting {
    /// `const NAME = 8u;`, and how often a loop is written.
    Count(u32),
    /// `const NAME: f32 = 0.125;`
    Number(f32),
    /// `alias NAME = vec4<f32>;`
    Type(&'static str),
    /// For `if` alone.
    Flag(bool),
}

use Setting::{Count, Flag, Number, Type};

/// The text of the files, one after the other, for these settings.
///
/// # Panics
/// A mark that is none, a name that is no setting, a loop without an end: `tests.rs` writes every text there is.
pub fn write(files: &[&str], settings: &[(&str, Setting)]) -> String {
    let mut text = String::new();
    for (name, setting) in settings {
        match setting {
            Count(count) => line(&mut text, format_args!("const {name} = {count}u;")),
            Number(number) => line(&mut text, format_args!("const {name}: f32 = {number:?};")),
            Type(words) => line(&mut text, format_args!("alias {name} = {words};")),
            Flag(_) => {}
        }
    }
    for file in files {
        let lines: Vec<String> = file.lines().map(str::to_owned).collect();
        expand(&lines, settings, &mut text);
    }
    let mut numbered = String::new();
    for (index, part) in text.split("@binding(auto)").enumerate() {
        if index > 0 {
            numbered.push_str(&format!("@binding({})", index - 1));
        }
        numbered.push_str(part);
    }
    numbered
}

fn line(text: &mut String, words: std::fmt::Arguments) {
    text.write_fmt(words).and_then(|()| text.write_str("\n")).expect("writing to a String cannot fail");
}

/// The words of a mark.
fn mark(line: &str) -> Option<Vec<&str>> {
    line.trim_start().strip_prefix("//# ").map(|words| words.split_whitespace().collect())
}

fn expand(lines: &[String], settings: &[(&str, Setting)], text: &mut String) {
    let mut at = 0;
    while at < lines.len() {
        let Some(words) = mark(&lines[at]) else {
            let words = lines[at].trim_start();
            if !words.is_empty() && !words.starts_with("//") {
                line(text, format_args!("{}", lines[at]));
            }
            at += 1;
            continue;
        };
        let (otherwise, end) = ends(lines, at);
        match words[..] {
            ["for", index, "in", count] => {
                let sign = format!("${index}");
                let (first, count) = count.split_once("..").unwrap_or(("0", count));
                for number in counted(first, settings)..counted(count, settings) {
                    let number = number.to_string();
                    let body: Vec<String> =
                        lines[at + 1..end].iter().map(|line| line.replace(&sign, &number)).collect();
                    expand(&body, settings, text);
                }
            }
            ["if", flag] if flagged(flag, settings) => expand(&lines[at + 1..otherwise.unwrap_or(end)], settings, text),
            ["if", _] => expand(&lines[otherwise.unwrap_or(end - 1) + 1..end], settings, text),
            _ => panic!("`{}` is no mark", lines[at]),
        }
        at = end + 1;
    }
}

/// Where a mark's `else` is, if it has one, and its `end`.
fn ends(lines: &[String], at: usize) -> (Option<usize>, usize) {
    let (mut depth, mut otherwise) = (0, None);
    for (index, line) in lines.iter().enumerate().skip(at + 1) {
        match mark(line).as_deref() {
            Some(["end"]) if depth == 0 => return (otherwise, index),
            Some(["end"]) => depth -= 1,
            Some(["else"]) if depth == 0 => otherwise = Some(index),
            Some(["else"]) | None => {}
            Some(_) => depth += 1,
        }
    }
    panic!("`{}` has no end", lines[at])
}

fn counted(name: &str, settings: &[(&str, Setting)]) -> u32 {
    let set = settings.iter().find_map(|(known, setting)| match setting {
        Count(count) if *known == name => Some(*count),
        _ => None,
    });
    set.or_else(|| name.parse().ok()).unwrap_or_else(|| panic!("`{name}` is no count"))
}

fn flagged(name: &str, settings: &[(&str, Setting)]) -> bool {
    let set = settings.iter().find_map(|(known, setting)| match setting {
        Flag(flag) if *known == name => Some(*flag),
        _ => None,
    });
    set.unwrap_or_else(|| panic!("`{name}` is no flag"))
}

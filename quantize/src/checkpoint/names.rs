//! Names as the network has them, whatever wrapped the model when it was saved.
//!
//! `DataParallel`, `torch.compile` and their kin put a word of their own before, or into, every name; a training program
//! puts the model under the name that it has there. Nothing else about the tensors changes.

use std::collections::{BTreeMap, BTreeSet};

/// Words that wrappers put anywhere into a name and that no network has: `DataParallel` and DeepSpeed, `torch.compile`,
/// FSDP, activation checkpointing, Lightning's strategies.
const WRAPPERS: [&str; 5] =
    ["module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"];

/// Every name of a checkpoint and what the network calls it; and what was taken away, for people.
///
/// # Errors
/// Two names that would become the same; the model twice, under two prefixes.
pub fn as_the_network_has_them<'a>(
    found: impl IntoIterator<Item = &'a String>,
    expected: &BTreeSet<String>,
) -> Result<(BTreeMap<String, String>, Option<String>), String> {
    let mut wrapped = BTreeSet::new();
    let mut names: Vec<(&str, String)> = Vec::new();
    for name in found {
        let parts = name.split('.').filter(|part| {
            let is_wrapper = WRAPPERS.contains(part) && !expected.contains(name);
            if is_wrapper {
                wrapped.insert(format!("`{part}.`"));
            }
            !is_wrapper
        });
        names.push((name, parts.collect::<Vec<_>>().join(".")));
    }
    let prefix = prefix(names.iter().map(|(_, name)| name.as_str()), expected)?;
    if !prefix.is_empty() {
        wrapped.insert(format!("`{prefix}`"));
    }
    let mut renamed = BTreeMap::new();
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    for (name, cleaned) in names {
        let bare = cleaned.strip_prefix(&prefix).unwrap_or(&cleaned).to_owned();
        if let Some(other) = taken.insert(bare.clone(), name) {
            return Err(format!("{other} and {name} are both {bare} to the network; save one of them alone"));
        }
        renamed.insert(name.to_owned(), bare);
    }
    let note = (!wrapped.is_empty()).then(|| {
        let words: Vec<_> = wrapped.into_iter().collect();
        format!("read without {} in the tensors' names", words.join(" and "))
    });
    Ok((renamed, note))
}

/// What stands before the network's names in most of the checkpoint's, with its full stop; empty if nothing does.
fn prefix<'a>(names: impl Iterator<Item = &'a str>, expected: &BTreeSet<String>) -> Result<String, String> {
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        let ends = std::iter::once(0).chain(name.match_indices('.').map(|(at, _)| at + 1));
        for at in ends.filter(|&at| expected.contains(&name[at..])) {
            *votes.entry(&name[..at]).or_default() += 1;
        }
    }
    let most = votes.values().copied().max().unwrap_or(0);
    let best: Vec<&str> = votes.iter().filter(|(_, count)| **count == most).map(|(prefix, _)| *prefix).collect();
    match best[..] {
        // As it should be, whatever else there is.
        [] | ["", ..] => Ok(String::new()),
        [one] => Ok(one.to_owned()),
        [one, two, ..] => {
            Err(format!("holds the model's tensors under `{one}` and under `{two}`; save those of one of them alone"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(found: &[&str]) -> Result<(Vec<String>, Option<String>), String> {
        let expected = ["showo.embed.weight", "showo.layers.0.weight", "position"].map(String::from).into();
        let found: Vec<String> = found.iter().map(|name| (*name).to_owned()).collect();
        let (names, note) = as_the_network_has_them(&found, &expected)?;
        Ok((found.iter().map(|name| names[name].clone()).collect(), note))
    }

    #[test]
    fn wrappers_are_taken_away() {
        let bare = ["showo.embed.weight", "showo.layers.0.weight"].map(String::from).to_vec();
        assert_eq!(read(&["showo.embed.weight", "showo.layers.0.weight"]), Ok((bare.clone(), None)));
        for (before, inside) in [
            ("module.", ""),
            ("_orig_mod.", ""),
            ("module._orig_mod.", ""),
            ("model.", ""),
            ("base_model.model.", ""),
            ("", "_orig_mod."),
            ("", "module."),
            ("_forward_module.generator.", "_checkpoint_wrapped_module."),
        ] {
            let wrapped =
                [format!("{before}showo.{inside}embed.weight"), format!("{before}showo.layers.{inside}0.weight")];
            let (names, note) = read(&wrapped.each_ref().map(String::as_str)).unwrap();
            assert_eq!(names, bare, "{wrapped:?}");
            let word = format!("{before}{inside}");
            let word = word.split('.').next().unwrap();
            assert!(note.is_some_and(|note| note.contains(word)), "{wrapped:?}");
        }
    }

    #[test]
    fn what_does_not_belong_to_the_model_keeps_its_name() {
        let found = ["model.showo.embed.weight", "model.showo.layers.0.weight", "discriminator.bias"];
        let (names, note) = read(&found).unwrap();
        assert_eq!(names[2], "discriminator.bias");
        assert_eq!(note.as_deref(), Some("read without `model.` in the tensors' names"));
        // A whole model is not renamed for the sake of a part of another one.
        let (names, note) = read(&["showo.embed.weight", "showo.layers.0.weight", "ema.showo.embed.weight"]).unwrap();
        assert_eq!((names[2].as_str(), note), ("ema.showo.embed.weight", None));
    }

    #[test]
    fn a_model_that_is_there_twice_is_refused() {
        let told = read(&["ema.showo.embed.weight", "model.showo.embed.weight"]).unwrap_err();
        assert!(told.contains("`ema.`") && told.contains("`model.`"), "{told}");
        let told = read(&["module.showo.embed.weight", "showo.embed.weight"]).unwrap_err();
        assert!(told.contains("module.showo.embed.weight and showo.embed.weight"), "{told}");
    }
}

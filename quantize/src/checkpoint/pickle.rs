//! A pickle, read as what a state dict needs and nothing else.
//!
//! A pickle is a program for a stack machine that may call any Python function it names. Here nothing is ever called:
//! the names below are the only ones that are known, and each stands for a value of this module. Whatever else a file
//! asks for is refused by its name. Format: `pickletools.py` of CPython; layout of tensors: `torch/_utils.py` and
//! `torch/serialization.py` of PyTorch.

mod error;
mod machine;
mod program;

use std::collections::{BTreeMap, HashSet};

pub use error::PickleError;
pub use machine::Tensor;

use self::error::malformed;
use self::machine::{Machine, Value};

/// Longest pickle that is read, in bytes; a state dict of a thousand tensors takes a hundred thousand.
pub const MAX_BYTES: u64 = 16 << 20;

/// How deep a state dict may lie in other dictionaries.
const DEEPEST: usize = 4;

/// What training programs call the model among what they save, those first that say it best.
const WRAPPERS: [&str; 7] = ["state_dict", "model_state_dict", "model", "module", "model_state", "network", "net"];

/// A state dict.
pub struct StateDict {
    /// The tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Where it lay and what beside it was passed over, for people; nothing where there was nothing else.
    pub note: Option<String>,
}

/// The tensors of a state dict by name, also where the dictionary lies in another one: a training program saves the model
/// beside its optimizer and its counters. Numbers and texts between the tensors are passed over.
///
/// # Errors
/// A [`PickleError`]; whatever is named by it was not run.
pub fn state_dict(bytes: &[u8]) -> Result<StateDict, PickleError> {
    let mut machine = Machine::default();
    let top = machine.run(bytes)?;
    let Value::Dict(mut dict) = top else {
        return Err(malformed("it holds one value, not a dictionary"));
    };
    let (mut way, mut beside) = (Vec::new(), Vec::new());
    while way.len() < DEEPEST {
        let Some((name, inner, others)) = inner(&machine, dict)? else { break };
        dict = inner;
        way.push(name.to_owned());
        beside.extend(others.into_iter().map(str::to_owned));
    }
    let mut tensors = BTreeMap::new();
    let mut no_tensor = None;
    for &(key, value) in &machine.dicts[dict] {
        let name = machine.text(key);
        let Value::Tensor(tensor) = value else {
            no_tensor.get_or_insert(name);
            continue;
        };
        let name = name.ok_or_else(|| malformed("a key is not a text"))?;
        if tensors.insert(name.to_string(), machine.tensor(tensor)).is_some() {
            return Err(malformed(format!("{name} is there twice")));
        }
    }
    match no_tensor {
        Some(name) if tensors.is_empty() => Err(malformed(match name {
            Some(name) => format!("{name} is not a tensor"),
            None => "a key is not a text".into(),
        })),
        _ => Ok(StateDict { tensors, note: note(&way, &beside) }),
    }
}

fn note(way: &[String], beside: &[String]) -> Option<String> {
    let quoted = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match (way, beside) {
        ([], _) => None,
        (way, []) => Some(format!("the weights are those under {}", quoted(way))),
        (way, beside) => Some(format!("the weights are those under {}, not under {}", quoted(way), quoted(beside))),
    }
}

/// The dictionary of weights in a dictionary, its key, and the keys of others that were passed over.
type Inner<'a> = (&'a str, usize, Vec<&'a str>);

fn inner(machine: &Machine, dict: usize) -> Result<Option<Inner<'_>>, PickleError> {
    let mut seen = HashSet::new();
    let found: Vec<(&str, usize)> = machine.dicts[dict]
        .iter()
        .filter_map(|&(key, value)| match value {
            Value::Dict(inner) if holds_weights(machine, inner, DEEPEST, &mut seen) => {
                Some((machine.text(key)?, inner))
            }
            _ => None,
        })
        .collect();
    let known = WRAPPERS.iter().find_map(|known| found.iter().find(|(name, _)| name == known));
    let (name, inner) = match (&found[..], known) {
        ([], _) => return Ok(None),
        (_, Some(known)) | ([known], None) => *known,
        (several, None) => {
            let names: Vec<_> = several.iter().take(8).map(|(name, _)| format!("`{name}`")).collect();
            return Err(malformed(format!(
                "it holds several of them, under {}; save the one that is meant alone: torch.save(torch.load(…)[…], …)",
                names.join(", ")
            )));
        }
    };
    Ok(Some((name, inner, found.iter().filter(|(other, _)| *other != name).map(|(other, _)| *other).collect())))
}

/// Whether a dictionary is a state dict, or has one under a name that says so. One that was `seen` is not looked through
/// again: a pickle may name the same dictionary as often as it likes.
fn holds_weights(machine: &Machine, dict: usize, depth: usize, seen: &mut HashSet<usize>) -> bool {
    depth > 0
        && seen.insert(dict)
        && machine.dicts[dict].iter().any(|&(key, value)| match value {
            Value::Tensor(_) => machine.text(key).is_some(),
            Value::Dict(inner) => {
                machine.text(key).is_some_and(|name| WRAPPERS.contains(&name))
                    && holds_weights(machine, inner, depth - 1, seen)
            }
            _ => false,
        })
}
